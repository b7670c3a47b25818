"""``stop --unschedule``: jobs that nobody has begun are taken back, and only those."""

from __future__ import annotations

import signal

import pytest
from acceptance.paper import ended_as, report_of, write_manifest
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Terminal, finished, until


def _without_an_orchestrator(command: Served, n: int) -> list[Row]:
    return command.rows(n, offline=n)


def test_a_stop_takes_back_what_no_orchestrator_has_begun(
    terminal: Terminal, command: Served
) -> None:
    silent = _without_an_orchestrator(command, 3)
    manifest = write_manifest(terminal.folder / "m.csv", silent)
    process = terminal.start("run", manifest, "--yes", "--campaign=c", *QUICK)
    until(lambda: len(command.jobs(silent)) == len(silent), process=process)
    terminal.run("stop", "c", "--unschedule").expect(0)
    stopped = finished(process).expect(10)
    assert ended_as(terminal.folder) == {"cancelled": 3}
    for row in silent:
        assert command.story(row) == ["job_created", "job_unscheduled"]
    report_of(stopped.err, terminal.folder).assert_accounts_for(silent)


def test_withdrawn_rows_can_be_sent_again(terminal: Terminal, command: Served) -> None:
    silent = _without_an_orchestrator(command, 1)
    manifest = write_manifest(terminal.folder / "m.csv", silent)
    process = terminal.start("run", manifest, "--yes", "--campaign=c", *QUICK)
    until(lambda: len(command.jobs(silent)) == 1, process=process)
    terminal.run("stop", "c", "--unschedule").expect(0)
    finished(process).expect(10)
    again = ("retry", "c", "--only=cancelled", *QUICK, "--pickup-timeout=1")
    terminal.run(*again).expect(7)
    assert command.story(silent[0]) == [
        "job_created",
        "job_unscheduled",
        "job_created",
    ]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_jobs_of_a_campaign_that_runs_no_more_are_taken_back(
    terminal: Terminal, command: Served, how: signal.Signals
) -> None:
    silent = _without_an_orchestrator(command, 2)
    manifest = write_manifest(terminal.folder / "m.csv", silent)
    process = terminal.start("run", manifest, "--yes", "--campaign=c", *QUICK)
    until(lambda: len(command.jobs(silent)) == 2, process=process)
    process.send_signal(how)
    finished(process)
    terminal.run("stop", "c", "--unschedule").expect(0)
    assert ended_as(terminal.folder) == {"cancelled": 2}
    for row in silent:
        assert command.story(row) == ["job_created", "job_unscheduled"]


def test_a_job_that_has_begun_is_left_to_run(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3, offline=1)
    healthy = [row for row in rows if command.is_online(row)]
    silent = [row for row in rows if not command.is_online(row)]
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    process = terminal.start("run", manifest, "--yes", "--campaign=c", *QUICK)
    until(
        lambda: (
            all("job_ended" in command.story(row) for row in healthy)
            and len(command.jobs(silent)) == 1
        ),
        process=process,
    )
    terminal.run("stop", "c", "--unschedule").expect(0)
    finished(process).expect(10)
    for row in healthy:
        assert "job_unscheduled" not in command.story(row)
    terminal.run("resume", "c", *QUICK).expect(7)
    assert ended_as(terminal.folder) == {"verified": 2, "cancelled": 1}
