"""What is asked before a run, on a terminal, and what each answer does."""

from __future__ import annotations

from pathlib import Path

import pytest
from acceptance.paper import Report, write_manifest
from acceptance.screen import CTRL_C, CTRL_D, Screen
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Terminal


@pytest.fixture
def rows(command: Served) -> list[Row]:
    return command.rows(2)


@pytest.fixture
def manifest(terminal: Terminal, rows: list[Row]) -> Path:
    return write_manifest(terminal.folder / "m.csv", rows)


def asked(terminal: Terminal, manifest: Path) -> Screen:
    """Start a run; return once it asks."""
    screen = Screen.start(terminal, "run", manifest, "--campaign=c", *QUICK)
    screen.shows("Submit 2 rows? [y/N]")
    return screen


@pytest.mark.parametrize(
    ("keys", "code", "word"),
    [
        ("n\n", 10, "nothing was sent"),
        ("\n", 10, "nothing was sent"),
        (CTRL_D, 10, "nothing was sent"),
        (CTRL_C, 130, "nothing was sent"),
        ("perhaps\nno\n", 10, "invalid input"),
    ],
    ids=["no", "enter", "end of input", "ctrl-c", "nonsense, then no"],
)
def test_any_answer_but_yes_sends_nothing_and_leaves_no_campaign(
    terminal: Terminal,
    command: Served,
    rows: list[Row],
    manifest: Path,
    keys: str,
    code: int,
    word: str,
) -> None:
    screen = asked(terminal, manifest)
    screen.type(keys)
    assert screen.code() == code
    assert word in screen.text
    assert not command.jobs(rows)
    assert "there is no campaign" in terminal.run("resume", "c").expect(2).err


def test_the_plan_is_shown_before_the_question(
    terminal: Terminal, manifest: Path
) -> None:
    screen = asked(terminal, manifest)
    shown = screen.text.index("2 of 2 rows will be submitted")
    assert shown < screen.text.index("Submit 2 rows?")
    screen.type("n\n")
    screen.code()


def test_yes_carries_the_campaign_out(
    terminal: Terminal, command: Served, rows: list[Row], manifest: Path
) -> None:
    screen = asked(terminal, manifest)
    assert not command.jobs(rows)
    screen.type("y\n")
    assert screen.code() == 0
    Report(folder=terminal.folder / "reports" / "c").assert_accounts_for(rows)
    command.assert_one_job_each(rows)


def test_ctrl_c_on_a_terminal_stops_the_campaign_in_order(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(20)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    words = ("run", manifest, "--yes", "--campaign=c", *QUICK, "--max-in-flight=3")
    screen = Screen.start(terminal, *words)
    screen.shows("elapsed")
    screen.type(CTRL_C)
    assert screen.code() == 130
    assert "go on with: batch-reenroll resume c" in screen.text
    terminal.run("resume", "c", *QUICK).expect(0)
    command.assert_one_job_each(rows)
