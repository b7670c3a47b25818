"""Reading a SQLite ledger: campaigns, rows, the journal, and what a display shows."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from batch_reenroll.campaign.lifecycle import OPEN, OUTCOMES, State
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.rows import Row, Waiting
from batch_reenroll.campaign.verdict import StopRequest
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger.codec import campaign_value, row_value
from batch_reenroll.ledger.opening import reading
from batch_reenroll.ledger.schema import IS_UNRESOLVED
from batch_reenroll.text import parse_time


class LedgerReader:
    """Everything that a ledger can be asked, over a connection of its own.

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

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Make every read in the block see the ledger as it was at the first one.

        What is written meanwhile, by this process too, is seen after the block.
        """
        with reading(self.path):
            self._reader.execute("BEGIN")
            try:
                yield
            finally:
                self._reader.execute("COMMIT")

    def campaign(self, campaign_id: str) -> Campaign:
        """Return one campaign.

        Raises:
            UsageError: There is none by that id; the hint names the newest.
        """
        record = self._one(
            "SELECT * FROM campaign WHERE campaign_id = ?", (campaign_id,)
        )
        if record is None:
            known = ", ".join(self.campaign_ids()[:5])
            hint = f"known: {known}" if known else "the ledger holds no campaign"
            message = f"there is no campaign {campaign_id!r} in {self.path}"
            raise UsageError(message, hint=hint)
        return campaign_value(record, self._tally(record["no"]))

    def campaign_ids(self) -> list[str]:
        """Return the ids of all campaigns, newest first."""
        found = self._each("SELECT campaign_id FROM campaign ORDER BY no DESC")
        return [record[0] for record in found]

    def _tally(self, number: int) -> dict[State, int]:
        found = self._each(
            "SELECT state, n FROM tally WHERE campaign = ? AND n > 0", (number,)
        )
        return {State(state): n for state, n in found}

    def open_stores(self, command_url: str) -> frozenset[str]:
        """Return stores with an unresolved submission in any campaign."""
        found = self._each(
            "SELECT keystore_id FROM row INDEXED BY one_unresolved_per_store "  # noqa: S608
            f"WHERE command_url = ? AND {IS_UNRESOLVED}",
            (command_url,),
        )
        return frozenset(record[0] for record in found)

    def number(self, campaign_id: str) -> int:
        """Return the campaign's internal number."""
        record = self._one(
            "SELECT no FROM campaign WHERE campaign_id = ?", (campaign_id,)
        )
        if record is None:
            message = f"there is no campaign {campaign_id!r} in {self.path}"
            raise UsageError(message)
        return int(record[0])

    def rows_in(self, number: int, states: Iterable[State]) -> Iterator[Row]:
        """Yield rows that stand at any of ``states``, in manifest order."""
        wanted = [str(state) for state in states]
        marks = ", ".join("?" * len(wanted))
        found = self._each(
            f"SELECT * FROM row WHERE campaign = ? AND state IN ({marks}) "  # noqa: S608
            "ORDER BY row_no",
            (number, *wanted),
        )
        return map(row_value, found)

    def jobs_by_store(self, number: int) -> dict[str, frozenset[str]]:
        """Return the ids of the jobs that rows of a campaign took for theirs."""
        found: dict[str, set[str]] = {}
        for store_id, job_id in self._each(
            "SELECT keystore_id, job_id FROM row "
            "WHERE campaign = ? AND job_id IS NOT NULL",
            (number,),
        ):
            found.setdefault(store_id, set()).add(job_id)
        return {store_id: frozenset(jobs) for store_id, jobs in found.items()}

    def waiting(self, number: int, wave: str | None = None) -> Iterator[Waiting]:
        """Yield the pending rows, with ``wave`` only that one's.

        The earliest deadline first; rows without one last, in manifest order.
        """
        found = self._each(
            "SELECT row_no, agent_id, client_machine, store_path, deadline, "  # noqa: S608
            f"{_AUTHORITY} FROM row "
            "WHERE campaign = ?1 AND state = 'pending' AND (?2 IS NULL OR wave = ?2) "
            "ORDER BY deadline IS NULL, deadline, row_no",
            (number, wave),
        )
        return (
            Waiting(row_no, agent_id, machine, path, _moment(due), _text(authority))
            for row_no, agent_id, machine, path, due, authority in found
        )

    def sent_since(self, number: int, at: datetime) -> Iterator[tuple[str, datetime]]:
        """Yield (CA, when) of the POSTs since ``at`` that may have made a job.

        Of every campaign on the same Command: a CA's quota is not a campaign's. The
        journal tells, and not the rows, which know their last attempt only.
        """
        campaigns = self._each(
            "SELECT no FROM campaign WHERE command_url = "
            "(SELECT command_url FROM campaign WHERE no = ?)",
            (number,),
        )
        for (campaign,) in list(campaigns):
            for row_no, when in list(self._sent_by(campaign, at)):
                record = self._one(
                    f"SELECT {_AUTHORITY} FROM row "  # noqa: S608
                    "WHERE campaign = ? AND row_no = ?",
                    (campaign, row_no),
                )
                yield _text(record[0]), when

    def _sent_by(self, number: int, at: datetime) -> Iterator[tuple[int, datetime]]:
        """Yield (row, when) of a campaign's POSTs since ``at``, newest first."""
        for (line,) in self._each(
            "SELECT line FROM journal WHERE campaign = ? ORDER BY seq DESC", (number,)
        ):
            event = json.loads(line)
            when = parse_time(event["at"])
            if when is None or when < at:
                return
            if event.get("from") == State.SUBMITTING and event["to"] in _SENT:
                yield event["row"], when

    def wave_states(self, number: int) -> Iterator[tuple[str | None, State, int]]:
        """Yield (wave, state, rows) of each wave."""
        found = self._each(
            "SELECT wave, state, count(*) FROM row WHERE campaign = ? GROUP BY 1, 2",
            (number,),
        )
        return ((wave, State(state), n) for wave, state, n in found)

    def last_end(self, number: int) -> datetime | None:
        """Return when the last row ended that has ended, by the journal, or None."""
        for line in self._each(
            "SELECT line FROM journal WHERE campaign = ? ORDER BY seq DESC", (number,)
        ):
            event = json.loads(line[0])
            if event.get("to") in _ENDS:
                return parse_time(event["at"])
        return None

    def row(self, number: int, row_no: int) -> Row:
        """Return one row."""
        record = self._one(
            "SELECT * FROM row WHERE campaign = ? AND row_no = ?", (number, row_no)
        )
        return row_value(record)

    def records(self, number: int) -> Iterator[sqlite3.Row]:
        """Yield every row's database record in manifest order, for reports."""
        return self._each(
            "SELECT * FROM row WHERE campaign = ? ORDER BY row_no", (number,)
        )

    def journal(self, number: int) -> Iterator[str]:
        """Yield the journal's lines in order."""
        found = self._each(
            "SELECT line FROM journal WHERE campaign = ? ORDER BY seq", (number,)
        )
        return (record[0] for record in found)

    def stop_requested(self, number: int) -> StopRequest | None:
        """Return the stop that was asked for since the run began, or None."""
        record = self._one("SELECT stop_request FROM campaign WHERE no = ?", (number,))
        return StopRequest(record[0]) if record[0] else None

    def ended_since(self, number: int, window_s: float) -> int:
        """Return how many rows ended in the last ``window_s`` seconds."""
        record = self._one(
            "SELECT count(*) FROM journal, json_each(?) AS final "
            "WHERE campaign = ? AND json_extract(line, '$.to') = final.value "
            "AND json_extract(line, '$.at') >= "
            "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) ",
            (
                json.dumps([str(state) for state in OUTCOMES]),
                number,
                f"-{window_s} seconds",
            ),
        )
        return int(record[0])

    def longest_queues(self, number: int, limit: int) -> list[dict[str, Any]]:
        """Return the orchestrators with most rows that have not ended."""
        marks = ", ".join(f"'{state}'" for state in sorted(OPEN))
        found = self._each(
            "SELECT orchestrator, count(*) AS n FROM row "  # noqa: S608
            f"WHERE campaign = ? AND state IN ({marks}) "
            "GROUP BY orchestrator ORDER BY n DESC, orchestrator LIMIT ?",
            (number, limit),
        )
        return [{"orchestrator": name, "rows": n} for name, n in found]

    def breakers(self, number: int) -> list[dict[str, Any]]:
        """Return the breakers that the last run opened and has not closed again.

        In the order in which they opened: ``kind``, ``name``, ``cause`` of each.
        """
        found = self._each(
            "SELECT line FROM journal WHERE campaign = ? AND json_extract(line, "
            "'$.event') IN ('run_started', 'breaker_opened', 'breaker_closed') "
            "ORDER BY seq",
            (number,),
        )
        standing: dict[tuple[str, str], dict[str, Any]] = {}
        for (line,) in found:
            event = json.loads(line)
            if event["event"] == "run_started":
                standing.clear()
                continue
            key = event["kind"], event["id"]
            standing.pop(key, None)
            if event["event"] == "breaker_opened":
                standing[key] = {name: event[name] for name in _BREAKER}
        return list(standing.values())

    def causes(
        self, number: int, states: Iterable[State]
    ) -> Iterator[tuple[str | None, str | None, int]]:
        """Yield (reason code, message, rows) of the rows at ``states``."""
        wanted = [str(state) for state in states]
        marks = ", ".join("?" * len(wanted))
        found = self._each(
            "SELECT reason_code, message, count(*) FROM row "  # noqa: S608
            f"WHERE campaign = ? AND state IN ({marks}) GROUP BY 1, 2",
            (number, *wanted),
        )
        return map(tuple, found)


def _moment(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


_ENDS = frozenset(map(str, OUTCOMES))

#: What is told of a breaker.
_BREAKER = ("kind", "name", "cause")

#: Where a POST leaves its row that may have made a job.
_SENT = frozenset(map(str, (State.SUBMITTED, State.IN_DOUBT)))

#: A row's CA. As bytes, since JSON may hold half a surrogate pair.
_AUTHORITY = "CAST(json_extract(request, '$.certificate_authority') AS BLOB)"


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
