"""SQLite files that are ledgers, are not, or cannot be written: nothing else's data
is touched."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from unit.ledger.books import assert_sound, move, rows, take, write

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.errors import (
    LedgerError,
    LedgerVersionMismatch,
    LedgerWriteFailed,
    UsageError,
)
from batch_reenroll.ledger import SqliteLedger, opening
from batch_reenroll.ledger.schema import APPLICATION_ID, LEGAL_MOVES, SCHEMA_VERSION

S = State


def database(
    path: Path, *, version: int = 0, application: int = 0, tables: bool = True
) -> Path:
    """Make another program's database."""
    with closing(sqlite3.connect(path)) as connection:
        if tables:
            connection.execute("CREATE TABLE bookmark (url TEXT)")
            connection.execute("INSERT INTO bookmark VALUES ('https://example.com')")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(f"PRAGMA application_id = {application}")
        connection.commit()
    return path


def pragma(path: Path, name: str) -> int | str:
    with closing(sqlite3.connect(path)) as connection:
        value: int | str = connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value


def test_a_ledger_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    SqliteLedger(path).close()
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "user_version") == SCHEMA_VERSION
    assert path.read_bytes()[68:72] == b"BREE"


def test_every_commit_is_on_disk_and_readers_never_wait(tmp_path: Path) -> None:
    with SqliteLedger(tmp_path / "new.db") as ledger:
        settings = {
            name: ledger._writer.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_the_ledger_keeps_the_whole_life_cycle(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    SqliteLedger(path).close()
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT origin, target FROM legal_move ORDER BY 1, 2")
        assert kept.fetchall() == LEGAL_MOVES


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    with SqliteLedger(tmp_path / "new.db") as ledger:
        write(ledger)
    assert [path.name for path in tmp_path.iterdir()] == ["new.db"]


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    with SqliteLedger(path) as ledger:
        write(ledger)
        assert_sound(ledger)


def test_a_ledger_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    path = database(
        tmp_path / "x.db", version=SCHEMA_VERSION + 1, application=APPLICATION_ID
    )
    before = path.read_bytes()
    with pytest.raises(LedgerVersionMismatch, match=str(SCHEMA_VERSION + 1)):
        SqliteLedger(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION, SCHEMA_VERSION + 6])
def test_another_programs_database_is_refused(tmp_path: Path, version: int) -> None:
    path = database(tmp_path / "x.db", version=version)
    with pytest.raises(LedgerError):
        SqliteLedger(path)


def test_another_programs_version_is_not_taken_for_ours(tmp_path: Path) -> None:
    path = database(tmp_path / "x.db", version=SCHEMA_VERSION + 6)
    with pytest.raises(LedgerError) as caught:
        SqliteLedger(path)
    assert not isinstance(caught.value, LedgerVersionMismatch)


def test_a_negative_version_is_refused(tmp_path: Path) -> None:
    path = database(tmp_path / "x.db", version=-1)
    with pytest.raises(LedgerError), SqliteLedger(path) as ledger:
        assert ledger.campaign_ids() == []


def test_another_programs_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = database(tmp_path / "x.db", version=0)
    before = path.read_bytes()
    with pytest.raises(LedgerError):
        SqliteLedger(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"KeystoreId,Alias\n" * 3, b"KeystoreId,Alias\n" * 500, b"\x00" * 4096],
    ids=["short", "long", "zeros"],
)
def test_a_file_that_is_no_database_is_refused_untouched(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "stores.csv"
    path.write_bytes(content)
    with pytest.raises(LedgerError) as caught:
        SqliteLedger(path)
    assert caught.value.exit_code == 2
    assert str(path) in caught.value.message
    assert path.read_bytes() == content


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_is_no_ledger(tmp_path: Path, create: bool) -> None:
    with pytest.raises(UsageError, match="cannot be opened"):
        SqliteLedger(tmp_path, create=create)


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        SqliteLedger(tmp_path / "no" / "x.db")
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_is_not_made_by_looking_for_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no ledger"):
        SqliteLedger(tmp_path / "x.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_not_made_a_ledger_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.touch()
    with pytest.raises(UsageError):
        SqliteLedger(path, create=False).close()


def test_a_ledger_opens_while_another_process_is_writing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with SqliteLedger(path) as ledger:
        number = write(ledger)
        with ledger._transaction(), SqliteLedger(path, create=False) as other:
            assert other.campaign("q4").n_rows == 3
        assert ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING)]) == [None]


def test_a_reader_sees_no_half_written_batch(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with SqliteLedger(path) as ledger:
        number = write(ledger)
        with SqliteLedger(path) as other, ledger._transaction():
            ledger._writer.execute("UPDATE row SET state = 'submitting'")
            assert other.campaign("q4").rows == {S.PENDING: 3}
            ledger._writer.execute("UPDATE row SET state = 'pending'")
        assert ledger.campaign("q4").rows == {S.PENDING: 3}
        assert number == 1


def test_two_openings_at_once_make_one_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process makes the file after it was found empty."""
    make_tables = opening._make_tables

    def overtaken(writer: sqlite3.Connection, path: Path) -> None:
        monkeypatch.setattr(opening, "_make_tables", make_tables)
        with SqliteLedger(path) as other:
            write(other, "theirs")
        make_tables(writer, path)

    monkeypatch.setattr(opening, "_make_tables", overtaken)
    with SqliteLedger(tmp_path / "x.db") as ledger:
        assert ledger.campaign_ids() == ["theirs"]
        take(ledger, write(ledger, "ours"), 1, S.VERIFIED)
        assert_sound(ledger)


@pytest.mark.parametrize(
    "exists",
    [
        False,
        True,
    ],
    ids=["being made", "made"],
)
def test_a_writer_waits_for_another_processs_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    path, patience_s = tmp_path / "x.db", 0.15
    monkeypatch.setattr(opening, "_BUSY_TIMEOUT_S", patience_s)
    if exists:
        SqliteLedger(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began_s = time.monotonic()
        with pytest.raises(LedgerWriteFailed), SqliteLedger(path) as ledger:
            write(ledger)
        waited_s = time.monotonic() - began_s
    assert waited_s >= patience_s


def damaged(path: Path) -> None:
    """Overwrite every page behind the schema, as a bad disk might."""
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'row' AND type = 'table'"
        ).fetchone()[0]
        size_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute("PRAGMA journal_mode = DELETE")
    with path.open("r+b") as file:
        file.seek((root - 1) * size_bytes)
        file.write(b"\xff" * size_bytes)


def test_a_damaged_ledger_refuses_moves_as_a_ledger_error(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with SqliteLedger(path) as ledger:
        number = write(ledger, planned_rows=rows(200))
    damaged(path)
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError, match="malformed"):
        ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING)])


def test_a_damaged_ledger_refuses_reads_as_a_ledger_error(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with SqliteLedger(path) as ledger:
        number = write(ledger, planned_rows=rows(200))
    damaged(path)
    with SqliteLedger(path) as ledger, pytest.raises(LedgerError):
        ledger.row(number, 1)
