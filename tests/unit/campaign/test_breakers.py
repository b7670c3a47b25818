"""All breakers together: which rows may pass, and what silence means."""

from __future__ import annotations

from datetime import timedelta

import pytest
from unit.campaign.wallclock import utc

from batch_reenroll.campaign.breakers import (
    Breakers,
    Closed,
    Kind,
    Opened,
    Way,
    silence,
)
from batch_reenroll.campaign.causes import BreakerRules, Ended
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason

NOW = utc(2026, 11, 23, 20)
ONE, OTHER = Way(agent_id="a1", authority="ca"), Way(agent_id="a2", authority="ca")
ELSEWHERE = Way(agent_id="a2", authority="other")


def failed(row_no: int, way: Way) -> Ended:
    return Ended(row_no, State.FAILED, Reason.JOB_FAILED, "denied", way.agent_id)


def breakers(
    agent_in_a_row: int | None = 2, ca_in_a_row: int | None = None
) -> Breakers:
    return Breakers(
        BreakerRules(in_a_row=agent_in_a_row, rest_s=100.0),
        BreakerRules(in_a_row=ca_in_a_row, rest_s=300.0),
    )


class TestTwoWays:
    def test_an_orchestrator_that_fails_stops_itself_alone(self) -> None:
        found = breakers()
        found.record(failed(1, ONE), ONE, 0.0)
        opened = found.record(failed(2, ONE), ONE, 0.0)
        assert opened == [
            Opened(kind=Kind.ORCHESTRATOR, name="a1", cause="2 failures in a row")
        ]
        assert not found.admit(3, ONE, 0.0)
        assert found.admit(4, OTHER, 0.0)

    def test_a_ca_that_fails_stops_its_rows_on_every_orchestrator(self) -> None:
        found = breakers(agent_in_a_row=None, ca_in_a_row=2)
        found.record(failed(1, ONE), ONE, 0.0)
        (opened,) = found.record(failed(2, OTHER), OTHER, 0.0)
        assert (opened.kind, opened.name) == (Kind.AUTHORITY, "ca")
        assert not found.admit(3, ONE, 0.0)
        assert not found.admit(4, OTHER, 0.0)
        assert found.admit(5, ELSEWHERE, 0.0)

    def test_one_row_may_open_both(self) -> None:
        found = breakers(agent_in_a_row=1, ca_in_a_row=1)
        opened = found.record(failed(1, ONE), ONE, 0.0)
        assert [each.kind for each in opened] == [Kind.ORCHESTRATOR, Kind.AUTHORITY]
        assert list(found.causes()) == opened

    def test_a_row_that_one_breaker_stops_is_not_the_probe_of_the_other(self) -> None:
        found = breakers(agent_in_a_row=1, ca_in_a_row=1)
        found.record(failed(1, ONE), ONE, 0.0)
        assert not found.admit(2, ONE, 100.0)
        assert found.of(Kind.ORCHESTRATOR, "a1").admits(100.0)

    def test_one_probe_may_close_both(self) -> None:
        found = breakers(agent_in_a_row=1, ca_in_a_row=1)
        found.record(failed(1, ONE), ONE, 0.0)
        assert found.admit(2, ONE, 300.0)
        found.record(Ended(2, State.VERIFIED, Reason.ROTATED), ONE, 310.0)
        assert list(found.causes()) == []

    def test_a_row_given_back_frees_the_probe(self) -> None:
        found = breakers(agent_in_a_row=1)
        found.record(failed(1, ONE), ONE, 0.0)
        found.admit(2, ONE, 100.0)
        found.give_back(2, ONE)
        assert found.admit(3, ONE, 100.0)


class TestBlame:
    """Ten failures cut an orchestrator off, six of one cause on two of them a CA."""

    @staticmethod
    def found() -> Breakers:
        ca = BreakerRules(in_a_row=None, same_cause_in_a_row=6, sources=2)
        return Breakers(BreakerRules(in_a_row=3), ca)

    def fail(self, found: Breakers, *ways: Way) -> list[Opened | Closed]:
        turned = []
        for row_no, way in enumerate(ways):
            turned += found.record(failed(row_no, way), way, 0.0)
        return turned

    def test_orchestrators_cut_off_by_a_cas_fault_go_on_once_it_is_found(self) -> None:
        found = self.found()
        opened = self.fail(found, ONE, ONE, ONE)
        assert [each.name for each in opened] == ["a1"]
        turned = self.fail(found, OTHER, OTHER, OTHER)
        agents = [each for each in turned if each.kind is Kind.ORCHESTRATOR]
        assert agents[0] == Opened(
            kind=Kind.ORCHESTRATOR, name="a2", cause="3 failures in a row"
        )
        assert agents[1:] == [
            Closed(kind=Kind.ORCHESTRATOR, name="a1"),
            Closed(kind=Kind.ORCHESTRATOR, name="a2"),
        ]
        assert found.admit(9, ELSEWHERE, 0.0)
        assert not found.admit(9, ONE, 0.0)

    def test_an_orchestrator_that_fails_for_other_cas_too_stays_cut_off(self) -> None:
        found = self.found()
        self.fail(found, ELSEWHERE, OTHER, OTHER)
        self.fail(found, ONE, ONE, OTHER, OTHER)
        assert [each.name for each in found.causes()] == ["a2", "ca"]

    def test_silence_is_no_cas_fault(self) -> None:
        found = self.found()
        stalled = Ended(1, State.STALLED, Reason.PICKUP_TIMEOUT)
        found.record(stalled, OTHER, 0.0)
        self.fail(found, ONE, ONE, OTHER, OTHER, OTHER, OTHER)
        assert [each.name for each in found.causes()] == ["a2", "ca"]

    def test_failures_of_a_ca_that_is_cut_off_count_against_nobody_else(self) -> None:
        found = self.found()
        self.fail(found, ONE, OTHER, ONE, OTHER, ONE, OTHER)
        assert self.fail(found, ONE, ONE, ONE, ONE) == []
        assert [each.name for each in found.causes()] == ["ca"]

    def test_it_says_which_breakers_a_probe_closes(self) -> None:
        found = breakers(agent_in_a_row=1)
        found.record(failed(1, ONE), ONE, 0.0)
        found.admit(2, ONE, 100.0)
        verified = Ended(2, State.VERIFIED, Reason.ROTATED)
        assert found.record(verified, ONE, 110.0) == [
            Closed(kind=Kind.ORCHESTRATOR, name="a1")
        ]


class TestNames:
    def test_the_names_of_cas_have_no_case(self) -> None:
        one = Way.of("a1", r"CA01.example.com\Corp")
        assert one == Way.of("a1", r"ca01.example.com\corp")

    def test_a_row_without_a_ca_has_a_way_of_its_own(self) -> None:
        assert Way.of("a1", None) == Way(agent_id="a1", authority="")


class TestDefaults:
    def test_ten_failures_in_a_row_on_one_orchestrator(self) -> None:
        found = Breakers()
        for n in range(9):
            assert found.record(failed(n, ONE), ONE, 0.0) == []
        (opened,) = found.record(failed(9, ONE), ONE, 0.0)
        assert opened.kind is Kind.ORCHESTRATOR

    def test_twenty_of_one_cause_on_one_ca_if_not_on_one_orchestrator_alone(
        self,
    ) -> None:
        found = Breakers()
        opened = []
        for n in range(20):
            way = Way(agent_id=f"a{n % 4}", authority="ca")
            opened += found.record(failed(n, way), way, 0.0)
        assert [(each.kind, each.name) for each in opened] == [(Kind.AUTHORITY, "ca")]


class TestSilence:
    @pytest.mark.parametrize(
        ("quiet_s", "is_silent"), [(0, False), (900, False), (901, True), (-60, False)]
    )
    def test_it_is_silent_beyond_the_heartbeats_it_may_miss(
        self, quiet_s: int, is_silent: bool
    ) -> None:
        seen = NOW - timedelta(seconds=quiet_s)
        assert (silence(seen, NOW, allowed_s=900) is not None) == is_silent

    def test_it_says_for_how_long(self) -> None:
        seen = NOW - timedelta(hours=1)
        found = silence(seen, NOW, allowed_s=600)
        assert found == "not seen for 3600 s; 600 s are allowed"

    def test_an_orchestrator_never_seen_is_not_called_silent(self) -> None:
        assert silence(None, NOW, allowed_s=1) is None

    def test_silence_opens_the_orchestrators_breaker_once(self) -> None:
        found = breakers()
        opened = found.hear("a1", "not seen for 3600 s", 0.0)
        assert opened == Opened(
            kind=Kind.ORCHESTRATOR, name="a1", cause="not seen for 3600 s"
        )
        assert found.hear("a1", "not seen for 3700 s", 1.0) is None
        assert not found.admit(1, ONE, 1.0)

    def test_what_was_silent_is_fed_again_once_it_is_heard(self) -> None:
        found = breakers()
        found.hear("a1", "not seen for 3600 s", 0.0)
        closed = found.hear("a1", None, 2.0)
        assert closed == Closed(kind=Kind.ORCHESTRATOR, name="a1")
        assert found.admit(1, ONE, 2.0)

    def test_what_opened_for_failures_is_not_closed_by_being_heard(self) -> None:
        found = breakers(agent_in_a_row=1)
        found.record(failed(1, ONE), ONE, 0.0)
        found.hear("a1", "not seen for 3600 s", 0.0)
        assert found.hear("a1", None, 2.0) is None
        assert not found.admit(2, ONE, 2.0)

    def test_what_picked_nothing_up_and_fell_silent_is_fed_once_it_is_heard(
        self,
    ) -> None:
        found = breakers()
        found.record(Ended(1, State.STALLED, Reason.PICKUP_TIMEOUT), ONE, 0.0)
        assert found.hear("a1", None, 1.0) is None
        assert found.hear("a1", "not seen for 3600 s", 2.0) is None
        assert found.hear("a1", None, 3.0) is not None

    def test_while_a_probe_is_out_it_decides(self) -> None:
        found = Breakers(BreakerRules(rest_s=10.0))
        found.hear("a1", "not seen for 3600 s", 0.0)
        assert found.admit(1, ONE, 10.0)
        assert found.hear("a1", None, 11.0) is None
        assert not found.admit(2, ONE, 11.0)

    def test_an_orchestrator_that_is_heard_stays_closed(self) -> None:
        found = breakers()
        assert found.hear("a1", None, 0.0) is None
        assert found.admit(1, ONE, 0.0)
