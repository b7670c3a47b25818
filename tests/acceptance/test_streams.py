"""Standard streams that are closed, full, or that nobody reads any more."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest
from acceptance.paper import Report, write_manifest
from acceptance.screen import Screen
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Terminal, finished, signalled, until

needs_dev_full = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="there is no /dev/full"
)


@pytest.fixture
def rows(command: Served) -> list[Row]:
    return command.rows(2)


@pytest.fixture
def words(terminal: Terminal, rows: list[Row]) -> tuple[str | Path, ...]:
    """A run of two rows that ends well."""
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    return ("run", manifest, "--yes", "--campaign=c", *QUICK)


def all_closed() -> None:
    for descriptor in range(3):
        os.close(descriptor)


def full(descriptor: int) -> None:
    """Make a descriptor one that refuses every write, as a full disk does."""
    device = os.open("/dev/full", os.O_WRONLY)
    os.dup2(device, descriptor)
    os.close(device)


@pytest.mark.parametrize(
    "close",
    [partial(os.close, 1), all_closed],
    ids=["stdout", "all three"],
)
def test_closed_streams_do_not_change_the_exit_code(
    terminal: Terminal,
    command: Served,
    rows: list[Row],
    words: tuple[str | Path, ...],
    close: partial[None],
) -> None:
    terminal.run(*words, before=close).expect(0)
    Report(folder=terminal.folder / "reports" / "c").assert_accounts_for(rows)
    command.assert_one_job_each(rows)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", [("run", "m.csv", "--dry-run"), ("validate", "m.csv"), ("--help",)]
)
@needs_dev_full
def test_a_stdout_that_cannot_be_written_is_one_line_on_stderr(
    terminal: Terminal, rows: list[Row], words: tuple[str, ...], unbuffered: str
) -> None:
    write_manifest(terminal.folder / "m.csv", rows)
    env = {"PYTHONUNBUFFERED": unbuffered}
    done = terminal.run(*words, env=env, before=partial(full, 1)).expect(2)
    assert done.err == "error: stdout cannot be written: No space left on device\n"


@needs_dev_full
def test_a_campaign_whose_numbers_cannot_be_printed_is_whole_and_says_so(
    terminal: Terminal,
    command: Served,
    rows: list[Row],
    words: tuple[str | Path, ...],
) -> None:
    done = terminal.run(*words, before=partial(full, 1)).expect(2)
    assert "report: reports/c/report.html" in done.err
    assert "stdout cannot be written" in done.err
    Report(folder=terminal.folder / "reports" / "c").assert_accounts_for(rows)
    command.assert_one_job_each(rows)


@needs_dev_full
def test_a_stderr_that_cannot_be_written_does_not_change_the_exit_code(
    terminal: Terminal, words: tuple[str | Path, ...]
) -> None:
    terminal.run(*words, before=partial(full, 2)).expect(0)
    terminal.run(*words, before=partial(full, 2)).expect(2)
    terminal.run("renew", before=partial(full, 2)).expect(2)


def test_a_reader_that_has_gone_does_not_hide_how_the_campaign_ended(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2, broken=1)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    process = terminal.start("run", manifest, "--yes", *QUICK)
    assert process.stdout is not None
    process.stdout.close()
    assert "report: " in finished(process).expect(5).err


@pytest.mark.parametrize("words", [("--help",), ("validate", "m.csv")])
def test_a_reader_that_has_gone_is_no_error(
    terminal: Terminal, rows: list[Row], words: tuple[str, ...]
) -> None:
    write_manifest(terminal.folder / "m.csv", rows)
    process = terminal.start(*words)
    assert process.stdout is not None
    process.stdout.close()
    assert finished(process).expect(0).err == ""


def test_a_json_reader_that_has_gone_does_not_make_a_bad_manifest_good(
    terminal: Terminal,
) -> None:
    (terminal.folder / "m.csv").write_text("KeystoreId\nnonsense\n")
    process = terminal.start("validate", "m.csv", "--output=json")
    assert process.stdout is not None
    process.stdout.close()
    finished(process).expect(3)


def test_ctrl_c_stops_in_order_although_the_pipe_of_stderr_broke_with_it(
    terminal: Terminal, command: Served
) -> None:
    # `run … 2>&1 | tee log` and Ctrl-C: the signal goes to both, and tee dies of it.
    rows = command.rows(20)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    slow = ("--campaign=c", *QUICK, "--max-in-flight=3")
    process = terminal.start("run", manifest, "--yes", *slow)
    until(lambda: len(command.jobs(rows)) >= 3, process=process)
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    signalled(process, signal.SIGINT).expect(130)
    report = Report(folder=terminal.folder / "reports" / "c")
    report.assert_accounts_for(rows)
    assert report.outcomes["not_attempted"] > 0
    terminal.run("resume", "c", *QUICK).expect(0)
    command.assert_one_job_each(rows)


def test_a_terminal_that_goes_away_does_not_end_a_campaign_that_outlives_it(
    terminal: Terminal, command: Served
) -> None:
    # As with `nohup` or `disown`: the hang-up is ignored, the terminal is gone.
    rows = command.rows(20)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    slow = ("--campaign=c", *QUICK, "--max-in-flight=3")
    screen = Screen.start(
        terminal, "run", manifest, "--yes", *slow, ignoring=signal.SIGHUP
    )
    screen.shows("elapsed")
    screen.hang_up()
    assert screen.process.wait(60) == 0
    Report(folder=terminal.folder / "reports" / "c").assert_accounts_for(rows)
    command.assert_one_job_each(rows)
