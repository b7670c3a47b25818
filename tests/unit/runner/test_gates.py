"""Gates: what breakers and limits say, as the lanes are told it."""

from __future__ import annotations

from dataclasses import replace

from unit.campaign.making import row_of

from batch_reenroll.campaign.breakers import Breakers, Kind, Way
from batch_reenroll.campaign.causes import BreakerRules
from batch_reenroll.campaign.lanes import Lanes
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.pace import Pace
from batch_reenroll.campaign.quota import DAY_S, AuthorityLimit
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.runner.gates import LEAD_S, Gates, way_of

FAILED = Decision(target=State.FAILED, reason=Reason.JOB_FAILED, message="denied")
VERIFIED = Decision(target=State.VERIFIED, reason=Reason.ROTATED)
CA = "ca01\\Corp"


def row(row_no: int, authority: str = CA) -> Row:
    plain = row_of()
    request = replace(plain.request, certificate_authority=authority)
    return replace(plain, row_no=row_no, request=request)


def gates(
    *rows: Row, limit: AuthorityLimit | None = None, rest_s: float | None = None
) -> Gates:
    """Return gates before ``rows``; two failures open the orchestrator's."""
    lanes = Lanes(max_in_flight=100, per_orchestrator=100)
    for item in rows:
        lanes.add(item.row_no, way_of(item), item.row_no)
    limits = {CA.casefold(): limit} if limit else {}
    pace = Pace(ceiling_per_s=1e4, burst=100, now_s=0.0, authorities=limits)
    return Gates(lanes, pace, Breakers(BreakerRules(in_a_row=2, rest_s=rest_s)))


def taken(found: Gates, now_s: float) -> list[int]:
    numbers = []
    while (row_no := found.take(now_s)) is not None:
        numbers.append(row_no)
    return numbers


def end(found: Gates, item: Row, decision: Decision, now_s: float) -> None:
    found.lanes.finish(item.row_no)
    found.end(item, decision, now_s)


class TestLimits:
    def test_rows_of_a_limited_ca_are_taken_a_little_ahead_of_their_time(self) -> None:
        rows = [row(n) for n in range(10)]
        found = gates(*rows, limit=AuthorityLimit(rate_per_s=1.0))
        assert taken(found, 0.0) == [0, 1]
        assert found.reserve(rows[0], 0.5) == 0.5
        assert found.lanes.next_wake_s() == 2.5 - LEAD_S
        assert taken(found, 2.5 - LEAD_S) == [2]

    def test_a_row_given_back_makes_way_for_the_next_of_its_ca(self) -> None:
        rows = [row(n) for n in range(2)]
        found = gates(*rows, limit=AuthorityLimit(per_day=1))
        assert taken(found, 0.0) == [0]
        found.lanes.give_back(0, not_before_s=1e9)
        found.give_back(rows[0], 0.0)
        assert taken(found, 0.0) == [1]

    def test_a_permit_that_was_not_used_is_left_for_another_row(self) -> None:
        rows = [row(n) for n in range(2)]
        found = gates(*rows, limit=AuthorityLimit(per_day=1))
        assert taken(found, 0.0) == [0]
        send_s = found.reserve(rows[0], 0.0)
        assert taken(found, 0.0) == []
        found.unused(rows[0], send_s, 0.0)
        assert taken(found, 0.0) == [1]

    def test_a_used_up_day_holds_no_other_ca_up_and_says_until_when(self) -> None:
        rows = [row(0), row(1), row(2, "other")]
        found = gates(*rows, limit=AuthorityLimit(per_day=1))
        assert taken(found, 0.0) == [0, 2]
        found.reserve(rows[0], 0.0)
        assert list(found.quiet(100.0)) == [(CA.casefold(), DAY_S - 100.0)]
        found.call(Kind.AUTHORITY, CA.casefold(), CA)
        assert [name for name, _ in found.quiet(100.0)] == [CA]


class TestProbes:
    def opened(self, rest_s: float | None) -> tuple[Gates, list[Row]]:
        rows = [row(n) for n in range(6)]
        found = gates(*rows[:2], rest_s=rest_s)
        assert taken(found, 0.0) == [0, 1]
        for item in rows[2:]:
            found.lanes.add(item.row_no, way_of(item), item.row_no)
        for item in rows[:2]:
            end(found, item, FAILED, 0.0)
        return found, rows

    def test_exactly_one_row_may_try_after_the_rest(self) -> None:
        found, _ = self.opened(60.0)
        assert found.lanes.next_wake_s() == 60.0
        assert taken(found, 59.0) == []
        assert taken(found, 60.0) == [2]
        assert found.lanes.waiting == 3

    def test_the_others_go_on_once_it_has_gone_well(self) -> None:
        found, rows = self.opened(60.0)
        taken(found, 60.0)
        end(found, rows[2], VERIFIED, 70.0)
        assert taken(found, 70.0) == [3, 4, 5]
        assert list(found.not_closed()) == []

    def test_a_probe_that_fails_doubles_the_rest(self) -> None:
        found, rows = self.opened(60.0)
        taken(found, 60.0)
        end(found, rows[2], FAILED, 70.0)
        assert found.lanes.next_wake_s() == 190.0

    def test_a_probe_given_back_lets_another_row_try(self) -> None:
        found, rows = self.opened(60.0)
        taken(found, 60.0)
        found.lanes.give_back(2, not_before_s=1e9)
        found.give_back(rows[2], 61.0)
        assert taken(found, 61.0) == [3]

    def test_without_a_rest_the_rows_are_no_longer_waited_for(self) -> None:
        found, rows = self.opened(None)
        assert (found.lanes.waiting, taken(found, 1e9)) == (0, [])
        kept_back = found.kept_back(way_of(rows[2]))
        assert kept_back is not None
        assert kept_back.cause == "2 failures in a row"
        assert found.kept_back(Way(agent_id="another")) is None

    def test_rows_behind_a_breaker_that_rests_are_not_given_up(self) -> None:
        found, rows = self.opened(60.0)
        assert found.kept_back(way_of(rows[2])) is None
        assert found.lanes.waiting == 4
