"""Pace: spacing, slow start and being pushed back. The laws are property tests."""

from __future__ import annotations

import pytest

from batch_reenroll.campaign.limiter import Gcra
from batch_reenroll.campaign.pace import (
    CUT,
    CUT_AGAIN,
    FLOOR_SHARE,
    RAMP_S,
    START_SHARE,
    Pace,
    backoff_s,
)
from batch_reenroll.campaign.quota import DAY_S, AuthorityLimit


def pace_at_ceiling(ceiling_per_s: float = 10.0, burst: int = 1) -> Pace:
    """Return a pace whose slow start ended at 100 s."""
    pace = Pace(ceiling_per_s=ceiling_per_s, burst=burst, now_s=0.0)
    pace.reserve(100.0)
    return pace


def pace_with_knee(knee_per_s: float = 100.0) -> Pace:
    """Return a pace back at 95 % of a knee found at 111 s, its ceiling far above."""
    pace = Pace(ceiling_per_s=knee_per_s, burst=1, now_s=0.0)
    pace.reserve(100.0)
    pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
    pace.reserve(111.0)
    return pace


def answer(pace: Pace, n: int, *, from_s: float, latency_s: float) -> None:
    """Let ``n`` answers come, ten a second."""
    for step in range(n):
        pace.answered(from_s + step / 10, latency_s)


class TestGcra:
    def test_sends_are_spaced_by_the_interval(self) -> None:
        limiter = Gcra(rate_per_s=4.0)
        assert [limiter.reserve(10.0) for _ in range(3)] == [10.0, 10.25, 10.5]

    def test_idle_time_is_saved_up_to_the_burst(self) -> None:
        limiter = Gcra(rate_per_s=4.0, burst=3)
        assert [limiter.reserve(10.0) for _ in range(5)] == [
            10.0,
            10.0,
            10.0,
            10.25,
            10.5,
        ]

    def test_without_a_burst_idle_time_is_not_saved_up(self) -> None:
        limiter = Gcra(rate_per_s=4.0)
        limiter.reserve(0.0)
        assert [limiter.reserve(50.0) for _ in range(2)] == [50.0, 50.25]

    def test_a_hold_lets_nothing_go_before_its_end(self) -> None:
        limiter = Gcra(rate_per_s=4.0)
        limiter.hold_until(20.0)
        assert limiter.reserve(10.0) == 20.0

    def test_no_burst_follows_a_hold(self) -> None:
        limiter = Gcra(rate_per_s=4.0, burst=3)
        limiter.hold_until(20.0)
        assert [limiter.reserve(10.0) for _ in range(3)] == [20.0, 20.25, 20.5]

    def test_a_shorter_hold_does_not_shorten_a_longer_one(self) -> None:
        limiter = Gcra(rate_per_s=4.0)
        limiter.hold_until(20.0)
        limiter.hold_until(15.0)
        assert limiter.reserve(10.0) == 20.0

    def test_a_lower_rate_gives_no_burst_that_was_used_up_already(self) -> None:
        limiter = Gcra(rate_per_s=100.0, burst=5)
        assert [limiter.reserve(0.0) for _ in range(5)] == [0.0] * 5
        limiter.rate_per_s = 1.0
        assert limiter.reserve(0.0) > 0.0


class TestSlowStart:
    def test_it_begins_at_a_share_of_the_ceiling(self) -> None:
        pace = Pace(ceiling_per_s=20.0, burst=1, now_s=5.0)
        pace.reserve(5.0)
        assert pace.rate_per_s == 20.0 * START_SHARE
        assert pace.cause == "slow start"

    def test_it_is_half_way_up_at_half_the_time(self) -> None:
        pace = Pace(ceiling_per_s=20.0, burst=1, now_s=5.0)
        pace.reserve(5.0 + RAMP_S / 2)
        assert pace.rate_per_s == pytest.approx(20.0 * (START_SHARE + 1) / 2)

    def test_it_reaches_the_ceiling_within_ten_seconds(self) -> None:
        pace = Pace(ceiling_per_s=20.0, burst=1, now_s=5.0)
        pace.reserve(15.0)
        assert pace.rate_per_s == 20.0
        assert pace.cause == "ceiling"


class TestPushedBack:
    def test_during_the_slow_start_a_throttle_halves_the_rate(self) -> None:
        pace = Pace(ceiling_per_s=20.0, burst=1, now_s=0.0)
        pace.reserve(RAMP_S / 2)
        before = pace.rate_per_s
        pace.throttled(RAMP_S / 2, sent_s=3.0, retry_after_s=None)
        assert pace.rate_per_s == before * CUT_AGAIN

    def test_at_the_knee_a_throttle_cuts_less(self) -> None:
        pace = pace_with_knee()
        before = pace.rate_per_s
        pace.throttled(111.0, sent_s=110.0, retry_after_s=None)
        assert pace.rate_per_s == pytest.approx(before * CUT)

    def test_a_throttle_before_the_rate_has_recovered_halves_it(self) -> None:
        pace = pace_with_knee()
        pace.throttled(111.0, sent_s=110.0, retry_after_s=None)
        pace.throttled(112.1, sent_s=112.05, retry_after_s=None)
        assert pace.rate_per_s < 50.0

    def test_the_cause_names_the_rate_that_was_too_high(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        assert pace.cause == "Command pushed back at 10/s"

    def test_answers_to_requests_sent_before_the_cut_do_not_cut_again(self) -> None:
        pace = pace_at_ceiling()
        for _ in range(50):
            pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        assert pace.rate_per_s == 5.0

    def test_nor_do_those_to_requests_that_left_right_after_it(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        pace.throttled(102.5, sent_s=101.9, retry_after_s=None)
        assert pace.rate_per_s == 5.0

    def test_an_answer_to_a_request_sent_well_after_the_cut_cuts_again(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        pace.throttled(102.5, sent_s=102.2, retry_after_s=None)
        assert pace.rate_per_s == 2.5

    def test_the_rate_never_falls_below_the_floor(self) -> None:
        pace = pace_at_ceiling()
        for n in range(100):
            pace.throttled(200.0 + 2 * n, sent_s=200.0 + 2 * n, retry_after_s=None)
        assert pace.rate_per_s == 10.0 * FLOOR_SHARE

    def test_the_rate_is_just_below_the_knee_again_soon(self) -> None:
        pace = pace_with_knee(100.0)
        pace.throttled(111.0, sent_s=110.0, retry_after_s=None)
        knee = pace.rate_per_s / CUT
        pace.reserve(113.0)
        assert 0.94 * knee < pace.rate_per_s < 0.97 * knee

    def test_it_creeps_past_the_knee(self) -> None:
        pace = Pace(ceiling_per_s=1000.0, burst=1, now_s=0.0)
        pace.throttled(0.0, sent_s=0.0, retry_after_s=None)  # the knee is below 250
        pace.reserve(10.0)
        at_ten_s = pace.rate_per_s
        pace.reserve(12.0)
        assert 1.0 < pace.rate_per_s / at_ten_s < 1.05

    def test_well_past_the_knee_it_is_quick_again(self) -> None:
        pace = Pace(ceiling_per_s=1000.0, burst=1, now_s=0.0)
        pace.throttled(0.0, sent_s=0.0, retry_after_s=None)
        pace.reserve(60.0)
        assert pace.rate_per_s == 1000.0
        assert pace.cause == "ceiling"


class TestSlowAnswers:
    def test_answers_that_take_thrice_as_long_cut_the_rate(self) -> None:
        pace = pace_at_ceiling()
        answer(pace, 20, from_s=100.0, latency_s=0.2)
        answer(pace, 20, from_s=102.0, latency_s=0.6)
        assert pace.rate_per_s < 10.0
        assert pace.cause == "answers took 0.60 s instead of 0.20 s"

    def test_answers_that_take_half_as_long_again_do_not(self) -> None:
        pace = pace_at_ceiling()
        answer(pace, 20, from_s=100.0, latency_s=0.2)
        answer(pace, 60, from_s=102.0, latency_s=0.3)
        assert pace.rate_per_s == 10.0

    def test_one_slow_answer_in_three_does_not(self) -> None:
        pace = pace_at_ceiling()
        for n in range(60):
            pace.answered(100.0 + n / 10, 5.0 if n % 3 == 0 else 0.2)
        assert pace.rate_per_s == 10.0

    def test_answers_that_are_quick_anyway_do_not(self) -> None:
        pace = pace_at_ceiling()
        answer(pace, 20, from_s=100.0, latency_s=0.005)
        answer(pace, 60, from_s=102.0, latency_s=0.05)
        assert pace.rate_per_s == 10.0

    def test_slow_answers_alone_keep_a_tenth_of_the_ceiling_nearly(self) -> None:
        pace = pace_at_ceiling()
        answer(pace, 20, from_s=100.0, latency_s=0.2)
        for n in range(200):
            pace.answered(102.0 + n / 5, 0.2 + n)
        assert pace.rate_per_s >= 10.0 * 0.1 * CUT_AGAIN

    def test_a_command_that_stays_slow_is_the_new_rule_in_the_end(self) -> None:
        pace = pace_at_ceiling()
        answer(pace, 20, from_s=100.0, latency_s=0.2)
        answer(pace, 3000, from_s=102.0, latency_s=0.8)
        pace.reserve(500.0)
        assert pace.rate_per_s == 10.0


class TestLostAnswers:
    def test_one_now_and_then_is_bad_luck(self) -> None:
        pace = pace_at_ceiling()
        for n in range(100):
            answer(pace, 20, from_s=100.0 + 2 * n, latency_s=0.2)
            pace.lost(102.0 + 2 * n, sent_s=101.0 + 2 * n)
        assert pace.rate_per_s == 10.0

    def test_three_in_a_row_are_overload(self) -> None:
        pace = pace_at_ceiling()
        for n in range(3):
            assert pace.rate_per_s == 10.0
            pace.lost(105.0 + n, sent_s=101.0 + n)
        assert pace.rate_per_s == 5.0
        assert "lost" in pace.cause

    def test_a_hundred_lost_at_once_cut_once(self) -> None:
        pace = pace_at_ceiling()
        for _ in range(100):
            pace.lost(110.0, sent_s=101.0)
        assert pace.rate_per_s == 5.0


class TestAuthorities:
    def pace(self, **limits: AuthorityLimit) -> Pace:
        return Pace(ceiling_per_s=100.0, burst=100, now_s=0.0, authorities=limits)

    def test_an_authority_without_a_limit_is_ready_at_once(self) -> None:
        pace = self.pace(ca=AuthorityLimit(per_day=1))
        pace.reserve(0.0, "ca")
        assert pace.authority_ready_s(0.0, "other") == 0.0
        assert pace.authority_ready_s(0.0, None) == 0.0

    def test_an_authority_is_not_asked_faster_than_it_may(self) -> None:
        pace = self.pace(ca=AuthorityLimit(rate_per_s=2.0))
        assert [pace.reserve(20.0, "ca") for _ in range(3)] == [20.0, 20.5, 21.0]

    def test_a_used_up_day_is_over_when_its_first_permit_is_a_day_old(self) -> None:
        pace = self.pace(ca=AuthorityLimit(per_day=2))
        pace.reserve(10.0, "ca")
        pace.reserve(20.0, "ca")
        assert pace.authority_ready_s(30.0, "ca") == 10.0 + DAY_S

    def test_a_permit_given_back_may_be_used_by_another(self) -> None:
        pace = self.pace(ca=AuthorityLimit(per_day=1))
        send_s = pace.reserve(10.0, "ca")
        pace.give_back(send_s, "ca")
        assert pace.authority_ready_s(11.0, "ca") == 11.0

    def test_what_an_earlier_process_sent_counts(self) -> None:
        pace = self.pace(ca=AuthorityLimit(per_day=2))
        pace.recall("ca", [-50.0, -100.0])
        assert pace.authority_ready_s(0.0, "ca") == DAY_S - 100.0

    def test_what_an_earlier_process_sent_elsewhere_counts_for_nobody(self) -> None:
        pace = self.pace(ca=AuthorityLimit(per_day=1))
        pace.recall("other", [-50.0])
        assert pace.authority_ready_s(0.0, "ca") == 0.0

    def test_more_on_their_way_than_a_day_takes_leave_a_day_later(self) -> None:
        pace = self.pace(ca=AuthorityLimit(per_day=2))
        assert pace.authority_ready_s(5.0, "ca", ahead=2) == 5.0 + DAY_S


class TestAuthorityLimit:
    @pytest.mark.parametrize(
        "wrong", [{"rate_per_s": 0.0}, {"burst": 0}, {"per_day": 0}]
    )
    def test_a_limit_of_nothing_is_refused(self, wrong: dict[str, int]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AuthorityLimit(**wrong)


class TestRetryAfter:
    def test_nothing_goes_before_the_moment_command_asked_for(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=30.0)
        assert pace.reserve(101.0) >= 131.0

    def test_it_is_held_until_exactly_then(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=30.0)
        assert pace.is_held(130.999)
        assert not pace.is_held(131.0)

    def test_a_late_answer_to_an_old_request_prolongs_the_hold(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=30.0)
        pace.throttled(102.0, sent_s=100.6, retry_after_s=60.0)
        assert pace.is_held(161.0)
        assert pace.rate_per_s == 5.0

    def test_a_shorter_wish_does_not_shorten_a_longer_one(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=60.0)
        pace.throttled(102.0, sent_s=100.6, retry_after_s=1.0)
        assert pace.is_held(160.0)
        assert pace.reserve(102.0) >= 161.0

    def test_an_answer_without_a_wish_leaves_the_hold_alone(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=30.0)
        pace.throttled(102.0, sent_s=100.6, retry_after_s=None)
        assert pace.is_held(130.0)

    def test_the_rate_does_not_grow_while_command_asked_for_silence(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=30.0)
        pace.reserve(131.0)
        assert pace.rate_per_s == 5.0

    def test_nor_after_an_answer_without_a_wish(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=30.0)
        pace.throttled(102.0, sent_s=100.6, retry_after_s=None)
        pace.reserve(131.0)
        assert pace.rate_per_s == 5.0

    def test_a_burst_does_not_shorten_it(self) -> None:
        pace = pace_at_ceiling(burst=5)
        pace.throttled(101.0, sent_s=100.5, retry_after_s=30.0)
        assert pace.reserve(101.0) >= 131.0


class TestBackoff:
    @pytest.mark.parametrize(
        ("failures", "full_s"),
        [(1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (10**9, 30.0)],
    )
    def test_it_doubles_up_to_the_cap(self, failures: int, full_s: float) -> None:
        shortest = backoff_s(failures, roll=0.0, base_s=1.0, cap_s=30.0)
        assert shortest == full_s / 2


@pytest.mark.parametrize("burst", [1, 3])
def test_a_process_after_another_begins_with_nothing_saved_up(burst: int) -> None:
    pace = Pace(ceiling_per_s=4.0, burst=burst, now_s=10.0)
    pace.after_another(10.0)
    sent_s = [pace.reserve(10.0) for _ in range(4)]
    assert sent_s[0] == 10.25
    assert all(n <= 4.0 * (at_s - 10.0) for n, at_s in enumerate(sent_s, 1))
