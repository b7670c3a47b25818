"""Two thousand stores against a Command in another process."""

from __future__ import annotations

import signal
from pathlib import Path

from acceptance.paper import report_of, write_manifest
from acceptance.served import serve, thumbprint
from acceptance.terminal import Terminal, finished

from batch_reenroll.sandbox import FleetPlan

_ROWS = 2_000


def test_two_thousand_stores_each_hold_a_new_certificate_whose_key_matches(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    plan = FleetPlan(stores=_ROWS, orchestrators=24, seed=2000)
    command = serve(folder, plan, heartbeat_s=0.5)
    try:
        rows = command.rows(_ROWS)
        before = {r["KeystoreId"]: command.thumbprint(r["KeystoreId"]) for r in rows}
        terminal = Terminal(folder=tmp_path, env=command.env)
        write_manifest(tmp_path / "m.csv", rows)
        done = terminal.run(
            *("run", "m.csv", "--yes", "--rate=400", "--per-orchestrator=50"),
            *("--max-in-flight=1000", "--poll-interval=0.5", "--settle-time=2"),
            deadline_s=240,
        ).expect(0)
        report = report_of(done.err, tmp_path)
        report.assert_accounts_for(rows)
        assert report.outcomes == {"verified": _ROWS}
        command.assert_one_job_each(rows)
        for line in report.results:
            key, leaf = command.on_disk(line["KeystoreId"])
            assert key.public_key() == leaf.public_key()
            assert thumbprint(leaf) == line["thumbprint_after"].lower()
            assert thumbprint(leaf) != before[line["KeystoreId"]]
    finally:
        command.process.send_signal(signal.SIGTERM)
        finished(command.process)
