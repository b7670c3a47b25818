"""Pace: spacing, slow start and being pushed back. The laws are property tests."""

from __future__ import annotations

import pytest

from batch_reenroll.campaign.pace import (
    FLOOR_SHARE,
    RAMP_S,
    START_SHARE,
    Gcra,
    Pace,
    backoff_s,
)


def pace_at_ceiling(ceiling_per_s: float = 10.0, burst: int = 1) -> Pace:
    """Return a pace whose slow start ended at 100 s."""
    pace = Pace(ceiling_per_s=ceiling_per_s, burst=burst, now_s=0.0)
    pace.reserve(100.0)
    return pace


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
    def test_a_throttle_halves_the_rate(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        assert pace.rate_per_s == 5.0
        assert pace.cause == "Command pushed back"

    def test_answers_to_requests_sent_before_the_cut_do_not_cut_again(self) -> None:
        pace = pace_at_ceiling()
        for _ in range(50):
            pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        assert pace.rate_per_s == 5.0

    def test_an_answer_to_a_request_sent_after_the_cut_cuts_again(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        pace.throttled(101.5, sent_s=101.2, retry_after_s=None)
        assert pace.rate_per_s == 2.5

    def test_the_rate_never_falls_below_the_floor(self) -> None:
        pace = pace_at_ceiling()
        for n in range(100):
            pace.throttled(200.0 + n, sent_s=200.0 + n, retry_after_s=None)
        assert pace.rate_per_s == 10.0 * FLOOR_SHARE

    def test_the_rate_grows_again_from_the_cut(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        pace.reserve(102.0)
        assert 5.0 < pace.rate_per_s < 10.0

    def test_the_rate_is_at_the_ceiling_again_a_ramp_later(self) -> None:
        pace = pace_at_ceiling()
        pace.throttled(101.0, sent_s=100.5, retry_after_s=None)
        pace.reserve(101.0 + RAMP_S)
        assert pace.rate_per_s == 10.0


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
