"""One breaker: when it opens, rests, probes and closes, at the exact borders."""

from __future__ import annotations

import pytest

from batch_reenroll.campaign.breaker import Breaker, Phase
from batch_reenroll.campaign.budget import FAILURES, TRIED
from batch_reenroll.campaign.causes import BreakerRules, Ended
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.reasons import Reason

REST_S = 100.0


def failed(row_no: int = 1, outcome: State = State.FAILED) -> Ended:
    return Ended(row_no, outcome, Reason.JOB_FAILED)


def verified(row_no: int = 1) -> Ended:
    return Ended(row_no, State.VERIFIED, Reason.ROTATED)


def breaker(in_a_row: int = 1, rest_s: float | None = None) -> Breaker:
    rules = BreakerRules(in_a_row=in_a_row, rest_s=rest_s, longest_rest_s=350.0)
    return Breaker(rules)


def opened() -> Breaker:
    """Return a breaker that row 1 opened at second 0, to rest until 100."""
    found = breaker(rest_s=REST_S)
    found.record(failed(1), 0.0)
    return found


def probing() -> Breaker:
    """Return the same, with row 2 out as the probe since second 100."""
    found = opened()
    found.admit(2, REST_S)
    return found


class TestOpening:
    def test_it_opens_at_so_many_failures_in_a_row(self) -> None:
        found = breaker(3)
        assert [found.record(failed(n), 0.0) for n in (1, 2, 3)] == [False, False, True]
        assert found.cause == "3 failures in a row"

    def test_ten_in_a_row_are_the_default(self) -> None:
        found = Breaker(BreakerRules())
        results = [found.record(failed(n), 0.0) for n in range(10)]
        assert results == [False] * 9 + [True]

    def test_it_says_only_once_that_it_opened(self) -> None:
        found = breaker(1)
        assert found.record(failed(1), 0.0)
        assert not found.record(failed(2), 0.0)

    @pytest.mark.parametrize("success", [State.VERIFIED, State.SUCCEEDED])
    def test_a_success_starts_the_count_again(self, success: State) -> None:
        found = breaker(2)
        found.record(failed(1), 0.0)
        found.record(Ended(2, success, None), 0.0)
        assert not found.record(failed(3), 0.0)

    @pytest.mark.parametrize("outcome", sorted(set(OUTCOMES) - TRIED))
    def test_a_row_that_was_not_tried_neither_counts_nor_clears(
        self, outcome: State
    ) -> None:
        found = breaker(2)
        found.record(failed(1), 0.0)
        assert not found.record(Ended(2, outcome, None), 0.0)
        assert found.record(failed(3), 0.0)

    @pytest.mark.parametrize("outcome", sorted(FAILURES))
    def test_every_kind_of_failure_counts(self, outcome: State) -> None:
        assert breaker(1).record(failed(1, outcome), 0.0)

    def test_a_pickup_timeout_opens_it_at_once(self) -> None:
        found = breaker(10)
        assert found.record(Ended(1, State.STALLED, Reason.PICKUP_TIMEOUT), 0.0)
        assert found.cause == "nothing was picked up within the pick-up timeout"

    def test_a_job_timeout_does_not(self) -> None:
        stalled = Ended(1, State.STALLED, Reason.JOB_TIMEOUT)
        assert not breaker(10).record(stalled, 0.0)

    def test_silence_trips_it_though_no_row_failed(self) -> None:
        found = breaker(10)
        assert found.trip("not seen for an hour", 0.0)
        assert (found.phase, found.cause) == (Phase.OPEN, "not seen for an hour")

    def test_what_is_open_is_not_tripped_again(self) -> None:
        found = opened()
        assert not found.trip("not seen for an hour", 50.0)
        assert (found.cause, found.rest_until_s) == ("1 failures in a row", REST_S)


class TestWithoutARest:
    def test_it_never_admits_another_row(self) -> None:
        found = breaker(1)
        found.record(failed(1), 0.0)
        assert not found.admit(2, 1e12)
        assert found.rest_until_s is None

    def test_a_success_does_not_close_it(self) -> None:
        found = breaker(1)
        found.record(failed(1), 0.0)
        found.record(verified(2), 1.0)
        assert found.cause is not None


class TestResting:
    def test_closed_it_admits_every_row(self) -> None:
        found = breaker(2)
        assert [found.admit(n, 0.0) for n in (1, 2)] == [True, True]
        assert found.phase is Phase.CLOSED

    def test_it_admits_none_until_the_rest_is_over(self) -> None:
        assert not opened().admit(2, REST_S - 1e-6)

    def test_it_admits_one_row_once_it_is(self) -> None:
        found = opened()
        assert found.admit(2, REST_S)
        assert found.phase is Phase.PROBING
        assert not found.admit(3, 1e9)

    def test_to_ask_takes_no_turn(self) -> None:
        found = opened()
        assert found.admits(REST_S)
        assert found.phase is Phase.OPEN

    def test_a_late_success_does_not_shorten_the_rest(self) -> None:
        found = opened()
        found.record(verified(9), 50.0)
        assert not found.admits(REST_S - 1.0)

    def test_a_late_failure_does_not_lengthen_it(self) -> None:
        found = opened()
        assert not found.record(failed(9), 50.0)
        assert found.admits(REST_S)


class TestProbing:
    def test_a_probe_that_goes_well_closes_it(self) -> None:
        found = probing()
        assert not found.record(verified(2), 150.0)
        assert (found.phase, found.cause) == (Phase.CLOSED, None)
        assert found.admit(3, 150.0)

    def test_closed_again_it_counts_from_nothing(self) -> None:
        found = breaker(2, rest_s=REST_S)
        for n in (1, 2):
            found.record(failed(n), 0.0)
        found.admit(3, REST_S)
        found.record(verified(3), 150.0)
        assert not found.record(failed(4), 160.0)
        assert found.record(failed(5), 170.0)

    def test_a_probe_that_fails_opens_it_for_twice_the_rest(self) -> None:
        found = probing()
        assert found.record(failed(2), 150.0)
        assert found.rest_until_s == 150.0 + 2 * REST_S
        assert found.cause == "1 failures in a row; failed probes since: 1"

    def test_the_rest_doubles_up_to_its_limit(self) -> None:
        found, now_s, rests = opened(), 0.0, []
        for n in range(2, 6):
            now_s = found.rest_until_s or 0.0
            found.admit(n, now_s)
            found.record(failed(n), now_s)
            rests.append((found.rest_until_s or 0.0) - now_s)
        assert rests == [200.0, 350.0, 350.0, 350.0]

    def test_closed_in_between_the_rest_is_the_first_again(self) -> None:
        found = probing()
        found.record(failed(2), 150.0)
        found.admit(3, 400.0)
        found.record(verified(3), 400.0)
        found.record(failed(4), 500.0)
        assert found.rest_until_s == 500.0 + REST_S
        assert found.cause == "1 failures in a row"

    @pytest.mark.parametrize("ended", [failed(9), verified(9)])
    def test_another_rows_end_decides_nothing(self, ended: Ended) -> None:
        found = probing()
        assert not found.record(ended, 120.0)
        assert found.phase is Phase.PROBING

    def test_a_probe_that_was_not_tried_lets_another_row_probe(self) -> None:
        found = probing()
        found.record(Ended(2, State.SKIPPED_ALREADY_ROTATED, None), 120.0)
        assert found.admit(3, 120.0)

    def test_a_probe_given_back_lets_another_row_probe(self) -> None:
        found = probing()
        found.give_back(2)
        assert found.admit(3, REST_S)

    def test_another_row_given_back_changes_nothing(self) -> None:
        found = probing()
        found.give_back(9)
        assert not found.admits(1e9)


class TestRests:
    def test_the_longest_rest_never_shortens_the_first(self) -> None:
        rules = BreakerRules(rest_s=500.0, longest_rest_s=60.0)
        assert rules.rest_after_s(0) == rules.rest_after_s(3) == 500.0

    def test_a_breaker_probed_for_years_does_not_overflow(self) -> None:
        assert BreakerRules(rest_s=1.0).rest_after_s(100_000) == 14_400.0
