"""The calendar against a model that asks every minute by itself, over clock changes."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.campaign.wallclock import MINUTE, Line, Part, starts, utc, walls

from batch_reenroll.campaign.calendar import Calendar, expires_before_window
from batch_reenroll.campaign.recurrence import Recurrence
from batch_reenroll.campaign.windows import Blackout, Span, Window

# Noon before a change of the clocks: an hour on or back, half an hour, a whole day
# skipped, twice around Ramadan, and at midnight.
CHANGES = [
    ("America/Chicago", utc(2026, 3, 7, 12)),
    ("America/Chicago", utc(2026, 10, 31, 12)),
    ("Europe/Berlin", utc(2026, 3, 28, 12)),
    ("Europe/Berlin", utc(2026, 10, 24, 12)),
    ("Australia/Lord_Howe", utc(2026, 4, 4, 6)),
    ("Australia/Lord_Howe", utc(2026, 10, 3, 6)),
    ("Pacific/Apia", utc(2011, 12, 29, 12)),
    ("Pacific/Apia", utc(2012, 3, 31, 6)),
    ("Africa/Casablanca", utc(2026, 2, 14, 12)),
    ("Africa/Casablanca", utc(2026, 3, 21, 12)),
    ("America/Santiago", utc(2026, 9, 5, 12)),
    ("America/Santiago", utc(2026, 4, 4, 12)),
    ("UTC", utc(2026, 12, 31, 12)),
]
# What this day misses comes on the next one, which then has two.
SKIPPED_DAY = CHANGES[6]
BEFORE, AFTER = timedelta(hours=36), timedelta(hours=60)
LONGEST = timedelta(hours=30)


def parts(low: int, high: int) -> st.SearchStrategy[Part]:
    """Return fields of a cron line with the numbers they mean."""
    numbers = st.integers(low, high)
    every = frozenset(range(low, high + 1))
    stars = st.sampled_from([1, 1, 2, 3, 7, 15, 20]).map(
        lambda step: Part("*" if step == 1 else f"*/{step}", every_nth(every, step))
    )
    lists = st.lists(numbers, min_size=1, max_size=3).map(
        lambda chosen: Part(",".join(map(str, chosen)), frozenset(chosen))
    )
    ranges = st.tuples(
        st.integers(low, high - 1), st.integers(1, high - low), st.integers(1, 4)
    ).map(lambda r: stepped(r[0], min(r[0] + r[1], high), r[2]))
    return stars | lists | ranges


def stepped(first: int, last: int, step: int) -> Part:
    return Part(f"{first}-{last}/{step}", frozenset(range(first, last + 1, step)))


def every_nth(numbers: frozenset[int], step: int) -> frozenset[int]:
    return frozenset(sorted(numbers)[::step])


def weekdays() -> st.SearchStrategy[Part]:
    names = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
    lists = st.lists(st.integers(0, 6), min_size=1, max_size=4).map(
        lambda days: Part(",".join(names[d] for d in days), frozenset(days))
    )
    return st.just(Part("*", frozenset(range(7)))) | lists


lines = st.builds(
    Line,
    minute=parts(0, 59),
    hour=parts(0, 23),
    day=st.just(Part("*", frozenset(range(1, 32)))) | parts(1, 31),
    month=st.just(Part("*", frozenset(range(1, 13)))),
    weekday=weekdays(),
)
# Seconds as well: a window may end between two minutes.
durations_s = st.integers(1, int(LONGEST.total_seconds()))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Line, Window, datetime]:
    zone, noon = draw(st.sampled_from(CHANGES))
    line, duration_s = draw(lines), draw(durations_s)
    cutoff_s = draw(st.just(0) | st.integers(0, duration_s - 1))
    return line, line.window(zone, duration_s, cutoff_s), noon


def model(line: Line, window: Window, since: datetime, until: datetime) -> list[bool]:
    """Return for every minute whether the window is open."""
    first = since - LONGEST - timedelta(days=1)
    opened = list(starts(line, window.timezone, first, until))
    open_for = timedelta(seconds=window.open_s)
    found = []
    for at, _ in walls(window.timezone, first, until):
        if at >= since:
            n = bisect_right(opened, at)
            found.append(n > 0 and at < opened[n - 1] + open_for)
    return found


def minutes(since: datetime, until: datetime) -> list[datetime]:
    return [since + n * MINUTE for n in range((until - since) // MINUTE)]


def within(spans: list[Span], moments: list[datetime]) -> list[bool]:
    begins = [span.start for span in spans]
    found = []
    for at in moments:
        n = bisect_right(begins, at)
        found.append(n > 0 and at < spans[n - 1].end)
    return found


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_window_is_open_in_just_the_minutes_of_the_model(
    case: tuple[Line, Window, datetime],
) -> None:
    line, window, noon = case
    since, until = noon - BEFORE, noon + AFTER
    spans = list(Calendar([window]).open_spans(since, until))
    assert within(spans, minutes(since, until)) == model(line, window, since, until)


@settings(max_examples=40, deadline=None)
@given(cases(), cases(), st.lists(st.tuples(durations_s, durations_s), max_size=3))
def test_any_window_opens_and_any_blackout_closes(
    one: tuple[Line, Window, datetime],
    other: tuple[Line, Window, datetime],
    closed_s: list[tuple[int, int]],
) -> None:
    (line, window, noon), (second_line, second_window, _) = one, other
    since, until = noon - BEFORE, noon + AFTER
    blackouts = [
        Blackout(
            start=since + timedelta(seconds=begin_s),
            end=since + timedelta(seconds=begin_s + length_s),
        )
        for begin_s, length_s in closed_s
    ]
    calendar = Calendar([window, second_window], blackouts)
    spans = list(calendar.open_spans(since, until))
    first = model(line, window, since, until)
    second = model(second_line, second_window, since, until)
    expected = [
        (a or b) and not any(x.start <= at < x.end for x in blackouts)
        for at, a, b in zip(minutes(since, until), first, second, strict=True)
    ]
    assert within(spans, minutes(since, until)) == expected


@settings(max_examples=40, deadline=None)
@given(cases(), cases())
def test_a_waves_calendar_is_open_where_both_are(
    one: tuple[Line, Window, datetime], other: tuple[Line, Window, datetime]
) -> None:
    (_, window, noon), (_, narrow, _) = one, other
    since, until = noon - BEFORE, noon + AFTER
    moments = minutes(since, until)
    wave = Calendar([window]).narrowed([narrow])
    found = within(list(wave.open_spans(since, until)), moments)
    each = [
        within(list(Calendar([w]).open_spans(since, until)), moments)
        for w in (window, narrow)
    ]
    assert found == [a and b for a, b in zip(*each, strict=True)]


@settings(max_examples=60, deadline=None)
@given(cases(), st.lists(st.integers(-129_600, 216_000), min_size=1, max_size=8))
def test_is_open_opens_at_and_closes_at_agree(
    case: tuple[Line, Window, datetime], offsets_s: list[int]
) -> None:
    _, window, noon = case
    calendar = Calendar([window])
    for offset_s in offsets_s:
        at = noon + timedelta(seconds=offset_s)
        opens, closes = calendar.opens_at(at), calendar.closes_at(at)
        assert calendar.is_open(at) == (opens == at)
        assert calendar.is_open(at) == (closes != at)
        second = timedelta(seconds=1)
        if opens is not None and opens != at:
            assert calendar.is_open(opens)
            assert not calendar.is_open(opens - second)
        if closes is not None and closes != at:
            assert not calendar.is_open(closes)
            assert calendar.is_open(closes - second)


@settings(max_examples=40, deadline=None)
@given(cases(), st.lists(st.integers(-129_600, 216_000), min_size=2, max_size=8))
def test_an_answer_does_not_depend_on_what_was_asked_before(
    case: tuple[Line, Window, datetime], offsets_s: list[int]
) -> None:
    _, window, noon = case
    asked = Calendar([window])
    for offset_s in offsets_s:
        at = noon + timedelta(seconds=offset_s)
        fresh = Calendar([window])
        assert asked.is_open(at) == fresh.is_open(at)
        assert asked.opens_at(at) == fresh.opens_at(at)
        assert asked.closes_at(at) == fresh.closes_at(at)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_spans_are_apart_in_order_and_inside_what_was_asked(
    case: tuple[Line, Window, datetime],
) -> None:
    _, window, noon = case
    edges = [noon - BEFORE]
    for start, end in Calendar([window]).open_spans(noon - BEFORE, noon + AFTER):
        edges += [start, end]
    edges.append(noon + AFTER)
    assert edges == sorted(edges)
    inner = edges[1:-1]
    assert len(set(inner)) == len(inner)


@settings(max_examples=60, deadline=None)
@given(lines, st.integers(0, 2_000))
def test_in_utc_the_starts_are_those_of_cronsim(line: Line, day: int) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    window = line.window("UTC", 1)
    until = at + timedelta(days=20)
    theirs = CronSim(window.cron, at - timedelta(seconds=1))
    ours = [span.start for span in Recurrence(window).spans(at, until)]
    assert ours == list(takewhile(until.__gt__, theirs))


@settings(max_examples=60, deadline=None)
@given(lines, st.sampled_from([c for c in CHANGES if c != SKIPPED_DAY]))
def test_a_time_of_day_opens_at_most_once_a_day(
    line: Line, change: tuple[str, datetime]
) -> None:
    zone, noon = change
    fixed = Line(
        minute=Part("30", frozenset({30})),
        hour=Part("2", frozenset({2})),
        day=line.day,
        month=line.month,
        weekday=line.weekday,
    )
    since = noon - BEFORE
    spans = Recurrence(fixed.window(zone, 1)).spans(since, noon + AFTER)
    where = ZoneInfo(zone)
    days = [span.start.astimezone(where).date() for span in spans]
    assert len(set(days)) == len(days)


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(-129_600, 216_000), st.integers(0, 900_000))
def test_a_certificate_expires_before_the_window_unless_it_can_be_replaced_in_time(
    case: tuple[Line, Window, datetime], offset_s: int, valid_s: int
) -> None:
    _, window, noon = case
    at = noon + timedelta(seconds=offset_s)
    not_after = at + timedelta(seconds=valid_s)
    calendar = Calendar([window])
    usable = any(calendar.open_spans(at, not_after + timedelta(seconds=1)))
    assert expires_before_window(not_after, calendar, at) != usable
