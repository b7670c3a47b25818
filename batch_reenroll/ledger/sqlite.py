"""The SQLite ledger: one file, one writer, every commit on disk before it counts.

WAL with ``synchronous=FULL``: a commit that returned survives power loss. Batches
make FULL free (measured, see DESIGN.md). Writers start with ``BEGIN IMMEDIATE``: a
deferred transaction that reads and then writes fails at once in WAL when another
writer was faster, whatever the timeout.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.rows import Move, Note
from batch_reenroll.errors import (
    IllegalMove,
    LedgerError,
    StoreInFlight,
    UsageError,
)
from batch_reenroll.ledger.batch import (
    OneByOne,
    apply_together,
    assignments,
    misplaced,
    unfit,
)
from batch_reenroll.ledger.intake import genesis, insert_campaign, insert_rows
from batch_reenroll.ledger.journal import JournalTail
from batch_reenroll.ledger.opening import connected, prepare, translated
from batch_reenroll.ledger.reader import LedgerReader

#: Fewer moves than this are written one by one: it is faster, and simpler.
_WORTH_IT = 4


class SqliteLedger(LedgerReader):
    """A ledger in one SQLite file.

    Synchronous. Writes go through one connection, which the group commit uses from
    one thread at a time; reads go through another.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the ledger, making it where it does not exist and ``create`` is set.

        Raises:
            UsageError: There is none, or its folder cannot be used.
            LedgerVersionMismatch: A newer version wrote it.
            LedgerError: The file is not a ledger.
            LedgerWriteFailed: It cannot be written.
        """
        if not create and not path.exists():
            message = f"there is no ledger at {path}"
            raise UsageError(message, hint="name it with --ledger sqlite:///FILE")
        self._writer = connected(path)
        try:
            with translated(path):
                prepare(self._writer, path, create=create)
            super().__init__(path, connected(path))
        except BaseException:
            self._writer.close()
            raise

    def close(self) -> None:
        """Close both connections."""
        self._reader.close()
        self._writer.close()

    def __enter__(self) -> SqliteLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(
        self,
        campaign: Campaign,
        rows: Iterable[PlannedRow],
        *,
        at: datetime,
        digests: Callable[[], tuple[str, str]],
        confirm: Callable[[int], None] = lambda _: None,
    ) -> Campaign:
        """Write a campaign with all its rows, or nothing.

        Args:
            campaign: What is known before the rows have been read.
            rows: Streamed; an exception it raises leaves the ledger as it was.
            at: Now, aware.
            digests: Called after the last row: manifest and plan SHA-256.
            confirm: Called with the number of rows before anything is kept; raising
                leaves the ledger as it was.

        Returns:
            The campaign as written.

        Raises:
            UsageError: The campaign id is taken.
            LedgerWriteFailed: Disk full or read-only.
        """
        with translated(self.path), self._transaction():
            taken = self._writer.execute(
                "SELECT 1 FROM campaign WHERE campaign_id = ?", (campaign.campaign_id,)
            ).fetchone()
            if taken:
                message = f"campaign {campaign.campaign_id} is in the ledger already"
                raise UsageError(message, hint="resume it, or choose another id")
            number = insert_campaign(self._writer, campaign)
            n_rows, skipped = insert_rows(self._writer, number, campaign, rows, at)
            confirm(n_rows)
            manifest_sha256, plan_sha256 = digests()
            created = replace(
                campaign, manifest_sha256=manifest_sha256, plan_sha256=plan_sha256
            )
            self._writer.execute(
                "UPDATE campaign SET manifest_sha256 = ?, plan_sha256 = ? WHERE no = ?",
                (manifest_sha256, plan_sha256, number),
            )
            journal = JournalTail(self._writer, number)
            journal.add_event("campaign_created", at, genesis(created, n_rows))
            for move in skipped:
                refusal = self._apply(number, move, journal)
                if refusal is not None:
                    raise refusal
            journal.save()
        return self.campaign(campaign.campaign_id)

    def apply(
        self,
        number: int,
        moves: Sequence[Move | Note],
        requests: Mapping[str, int] | None = None,
    ) -> list[LedgerError | None]:
        """Write a batch of moves with their journal lines in one transaction.

        Args:
            number: The campaign's number.
            moves: In order; a note only adds its line.
            requests: Requests sent so far by kind, kept with the batch; None keeps
                what is there.

        Returns:
            One entry per move, same order: None where it was written, or why not.
            A refused move changes nothing and stops no other.

        Raises:
            LedgerWriteFailed: Nothing of the batch was written.
        """
        with translated(self.path):
            if len(moves) >= _WORTH_IT:
                with contextlib.suppress(OneByOne, sqlite3.IntegrityError):
                    return self._write(number, moves, requests, together=True)
            return self._write(number, moves, requests, together=False)

    def _write(
        self,
        number: int,
        moves: Sequence[Move | Note],
        requests: Mapping[str, int] | None,
        *,
        together: bool,
    ) -> list[LedgerError | None]:
        with self._transaction():
            journal = JournalTail(self._writer, number)
            if together:
                results = apply_together(self._writer, number, moves, journal)
            else:
                results = [self._put(number, move, journal) for move in moves]
            journal.save()
            if requests is not None:
                self._writer.execute(
                    "UPDATE campaign SET requests = ? WHERE no = ?",
                    (json.dumps(dict(requests)), number),
                )
        return results

    def _put(
        self, number: int, entry: Move | Note, tail: JournalTail
    ) -> LedgerError | None:
        if isinstance(entry, Move):
            return self._apply(number, entry, tail)
        tail.add_event(entry.event, entry.at, entry.detail)
        return None

    def _apply(self, number: int, move: Move, tail: JournalTail) -> LedgerError | None:
        refusal = unfit(move)
        if refusal is not None:
            return refusal
        columns, values = assignments(move)
        sets = ", ".join(f'"{column}" = ?' for column in columns)
        try:
            found = self._writer.execute(
                f"UPDATE row SET {sets} "  # noqa: S608
                "WHERE campaign = ? AND row_no = ? AND state = ? "
                "RETURNING row_id, keystore_id",
                (*values, number, move.row_no, str(move.origin)),
            ).fetchall()
        except sqlite3.IntegrityError as exc:
            return _refusal(move, exc)
        if not found:
            return misplaced(move)
        row_id, store_id = found[0]
        tail.add_move(move, row_id=row_id, store_id=store_id)
        return None

    def record_event(
        self,
        number: int,
        event: str,
        at: datetime,
        *,
        detail: dict[str, Any],
        columns: dict[str, Any],
    ) -> None:
        """Write a journal line about the whole campaign, and columns with it.

        Args:
            number: The campaign's number.
            event: Its name: ``run_started``, ``run_ended``, …
            at: When, aware.
            detail: What the journal says of it.
            columns: Columns of table ``campaign`` to set, names from our own code.
        """
        sets = ", ".join(f"{key} = ?" for key in columns)
        with translated(self.path), self._transaction():
            journal = JournalTail(self._writer, number)
            journal.add_event(event, at, detail)
            journal.save()
            if columns:
                self._writer.execute(
                    f"UPDATE campaign SET {sets} WHERE no = ?",  # noqa: S608
                    (*columns.values(), number),
                )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            # A full disk may already have rolled the transaction back.
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise


def _refusal(move: Move, exc: sqlite3.IntegrityError) -> LedgerError:
    text = str(exc)
    if "keystore_id" in text:
        message = (
            f"row {move.row_no}: another row in this ledger, of this campaign or "
            "another, has an unresolved submission for the store"
        )
        return StoreInFlight(message)
    message = f"row {move.row_no} may not go {move.origin} → {move.target}: {text}"
    return IllegalMove(message)
