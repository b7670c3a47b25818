"""Stops of every kind, and that going on submits no store twice and loses none."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess

import pytest
from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Done, Terminal, finished, signalled, until

#: Slow enough that a campaign of 60 rows outlives several kills.
SLOW = ("--poll-interval=0.3", "--rate=25", "--per-orchestrator=3", "--settle-time=1")


def begun(
    terminal: Terminal, command: Served, rows: list[Row], *flags: str
) -> subprocess.Popen[str]:
    """Start a campaign named ``c``; return once its first jobs are with Command."""
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    process = terminal.start("run", manifest, "--yes", "--campaign=c", *(flags or SLOW))
    until(lambda: len(command.jobs(rows)) >= 3, process=process)
    return process


def gone_on(terminal: Terminal) -> Done:
    """Resume the campaign to its end."""
    # A killed process's request may still be on its way for a moment.
    return terminal.run("resume", "c", *QUICK, "--settle-time=1")


def assert_whole(
    done: Done, terminal: Terminal, command: Served, rows: list[Row]
) -> Report:
    """Fail unless every row was verified, with one job for each store."""
    report = report_of(done.expect(0).err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.outcomes == {"verified": len(rows)}
    command.assert_one_job_each(rows)
    return report


def test_sigint_stops_in_order_with_130_and_resume_finishes(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(30)
    done = signalled(begun(terminal, command, rows), signal.SIGINT).expect(130)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.outcomes["not_attempted"] > 0
    assert report.summary["exit_code"] == 130
    assert command.posts() > 0
    resume = re.search(r"^go on with: batch-reenroll (.*)$", done.err, re.MULTILINE)
    assert resume, done.err
    again = terminal.run(*shlex.split(resume[1]), *QUICK)
    assert_whole(again, terminal, command, rows)


def test_sigterm_stops_in_order_with_143_and_resume_finishes(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(20)
    done = signalled(begun(terminal, command, rows), signal.SIGTERM).expect(143)
    report_of(done.err, terminal.folder).assert_accounts_for(rows)
    assert_whole(gone_on(terminal), terminal, command, rows)


def test_a_stop_does_not_wait_for_rows_whose_turn_has_not_come(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(6)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    # The second row's turn is ten seconds away and more.
    words = ("run", manifest, "--yes", "--campaign=c", *QUICK, "--rate=0.1")
    process = terminal.start(*words)
    until(lambda: len(command.jobs(rows)) >= 1, process=process)
    process.send_signal(signal.SIGINT)
    finished(process, deadline_s=8).expect(130)


def test_after_a_stop_nothing_more_is_submitted(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(30)
    signalled(begun(terminal, command, rows), signal.SIGINT).expect(130)
    report = Report(folder=terminal.folder / "reports" / "c")
    unsent = [r for r in report.results if r["attempts"] in ("", "0")]
    assert unsent
    assert all(row["outcome"] == "not_attempted" for row in unsent)
    assert not command.jobs(unsent)


@pytest.mark.parametrize("verb", ["run", "resume"])
def test_a_second_process_on_the_campaign_is_refused_and_told_which_holds_it(
    terminal: Terminal, command: Served, verb: str
) -> None:
    rows = command.rows(20)
    process = begun(terminal, command, rows)
    if verb == "resume":
        second = gone_on(terminal).expect(2)
        assert str(process.pid) in second.err
    else:
        words = ("run", "m.csv", "--yes", "--campaign=c", *QUICK)
        second = terminal.run(*words).expect(2)
    assert "hint: " in second.err
    assert second.out == ""
    finished(process).expect(0)
    command.assert_one_job_each(rows)


def test_another_campaign_does_not_touch_stores_that_are_in_flight(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(4, offline=1)
    process = begun(terminal, command, rows, *QUICK)
    offline = [row for row in rows if not command.is_online(row)]
    until(lambda: command.jobs(offline), process=process)
    write_manifest(terminal.folder / "one.csv", offline)
    second = terminal.run("run", "one.csv", "--yes", "--campaign=other").expect(4)
    assert "store_in_flight" in second.err
    signalled(process, signal.SIGINT).expect(130)
    command.assert_one_job_each(rows)


def test_resuming_a_finished_campaign_submits_nothing_and_exits_0(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3)
    finished(begun(terminal, command, rows, *QUICK)).expect(0)
    before = command.posts()
    assert_whole(gone_on(terminal), terminal, command, rows)
    assert command.posts() == before


def test_resuming_an_unknown_campaign_names_the_known_ones(
    terminal: Terminal, command: Served
) -> None:
    finished(begun(terminal, command, command.rows(3), *QUICK)).expect(0)
    done = terminal.run("resume", "d").expect(2)
    assert "'d'" in done.err
    assert "hint: known: c" in done.err


def test_resume_refuses_another_command(terminal: Terminal, command: Served) -> None:
    finished(begun(terminal, command, command.rows(3), *QUICK)).expect(0)
    elsewhere = {"KEYFACTOR_HOSTNAME": "http://127.0.0.1:9"}
    done = terminal.run("resume", "c", env=elsewhere).expect(2)
    assert "127.0.0.1:9" in done.err
    assert command.env["KEYFACTOR_HOSTNAME"] in done.err
