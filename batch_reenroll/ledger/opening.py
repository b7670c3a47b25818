"""Opening a SQLite ledger: whose file it is, how it is set up, what its errors mean."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from batch_reenroll.errors import (
    LedgerError,
    LedgerVersionMismatch,
    LedgerWriteFailed,
    UsageError,
)
from batch_reenroll.ledger.schema import (
    APPLICATION_ID,
    LEGAL_MOVES,
    SCHEMA_VERSION,
    TABLES,
    UPGRADES,
)

#: How long a writer waits for another: a large campaign is written in one transaction.
_BUSY_TIMEOUT_S = 300.0

_RETRY_S = 0.02


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's exceptions into ours."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        hint = "free space or restore write access, then resume the campaign"
        message = f"the ledger {path} refused a write: {exc}"
        raise LedgerWriteFailed(message, hint=hint) from exc
    except sqlite3.DatabaseError as exc:
        raise _unusable(path, exc) from exc


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn SQLite's exceptions while reading into ours."""
    try:
        yield
    except sqlite3.DatabaseError as exc:
        raise _unusable(path, exc) from exc


def _unusable(path: Path, exc: sqlite3.DatabaseError) -> LedgerError:
    message = f"the ledger {path} cannot be used: {exc}"
    return LedgerError(message, hint="is it a batch-reenroll ledger, and whole?")


def connected(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit mode, usable from one thread at a time.

    Raises:
        UsageError: The file or its folder cannot be opened.
    """
    try:
        connection = sqlite3.connect(
            path,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as exc:
        message = f"the ledger {path} cannot be opened: {exc}"
        raise UsageError(message, hint="check --ledger and its folder") from exc
    connection.row_factory = sqlite3.Row
    return connection


def prepare(writer: sqlite3.Connection, path: Path, *, create: bool) -> None:
    """Check that the file is ours, set the connection up, make the tables if needed.

    Nothing is changed in a file that is not ours.

    Raises:
        LedgerError: It is another program's, or there is none and none may be made.
        LedgerVersionMismatch: A newer version wrote it.
    """
    is_empty = _check_ours(writer, path)
    if is_empty and not create:
        message = f"{path} holds no ledger"
        raise UsageError(message, hint="name another file with --ledger")
    _use_wal(writer)
    writer.execute("PRAGMA synchronous = FULL")
    writer.execute("PRAGMA foreign_keys = ON")
    if is_empty:
        _make_tables(writer, path)
    elif _version(writer) < SCHEMA_VERSION:
        _upgrade(writer)


def _check_ours(writer: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is empty; raise where it is not ours or too new."""
    is_empty = not writer.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    application = int(writer.execute("PRAGMA application_id").fetchone()[0])
    version = _version(writer)
    if is_empty and (application, version) == (0, 0):
        return True
    ours = application == APPLICATION_ID or (is_empty and application == 0)
    if not ours or version < 1:
        message = f"{path} is a database of another program"
        raise LedgerError(message, hint="name another file with --ledger")
    if version > SCHEMA_VERSION:
        message = (
            f"the ledger {path} has schema {version}; "
            f"this version knows {SCHEMA_VERSION}"
        )
        raise LedgerVersionMismatch(message, hint="use the newer batch-reenroll")
    return is_empty


def _version(writer: sqlite3.Connection) -> int:
    return int(writer.execute("PRAGMA user_version").fetchone()[0])


def _use_wal(writer: sqlite3.Connection) -> None:
    # Switching to WAL does not heed the busy timeout when two processes do it at once.
    give_up_s = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            writer.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            busy = exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > give_up_s:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def _make_tables(writer: sqlite3.Connection, path: Path) -> None:
    # A second process may make them at the same moment: look again inside.
    writer.execute("BEGIN IMMEDIATE")
    try:
        if _check_ours(writer, path):
            for statement in _statements(TABLES):
                writer.execute(statement)
            writer.executemany("INSERT INTO legal_move VALUES (?, ?)", LEGAL_MOVES)
        writer.execute("COMMIT")
    except BaseException:
        writer.execute("ROLLBACK")
        raise


def _upgrade(writer: sqlite3.Connection) -> None:
    """Bring a ledger of an earlier version up to this one, whole or not at all."""
    writer.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        for version in range(_version(writer), SCHEMA_VERSION):
            for statement in _statements(UPGRADES[version]):
                writer.execute(statement)
        writer.execute("DELETE FROM legal_move")
        writer.executemany("INSERT INTO legal_move VALUES (?, ?)", LEGAL_MOVES)
        writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        writer.execute("COMMIT")
    except BaseException:
        writer.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; ``executescript`` would commit first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
