"""The journal: one canonical JSON line for everything that happened, chained.

Each line holds, as ``prev``, the SHA-256 of the line before it; the head of the
journal is the SHA-256 of its last line. Whoever changes, drops, adds or reorders a
line breaks the chain from there on.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from batch_reenroll.campaign.rows import Fence, Move
from batch_reenroll.text import canonical_json, rfc3339, sha256_hex, visible

#: First link of every journal's chain.
GENESIS_PREV = "0" * 64

#: Longest text of somebody else's that a journal line holds, in characters.
_NOTE_LIMIT = 2048


#: Columns that a line leaves out: they are long, and other files of a report have them.
_LONG = frozenset({"before", "verification"})


def move_line(move: Move, *, row_id: str, store_id: str, seq: int, prev: str) -> str:
    """Return the journal's line for a move: canonical JSON, chained by ``prev``.

    Args:
        move: What happened.
        row_id: The row's id.
        store_id: Its store's GUID.
        seq: Number of the line in its campaign, from 0.
        prev: SHA-256 of the line before, or 64 zeros for the first.
    """
    line: dict[str, Any] = {
        "at": rfc3339(move.at),
        "event": "move",
        "from": str(move.origin),
        "prev": prev,
        "row": move.row_no,
        "row_id": row_id,
        "seq": seq,
        "store": store_id,
        "to": str(move.target),
    }
    if move.reason is not None:
        line["reason"] = str(move.reason)
    if move.message:
        line["message"] = visible(move.message, _NOTE_LIMIT)
    changes = {k: _plain(v) for k, v in move.changes.items() if k not in _LONG}
    if changes:
        line["set"] = changes
    if move.note:
        line["note"] = _plain(move.note)
    return canonical_json(line)


def _plain(value: Any) -> Any:
    """Return ``value`` ready for a line; text of somebody else's is made visible."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str):
        return visible(value, _NOTE_LIMIT)
    if isinstance(value, Fence):
        return _plain(value.as_json())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return rfc3339(value) if isinstance(value, datetime) else value


def event_line(
    event: str, at: datetime, detail: Mapping[str, Any], *, seq: int, prev: str
) -> str:
    """Return the journal's line for something that happened to the whole campaign."""
    return canonical_json(
        {**detail, "at": rfc3339(at), "event": event, "prev": prev, "seq": seq}
    )


class JournalTail:
    """The tail of one campaign's journal, inside one transaction."""

    def __init__(self, writer: sqlite3.Connection, number: int) -> None:
        self._writer = writer
        self._number = number
        record = writer.execute(
            "SELECT journal_length, journal_head FROM campaign WHERE no = ?", (number,)
        ).fetchone()
        self._seq = int(record[0])
        self._head = record[1] or GENESIS_PREV
        self._lines: list[str] = []

    def add_move(self, move: Move, *, row_id: str, store_id: str) -> None:
        """Add the line of one move."""
        self._add(
            move_line(
                move, row_id=row_id, store_id=store_id, seq=self._seq, prev=self._head
            )
        )

    def add_event(self, event: str, at: datetime, detail: Mapping[str, Any]) -> None:
        """Add a line about the whole campaign."""
        self._add(event_line(event, at, detail, seq=self._seq, prev=self._head))

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._seq += 1
        self._head = sha256_hex(line)

    def save(self) -> None:
        """Write the added lines and the new head."""
        # In one step, as in batch.py.
        self._writer.execute(
            "INSERT INTO journal SELECT ?, ? + key, value FROM json_each(?)",
            (self._number, self._seq - len(self._lines), json.dumps(self._lines)),
        )
        self._lines = []
        self._writer.execute(
            "UPDATE campaign SET journal_length = ?, journal_head = ? WHERE no = ?",
            (self._seq, self._head, self._number),
        )
