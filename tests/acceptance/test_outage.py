"""A Command that misbehaves while a campaign runs: kept apart, it is never shared."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acceptance.paper import report_of, write_manifest
from acceptance.served import QUICK, Served, serve
from acceptance.terminal import Terminal, finished, until

from batch_reenroll.sandbox import FleetPlan

_PLAN = FleetPlan(stores=12, orchestrators=2, seed=3)
_POST = {"method": "POST", "path": "/Reenrollment"}


@contextmanager
def troubled(folder: Path, *faults: dict[str, Any]) -> Iterator[Served]:
    """Serve a Command of one's own whose requests meet ``faults``."""
    folder.mkdir()
    script = folder / "faults.json"
    script.write_text(json.dumps({"requests": list(faults)}))
    served = serve(folder, _PLAN, flags=(f"--faults={script}",))
    try:
        yield served
    finally:
        served.process.send_signal(signal.SIGTERM)
        finished(served.process)


def test_answers_that_get_lost_cost_no_store_a_second_job(tmp_path: Path) -> None:
    dropped = {"match": _POST, "nth": 2, "times": 3, "action": {"drop": "after"}}
    failing = {"match": _POST, "nth": 6, "action": {"status": 500, "processed": True}}
    never = {"match": _POST, "nth": 8, "times": 2, "action": {"drop": "before"}}
    with troubled(tmp_path / "served", dropped, failing, never) as command:
        rows = command.rows(12)
        terminal = Terminal(folder=tmp_path, env=command.env)
        write_manifest(tmp_path / "m.csv", rows)
        done = terminal.run("run", "m.csv", "--yes", *QUICK).expect(0)
        report = report_of(done.err, tmp_path)
        report.assert_accounts_for(rows)
        assert report.outcomes == {"verified": 12}
        command.assert_one_job_each(rows)


def test_a_second_signal_leaves_at_once_and_resume_finds_the_job(
    tmp_path: Path,
) -> None:
    late = {"match": _POST, "nth": 3, "action": {"delay_after_s": 20}}
    with troubled(tmp_path / "served", late) as command:
        rows = command.rows(6)
        terminal = Terminal(folder=tmp_path, env=command.env)
        write_manifest(tmp_path / "m.csv", rows)
        said = tmp_path / "said.txt"
        with said.open("w") as output:
            process = terminal.start(
                *("run", "m.csv", "--yes", "--campaign=c", *QUICK, "--max-in-flight=3"),
                output=output,
            )
        until(lambda: len(command.jobs(rows)) >= 3, process=process)
        process.send_signal(signal.SIGINT)
        until(lambda: "SIGINT: stopping" in said.read_text(), process=process)
        process.send_signal(signal.SIGINT)
        # The answer that it would wait for takes longer than this.
        assert finished(process, deadline_s=10).code == 130
        assert "left at once; the ledger is in order" in said.read_text()
        done = terminal.run("resume", "c", *QUICK).expect(0)
        report_of(done.err, tmp_path).assert_accounts_for(rows)
        command.assert_one_job_each(rows)


def test_a_jobs_success_that_the_inventory_does_not_bear_out_exits_7(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    script = folder / "faults.json"
    script.write_text(json.dumps({"jobs": [{"result": 2, "times": 1}]}))
    command = serve(folder, _PLAN, flags=(f"--faults={script}",))
    try:
        rows = command.rows(3)
        terminal = Terminal(folder=tmp_path, env=command.env)
        write_manifest(tmp_path / "m.csv", rows)
        flags = (*QUICK, "--verify-timeout=2", "--per-orchestrator=1")
        done = terminal.run("run", "m.csv", "--yes", *flags).expect(7)
        report = report_of(done.err, tmp_path)
        report.assert_accounts_for(rows)
        assert report.outcomes == {"succeeded": 1, "verified": 2}
    finally:
        command.process.send_signal(signal.SIGTERM)
        finished(command.process)
