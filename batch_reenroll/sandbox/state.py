"""The nouns of the embedded Command, with what changes about them in time.

Times are seconds since the epoch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from batch_reenroll.sandbox.fleet import PlannedOrchestrator, PlannedStore
from batch_reenroll.sandbox.works import Entry

REENROLLMENT = "Reenrollment"
INVENTORY = "Inventory"


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
    """What a reenrollment was asked for, checked and complete."""

    alias: str
    subject: str
    authority: str | None
    template: str | None
    sans: Mapping[str, tuple[str, ...]]


@dataclass(slots=True, kw_only=True)
class Orchestrator:
    """One orchestrator.

    Attributes:
        queue: Jobs it was given, first one next.
        busy: A job is running.
    """

    plan: PlannedOrchestrator
    last_seen: float
    capabilities: tuple[str, ...]
    status: int = 2  # approved
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
    """

    plan: PlannedStore
    inventory_job_id: str
    inventory: tuple[Entry, ...] | None = None
    held_not_before: float = 0.0
    approved: bool = True

    @property
    def store_id(self) -> str:
        """The GUID Command knows it by."""
        return self.plan.store_id


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
