"""A row as the ledger keeps it, and a move of one.

:class:`Row` is what decisions look at; :class:`Move` is the only way to change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, NamedTuple

from batch_reenroll.campaign.breakers import Way
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What was known of Command's jobs for a store when the intent was written.

    A job can only be the row's own if it is not among ``jobs`` and its first
    JobHistoryId lies above ``history_id``.

    Attributes:
        history_id: Highest JobHistoryId seen, or 0 when the history was empty.
        jobs: Ids of every job already known for the store's place.
    """

    history_id: int
    jobs: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that :meth:`from_json` reads back."""
        return {"history_id": self.history_id, "jobs": sorted(self.jobs)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fence:
        """Return the fence in ``value``."""
        return cls(history_id=value["history_id"], jobs=frozenset(value["jobs"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One manifest row with everything a decision needs.

    Attributes:
        row_no: 1-based position in the manifest.
        row_id: The user's id.
        state: Where it stands.
        reason: Why it came there, or None.
        request: What is POSTed, byte for byte the same at every attempt.
        orchestrator: The orchestrator's machine name; "" where unknown.
        client_machine, store_path, store_type, capability: The store's place and the
            prefix of its job types.
        place_unique: No other store of this orchestrator has this path, so a
            ScheduledJobs target can mean no other.
        current_thumbprint: What the manifest says the store holds, or None.
        attempts: POSTs allowed to leave so far.
        losses: Attempts whose answer was lost and whose job was confirmed absent.
        retries: Times a person asked for another attempt.
        fence: Of the current attempt, or None before the first.
        before: Alias to thumbprint as the inventory had it just before the attempt.
        thumbprint_before, not_before_before, not_after_before: Of the certificate
            under the row's alias, or None.
        job_id, job_history_id, job_result: Of the adopted job, or None.
        submitted_at, picked_up_at, finished_at: Times of this attempt, or None.
        endpoint: Where the certificate should be served; "" = not asked for.
        inventory_scheduled: Whether the store had an inventory schedule when it was
            planned; None where that is not known.
        verification: What :func:`~batch_reenroll.campaign.levels.record` returned for
            the last attempt that was verified, or None.
    """

    row_no: int
    row_id: str
    state: State
    reason: Reason | None = None
    request: ReenrollmentRequest
    orchestrator: str = ""
    client_machine: str = ""
    store_path: str = ""
    store_type: str = ""
    capability: str = ""
    place_unique: bool = False
    current_thumbprint: str | None = None
    wave: str | None = None
    attempts: int = 0
    losses: int = 0
    retries: int = 0
    fence: Fence | None = None
    before: Mapping[str, str] | None = None
    thumbprint_before: str | None = None
    not_before_before: datetime | None = None
    not_after_before: datetime | None = None
    job_id: str | None = None
    job_history_id: int | None = None
    job_result: int | None = None
    submitted_at: datetime | None = None
    picked_up_at: datetime | None = None
    finished_at: datetime | None = None
    endpoint: str = ""
    inventory_scheduled: bool | None = None
    verification: Mapping[str, Any] | None = None

    @property
    def store_id(self) -> str:
        """The store's GUID."""
        return self.request.keystore_id

    @property
    def agent_id(self) -> str:
        """The orchestrator's GUID."""
        return self.request.agent_guid

    def moved(self, move: Move) -> Row:
        """Return the row as ``move`` leaves it."""
        # Half the time of dataclasses.replace, twice for every row that is sent.
        row, changes = object.__new__(Row), move.changes
        for name in _ROW_FIELDS:
            value = changes[name] if name in changes else getattr(self, name)
            object.__setattr__(row, name, value)
        object.__setattr__(row, "state", move.target)
        object.__setattr__(row, "reason", move.reason)
        return row


_ROW_FIELDS = tuple(f.name for f in fields(Row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One transition, with what it changes and what the journal says of it.

    Attributes:
        row_no: Which row.
        origin, target: From where to where; the ledger refuses it when the row does
            not stand at ``origin``.
        at: When it was decided.
        reason: Why.
        message: For people; somebody else's words are already made visible. None
            leaves the row's message as it is.
        changes: Columns of the row to set, by :class:`Row` field or result column.
        note: JSON for the journal alone: evidence behind the decision.
    """

    row_no: int
    origin: State
    target: State
    at: datetime
    reason: Reason | None = None
    message: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)


class Waiting(NamedTuple):
    """A pending row, as far as the lanes need to know it.

    Attributes:
        row_no: Its number.
        agent_id: Its orchestrator's GUID.
        client_machine, store_path: Its store's place.
        deadline: When it should have ended, aware, or None.
        authority: Its CA as the row names it; "" where Command's default decides.
    """

    row_no: int
    agent_id: str
    client_machine: str
    store_path: str
    deadline: datetime | None = None
    authority: str = ""

    @property
    def way(self) -> Way:
        """The gates that it passes."""
        return Way.of(self.agent_id, self.authority)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that happened to the whole campaign, for the journal.

    Attributes:
        event: Its name: ``wave_opened``, …
        at: When.
        detail: JSON: strings, integers, booleans, and lists and objects of them.
    """

    event: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A move that has been decided but not dated: what the pure rules return."""

    target: State
    reason: Reason | None = None
    message: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)

    def move(self, row: Row, at: datetime) -> Move:
        """Return the move that carries this out for ``row``."""
        return Move(
            row_no=row.row_no,
            origin=row.state,
            target=self.target,
            at=at,
            reason=self.reason,
            message=self.message,
            changes=self.changes,
            note=self.note,
        )
