"""``stop`` from another process, and ``retry`` of what did not end well."""

from __future__ import annotations

import json

from acceptance.paper import report_of, write_manifest
from acceptance.served import QUICK, Served
from acceptance.terminal import Terminal, finished, until


def test_stop_ends_a_running_campaign_in_good_order(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(30)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    process = terminal.start(
        "run", manifest, "--yes", "--campaign=c", *QUICK, "--rate=5"
    )
    until(lambda: len(command.jobs(rows)) >= 3, process=process)
    terminal.run("stop", "c").expect(0)
    stopped = finished(process).expect(10)
    assert "go on with: batch-reenroll resume c" in stopped.err
    assert len(command.jobs(rows)) < len(rows)
    done = terminal.run("resume", "c", *QUICK).expect(0)
    report_of(done.err, terminal.folder).assert_accounts_for(rows)
    command.assert_one_job_each(rows)


def test_a_campaign_that_does_not_run_cannot_be_stopped(
    terminal: Terminal, command: Served
) -> None:
    manifest = write_manifest(terminal.folder / "m.csv", command.rows(1))
    terminal.run("run", manifest, "--yes", "--campaign=c", *QUICK).expect(0)
    refused = terminal.run("stop", "c").expect(2)
    assert "not running" in refused.err


def test_retry_of_a_stalled_row_withdraws_its_old_job_first(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2, offline=1)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    words = (*QUICK, "--pickup-timeout=2")
    terminal.run("run", manifest, "--yes", "--campaign=c", *words).expect(7)
    terminal.run("retry", "c", "--only=stalled", *words).expect(7)
    stalled = next(row for row in rows if not command.is_online(row))
    assert command.story(stalled) == [
        "job_created",
        "job_unscheduled",
        "job_created",
    ]
    healthy = next(row for row in rows if command.is_online(row))
    assert command.story(healthy).count("job_created") == 1


def test_retry_of_a_failed_row_makes_one_new_attempt(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2, broken=1)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    terminal.run("run", manifest, "--yes", "--campaign=c", *QUICK).expect(5)
    terminal.run("retry", "c", "--only=failed", *QUICK).expect(5)
    folder = terminal.folder / "reports" / "c"
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    retried = [
        line for line in map(json.loads, lines) if line.get("reason") == "retried"
    ]
    assert [line["row_id"] for line in retried] == ["r0001"]
    broken = next(row for row in rows if row["CertificateTemplate"] == "Broken")
    assert command.story(broken).count("job_created") == 2


def test_what_cannot_be_retried_is_a_usage_error(
    terminal: Terminal, command: Served
) -> None:
    manifest = write_manifest(terminal.folder / "m.csv", command.rows(1))
    terminal.run("run", manifest, "--yes", "--campaign=c", *QUICK).expect(0)
    for wrong in ("verified", "nonsense", ","):
        refused = terminal.run("retry", "c", f"--only={wrong}").expect(2)
        assert "expected any of" in refused.err
    refused = terminal.run("retry", "c", "--only=skipped_preflight").expect(2)
    assert "failure.csv" in refused.err
