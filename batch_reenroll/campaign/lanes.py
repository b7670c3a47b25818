"""Which row goes next: one lane per orchestrator, the most urgent first.

Pure and synchronous. An orchestrator runs its jobs one after another, so a campaign
ends when its slowest one does: the lane with the least time to spare goes first, that
is the earliest deadline less the work still to do, and without deadlines the most
work. One turn in four goes to whoever has waited longest for one, so that nobody
starves. Within a lane the CAs take turns. Caps hold for the whole campaign and for
each orchestrator; and a *place* (the machine and path by which job lists name a store)
is never in flight twice, because nothing in those lists would tell the two apart.

Before each orchestrator and each CA stands a *gate*. Rows behind a gate that is shut
keep nobody else waiting.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from batch_reenroll.campaign.breakers import Kind, Way
from batch_reenroll.campaign.queues import Gate, Lane, Line, Queue

#: One turn in so many goes to who has waited longest. Every lane that may go has its
#: turn within so many times the number of lanes; an urgent one has at least the rest.
ROUND_EVERY = 4


@dataclass(slots=True)
class _Flight:
    """A row that was taken: what it holds."""

    queue: Queue
    place: int
    holds_slot: bool = True


class Lanes:
    """Rows that wait, and who may go.

    Taking a row costs O(log n) of the orchestrators and O(n) of the CAs, whatever the
    number of rows.

    Args:
        max_in_flight: Rows that may hold a slot at one time, >= 1.
        per_orchestrator: The same for each orchestrator, >= 1.
    """

    def __init__(self, *, max_in_flight: int, per_orchestrator: int) -> None:
        self._max_in_flight = max_in_flight
        self._per_orchestrator = per_orchestrator
        self._lanes: dict[str, Lane] = {}
        self._lines: dict[str, Line] = {}
        self._queues: dict[Way, Queue] = {}
        self._taken = 0
        self._flights: dict[int, _Flight] = {}
        self._slots = 0
        self._waiting = 0
        self._busy: set[int] = set()
        self._blocked: dict[int, dict[Queue, deque[int]]] = {}
        self._n_timed = 0
        self._resting: list[tuple[float, int, int, int, Queue]] = []
        self._opening: list[tuple[float, int, Gate]] = []

    def add(
        self, row_no: int, way: Way, place: int, *, deadline_s: float = math.inf
    ) -> None:
        """Put a row behind the others of its orchestrator and CA.

        These go in the order in which they are added: add those with the earliest
        deadline first.

        Args:
            row_no: The row.
            way: Its orchestrator and its CA.
            place: Its place's number.
            deadline_s: When it should have ended, in seconds on any one clock.
        """
        queue = self._queue(way)
        queue.rows.append(row_no)
        queue.places.append(place)
        queue.deadlines.append(deadline_s)
        self._count(queue, 1)
        self._touch(queue.lane)

    def expect(self, agent_id: str, job_s: float) -> None:
        """Say how many seconds an orchestrator's jobs take, > 0; 1.0 where nobody does.

        Only the ratios count, unless there are deadlines.
        """
        lane = self._lane(agent_id)
        lane.job_s = job_s
        self._touch(lane)

    def agents(self) -> frozenset[str]:
        """Return whose rows wait, given up or not, or hold a slot: GUIDs."""
        return frozenset(
            way.agent_id
            for way, queue in self._queues.items()
            if queue.waiting or queue.lane.in_flight
        )

    def resume(self, row_no: int, way: Way, place: int, *, slot: bool) -> None:
        """Account for a row that was in flight when the last process ended."""
        self._start(row_no, self._queue(way), place)
        if not slot:
            self.release_slot(row_no)

    def take(self, now_s: float) -> int | None:
        """Return the next row that may go, now holding a slot and its place.

        None where nothing may go: no rows, no slots, gates shut, or rows that rest.
        """
        self._wake(now_s)
        if self._slots >= self._max_in_flight:
            return None
        in_turn = self._taken % ROUND_EVERY == ROUND_EVERY - 1
        while (queue := self._next_queue(in_turn=in_turn)) is not None:
            row_no = self._take_from(queue)
            if row_no is not None:
                return row_no
        return None

    def way(self, row_no: int) -> Way:
        """Return the way of a row that was taken."""
        return self._flights[row_no].queue.way

    def release_slot(self, row_no: int) -> None:
        """The row's job has ended: another may start; the place is still held."""
        flight = self._flights[row_no]
        if flight.holds_slot:
            flight.holds_slot = False
            self._slots -= 1
            flight.queue.lane.in_flight -= 1
            self._touch(flight.queue.lane)

    def finish(self, row_no: int) -> None:
        """The row has ended: free its slot and its place."""
        self.release_slot(row_no)
        place = self._flights.pop(row_no).place
        self._busy.discard(place)
        # One row of each queue: which of them may pass its gates is not known yet.
        blocked = self._blocked.get(place, {})
        for queue, rows in list(blocked.items()):
            self._put_first(queue, rows.popleft(), place)
            if not rows:
                del blocked[queue]
        if not blocked:
            self._blocked.pop(place, None)

    def give_back(self, row_no: int, *, not_before_s: float) -> None:
        """Return a taken row to the head of its queue, to rest until then."""
        flight = self._flights[row_no]
        self.finish(row_no)
        self._count(flight.queue, 1)
        self._n_timed += 1
        entry = not_before_s, self._n_timed, row_no, flight.place, flight.queue
        heapq.heappush(self._resting, entry)

    def set_gate(self, kind: Kind, name: str, opens_s: float | None) -> None:
        """Say when rows may pass the gate of an orchestrator or a CA.

        Args:
            kind: Which of the two.
            name: The orchestrator's GUID, or the CA as ways name it.
            opens_s: From then on; -inf: now, inf: not before it is said again. None:
                never, and its rows are no longer waited for, until it is said again.
        """
        gate = self._gate(kind, name)
        given_up, opens_s = opens_s is None, math.inf if opens_s is None else opens_s
        if gate.opens_s == opens_s and gate.given_up == given_up:
            return
        gate.opens_s, gate.given_up = opens_s, given_up
        if math.isfinite(opens_s):
            self._n_timed += 1
            heapq.heappush(self._opening, (opens_s, self._n_timed, gate))
        for queue in gate.queues:
            self._weigh(queue)
        self._gate_moved(gate)

    def next_wake_s(self) -> float | None:
        """Return when the first rest ends or the first gate opens, or None."""
        self._drop_void()
        ends = [heap[0][0] for heap in (self._resting, self._opening) if heap]
        return min(ends, default=None)

    @property
    def waiting(self) -> int:
        """Rows that have not been taken, those behind gates given up left out."""
        return self._waiting

    @property
    def held(self) -> int:
        """Rows that were taken and have neither ended nor been given back."""
        return len(self._flights)

    @property
    def in_flight(self) -> int:
        """Rows that hold a slot."""
        return self._slots

    # -- queues and gates ----------------------------------------------------------

    def _queue(self, way: Way) -> Queue:
        queue = self._queues.get(way)
        if queue is None:
            lane, line = self._lane(way.agent_id), self._line(way.authority)
            queue = Queue(number=len(self._queues), way=way, lane=lane, line=line)
            self._queues[way] = queue
            lane.gate.queues.append(queue)
            line.gate.queues.append(queue)
            self._weigh(queue)
        return queue

    def _lane(self, agent_id: str) -> Lane:
        lane = self._lanes.get(agent_id)
        if lane is None:
            lane = self._lanes[agent_id] = Lane(
                number=len(self._lanes), cap=self._per_orchestrator
            )
        return lane

    def _line(self, authority: str) -> Line:
        return self._lines.setdefault(authority, Line())

    def _gate(self, kind: Kind, name: str) -> Gate:
        if kind is Kind.ORCHESTRATOR:
            return self._lane(name).gate
        return self._line(name).gate

    def _gate_moved(self, gate: Gate) -> None:
        for queue in gate.queues:
            if queue.lane.gate is gate:
                self._move(queue)

    def _weigh(self, queue: Queue) -> None:
        """Leave the rows of a queue out of the counts, or take them in."""
        given_up = queue.lane.gate.given_up or queue.line.gate.given_up
        if given_up != queue.given_up:
            n_rows = queue.waiting
            self._count(queue, -n_rows)
            queue.given_up = given_up
            self._count(queue, n_rows)
            self._touch(queue.lane)

    def _count(self, queue: Queue, n_rows: int) -> None:
        queue.waiting += n_rows
        if not queue.given_up:
            queue.lane.waiting += n_rows
            self._waiting += n_rows

    # -- whose turn it is ------------------------------------------------------------

    def _touch(self, lane: Lane) -> None:
        for queue in lane.gate.queues:
            self._move(queue)

    def _move(self, queue: Queue) -> None:
        queue.version += 1
        queue.line.moved[queue] = None

    def _next_queue(self, *, in_turn: bool) -> Queue | None:
        heads = (
            line.head(in_turn=in_turn)
            for line in self._lines.values()
            if line.gate.is_open
        )
        first = min((head for head in heads if head is not None), default=None)
        return None if first is None else first[2]

    def _take_from(self, queue: Queue) -> int | None:
        while queue.has_rows:
            row_no, place, was_first = queue.pop()
            if place not in self._busy:
                self._taken += 1
                queue.turn = queue.lane.turn = self._taken
                self._count(queue, -1)
                self._start(row_no, queue, place)
                return row_no
            waiting = self._blocked.setdefault(place, {}).setdefault(queue, deque())
            if was_first:
                waiting.appendleft(row_no)
            else:
                waiting.append(row_no)
        self._move(queue)
        return None

    def _start(self, row_no: int, queue: Queue, place: int) -> None:
        self._flights[row_no] = _Flight(queue, place)
        self._busy.add(place)
        self._slots += 1
        queue.lane.in_flight += 1
        self._touch(queue.lane)

    def _put_first(self, queue: Queue, row_no: int, place: int) -> None:
        queue.first.append((row_no, place))
        self._move(queue)

    # -- what time brings ------------------------------------------------------------

    def _wake(self, now_s: float) -> None:
        while self._resting and self._resting[0][0] <= now_s:
            _, _, row_no, place, queue = heapq.heappop(self._resting)
            self._put_first(queue, row_no, place)
        for gate in self._opened(now_s):
            gate.opens_s = -math.inf
            self._gate_moved(gate)

    def _opened(self, now_s: float) -> Iterator[Gate]:
        while self._opening and self._opening[0][0] <= now_s:
            opens_s, _, gate = heapq.heappop(self._opening)
            if gate.opens_s == opens_s:
                yield gate

    def _drop_void(self) -> None:
        while self._opening and self._opening[0][2].opens_s != self._opening[0][0]:
            heapq.heappop(self._opening)
