"""Breakers and limits of CAs, by the real command line and the embedded Command's log.

A CA that fails stops its own rows and no others; a breaker with a rest tries again; a
CA's rate and its daily quota hold.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import QUICK, Row, Served, serving
from acceptance.terminal import Done, Terminal, finished, until

from batch_reenroll.sandbox import FleetPlan
from batch_reenroll.text import parse_time

CA_1 = r"ca01.example.com\Corp Issuing CA 1"
CA_2 = r"ca01.example.com\Corp Issuing CA 2"


def at(authority: str, rows: Iterable[Row]) -> list[Row]:
    """Return the rows with another CA."""
    return [{**row, "CertificateAuthority": authority} for row in rows]


def campaign(terminal: Terminal, rows: Sequence[Row], *blocks: str) -> Path:
    """Write a YAML manifest of the rows with further blocks; return it."""
    numbered = [{**row, "RowId": f"r{n:04d}"} for n, row in enumerate(rows, 1)]
    write_manifest(terminal.folder / "rows.csv", numbered)
    path = terminal.folder / "m.yaml"
    lines = ("version: 1", *blocks, "rows_from: rows.csv", "")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def ends(done: Done, terminal: Terminal, rows: Iterable[Row]) -> Counter[str]:
    """Return how the stores' rows ended."""
    wanted = {row["KeystoreId"] for row in rows}
    results = report_of(done.err, terminal.folder).results
    return Counter(line["outcome"] for line in results if line["KeystoreId"] in wanted)


def breaker_events(report: Report) -> list[tuple[str, str]]:
    """Return (event, name) of what the journal says of breakers."""
    entries = [json.loads(line) for line in report.text("events.jsonl").splitlines()]
    return [
        (entry["event"], entry["name"])
        for entry in entries
        if entry["event"].startswith("breaker_")
    ]


def sent_at(command: Served, rows: Iterable[Row]) -> list[datetime]:
    """Return when Command was given a job for each of the stores, in order."""
    wanted = {row["KeystoreId"] for row in rows}
    times = [
        parse_time(entry["at"])
        for entry in command.events()
        if entry["event"] == "job_created"
        and entry["store_id"] in wanted
        and entry["job_type"].endswith("Reenrollment")
    ]
    return sorted(when for when in times if when is not None)


def test_a_ca_that_fails_everything_stops_its_own_rows_and_no_others(
    tmp_path: Path,
) -> None:
    plan = FleetPlan(stores=130, orchestrators=5, broken_stores=60, slow=0, seed=5)
    terminal = own_terminal(tmp_path)
    with serving(tmp_path / "served", plan, heartbeat_s=0.1) as command:
        terminal = Terminal(folder=terminal.folder, env=command.env)
        rows = command.rows(110, broken=60)
        broken, healthy = at(CA_1, rows[:60]), at(CA_2, rows[60:])
        manifest = campaign(
            terminal, [*broken, *healthy], "budget: {max_failures: 100%}"
        )
        words = ("run", manifest, "--yes", "--campaign=c", *QUICK)
        done = terminal.run(*words, "--per-orchestrator=2").expect(7)
        n_touched = sum(command.jobs(broken).values())
        print(f"a bad template on one CA touched {n_touched} of {len(broken)} stores")
        # Twenty failures of one cause, and what was in flight at five orchestrators.
        assert n_touched <= 20 + 5 * 2
        assert ends(done, terminal, healthy) == {"verified": len(healthy)}
        assert ends(done, terminal, broken) == {
            "failed": n_touched,
            "not_attempted": len(broken) - n_touched,
        }
    report = report_of(done.err, terminal.folder)
    assert breaker_events(report)[-1:] == [("breaker_opened", CA_1)]
    kept_back = [r for r in report.results if r["outcome"] == "not_attempted"]
    assert {r["reason_code"] for r in kept_back} == {"breaker_open"}
    cause = f"the breaker of the CA {CA_1} is open: 20 failures in a row"
    assert all(cause in r["message"] for r in kept_back)
    status = terminal.run("status", "c").expect(0)
    assert f"the CA {CA_1} is cut off: 20 failures in a row, all for" in status.out


def test_a_breaker_with_a_rest_lets_one_row_try_and_opens_the_way_again(
    tmp_path: Path,
) -> None:
    plan = FleetPlan(stores=14, orchestrators=1, seed=72)
    terminal = own_terminal(tmp_path)
    # Ten open the breaker; the first probe is the eleventh.
    failing = {"nth": 1, "times": 11, "result": 4}
    jobs = (failing,)
    with serving(tmp_path / "served", plan, jobs=jobs, heartbeat_s=0.1) as command:
        terminal = Terminal(folder=terminal.folder, env=command.env)
        rows = command.rows(14)
        manifest = campaign(terminal, rows, "budget: {max_failures: 100%}")
        words = ("run", manifest, "--yes", "--campaign=c", *QUICK)
        flags = (
            "--per-orchestrator=1",
            "--breaker-rest=0.5",
            "--poll-interval=0.05",
            "--settle-time=0.1",
        )
        done = terminal.run(*words, *flags).expect(5)
        command.assert_one_job_each(rows)
        times = sent_at(command, rows)
    assert ends(done, terminal, rows) == {"failed": 11, "verified": 3}
    events = breaker_events(report_of(done.err, terminal.folder))
    assert [event for event, _ in events] == [
        "breaker_opened",
        "breaker_opened",
        "breaker_closed",
    ]
    # The rest doubles with a probe that fails.
    assert times[10] - times[9] >= timedelta(seconds=0.5)
    assert times[11] - times[10] >= timedelta(seconds=1.0)
    assert "is cut off" not in terminal.run("status", "c").expect(0).out


def test_a_cas_rate_holds_and_keeps_no_other_cas_rows_waiting(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(24)
    slow, quick = at(CA_2, rows[:12]), at(CA_1, rows[12:])
    pace = f"pace: {{per_authority: {{'{CA_2.upper()}': {{max_per_second: 4}}}}}}"
    manifest = campaign(terminal, [*slow, *quick], pace)
    words = ("run", manifest, "--yes", "--campaign=c")
    done = terminal.run(*words, *QUICK).expect(0)
    assert f"at most 4 per second on {CA_2.upper()}" in done.err
    times = sent_at(command, slow)
    # Less what the disk and the network may take for one of them.
    assert times[-1] - times[0] >= timedelta(seconds=11 / 4 - 0.5)
    for first, seventh in zip(times, times[6:], strict=False):
        assert seventh - first >= timedelta(seconds=1)
    assert sent_at(command, quick)[-1] < times[-1]


def test_a_cas_daily_quota_outlives_the_process(
    terminal: Terminal, command: Served
) -> None:
    rows = at(CA_2, command.rows(5))
    pace = f"pace: {{per_authority: {{'{CA_2}': {{per_day: 3}}}}}}"
    manifest = campaign(terminal, rows, pace)
    first = ("run", str(manifest), "--yes", "--campaign=c")
    for words in (first, ("resume", "c")):
        n_looks = looks(command)
        process = terminal.start(*words, *QUICK)
        until(partial(has_waited, command, rows, n_looks + 8), process=process)
        terminal.run("stop", "c").expect(0)
        finished(process).expect(10)
        assert sum(command.jobs(rows).values()) == 3


def has_waited(command: Served, rows: Sequence[Row], n_looks: int) -> bool:
    """Return whether the quota is used up and the run goes on looking."""
    return sum(command.jobs(rows).values()) >= 3 and looks(command) >= n_looks


def looks(command: Served) -> int:
    """Return how often JobHistory was read."""
    log = (command.directory / "sandbox.log.jsonl").read_bytes()
    return log.count(b"/OrchestratorJobs/JobHistory")


def own_terminal(tmp_path: Path) -> Terminal:
    """Return a terminal in an empty folder."""
    folder = tmp_path / "mine"
    folder.mkdir()
    return Terminal(folder=folder)
