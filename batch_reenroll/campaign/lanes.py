"""Which row goes next: one lane per orchestrator, the most urgent first.

Pure and synchronous. An orchestrator runs its jobs one after another, so a campaign
ends when its slowest one does: the lane with the least time to spare goes first, that
is the earliest deadline less the work still to do, and without deadlines the most
work. One turn in four goes round instead, so that nobody starves. Caps hold for the
whole campaign and for each orchestrator; and a *place* (the machine and path by which
job lists name a store) is never in flight twice, because nothing in those lists would
tell the two apart.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

#: One turn in so many goes round. Every lane that may go has its turn within so many
#: times the number of lanes; an urgent one has at least the rest.
ROUND_EVERY = 4


@dataclass(slots=True)
class _Lane:
    """Rows of one orchestrator: numbers, places, deadlines; then a cursor."""

    number: int
    job_s: float
    rows: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))
    deadlines: array[float] = field(default_factory=lambda: array("d"))
    next: int = 0
    first: deque[tuple[int, int]] = field(default_factory=deque)
    in_flight: int = 0
    closed: bool = False
    version: int = 0

    def waiting(self) -> int:
        return len(self.rows) - self.next + len(self.first)

    def pop(self) -> tuple[int, int]:
        if self.first:
            return self.first.popleft()
        at = self.next
        self.next += 1
        return self.rows[at], self.places[at]

    def urgency(self) -> tuple[float, float]:
        """Return a key, least first: time to spare, then the work still to do."""
        work_s = (self.waiting() + self.in_flight) * self.job_s
        last = len(self.deadlines) - 1
        deadline_s = self.deadlines[min(self.next, last)] if last >= 0 else math.inf
        return deadline_s - work_s, -work_s


@dataclass(slots=True)
class _Flight:
    """A row that was taken: what it holds."""

    agent_id: str
    place: int
    holds_slot: bool = True


class Lanes:
    """Rows that wait, and who may go.

    Args:
        max_in_flight: Rows that may hold a slot at one time, >= 1.
        per_orchestrator: The same for each orchestrator, >= 1.
        job_s: Expected seconds per row by orchestrator; 1.0 where nothing is known.
            Only the ratios count, unless there are deadlines.
    """

    def __init__(
        self,
        *,
        max_in_flight: int,
        per_orchestrator: int,
        job_s: Mapping[str, float] | None = None,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._per_orchestrator = per_orchestrator
        self._job_s = job_s or {}
        self._lanes: dict[str, _Lane] = {}
        self._turn: deque[str] = deque()
        self._urgent: list[tuple[tuple[float, float], int, int, str]] = []
        self._moved: dict[str, _Lane] = {}
        self._taken = 0
        self._flights: dict[int, _Flight] = {}
        self._slots = 0
        self._blocked: dict[int, deque[tuple[str, int]]] = {}
        self._busy: set[int] = set()
        self._resting: dict[int, tuple[str, int, float]] = {}

    def add(
        self, row_no: int, agent_id: str, place: int, *, deadline_s: float = math.inf
    ) -> None:
        """Put a row at the end of its orchestrator's lane.

        Rows of a lane go in the order in which they are added: add those with the
        earliest deadline first.

        Args:
            row_no: The row.
            agent_id: Its orchestrator.
            place: Its place's number.
            deadline_s: When it should have ended, in seconds on any one clock.
        """
        lane = self._lane(agent_id)
        lane.rows.append(row_no)
        lane.places.append(place)
        lane.deadlines.append(deadline_s)
        self._moved[agent_id] = lane

    def resume(self, row_no: int, agent_id: str, place: int, *, slot: bool) -> None:
        """Account for a row that was in flight when the last process ended."""
        self._lane(agent_id)
        self._start(row_no, agent_id, place)
        if not slot:
            self.release_slot(row_no)

    def take(self, now_s: float) -> int | None:
        """Return the next row that may go, now holding a slot and its place.

        None where nothing may go: all lanes empty, full, closed, or resting.
        """
        self._wake(now_s)
        if self._slots >= self._max_in_flight:
            return None
        in_turn = self._taken % ROUND_EVERY == ROUND_EVERY - 1
        row_no = self._take_in_turn() if in_turn else self._take_urgent()
        if row_no is not None:
            self._taken += 1
        return row_no

    def release_slot(self, row_no: int) -> None:
        """The row's job has ended: another may start; the place is still held."""
        flight = self._flights[row_no]
        if flight.holds_slot:
            flight.holds_slot = False
            self._slots -= 1
            lane = self._lanes[flight.agent_id]
            lane.in_flight -= 1
            self._moved[flight.agent_id] = lane

    def finish(self, row_no: int) -> None:
        """The row has ended: free its slot and its place."""
        self.release_slot(row_no)
        flight = self._flights.pop(row_no)
        self._busy.discard(flight.place)
        waiting = self._blocked.get(flight.place)
        if waiting:
            agent_id, next_row = waiting.popleft()
            while waiting and self._lanes[agent_id].closed:
                agent_id, next_row = waiting.popleft()
            self._put_first(agent_id, next_row, flight.place)
            if not waiting:
                del self._blocked[flight.place]

    def give_back(self, row_no: int, *, not_before_s: float) -> None:
        """Return a taken row to the head of its lane, to rest until then."""
        flight = self._flights[row_no]
        self.finish(row_no)
        self._resting[row_no] = (flight.agent_id, flight.place, not_before_s)

    def close(self, agent_id: str) -> None:
        """Take no more rows from this orchestrator (its breaker is open)."""
        self._lane(agent_id).closed = True

    def next_wake_s(self) -> float | None:
        """Return when the first resting row may go, or None where none rests."""
        return min((rest[2] for rest in self._resting.values()), default=None)

    @property
    def waiting(self) -> int:
        """Rows in open lanes that have not been taken, resting ones included."""
        lanes = sum(lane.waiting() for lane in self._lanes.values() if not lane.closed)
        blocked = sum(
            not self._lanes[agent].closed
            for queue in self._blocked.values()
            for agent, _ in queue
        )
        resting = sum(
            not self._lanes[agent].closed for agent, _, _ in self._resting.values()
        )
        return lanes + blocked + resting

    @property
    def held(self) -> int:
        """Rows that were taken and have neither ended nor been given back."""
        return len(self._flights)

    @property
    def in_flight(self) -> int:
        """Rows that hold a slot."""
        return self._slots

    def _lane(self, agent_id: str) -> _Lane:
        lane = self._lanes.get(agent_id)
        if lane is None:
            job_s = self._job_s.get(agent_id, 1.0)
            lane = _Lane(number=len(self._lanes), job_s=job_s)
            self._lanes[agent_id] = lane
            self._turn.append(agent_id)
        return lane

    def _may_go(self, lane: _Lane) -> bool:
        return (
            not lane.closed
            and lane.in_flight < self._per_orchestrator
            and lane.waiting() > 0
        )

    def _rank(self) -> None:
        """Enter lanes that have changed among the urgent; older entries are void."""
        for agent_id, lane in self._moved.items():
            lane.version += 1
            if self._may_go(lane):
                entry = (lane.urgency(), lane.number, lane.version, agent_id)
                heapq.heappush(self._urgent, entry)
        self._moved.clear()

    def _take_urgent(self) -> int | None:
        self._rank()
        while self._urgent:
            _, _, version, agent_id = heapq.heappop(self._urgent)
            lane = self._lanes[agent_id]
            if version == lane.version:
                row_no = self._take_from(agent_id, lane)
                if row_no is not None:
                    return row_no
        return None

    def _take_in_turn(self) -> int | None:
        for _ in range(len(self._turn)):
            agent_id = self._turn[0]
            self._turn.rotate(-1)
            row_no = self._take_from(agent_id, self._lanes[agent_id])
            if row_no is not None:
                return row_no
        return None

    def _take_from(self, agent_id: str, lane: _Lane) -> int | None:
        while self._may_go(lane):
            row_no, place = lane.pop()
            if place in self._busy:
                self._blocked.setdefault(place, deque()).append((agent_id, row_no))
                continue
            self._start(row_no, agent_id, place)
            return row_no
        return None

    def _start(self, row_no: int, agent_id: str, place: int) -> None:
        self._flights[row_no] = _Flight(agent_id, place)
        self._busy.add(place)
        self._slots += 1
        lane = self._lanes[agent_id]
        lane.in_flight += 1
        self._moved[agent_id] = lane

    def _put_first(self, agent_id: str, row_no: int, place: int) -> None:
        lane = self._lanes[agent_id]
        lane.first.append((row_no, place))
        self._moved[agent_id] = lane

    def _wake(self, now_s: float) -> None:
        due = [no for no, rest in self._resting.items() if rest[2] <= now_s]
        for row_no in due:
            agent_id, place, _ = self._resting.pop(row_no)
            self._put_first(agent_id, row_no, place)
