"""The nouns of the embedded Command, with what changes about them in time.

Times are seconds since the epoch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from batch_reenroll.sandbox.fleet import PlannedOrchestrator, PlannedStore
from batch_reenroll.sandbox.storetypes import ParameterKind
from batch_reenroll.sandbox.works import Entry

REENROLLMENT = "Reenrollment"
INVENTORY = "Inventory"

#: ``Status`` of an orchestrator (keyfactor-command.md 4.4).
NEW, APPROVED = 1, 2


class Result(IntEnum):
    """``Result`` of a JobHistory row."""

    UNKNOWN = 0
    SUCCESS = 2
    WARNING = 3
    FAILURE = 4


class Status(IntEnum):
    """``Status`` of a JobHistory row."""

    UNKNOWN = 0
    WAITING = 1
    IN_PROCESS = 2
    COMPLETED = 3
    ACKNOWLEDGED = 4
    COMPLETED_WILL_RETRY = 5


#: The names by which Command 10 sends the numbers (keyfactor-command.md 2.4).
RESULT_NAMES: Mapping[int, str] = {
    0: "Unknown",
    2: "Success",
    3: "Warning",
    4: "Failure",
}
STATUS_NAMES: Mapping[int, str] = {
    0: "Unknown",
    1: "Waiting",
    2: "InProcess",
    3: "Completed",
    4: "Acknowledged",
    5: "CompletedWillRetry",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a reenrollment was asked for.

    Attributes:
        properties: JobProperties, by the names of the store's type.
        pattern: ``EnrollmentPatternId``.
    """

    alias: str
    subject: str
    authority: str | None
    template: str | None
    sans: Mapping[str, tuple[str, ...]]
    properties: Mapping[str, str] = field(default_factory=dict)
    pattern: int | None = None


@dataclass(slots=True, kw_only=True)
class Orchestrator:
    """One orchestrator.

    Attributes:
        status: 1 new, 2 approved, 3 disapproved; it gets work only while it is 2.
        online: It asks for work; while it is not, it begins no job either.
        beating: Its next heartbeat is entered.
        queue: Jobs it was given, first one next.
        busy: A job is running.
    """

    plan: PlannedOrchestrator
    last_seen: float
    capabilities: tuple[str, ...]
    status: int = APPROVED
    online: bool = True
    beating: bool = False
    queue: deque[Job] = field(default_factory=deque)
    busy: bool = False

    @property
    def agent_id(self) -> str:
        """The GUID Command knows it by."""
        return self.plan.agent_id


@dataclass(slots=True, kw_only=True)
class Store:
    """One certificate store.

    Attributes:
        inventory: What Command knows of it; None until somebody asks (the first
            inventory is that of the day the store was laid out).
        held_not_before: NotBefore of what it really holds.
        inventory_job_id: Of its recurring inventory job; kept for ever.
        approved: False while it is only discovered.
        parameters: Entry parameters that were set, by alias.
    """

    plan: PlannedStore
    inventory_job_id: str
    inventory: tuple[Entry, ...] | None = None
    held_not_before: float = 0.0
    approved: bool = True
    parameters: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def store_id(self) -> str:
        """The GUID Command knows it by."""
        return self.plan.store_id

    def parameters_of(self, alias: str) -> Mapping[str, str]:
        """Return the entry parameters of one entry, secret ones left out.

        An entry that nobody reenrolled has the defaults of those without which it
        could not have been added.
        """
        kind = self.plan.store_type
        found = {p.name: p.default for p in kind.entry_parameters if p.on_add}
        found |= self.parameters.get(alias, {})
        secret = {
            p.name for p in kind.entry_parameters if p.kind is ParameterKind.SECRET
        }
        return {name: value for name, value in found.items() if name not in secret}


@dataclass(slots=True, kw_only=True)
class Job:
    """One job that some orchestrator is to run.

    Attributes:
        kind: ``Reenrollment`` or ``Inventory``.
        wish: For reenrollments.
        immediate: False for the recurring inventory.
        not_before: No orchestrator is given it earlier.
        tries: Tries begun.
        handed_out: Its orchestrator has it in its queue.
        withdrawn: It was unscheduled; its orchestrator is told at its turn.
    """

    job_id: str
    kind: str
    store: Store
    requested_at: float
    by: str
    wish: Wish | None = None
    immediate: bool = True
    not_before: float = 0.0
    tries: int = 0
    handed_out: bool = False
    withdrawn: bool = False

    @property
    def job_type(self) -> str:
        """The job type as Command shows it, with the capability in front."""
        return self.store.plan.store_type.job_type(self.kind)


@dataclass(slots=True, kw_only=True)
class HistoryRow:
    """One try of one job."""

    history_id: int
    job: Job
    agent: Orchestrator
    started_at: float
    visible_at: float
    ended_at: float | None = None
    message: str = ""
    result: Result = Result.UNKNOWN
    status: Status = Status.IN_PROCESS
