"""Where a ledger lives: what a contract test needs beyond the ledger itself.

Each kind of ledger brings one home; every test that takes the fixture ``home`` or
``ledger`` is then run for it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from batch_reenroll.ledger import SqliteLedger

#: Files in memory, where the system has any: there an fsync costs nothing. What a
#: real disk adds is looked at in test_crash.py alone.
_IN_MEMORY = Path("/dev/shm")


@contextlib.contextmanager
def quick_folder() -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards."""
    where = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=where) as folder:
        yield Path(folder)


class Backdoor(Protocol):
    """A connection to the database that bypasses our own code."""

    def run(self, sql: str, **values: Any) -> list[Sequence[Any]]:
        """Run one statement with ``:name`` values; return what it found."""
        ...

    def is_refused(self, sql: str, **values: Any) -> bool:
        """Run one statement and take it back; return whether it was refused."""
        ...


class Home(Protocol):
    """A place for one ledger."""

    def open(self) -> SqliteLedger:
        """Open the ledger, made at the first time."""
        ...

    def backdoor(self) -> contextlib.AbstractContextManager[Backdoor]:
        """Open the database itself."""
        ...

    def fill_up(self, ledger: SqliteLedger) -> None:
        """Leave the ledger no space to grow."""
        ...

    def make_room(self, ledger: SqliteLedger) -> None:
        """Undo :meth:`fill_up`."""
        ...


class SqliteBackdoor:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, **values: Any) -> list[Sequence[Any]]:
        return self._connection.execute(sql, values).fetchall()

    def is_refused(self, sql: str, **values: Any) -> bool:
        self._connection.execute("SAVEPOINT attempt")
        try:
            self._connection.execute(sql, values).fetchall()
        except sqlite3.IntegrityError:
            return True
        else:
            return False
        finally:
            self._connection.execute("ROLLBACK TO attempt")
            self._connection.execute("RELEASE attempt")


class SqliteHome:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "campaigns.db"

    def open(self) -> SqliteLedger:
        return SqliteLedger(self.path)

    @contextlib.contextmanager
    def backdoor(self) -> Iterator[SqliteBackdoor]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            yield SqliteBackdoor(connection)
        finally:
            connection.close()

    def fill_up(self, ledger: SqliteLedger) -> None:
        # SQLite's own "database or disk is full", without filling a disk.
        writer = ledger._writer
        pages = int(writer.execute("PRAGMA page_count").fetchone()[0])
        writer.execute(f"PRAGMA max_page_count = {pages}")

    def make_room(self, ledger: SqliteLedger) -> None:
        ledger._writer.execute("PRAGMA max_page_count = 1000000")
