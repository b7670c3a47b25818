"""A batch of moves in a few statements, whatever its size.

Between any two steps of a statement ``sqlite3`` lets go of the interpreter's lock and
asks for it again, which a busy event loop may keep for milliseconds. With a statement
for each move the writer waited for that and for the disk three quarters of its time
(24 Nov 2026, two shared cores). Here SQLite is given a whole batch as JSON.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from batch_reenroll.campaign.rows import Move, Note
from batch_reenroll.errors import IllegalMove, LedgerError
from batch_reenroll.ledger.codec import SETTABLE, encode
from batch_reenroll.ledger.journal import JournalTail
from batch_reenroll.text import well_formed


class OneByOne(Exception):
    """The batch must be written move by move; what has been written is void."""


def apply_together(
    writer: sqlite3.Connection,
    number: int,
    entries: Sequence[Move | Note],
    tail: JournalTail,
) -> list[LedgerError | None]:
    """Write moves and their journal lines; return what became of each, same order.

    Moves of different rows that are in one batch have no order among themselves.

    Raises:
        OneByOne: Two moves are of one row, or a text cannot travel as JSON.
        sqlite3.IntegrityError: One of the moves is refused. As with ``OneByOne``, the
            transaction must be rolled back.
    """
    standing = _standing(writer, number, entries)
    results: list[LedgerError | None] = []
    alike: dict[tuple[str, ...], list[list[Any]]] = {}
    for entry in entries:
        refusal = None
        if isinstance(entry, Note):
            tail.add_event(entry.event, entry.at, entry.detail)
        else:
            state, row_id, store_id = standing.get(entry.row_no, ("", "", ""))
            refusal = unfit(entry) or (
                misplaced(entry) if state != entry.origin else None
            )
            if refusal is None:
                columns, values = assignments(entry)
                alike.setdefault(columns, []).append([entry.row_no, *values])
                tail.add_move(entry, row_id=row_id, store_id=store_id)
        results.append(refusal)
    for columns, records in alike.items():
        _update(writer, number, columns, records)
    return results


def unfit(move: Move) -> LedgerError | None:
    """Return why a move can be of no row."""
    unknown = move.changes.keys() - SETTABLE
    return IllegalMove(f"no move sets {sorted(unknown)}") if unknown else None


def misplaced(move: Move) -> LedgerError:
    """Return the refusal of a move whose row stands elsewhere."""
    return IllegalMove(f"row {move.row_no} does not stand at {move.origin}")


def assignments(move: Move) -> tuple[tuple[str, ...], list[str | int | None]]:
    """Return the columns that a move sets, state and reason first, and their values."""
    columns = ("state", "reason_code", *move.changes)
    reason = str(move.reason) if move.reason else None
    values = [str(move.target), reason, *map(encode, move.changes.values())]
    if move.message is None:
        return columns, values
    return (*columns, "message"), [*values, well_formed(move.message)]


def _standing(
    writer: sqlite3.Connection, number: int, entries: Sequence[Move | Note]
) -> dict[int, tuple[str, str, str]]:
    """Return state, row id and store by row, of the rows that are to be moved."""
    row_nos = [entry.row_no for entry in entries if isinstance(entry, Move)]
    if len(set(row_nos)) < len(row_nos):
        raise OneByOne
    found = writer.execute(
        "SELECT json_group_array(json_array(row_no, state, row_id, keystore_id)) "
        "FROM row WHERE campaign = ? AND row_no IN (SELECT value FROM json_each(?))",
        (number, json.dumps(row_nos)),
    ).fetchone()
    return {row_no: (*rest,) for row_no, *rest in json.loads(found[0])}


def _update(
    writer: sqlite3.Connection,
    number: int,
    columns: tuple[str, ...],
    records: list[list[Any]],
) -> None:
    text = json.dumps(records)
    if "\\u0000" in text:
        raise OneByOne  # where SQLite's JSON ends a text
    writer.execute(update_of(columns), (text, number))
    # sqlite3 knows no rowcount of what begins with WITH.
    if writer.execute("SELECT changes()").fetchone()[0] != len(records):
        raise OneByOne


def update_of(columns: tuple[str, ...]) -> str:
    """Return the statement that sets columns of rows, for JSON and the campaign.

    Materialized, lest SQLite walk all rows of the campaign and look each up in the
    batch, and not the other way round.
    """
    given = ", ".join(
        f"json_extract(value, '$[{at}]') AS c{at}" for at in range(len(columns) + 1)
    )
    sets = ", ".join(f'"{column}" = c{at}' for at, column in enumerate(columns, 1))
    return (
        f"WITH given AS MATERIALIZED (SELECT {given} FROM json_each(?)) "  # noqa: S608
        f"UPDATE row SET {sets} FROM given WHERE campaign = ? AND row_no = c0"
    )
