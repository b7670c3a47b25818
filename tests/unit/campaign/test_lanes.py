"""Lanes: who goes next, case by case. The laws are in the property tests."""

from __future__ import annotations

import math

import pytest

from batch_reenroll.campaign.breakers import Kind, Way
from batch_reenroll.campaign.lanes import ROUND_EVERY, Lanes


def way(name: str) -> Way:
    """Return the way ``"orchestrator"`` or ``"orchestrator/CA"``."""
    agent_id, _, authority = name.partition("/")
    return Way(agent_id=agent_id, authority=authority)


def lanes_of(
    *rows: tuple[int, str, int], most: int = 100, per_agent: int = 100
) -> Lanes:
    """Return lanes with ``(row number, way, place)`` rows waiting."""
    lanes = Lanes(max_in_flight=most, per_orchestrator=per_agent)
    for row_no, name, place in rows:
        lanes.add(row_no, way(name), place)
    return lanes


def close(lanes: Lanes, agent_id: str) -> None:
    """Give an orchestrator up."""
    lanes.set_gate(Kind.ORCHESTRATOR, agent_id, None)


def taken(lanes: Lanes, now_s: float = 0.0) -> list[int]:
    """Take until nothing may go; return the rows in order."""
    found = []
    while (row_no := lanes.take(now_s)) is not None:
        found.append(row_no)
    return found


class TestOrder:
    def test_nothing_comes_from_no_rows(self) -> None:
        assert lanes_of().take(0.0) is None

    def test_one_orchestrators_rows_go_in_the_order_of_the_manifest(self) -> None:
        assert taken(lanes_of((3, "a", 1), (1, "a", 2), (2, "a", 3))) == [3, 1, 2]

    def test_the_longest_queue_goes_first(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "b", 2), (3, "b", 3), (4, "b", 4))
        assert taken(lanes)[:2] == [2, 3]

    def test_rows_in_flight_are_work_still_to_do(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "a", 2), (3, "b", 3), (4, "b", 4))
        lanes.resume(5, way("b"), 5, slot=True)
        assert lanes.take(0.0) == 3

    def test_a_slow_orchestrators_queue_is_longer_in_time(self) -> None:
        lanes = Lanes(max_in_flight=9, per_orchestrator=9)
        lanes.expect("slow", 60.0)
        lanes.add(1, way("quick"), 1)
        lanes.add(2, way("quick"), 2)
        lanes.add(3, way("slow"), 3)
        assert lanes.take(0.0) == 3

    def test_what_is_learned_of_an_orchestrator_later_counts_as_well(self) -> None:
        lanes = lanes_of((1, "quick", 1), (2, "quick", 2), (3, "slow", 3))
        lanes.expect("slow", 60.0)
        assert lanes.take(0.0) == 3

    def test_an_earlier_deadline_goes_before_a_longer_queue(self) -> None:
        lanes = Lanes(max_in_flight=9, per_orchestrator=9)
        for row_no in range(5):
            lanes.add(row_no, way("long"), row_no, deadline_s=5000.0)
        lanes.add(5, way("early"), 5, deadline_s=100.0)
        assert lanes.take(0.0) == 5

    def test_the_least_time_to_spare_goes_before_an_earlier_deadline(self) -> None:
        lanes = Lanes(max_in_flight=9, per_orchestrator=9)
        lanes.expect("long", 60.0)
        for row_no in range(100):
            lanes.add(row_no, way("long"), row_no, deadline_s=5000.0)
        lanes.add(100, way("early"), 100, deadline_s=4000.0)
        assert lanes.take(0.0) == 0

    def test_a_deadline_goes_before_none(self) -> None:
        lanes = lanes_of(*((n, "long", n) for n in range(50)))
        lanes.add(50, way("due"), 50, deadline_s=1e9)
        assert lanes.take(0.0) == 50

    def test_a_large_orchestrator_starves_no_small_one(self) -> None:
        large = [(n, "large", n) for n in range(1000)]
        lanes = lanes_of(*large, (1000, "small", 1000), (1001, "tiny", 1001))
        assert {1000, 1001} <= set(taken(lanes)[: ROUND_EVERY * 3])

    def test_the_most_urgent_has_three_turns_of_four(self) -> None:
        rows = [(n, "large", n) for n in range(500)]
        rows += [(500 + n, f"small{n % 20}", 500 + n) for n in range(200)]
        first = taken(lanes_of(*rows))[:100]
        assert sum(row_no < 500 for row_no in first) >= 75


class TestCaps:
    def test_no_more_go_than_the_campaign_may_have_in_flight(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "b", 2), (3, "c", 3), most=2)
        assert taken(lanes) == [1, 2]

    def test_no_more_go_than_an_orchestrator_may_have_in_flight(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "a", 2), (3, "b", 3), per_agent=1)
        assert taken(lanes) == [1, 3]

    def test_a_row_whose_job_has_ended_makes_room_for_the_next(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "a", 2), per_agent=1)
        lanes.take(0.0)
        lanes.release_slot(1)
        assert lanes.take(0.0) == 2

    def test_releasing_a_slot_twice_makes_room_once(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "a", 2), (3, "a", 3), per_agent=1)
        lanes.take(0.0)
        lanes.release_slot(1)
        lanes.release_slot(1)
        assert taken(lanes) == [2]

    def test_a_row_that_ends_after_its_slot_was_released_frees_nothing_more(
        self,
    ) -> None:
        lanes = lanes_of((1, "a", 1), (2, "a", 2), (3, "a", 3), per_agent=1)
        lanes.take(0.0)
        lanes.release_slot(1)
        lanes.finish(1)
        assert taken(lanes) == [2]


class TestPlaces:
    def test_a_place_is_held_until_the_row_has_ended(self) -> None:
        lanes = lanes_of((1, "a", 7), (2, "a", 7))
        assert taken(lanes) == [1]
        lanes.release_slot(1)
        assert taken(lanes) == []
        lanes.finish(1)
        assert taken(lanes) == [2]

    def test_a_row_that_waits_for_its_place_does_not_hold_up_its_lane(self) -> None:
        assert taken(lanes_of((1, "a", 7), (2, "a", 7), (3, "a", 8))) == [1, 3]

    def test_rows_that_wait_for_one_place_go_one_by_one_in_order(self) -> None:
        lanes = lanes_of((1, "a", 7), (2, "a", 7), (3, "a", 7))
        order = []
        for _ in range(3):
            (row_no,) = taken(lanes)
            order.append(row_no)
            lanes.finish(row_no)
        assert order == [1, 2, 3]

    def test_a_closed_lane_keeps_no_place_from_an_open_one(self) -> None:
        # Place numbers of two orchestrators may collide (runner/context.py).
        lanes = lanes_of((1, "a", 7), (2, "b", 7), (3, "c", 7))
        assert taken(lanes) == [1]
        close(lanes, "b")
        lanes.finish(1)
        assert taken(lanes) == [3]


class TestGivingBack:
    def test_a_row_given_back_rests_until_then(self) -> None:
        lanes = lanes_of((1, "a", 1))
        lanes.take(0.0)
        lanes.give_back(1, not_before_s=5.0)
        assert lanes.take(4.999) is None
        assert lanes.take(5.0) == 1

    def test_a_row_that_has_rested_goes_before_the_rest_of_its_lane(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "a", 2), (3, "a", 3))
        lanes.take(0.0)
        lanes.give_back(1, not_before_s=5.0)
        assert lanes.take(0.0) == 2
        assert taken(lanes, 5.0) == [1, 3]

    def test_a_row_given_back_frees_its_slot_and_its_place(self) -> None:
        lanes = lanes_of((1, "a", 7), (2, "a", 7), most=1)
        lanes.take(0.0)
        lanes.give_back(1, not_before_s=5.0)
        assert taken(lanes) == [2]

    def test_the_next_wake_is_the_first_of_all_rests(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "b", 2))
        assert taken(lanes) == [1, 2]
        lanes.give_back(1, not_before_s=9.0)
        lanes.give_back(2, not_before_s=5.0)
        assert lanes.next_wake_s() == 5.0

    def test_without_resting_rows_there_is_no_next_wake(self) -> None:
        assert lanes_of((1, "a", 1)).next_wake_s() is None


class TestClosing:
    def test_a_closed_orchestrator_gives_no_more_rows(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "b", 2))
        close(lanes, "a")
        assert taken(lanes) == [2]

    def test_rows_of_a_closed_orchestrator_are_not_waited_for(self) -> None:
        lanes = lanes_of((1, "a", 1), (2, "a", 1), (3, "a", 3), (4, "a", 4))
        assert taken(lanes) == [1, 3, 4]
        lanes.give_back(3, not_before_s=5.0)
        lanes.add(5, way("a"), 5)
        assert lanes.waiting == 3
        close(lanes, "a")
        assert lanes.waiting == 0

    def test_a_row_in_flight_outlives_the_closing(self) -> None:
        lanes = lanes_of((1, "a", 1))
        lanes.take(0.0)
        close(lanes, "a")
        assert (lanes.held, lanes.in_flight) == (1, 1)

    def test_an_orchestrator_may_be_closed_before_its_rows_are_known(self) -> None:
        lanes = lanes_of()
        close(lanes, "a")
        lanes.add(1, way("a"), 1)
        assert lanes.take(0.0) is None


_GATES = [(Kind.AUTHORITY, "x"), (Kind.ORCHESTRATOR, "a")]


class TestGates:
    def test_rows_of_a_ca_that_may_not_be_sent_keep_no_other_row_waiting(self) -> None:
        lanes = lanes_of(*((n, "a/shut", n) for n in range(50)), (50, "a/open", 50))
        lanes.set_gate(Kind.AUTHORITY, "shut", math.inf)
        assert taken(lanes) == [50]
        assert lanes.waiting == 50

    def test_a_gate_that_is_opened_again_lets_the_rows_go_on_in_order(self) -> None:
        lanes = lanes_of((1, "a/x", 1), (2, "b/x", 2), (3, "a/x", 3))
        lanes.set_gate(Kind.AUTHORITY, "x", math.inf)
        assert taken(lanes) == []
        lanes.set_gate(Kind.AUTHORITY, "x", -math.inf)
        assert taken(lanes) == [1, 3, 2]

    @pytest.mark.parametrize(
        ("kind", "name"), [("authority", "x"), ("orchestrator", "a")]
    )
    def test_a_gate_opens_at_its_time_and_says_when(
        self, kind: Kind, name: str
    ) -> None:
        lanes = lanes_of((1, "a/x", 1))
        lanes.set_gate(Kind(kind), name, 5.0)
        assert (lanes.take(4.999), lanes.next_wake_s()) == (None, 5.0)
        assert lanes.take(5.0) == 1

    def test_a_gate_that_was_put_off_wakes_nobody_at_the_old_time(self) -> None:
        lanes = lanes_of((1, "a/x", 1))
        lanes.set_gate(Kind.AUTHORITY, "x", 5.0)
        lanes.set_gate(Kind.AUTHORITY, "x", 9.0)
        assert (lanes.take(5.0), lanes.next_wake_s()) == (None, 9.0)

    def test_one_row_may_pass_and_the_gate_be_shut_behind_it(self) -> None:
        lanes = lanes_of((1, "a/x", 1), (2, "b/x", 2))
        lanes.set_gate(Kind.AUTHORITY, "x", 5.0)
        assert lanes.take(5.0) == 1
        lanes.set_gate(Kind.AUTHORITY, "x", math.inf)
        assert lanes.take(6.0) is None

    def test_cas_take_turns_within_an_orchestrator(self) -> None:
        rows = [(n, "a/x", n) for n in range(4)]
        rows += [(4 + n, "a/y", 4 + n) for n in range(4)]
        assert taken(lanes_of(*rows)) == [0, 4, 1, 5, 2, 6, 3, 7]

    def test_an_earlier_deadline_goes_before_the_turn_of_a_ca(self) -> None:
        lanes = Lanes(max_in_flight=9, per_orchestrator=9)
        for row_no, name in enumerate(("a/x", "a/y", "a/x", "a/y")):
            due = 100.0 if name == "a/x" else 900.0
            lanes.add(row_no, way(name), row_no, deadline_s=due)
        assert taken(lanes)[:2] == [0, 2]

    def test_a_ca_given_up_makes_no_orchestrator_more_urgent(self) -> None:
        lanes = lanes_of(*((n, "a/dead", n) for n in range(50)), (50, "a/x", 50))
        for row_no in (51, 52):
            lanes.add(row_no, way("b/x"), row_no)
        lanes.set_gate(Kind.AUTHORITY, "dead", None)
        assert lanes.take(0.0) == 51

    def test_rows_that_two_gates_give_up_are_waited_for_once_both_open(self) -> None:
        lanes = lanes_of((1, "a/x", 1))
        lanes.set_gate(Kind.AUTHORITY, "x", None)
        lanes.set_gate(Kind.ORCHESTRATOR, "a", None)
        lanes.set_gate(Kind.AUTHORITY, "x", -math.inf)
        assert (lanes.waiting, taken(lanes)) == (0, [])
        lanes.set_gate(Kind.ORCHESTRATOR, "a", -math.inf)
        assert (lanes.waiting, taken(lanes)) == (1, [1])

    def test_a_place_that_gets_free_serves_whichever_ca_may_go(self) -> None:
        lanes = lanes_of((1, "a/x", 7), (2, "a/x", 7), (3, "a/y", 7))
        assert taken(lanes) == [1]
        lanes.set_gate(Kind.AUTHORITY, "x", math.inf)
        lanes.finish(1)
        assert taken(lanes) == [3]
        lanes.set_gate(Kind.AUTHORITY, "x", -math.inf)
        assert taken(lanes) == []
        lanes.finish(3)
        assert taken(lanes) == [2]

    def test_a_row_taken_names_its_way(self) -> None:
        lanes = lanes_of((1, "a/x", 1))
        lanes.take(0.0)
        assert lanes.way(1) == way("a/x")


class TestResuming:
    def test_a_row_in_flight_at_the_last_end_holds_a_slot_and_its_place(self) -> None:
        lanes = lanes_of((2, "a", 7), (3, "a", 8), (4, "a", 9), per_agent=2)
        lanes.resume(1, way("a"), 7, slot=True)
        assert taken(lanes) == [3]

    def test_a_row_that_waited_for_its_proof_holds_its_place_only(self) -> None:
        lanes = lanes_of((2, "a", 7), (3, "a", 8), per_agent=1)
        lanes.resume(1, way("a"), 7, slot=False)
        assert (lanes.held, lanes.in_flight) == (1, 0)
        assert taken(lanes) == [3]

    def test_more_rows_in_flight_than_the_new_caps_allow_let_none_go(self) -> None:
        lanes = lanes_of((4, "a", 4), (5, "b", 5), most=2, per_agent=1)
        for row_no in (1, 2, 3):
            lanes.resume(row_no, way("a"), row_no, slot=True)
        assert taken(lanes) == []
        lanes.finish(1)
        lanes.finish(2)
        assert taken(lanes) == [5]


class TestCounts:
    def test_counts_follow_a_row_through_its_life(self) -> None:
        lanes = lanes_of((1, "a", 1))
        seen = [(lanes.waiting, lanes.held, lanes.in_flight)]
        lanes.take(0.0)
        seen.append((lanes.waiting, lanes.held, lanes.in_flight))
        lanes.release_slot(1)
        seen.append((lanes.waiting, lanes.held, lanes.in_flight))
        lanes.finish(1)
        seen.append((lanes.waiting, lanes.held, lanes.in_flight))
        assert seen == [(1, 0, 0), (0, 1, 1), (0, 1, 0), (0, 0, 0)]
