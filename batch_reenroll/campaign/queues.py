"""What lanes are made of: queues of rows, the gates before them, and whose turn it is.

A *queue* holds the rows of one orchestrator for one CA, a *lane* the queues of one
orchestrator, a *line* those of one CA. Whose turn it is is kept by line, so that a CA
whose gate is shut costs nothing while it is shut.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import TypeAlias

from batch_reenroll.campaign.breakers import Way


@dataclass(slots=True, eq=False)
class Gate:
    """Stands before all rows of an orchestrator, or of a CA.

    Attributes:
        opens_s: From when on rows may pass; -inf: now, inf: until further notice.
        given_up: It will not open again: nobody waits for its rows.
    """

    opens_s: float = -math.inf
    given_up: bool = False
    queues: list[Queue] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether rows may pass now."""
        return self.opens_s == -math.inf


@dataclass(slots=True, eq=False)
class Lane:
    """One orchestrator: its gate is that of its rows.

    Attributes:
        number: Which, in the order in which they were first met.
        cap: Rows that may hold a slot at one time.
        job_s: Expected seconds per row.
        in_flight: Rows that hold one.
        waiting: Rows that wait and are not given up.
        turn: When one of its rows was last taken, as a count of rows.
    """

    number: int
    cap: int
    job_s: float = 1.0
    gate: Gate = field(default_factory=Gate)
    in_flight: int = 0
    waiting: int = 0
    turn: int = -1

    @property
    def may_go(self) -> bool:
        """Whether a further row may start."""
        return self.gate.is_open and self.in_flight < self.cap


@dataclass(slots=True, eq=False)
class Queue:
    """Rows of one orchestrator for one CA: numbers, places, deadlines; then a cursor.

    Attributes:
        number: Which, in the order in which they were first met.
        first: Rows that go before the others: they have rested, or their place is free.
        waiting: Rows that have not been taken, those that rest or whose place is busy
            included.
        turn: As of :class:`Lane`.
        version: Counts whatever changes whose turn it is.
    """

    number: int
    way: Way
    lane: Lane
    line: Line
    rows: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))
    deadlines: array[float] = field(default_factory=lambda: array("d"))
    next: int = 0
    first: deque[tuple[int, int]] = field(default_factory=deque)
    waiting: int = 0
    turn: int = -1
    version: int = 0
    given_up: bool = False

    @property
    def has_rows(self) -> bool:
        """Whether :meth:`pop` would return one."""
        return bool(self.first) or self.next < len(self.rows)

    def pop(self) -> tuple[int, int, bool]:
        """Return the first row, its place, and whether it was put first."""
        if self.first:
            return *self.first.popleft(), True
        at = self.next
        self.next += 1
        return self.rows[at], self.places[at], False

    def urgency(self) -> Key:
        """Return a key, least first: time to spare, then the work still to do."""
        lane = self.lane
        work_s = (lane.waiting + lane.in_flight) * lane.job_s
        last = len(self.deadlines) - 1
        deadline_s = self.deadlines[min(self.next, last)] if last >= 0 else math.inf
        return deadline_s - work_s, -work_s, lane.number, self.turn, self.number

    def patience(self) -> Key:
        """Return a key, least first: whose turn was longest ago."""
        lane = self.lane
        return lane.turn, lane.number, self.turn, self.number, 0


#: What entries are ordered by.
Key: TypeAlias = tuple[float, float, int, int, int]

#: A queue with its key as of a version; void once the queue has another.
Entry: TypeAlias = tuple[Key, int, Queue]

#: A heap is cleared of void entries once it holds so many times its queues, and more.
_VOID_SHARE, _VOID_LEAST = 4, 64


@dataclass(slots=True, eq=False)
class Line:
    """One CA: its gate, and its queues by urgency and by patience."""

    gate: Gate = field(default_factory=Gate)
    moved: dict[Queue, None] = field(default_factory=dict)
    urgent: list[Entry] = field(default_factory=list)
    patient: list[Entry] = field(default_factory=list)

    def head(self, *, in_turn: bool) -> Entry | None:
        """Return the entry of the queue that goes next, or None where none may."""
        self._enter()
        heap = self.patient if in_turn else self.urgent
        while heap and heap[0][1] != heap[0][2].version:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def _enter(self) -> None:
        """Enter queues that have changed; older entries are void."""
        for queue in self.moved:
            if queue.lane.may_go and queue.has_rows:
                version = queue.version
                heapq.heappush(self.urgent, (queue.urgency(), version, queue))
                heapq.heappush(self.patient, (queue.patience(), version, queue))
        self.moved.clear()
        most = _VOID_LEAST + _VOID_SHARE * len(self.gate.queues)
        for heap in (self.urgent, self.patient):
            if len(heap) > most:
                heap[:] = [entry for entry in heap if entry[1] == entry[2].version]
                heapq.heapify(heap)
