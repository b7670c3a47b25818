"""Laws of the pace: never faster than asked, never before a wish has passed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.campaign.limiter import Gcra
from batch_reenroll.campaign.pace import FLOOR_SHARE, Pace, backoff_s
from batch_reenroll.campaign.quota import DAY_S, AuthorityGate, AuthorityLimit

EPS = 1e-6

gaps_s = st.lists(st.just(0.0) | st.floats(0.0, 2.0), min_size=1, max_size=60)
rates_per_s = st.floats(0.5, 200.0)
bursts = st.integers(1, 8)
shares = st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.9, 1.0])
# (seconds later, what): a reservation, or a throttle with an age and a wish, or an
# answer with its latency, or a lost one with its age
waits_s = st.none() | st.floats(0.0, 20.0)
ages_s = st.floats(0.0, 5.0)
events = st.lists(
    st.tuples(
        st.floats(0.0, 3.0),
        st.just(("reserve", 0.0, None))
        | st.tuples(st.just("throttled"), ages_s, waits_s)
        | st.tuples(st.sampled_from(["answered", "lost"]), ages_s, st.none()),
    ),
    min_size=1,
    max_size=60,
)


def assert_bounded(sends_s: list[float], *, burst: int, rate_per_s: float) -> None:
    """Fail where any window holds more sends than ``burst + rate * window``."""
    ordered = sorted(sends_s)
    for first, begin_s in enumerate(ordered):
        for last in range(first, len(ordered)):
            window_s = ordered[last] - begin_s
            assert last - first + 1 <= burst + rate_per_s * window_s + EPS


@given(rates_per_s, bursts, gaps_s)
def test_no_window_holds_more_than_burst_and_rate(
    rate: float, burst: int, gaps: list[float]
) -> None:
    limiter = Gcra(rate_per_s=rate, burst=burst)
    now_s, sends = 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        sends.append(limiter.reserve(now_s))
    assert_bounded(sends, burst=burst, rate_per_s=rate)


@given(
    rates_per_s, bursts, st.lists(st.tuples(st.floats(0.0, 0.5), shares), max_size=50)
)
def test_no_window_holds_more_than_the_ceiling_allows_whatever_the_rate_does(
    ceiling: float, burst: int, steps: list[tuple[float, float]]
) -> None:
    limiter = Gcra(rate_per_s=ceiling, burst=burst)
    now_s, sends = 0.0, []
    for gap_s, share in steps:
        now_s += gap_s
        limiter.rate_per_s = ceiling * share
        sends.append(limiter.reserve(now_s))
    assert_bounded(sends, burst=burst, rate_per_s=ceiling)


@given(rates_per_s, bursts, gaps_s)
def test_permits_are_given_out_in_order_and_never_for_the_past(
    rate: float, burst: int, gaps: list[float]
) -> None:
    limiter = Gcra(rate_per_s=rate, burst=burst)
    now_s, sends = 0.0, []
    for gap_s in gaps:
        now_s += gap_s
        sends.append(limiter.reserve(now_s))
        assert sends[-1] >= now_s
    assert all(one <= two for one, two in pairwise(sends))


@given(rates_per_s, st.integers(1, 40))
def test_a_limiter_that_is_always_asked_gives_the_whole_rate(
    rate: float, n: int
) -> None:
    limiter = Gcra(rate_per_s=rate)
    sends = [limiter.reserve(0.0) for _ in range(n + 1)]
    assert abs(sends[-1] - n / rate) < EPS


@given(rates_per_s, bursts, gaps_s, st.floats(0.0, 60.0))
def test_nothing_goes_before_the_end_of_a_hold_and_no_burst_after_it(
    rate: float, burst: int, gaps: list[float], hold_s: float
) -> None:
    limiter = Gcra(rate_per_s=rate, burst=burst)
    for _ in range(burst):
        limiter.reserve(0.0)
    limiter.hold_until(hold_s)
    now_s, sends = 0.0, []
    for gap_s in gaps:
        now_s = min(hold_s, now_s + gap_s)
        sends.append(limiter.reserve(now_s))
    assert sends[0] >= hold_s - EPS
    assert_bounded(sends, burst=1, rate_per_s=rate)


@given(rates_per_s, bursts, events)
def test_the_pace_stays_between_floor_and_ceiling_and_keeps_every_wish(
    ceiling: float,
    burst: int,
    happened: list[tuple[float, tuple[str, float, float | None]]],
) -> None:
    pace = Pace(ceiling_per_s=ceiling, burst=burst, now_s=0.0)
    now_s, silent_until_s, sends = 0.0, 0.0, []
    for gap_s, (what, age_s, wish_s) in happened:
        now_s += gap_s
        if what == "reserve":
            sends.append(pace.reserve(now_s))
            assert sends[-1] >= max(now_s, silent_until_s - EPS)
        elif what == "answered":
            pace.answered(now_s, age_s)
        elif what == "lost":
            pace.lost(now_s, sent_s=now_s - age_s)
        else:
            pace.throttled(now_s, sent_s=now_s - age_s, retry_after_s=wish_s)
            silent_until_s = max(silent_until_s, now_s + (wish_s or 0.0))
        assert pace.is_held(now_s) == (now_s < silent_until_s)
        assert pace.ready_s(now_s) >= max(now_s, silent_until_s - EPS)
        assert ceiling * FLOOR_SHARE - EPS <= pace.rate_per_s <= ceiling
        assert pace.cause
    assert_bounded(sends, burst=burst, rate_per_s=ceiling)


@given(
    st.floats(0.01, 5.0),
    st.integers(1, 4),
    st.integers(1, 6),
    st.lists(st.floats(0.0, DAY_S / 2), min_size=1, max_size=40),
)
def test_no_window_holds_more_than_an_authority_bears(
    rate: float, burst: int, per_day: int, gaps: list[float]
) -> None:
    limit = AuthorityLimit(rate_per_s=rate, burst=burst, per_day=per_day)
    pace = Pace(
        ceiling_per_s=50.0, burst=9, now_s=0.0, authorities={"ca": limit, "b": limit}
    )
    now_s = 0.0
    sends: dict[str, list[float]] = {"ca": [], "b": []}
    for n, gap_s in enumerate(gaps):
        now_s += gap_s
        name = "ca" if n % 3 else "b"
        ready_s = pace.authority_ready_s(now_s, name)
        if ready_s <= now_s:
            sends[name].append(pace.reserve(now_s, name))
    for sent in sends.values():
        assert_bounded(sent, burst=burst, rate_per_s=rate)
        for n in range(per_day, len(sent)):
            assert sent[n] - sent[n - per_day] >= DAY_S - EPS
    assert_bounded(sends["ca"] + sends["b"], burst=9, rate_per_s=50.0)


@given(st.integers(1, 5), st.lists(st.floats(0.0, DAY_S), max_size=20))
def test_a_restart_gives_no_authority_a_new_day(
    per_day: int, gaps: list[float]
) -> None:
    limit = AuthorityLimit(per_day=per_day)
    whole = AuthorityGate(limit)
    now_s = 0.0
    sent: list[float] = []
    for gap_s in gaps:
        now_s += gap_s
        again = AuthorityGate(limit)
        again.recall(sent)
        assert again.ready_s(now_s) == whole.ready_s(now_s)
        if whole.ready_s(now_s) <= now_s:
            sent.append(whole.reserve(now_s))


@given(rates_per_s, st.lists(st.floats(0.0, 10.0), max_size=30))
def test_the_slow_start_reaches_the_ceiling_within_ten_seconds(
    ceiling: float, asked_s: list[float]
) -> None:
    pace = Pace(ceiling_per_s=ceiling, burst=1, now_s=0.0)
    for at_s in [*sorted(asked_s), 10.0]:
        pace.reserve(at_s)
    assert pace.rate_per_s == ceiling


@given(rates_per_s, st.lists(st.floats(0.0, 8.0), min_size=1, max_size=30))
def test_the_slow_start_depends_on_the_time_alone(
    ceiling: float, asked_s: list[float]
) -> None:
    often = Pace(ceiling_per_s=ceiling, burst=1, now_s=0.0)
    for at_s in sorted(asked_s):
        often.reserve(at_s)
    once = Pace(ceiling_per_s=ceiling, burst=1, now_s=0.0)
    once.reserve(max(asked_s))
    assert abs(often.rate_per_s - once.rate_per_s) < EPS * ceiling


@given(rates_per_s, st.lists(st.floats(0.0, 5.0), min_size=1, max_size=30))
def test_one_generation_of_requests_halves_the_rate_once(
    ceiling: float, ages_s: list[float]
) -> None:
    pace = Pace(ceiling_per_s=ceiling, burst=1, now_s=0.0)
    pace.reserve(10.0)
    for n, age_s in enumerate(ages_s):
        # All left before the first was refused at 20 s.
        pace.throttled(20.0 + n / 100, sent_s=19.9 - age_s, retry_after_s=None)
    assert pace.rate_per_s == ceiling / 2


@given(
    st.integers(1, 10**6),
    st.floats(0.0, 1.0, exclude_max=True),
    st.floats(0.01, 10.0),
    st.floats(0.01, 600.0),
)
def test_a_backoff_lies_between_half_and_all_of_a_doubling_wait(
    failures: int, roll: float, base_s: float, cap_s: float
) -> None:
    wait_s = backoff_s(failures, roll=roll, base_s=base_s, cap_s=cap_s)
    full_s = min(cap_s, base_s * 2.0 ** min(failures - 1, 30))
    assert full_s / 2 <= wait_s <= full_s
    assert wait_s <= cap_s


@given(st.integers(1, 100), st.floats(0.0, 1.0, exclude_max=True))
def test_a_backoff_never_falls_as_failures_go_on(failures: int, roll: float) -> None:
    waits = [
        backoff_s(n, roll=roll, base_s=1.0, cap_s=60.0)
        for n in (failures, failures + 1)
    ]
    assert waits[0] <= waits[1]


@given(
    rates_per_s,
    bursts,
    gaps_s,
    st.integers(1, 6) | st.none(),
    st.integers(0, 8),
    st.sampled_from([0.0, 0.01, 5.0]),
)
def test_what_is_said_of_those_ahead_is_what_they_then_do(
    rate: float,
    burst: int,
    gaps: list[float],
    per_day: int | None,
    ahead: int,
    idle_s: float,
) -> None:
    limit = AuthorityLimit(rate_per_s=rate, burst=burst, per_day=per_day)
    gate, now_s = AuthorityGate(limit), 0.0
    for gap_s in gaps:
        now_s += gap_s
        if gate.ready_s(now_s) <= now_s:
            gate.reserve(now_s)
    now_s += idle_s
    said_s = gate.ready_s(now_s, ahead)
    then_s = now_s
    for _ in range(ahead):
        then_s = gate.reserve(then_s)
    ready_s = gate.ready_s(then_s)
    assert said_s <= ready_s + EPS
    # A day that is used up keeps those ahead back, too.
    assert per_day is not None or said_s >= ready_s - EPS
