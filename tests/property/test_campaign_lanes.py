"""Lanes against a simple model: caps, places, fairness, and no row lost or doubled."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from batch_reenroll.campaign.breakers import Kind, Way
from batch_reenroll.campaign.lanes import ROUND_EVERY, Lanes

AGENTS = ("a", "b", "c", "d")
CAS = ("x", "y", "z")
PLACES_EACH = 3

agents = st.sampled_from(AGENTS)
# A place belongs to one orchestrator, as in the runner.
spots = st.tuples(agents, st.integers(0, PLACES_EACH - 1)).map(
    lambda spot: (spot[0], AGENTS.index(spot[0]) * PLACES_EACH + spot[1])
)


gates = st.one_of(
    st.tuples(st.just(Kind.ORCHESTRATOR), agents),
    st.tuples(st.just(Kind.AUTHORITY), st.sampled_from(CAS)),
)


@dataclass(slots=True)
class Model:
    """One row as a reader of the docstrings imagines it."""

    agent: str
    authority: str
    place: int
    rests_until_s: float = 0.0
    in_flight: bool = False
    holds_slot: bool = False
    ended: bool = False
    is_fresh: bool = True

    @property
    def waits(self) -> bool:
        return not self.in_flight and not self.ended


class LanesMachine(RuleBasedStateMachine):
    """Drives :class:`Lanes` and compares it with a list of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, Model] = {}
        self.opens_s: dict[tuple[Kind, str], float | None] = {}
        self.passed_over: dict[str, int] = dict.fromkeys(AGENTS, 0)
        self.now_s = 0.0
        self.most = self.per_agent = 1
        self.lanes = Lanes(max_in_flight=1, per_orchestrator=1)

    @initialize(most=st.integers(1, 6), per_agent=st.integers(1, 3))
    def set_caps(self, most: int, per_agent: int) -> None:
        self.most, self.per_agent = most, per_agent
        self.lanes = Lanes(max_in_flight=most, per_orchestrator=per_agent)
        self.lanes.expect("a", 100.0)
        self.lanes.expect("b", 10.0)

    # What the model says

    def in_slots(self, agent: str | None = None) -> int:
        return sum(
            row.holds_slot for row in self.rows.values() if agent in (None, row.agent)
        )

    def busy_places(self) -> list[int]:
        return [row.place for row in self.rows.values() if row.in_flight]

    def is_given_up(self, row: Model) -> bool:
        return None in self.gates_of(row)

    def gates_of(self, row: Model) -> list[float | None]:
        names = (Kind.ORCHESTRATOR, row.agent), (Kind.AUTHORITY, row.authority)
        return [self.opens_s.get(name, -math.inf) for name in names]

    def may_pass(self, row: Model) -> bool:
        return all(
            opens_s is not None and opens_s <= self.now_s
            for opens_s in self.gates_of(row)
        )

    def may_go(self) -> dict[int, str]:
        """Rows that nothing but the campaign's cap keeps back, by number."""
        busy = set(self.busy_places())
        return {
            row_no: row.agent
            for row_no, row in self.rows.items()
            if row.waits
            and row.rests_until_s <= self.now_s
            and row.place not in busy
            and self.may_pass(row)
            and self.in_slots(row.agent) < self.per_agent
        }

    def flying(self) -> list[int]:
        return [row_no for row_no, row in self.rows.items() if row.in_flight]

    # What happens

    @rule(spot=spots, authority=st.sampled_from(CAS))
    def add(self, spot: tuple[str, int], authority: str) -> None:
        row_no = len(self.rows) + 1
        agent, place = spot
        self.rows[row_no] = Model(agent=agent, authority=authority, place=place)
        deadline_s = float(row_no % 5) if row_no % 3 else math.inf
        way = Way(agent_id=agent, authority=authority)
        self.lanes.add(row_no, way, place, deadline_s=deadline_s)

    @rule(spot=spots, n=st.integers(2, 8))
    def add_many(self, spot: tuple[str, int], n: int) -> None:
        agent, place = spot
        first = place - place % PLACES_EACH
        for step in range(n):
            where = agent, first + (place + step) % PLACES_EACH
            self.add(where, CAS[(place + step) % len(CAS)])

    @rule()
    def take(self) -> None:
        may_go = self.may_go()
        full = self.in_slots() >= self.most
        row_no = self.lanes.take(self.now_s)
        if full or not may_go:
            assert row_no is None
            return
        assert row_no in may_go
        row = self.rows[row_no]
        assert self.lanes.way(row_no) == Way(
            agent_id=row.agent, authority=row.authority
        )
        self.judge_order(row_no)
        row.in_flight = row.holds_slot = True
        self.judge_fairness(row.agent, set(may_go.values()))

    def judge_order(self, taken: int) -> None:
        """Of rows of one queue and place the first added has the first turn."""
        row = self.rows[taken]
        if row.is_fresh:
            assert not any(
                number < taken
                and other.is_fresh
                and (other.authority, other.place) == (row.authority, row.place)
                for number, other in self.rows.items()
            )
        row.is_fresh = False

    def judge_fairness(self, taken: str, could: set[str]) -> None:
        can = set(self.may_go().values())
        for agent in AGENTS:
            waits_on = agent != taken and agent in could and agent in can
            self.passed_over[agent] = self.passed_over[agent] + 1 if waits_on else 0
            assert self.passed_over[agent] < ROUND_EVERY * len(AGENTS)

    @rule(s=st.floats(0.1, 10.0))
    def time_passes(self, s: float) -> None:
        self.now_s += s

    @precondition(lambda self: self.flying())
    @rule(data=st.data())
    def job_ends(self, data: st.DataObject) -> None:
        row_no = data.draw(st.sampled_from(self.flying()))
        self.lanes.release_slot(row_no)
        self.rows[row_no].holds_slot = False

    @precondition(lambda self: self.flying())
    @rule(data=st.data())
    def row_ends(self, data: st.DataObject) -> None:
        row_no = data.draw(st.sampled_from(self.flying()))
        self.lanes.finish(row_no)
        row = self.rows[row_no]
        row.in_flight = row.holds_slot = False
        row.ended = True

    @precondition(lambda self: self.flying())
    @rule(data=st.data(), rest_s=st.sampled_from([0.0, 1.0, 5.0]))
    def row_is_given_back(self, data: st.DataObject, rest_s: float) -> None:
        row_no = data.draw(st.sampled_from(self.flying()))
        self.lanes.give_back(row_no, not_before_s=self.now_s + rest_s)
        row = self.rows[row_no]
        row.in_flight = row.holds_slot = False
        row.rests_until_s = self.now_s + rest_s

    @precondition(lambda self: len(self.rows) > 6)
    @rule(gate=gates, rest_s=st.sampled_from([None, math.inf, 1.0, 5.0]))
    def gate_shuts(self, gate: tuple[Kind, str], rest_s: float | None) -> None:
        opens_s = None if rest_s is None else self.now_s + rest_s
        self.lanes.set_gate(*gate, opens_s)
        self.opens_s[gate] = opens_s

    @precondition(lambda self: self.opens_s)
    @rule(data=st.data())
    def gate_opens(self, data: st.DataObject) -> None:
        gate = data.draw(st.sampled_from(sorted(self.opens_s)))
        self.lanes.set_gate(*gate, -math.inf)
        del self.opens_s[gate]

    # What always holds

    @invariant()
    def caps_hold(self) -> None:
        assert self.lanes.in_flight == self.in_slots() <= self.most
        assert all(self.in_slots(agent) <= self.per_agent for agent in AGENTS)

    @invariant()
    def no_place_is_in_flight_twice(self) -> None:
        places = self.busy_places()
        assert len(places) == len(set(places))

    @invariant()
    def every_row_is_counted(self) -> None:
        waiting = [
            row for row in self.rows.values() if row.waits and not self.is_given_up(row)
        ]
        assert self.lanes.waiting == len(waiting)
        assert self.lanes.held == len(self.flying())

    @invariant()
    def a_wake_is_never_later_than_the_first_rest(self) -> None:
        rests = [
            row.rests_until_s
            for row in self.rows.values()
            if row.waits and row.rests_until_s > self.now_s
        ]
        rests += [
            opens_s
            for opens_s in self.opens_s.values()
            if opens_s is not None and self.now_s < opens_s < math.inf
        ]
        wake_s = self.lanes.next_wake_s()
        assert not rests or (wake_s is not None and wake_s <= min(rests))

    def teardown(self) -> None:
        """Whatever happened, every row whose gates open has its turn exactly once."""
        self.now_s += 100.0
        while True:
            for row_no in self.flying():
                self.lanes.finish(row_no)
                row = self.rows[row_no]
                row.in_flight = row.holds_slot = False
                row.ended = True
            row_no_or_none = self.lanes.take(self.now_s)
            if row_no_or_none is None:
                break
            row = self.rows[row_no_or_none]
            assert row.waits
            assert self.may_pass(row)
            row.in_flight = row.holds_slot = True
        left = [row for row in self.rows.values() if row.waits]
        assert not any(self.may_pass(row) for row in left)
        n_hoped_for = sum(not self.is_given_up(row) for row in left)
        assert self.lanes.waiting == n_hoped_for


TestLanes = LanesMachine.TestCase
TestLanes.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
