"""Where a campaign stands, read from indexes: the same cost at a million rows."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from batch_reenroll.campaign.lifecycle import OUTCOMES
from batch_reenroll.ledger.opening import reading
from batch_reenroll.ledger.schema import IS_EVENT, IS_FAILED, IS_UNRESOLVED
from batch_reenroll.text import parse_time

_ENDS = frozenset(map(str, OUTCOMES))

#: What is told of a breaker.
_BREAKER = ("kind", "name", "cause")

#: Lines at the journal's end that the recent past is read from. A row has about five.
_TAIL_LINES = 10_000

#: Lines in a row that are too old after which none is taken to be younger: a clock that
#: was set makes some so.
_OLDER_LINES = 200

#: Different messages that are looked at; the rows of all others are counted.
_MAX_CAUSES = 50_000


class Recent(NamedTuple):
    """Rows that ended lately, and since when they are counted."""

    ended: int
    since: datetime


class Cause(NamedTuple):
    """Rows that failed for one reason; ``message`` None: with many other messages."""

    reason: str
    message: str | None
    rows: int


class StandingReader:
    """What a display asks of a ledger, over a connection of its own.

    Args:
        path: The file, for messages.
        reader: Only read through.
    """

    def __init__(self, path: Path, reader: sqlite3.Connection) -> None:
        self.path = path
        self._reader = reader

    def _one(self, query: str, values: tuple[Any, ...] = ()) -> Any:
        """Return the first record of a query, or None."""
        with reading(self.path):
            return self._reader.execute(query, values).fetchone()

    def _each(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[sqlite3.Row]:
        """Yield the records of a query."""
        with reading(self.path):
            yield from self._reader.execute(query, values)

    def ended_since(self, number: int, since: datetime) -> Recent:
        """Return how many rows ended at or after ``since``.

        In a busy campaign only the last lines of the journal are looked at; then a
        later time is given since which rows are counted.
        """
        ended, n_lines, n_older, oldest = 0, 0, 0, since
        for (line,) in self._each(
            "SELECT line FROM journal WHERE campaign = ? ORDER BY seq DESC LIMIT ?",
            (number, _TAIL_LINES),
        ):
            event = json.loads(line)
            at = parse_time(event["at"])
            n_lines += 1
            if at is not None and at >= since:
                n_older, oldest = 0, at
                ended += event.get("to") in _ENDS
                continue
            n_older += 1
            if n_older == _OLDER_LINES:
                break
        is_cut = n_lines == _TAIL_LINES and not n_older
        return Recent(ended, oldest if is_cut else since)

    def run_began(self, number: int) -> datetime | None:
        """Return when the last run of the campaign began, or None."""
        for event in self.events(number, newest_first=True):
            if event["event"] == "run_started":
                return parse_time(event["at"])
        return None

    def events(
        self, number: int, *, newest_first: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield what the journal says of the whole campaign, moves left out."""
        order = "DESC" if newest_first else "ASC"
        found = self._each(
            "SELECT line FROM journal INDEXED BY journal_events "  # noqa: S608
            f"WHERE campaign = ? AND {IS_EVENT} ORDER BY seq {order}",
            (number,),
        )
        return (json.loads(line) for (line,) in found)

    def longest_queues(self, number: int, limit: int) -> list[dict[str, Any]]:
        """Return the orchestrators with most rows that have not ended."""
        queues: Counter[str] = Counter()
        for name, n in self._each(
            "SELECT orchestrator, count(*) FROM row INDEXED BY waiting_rows "
            "WHERE campaign = ? AND state = 'pending' GROUP BY 1",
            (number,),
        ):
            queues[name] += n
        for name, n in self._each(
            "SELECT orchestrator, count(*) FROM row "  # noqa: S608
            "INDEXED BY one_unresolved_per_store WHERE command_url = "
            "(SELECT command_url FROM campaign WHERE no = ?1) "
            f"AND {IS_UNRESOLVED} AND campaign = ?1 GROUP BY 1",
            (number,),
        ):
            queues[name] += n
        longest = sorted(queues.items(), key=lambda queue: (-queue[1], queue[0]))
        return [{"orchestrator": name, "rows": n} for name, n in longest[:limit]]

    def breakers(self, number: int) -> list[dict[str, Any]]:
        """Return the breakers that the last run opened and has not closed again.

        In the order in which they opened: ``kind``, ``name``, ``cause`` of each.
        """
        standing: dict[tuple[str, str], dict[str, Any]] = {}
        for event in self.events(number):
            if event["event"] == "run_started":
                standing.clear()
            elif event["event"] in ("breaker_opened", "breaker_closed"):
                key = event["kind"], event["id"]
                standing.pop(key, None)
                if event["event"] == "breaker_opened":
                    standing[key] = {name: event[name] for name in _BREAKER}
        return list(standing.values())

    def failure_causes(self, number: int) -> list[Cause]:
        """Return why rows failed, or were unfit before they were sent.

        Every row is in one of them, n >= 0.
        """
        of = f"FROM row INDEXED BY failed_rows WHERE campaign = ? AND {IS_FAILED}"
        found = [
            Cause(reason or "", message or "", n)
            for reason, message, n in self._each(
                f"SELECT reason_code, message, count(*) {of} "
                "GROUP BY 1, 2 ORDER BY 3 DESC LIMIT ?",
                (number, _MAX_CAUSES),
            )
        ]
        if len(found) < _MAX_CAUSES:
            return found
        rest: Counter[str] = Counter()
        for reason, n in self._each(
            f"SELECT reason_code, count(*) {of} GROUP BY 1",
            (number,),
        ):
            rest[reason or ""] = n
        for cause in found:
            rest[cause.reason] -= cause.rows
        return found + [Cause(reason, None, n) for reason, n in rest.items() if n]
