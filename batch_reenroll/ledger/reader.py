"""Reading a SQLite ledger: campaigns, rows, the journal, and what a display shows."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from batch_reenroll.campaign.budget import FAILURES
from batch_reenroll.campaign.lifecycle import OUTCOMES, UNRESOLVED, State
from batch_reenroll.campaign.pickups import Pickup
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.rows import Row, Waiting
from batch_reenroll.campaign.verdict import StopRequest
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger.codec import campaign_value, row_value
from batch_reenroll.ledger.opening import reading
from batch_reenroll.ledger.schema import IS_FAILED, IS_UNRESOLVED
from batch_reenroll.ledger.standing import StandingReader
from batch_reenroll.text import parse_time


class LedgerReader(StandingReader):
    """Everything that a ledger can be asked, over a connection of its own."""

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
        index, said, known = _index_of(frozenset(map(State, wanted)))
        found = self._each(
            f"SELECT * FROM row {index} WHERE {said} campaign = ? "  # noqa: S608
            f"AND state IN ({marks}) ORDER BY row_no",
            (number,) * (1 + known) + (*wanted,),
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
        found = self._each(f"SELECT {_WAITING} {_IN_TURN}", (number, wave))
        return map(_waiting, found)

    def waiting_order(self, number: int, wave: str | None = None) -> Iterator[int]:
        """Yield the numbers of the rows of :meth:`waiting`, in its order."""
        found = self._each(f"SELECT row_no {_IN_TURN}", (number, wave))
        return (record[0] for record in found)

    def waiting_rows(self, number: int, row_nos: Sequence[int]) -> list[Waiting]:
        """Return pending rows by number, in the order given."""
        found = self._each(
            f"SELECT {_WAITING} FROM row WHERE campaign = ? "  # noqa: S608
            "AND row_no IN (SELECT value FROM json_each(?)) AND state = 'pending'",
            (number, json.dumps(list(row_nos))),
        )
        by_no = {row.row_no: row for row in map(_waiting, found)}
        return [by_no[row_no] for row_no in row_nos if row_no in by_no]

    def pickups(self, command_url: str) -> Iterator[Pickup]:
        """Yield what the newest campaigns on a Command know of jobs that were taken.

        Each orchestrator's in the order of their submission.
        """
        found = self._each(
            "SELECT orchestrator, submitted_at, picked_up_at, finished_at FROM row "
            "WHERE campaign IN (SELECT no FROM campaign WHERE command_url = ? "
            "ORDER BY no DESC LIMIT ?) AND orchestrator <> '' "
            "AND submitted_at IS NOT NULL AND picked_up_at IS NOT NULL "
            "ORDER BY submitted_at",
            (command_url, _PAST_CAMPAIGNS),
        )
        for name, submitted, picked_up, finished in found:
            asked, taken = parse_time(submitted), parse_time(picked_up)
            if asked is not None and taken is not None:
                yield Pickup(name, asked, taken, _moment(finished))

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

    def wave_events(self, number: int) -> Iterator[tuple[str, str]]:
        """Yield (event, wave) of what the journal says of waves, in order."""
        found = self._each(
            "SELECT line ->> '$.event', line ->> '$.wave' FROM journal WHERE "
            """campaign = ? AND line LIKE '%"event":"wave!_%' ESCAPE '!' """
            "ORDER BY seq",
            (number,),
        )
        return ((event, wave) for event, wave in found)

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

    def rows(self, number: int, row_nos: Sequence[int]) -> list[Row]:
        """Return rows, same order; none is asked for twice."""
        found = self._each(
            "SELECT * FROM row WHERE campaign = ? "
            "AND row_no IN (SELECT value FROM json_each(?))",
            (number, json.dumps(list(row_nos))),
        )
        by_no = {row.row_no: row for row in map(row_value, found)}
        return [by_no[row_no] for row_no in row_nos]

    def records(
        self,
        number: int,
        columns: Sequence[str] = ("*",),
        states: Iterable[str] = State,
    ) -> Iterator[sqlite3.Row]:
        """Yield rows' database records in manifest order, for reports.

        Args:
            number: The campaign's number.
            columns: Names from the schema, never from outside; some are long.
            states: Only rows that stand at one of them.
        """
        return self._each(
            f"SELECT {', '.join(columns)} FROM row WHERE campaign = ? "  # noqa: S608
            "AND state IN (SELECT value FROM json_each(?)) ORDER BY row_no",
            (number, json.dumps([str(state) for state in states])),
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


def _index_of(states: frozenset[State]) -> tuple[str, str, int]:
    """Return how to find rows at ``states`` without reading every row.

    The index, the condition that it has, and how often that asks for the campaign.
    """
    if states <= UNRESOLVED:
        of_command = "command_url = (SELECT command_url FROM campaign WHERE no = ?)"
        index = "INDEXED BY one_unresolved_per_store"
        return index, f"{of_command} AND {IS_UNRESOLVED} AND", 1
    if states <= FAILURES:
        return "INDEXED BY failed_rows", f"{IS_FAILED} AND", 0
    return "", "", 0


def _moment(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


_ENDS = frozenset(map(str, OUTCOMES))

#: Campaigns that a prediction looks back on: orchestrators come and go.
_PAST_CAMPAIGNS = 5

#: Where a POST leaves its row that may have made a job.
_SENT = frozenset(map(str, (State.SUBMITTED, State.IN_DOUBT)))

#: A row's CA. As bytes, since JSON may hold half a surrogate pair.
_AUTHORITY = "CAST(json_extract(request, '$.certificate_authority') AS BLOB)"


#: What :class:`Waiting` knows.
_WAITING = f"row_no, agent_id, client_machine, store_path, deadline, {_AUTHORITY}"

#: Pending rows, all or those of a wave, in the order in which they go.
_IN_TURN = (
    "FROM row WHERE campaign = ?1 AND state = 'pending' AND (?2 IS NULL OR wave = ?2) "
    "ORDER BY deadline IS NULL, deadline, row_no"
)


def _waiting(record: sqlite3.Row) -> Waiting:
    row_no, agent_id, machine, path, due, authority = record
    return Waiting(row_no, agent_id, machine, path, _moment(due), _text(authority))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
