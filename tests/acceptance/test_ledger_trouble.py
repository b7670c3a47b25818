"""A ledger that cannot be used: a clear error, nothing sent, nothing lost."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from acceptance.paper import Report, write_manifest
from acceptance.served import QUICK, Served
from acceptance.terminal import Terminal, no_file_beyond


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE phone_book (name TEXT)")
        db.execute("PRAGMA user_version = 1")


def folder(path: Path) -> None:
    path.mkdir()


def no_database(path: Path) -> None:
    path.write_text("dear diary\n" * 500)


def cut_short(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


@pytest.mark.parametrize("verb", ["run", "resume", "status", "report"])
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (newer, "schema 99"),
        (foreign, "another program"),
        (folder, "cannot be opened"),
        (no_database, "not a database"),
        (cut_short, "ledger"),
    ],
)
def test_an_unusable_ledger_exits_2_with_a_hint_and_sends_nothing(
    terminal: Terminal,
    command: Served,
    make: Callable[[Path], None],
    word: str,
    verb: str,
) -> None:
    ledger = terminal.folder / "batch-reenroll.db"
    make(ledger)
    before = command.posts()
    held = ledger.read_bytes() if ledger.is_file() else b""
    words: tuple[str, ...] = ("c",)
    if verb == "run":
        write_manifest(terminal.folder / "m.csv", _ROWS)
        words = ("m.csv", "--yes")
    done = terminal.run(verb, *words).expect(2)
    assert word in done.err
    assert "hint: " in done.err
    assert done.out == ""
    assert command.posts() == before
    assert (ledger.read_bytes() if ledger.is_file() else b"") == held


_ROWS = [
    {
        "KeystoreId": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "SubjectName": "CN=a.example.com",
        "AgentGuid": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "Alias": "web",
    }
]


def test_a_ledger_in_a_folder_that_is_not_there_exits_2(
    terminal: Terminal, command: Served
) -> None:
    write_manifest(terminal.folder / "m.csv", command.rows(1))
    words = ("run", "m.csv", "--yes", "--ledger=sqlite:///nowhere/c.db")
    assert "nowhere/c.db" in terminal.run(*words).expect(2).err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_ledger_exits_2_and_sends_nothing(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    write_manifest(terminal.folder / "m.csv", rows)
    terminal.run("run", "m.csv", "--yes", "--limit=1", *QUICK).expect(0)
    (terminal.folder / "batch-reenroll.db").chmod(0o400)
    before = command.posts()
    done = terminal.run("run", "m.csv", "--yes").expect(2)
    assert "hint: " in done.err
    assert command.posts() == before


def test_a_disk_that_is_full_at_the_start_sends_nothing(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(24)
    write_manifest(terminal.folder / "m.csv", rows)
    before = command.posts()
    words = ("run", "m.csv", "--yes", "--campaign=c", *QUICK)
    done = terminal.run(*words, before=no_file_beyond(16 * 1024)).expect(2)
    assert "refused a write" in done.err
    assert command.posts() == before
    terminal.run(*words).expect(0)
    command.assert_one_job_each(rows)


def test_a_full_disk_leaves_no_half_written_report(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3)
    write_manifest(terminal.folder / "m.csv", rows)
    words = ("run", "m.csv", "--yes", "--campaign=c", *QUICK)
    terminal.run(*words).expect(0)
    report = Report(folder=terminal.folder / "reports" / "c")
    held = {path.name: path.read_bytes() for path in report.folder.iterdir()}
    done = terminal.run("report", "c", before=no_file_beyond(4096)).expect(2)
    assert "hint: " in done.err
    assert {p.name: p.read_bytes() for p in report.folder.iterdir()} == held
