"""The calendar at its borders, and on the days when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from unit.campaign.wallclock import utc

from batch_reenroll.campaign.calendar import HORIZON, Calendar, expires_before_window
from batch_reenroll.campaign.recurrence import Recurrence
from batch_reenroll.campaign.windows import LONGEST_S, Blackout, Span, Window

HOUR_S = 3_600
SECOND = timedelta(seconds=1)
MICRO = timedelta(microseconds=1)


def window(
    cron: str, zone: str = "UTC", *, hours: float = 1, cutoff_s: int = 0
) -> Window:
    duration_s = int(hours * HOUR_S)
    return Window(cron=cron, timezone=zone, duration_s=duration_s, cutoff_s=cutoff_s)


SATURDAY = window("0 22 * * SAT", "America/Chicago", hours=8, cutoff_s=1_800)
# 22:00 in Chicago on Saturday, 28 November 2026.
OPENS, SHUTS = utc(2026, 11, 29, 4), utc(2026, 11, 29, 11, 30)


def starts(cron: str, zone: str, since: datetime, days: int) -> list[str]:
    """Return when the window opens, as the wall shows it."""
    spans = Recurrence(window(cron, zone, hours=1 / HOUR_S)).spans(
        since, since + timedelta(days=days)
    )
    return [f"{span.start.astimezone(ZoneInfo(zone)):%d %H:%M %z}" for span in spans]


class TestBorders:
    def test_it_opens_with_the_start_and_not_before(self) -> None:
        calendar = Calendar([SATURDAY])
        assert not calendar.is_open(OPENS - MICRO)
        assert calendar.is_open(OPENS)

    def test_it_closes_with_the_cutoff(self) -> None:
        calendar = Calendar([SATURDAY])
        assert calendar.is_open(SHUTS - MICRO)
        assert not calendar.is_open(SHUTS)

    def test_it_says_when_it_opens(self) -> None:
        assert Calendar([SATURDAY]).opens_at(utc(2026, 11, 23)) == OPENS

    def test_it_says_when_it_closes(self) -> None:
        assert Calendar([SATURDAY]).closes_at(OPENS + MICRO) == SHUTS

    def test_open_it_opens_now(self) -> None:
        assert Calendar([SATURDAY]).opens_at(OPENS + MICRO) == OPENS + MICRO

    def test_closed_it_closes_now(self) -> None:
        assert Calendar([SATURDAY]).closes_at(SHUTS) == SHUTS

    def test_it_answers_in_any_zone_for_the_same_moment(self) -> None:
        there = OPENS.astimezone(ZoneInfo("Asia/Tokyo"))
        assert Calendar([SATURDAY]).is_open(there)
        assert Calendar([SATURDAY]).opens_at(there - SECOND) == OPENS

    def test_windows_that_touch_are_one(self) -> None:
        calendar = Calendar([window("0 1 * * *"), window("0 2 * * *")])
        assert calendar.closes_at(utc(2026, 1, 1, 1)) == utc(2026, 1, 1, 3)

    def test_a_window_that_outlasts_its_own_next_start_never_closes(self) -> None:
        assert Calendar([window("0 * * * *")]).closes_at(utc(2026, 1, 1)) is None

    def test_a_long_window_that_began_months_ago_is_open(self) -> None:
        calendar = Calendar([window("0 0 1 1 *", hours=24 * 300)])
        at = utc(2026, 10, 27, 23, 59)
        assert calendar.is_open(at)
        assert calendar.closes_at(at) == utc(2026, 10, 28)


class TestSpans:
    def test_one_that_ends_as_the_time_asked_for_begins_is_not_in_it(self) -> None:
        spans = Recurrence(window("0 1 * * *")).spans(
            utc(2026, 1, 1, 2), utc(2026, 1, 2, 1)
        )
        assert list(spans) == []

    def test_one_that_reaches_into_it_comes_whole(self) -> None:
        spans = Recurrence(window("0 1 * * *", hours=2)).spans(
            utc(2026, 1, 1, 2), utc(2026, 1, 2)
        )
        assert list(spans) == [Span(utc(2026, 1, 1, 1), utc(2026, 1, 1, 3))]

    def test_no_time_has_no_spans(self) -> None:
        at = utc(2026, 1, 1)
        assert list(Calendar().open_spans(at, at)) == []


class TestAlwaysAndNever:
    def test_without_windows_it_is_always_open(self) -> None:
        at = utc(2026, 1, 1)
        assert Calendar().is_open(at)
        assert Calendar().opens_at(at) == at
        assert Calendar().closes_at(at) is None

    def test_a_window_beyond_the_horizon_does_not_count(self) -> None:
        # 2100 is no leap year, so no 29 February lies between 2096 and 2104.
        calendar = Calendar([window("0 0 29 2 *")])
        after_2096 = utc(2096, 3, 1)
        assert calendar.opens_at(after_2096) is None
        assert calendar.opens_at(utc(2104, 2, 29) - HORIZON) is None
        assert calendar.opens_at(utc(2104, 2, 29) - HORIZON + SECOND) is not None

    def test_a_blackout_without_end_closes_for_good(self) -> None:
        at = utc(2026, 1, 1)
        calendar = Calendar(blackouts=[Blackout(start=at, end=utc(2100, 1, 1))])
        assert calendar.opens_at(at - SECOND) == at - SECOND
        assert calendar.opens_at(at) is None

    @pytest.mark.parametrize("duration_s", [0, -5, LONGEST_S + 1])
    def test_a_window_that_is_never_open_or_too_long_is_refused(
        self, duration_s: int
    ) -> None:
        broken = Window(cron="0 0 * * *", timezone="UTC", duration_s=duration_s)
        with pytest.raises(ValueError, match="open for"):
            Calendar([broken])


class TestBlackouts:
    BLACKOUT = Blackout(
        start=OPENS + timedelta(hours=1), end=OPENS + timedelta(hours=2)
    )

    def test_it_is_closed_from_the_start_to_just_before_the_end(self) -> None:
        calendar = Calendar([SATURDAY], [self.BLACKOUT])
        assert calendar.is_open(self.BLACKOUT.start - MICRO)
        assert not calendar.is_open(self.BLACKOUT.start)
        assert not calendar.is_open(self.BLACKOUT.end - MICRO)
        assert calendar.is_open(self.BLACKOUT.end)

    def test_it_cuts_a_window_in_two(self) -> None:
        spans = Calendar([SATURDAY], [self.BLACKOUT]).open_spans(
            OPENS - timedelta(days=1), SHUTS + timedelta(days=1)
        )
        assert list(spans) == [
            Span(OPENS, self.BLACKOUT.start),
            Span(self.BLACKOUT.end, SHUTS),
        ]

    def test_without_windows_it_alone_counts(self) -> None:
        calendar = Calendar(blackouts=[self.BLACKOUT])
        assert calendar.closes_at(OPENS) == self.BLACKOUT.start
        assert calendar.opens_at(self.BLACKOUT.start) == self.BLACKOUT.end

    def test_one_that_is_over_leaves_no_trace(self) -> None:
        calendar = Calendar(blackouts=[self.BLACKOUT])
        after = self.BLACKOUT.end + SECOND
        assert calendar.is_open(after)
        assert list(calendar.open_spans(after, SHUTS)) == [Span(after, SHUTS)]

    def test_those_that_overlap_may_come_in_any_order(self) -> None:
        later = Blackout(start=self.BLACKOUT.start + SECOND, end=SHUTS + SECOND)
        calendar = Calendar([SATURDAY], [later, self.BLACKOUT])
        assert list(calendar.open_spans(OPENS, SHUTS)) == [
            Span(OPENS, self.BLACKOUT.start)
        ]


class TestWaves:
    def test_both_the_campaigns_and_the_waves_window_must_be_open(self) -> None:
        wave = Calendar([SATURDAY]).narrowed([window("0 5-6 * * *")])
        day = OPENS.replace(hour=0)
        assert list(wave.open_spans(day, day + timedelta(days=2))) == [
            Span(OPENS.replace(hour=5), OPENS.replace(hour=7))
        ]

    def test_the_campaigns_blackouts_hold_for_the_wave(self) -> None:
        blackout = Blackout(start=OPENS, end=SHUTS)
        wave = Calendar(blackouts=[blackout]).narrowed([window("0 5 * * *")])
        assert not wave.is_open(OPENS.replace(hour=5))
        assert wave.is_open(OPENS.replace(hour=5) + timedelta(days=1))

    def test_a_wave_without_windows_keeps_the_campaigns_calendar(self) -> None:
        calendar = Calendar([SATURDAY])
        assert calendar.narrowed(()) is calendar

    def test_the_campaigns_calendar_stays_as_it_was(self) -> None:
        calendar = Calendar([SATURDAY])
        calendar.narrowed([window("0 5 * * *")])
        assert calendar.is_open(OPENS)


class TestClockChanges:
    @pytest.mark.parametrize(
        ("zone", "since", "cron", "expected"),
        [
            pytest.param(
                *("America/Chicago", utc(2026, 3, 8), "30 2 * * *"),
                ["08 03:00 -0500", "09 02:30 -0500"],
                id="a skipped time of day comes at the end of the gap",
            ),
            pytest.param(
                *("America/Chicago", utc(2026, 3, 8), "*/30 2 * * *"),
                ["09 02:00 -0500", "09 02:30 -0500"],
                id="a skipped time on the wall does not come",
            ),
            pytest.param(
                *("America/Chicago", utc(2026, 11, 1), "30 1 * * *"),
                ["01 01:30 -0500", "02 01:30 -0600"],
                id="a time of day that comes twice opens once",
            ),
            pytest.param(
                *("America/Chicago", utc(2026, 11, 1), "*/30 1 * * SUN"),
                [f"01 01:{m} -0{h}00" for h in (5, 6) for m in ("00", "30")],
                id="a time on the wall that comes twice opens twice",
            ),
            pytest.param(
                *("Australia/Lord_Howe", utc(2026, 4, 4, 12), "*/15 2 4,5 * *"),
                [f"05 02:{m} +1030" for m in ("00", "15", "30", "45")],
                id="half an hour back takes nothing from the hour after it",
            ),
            pytest.param(
                *("Pacific/Apia", utc(2011, 12, 30, 9), "0 22 29-31 * *"),
                ["31 00:00 +1400", "31 22:00 +1400"],
                id="a skipped day comes when the next begins",
            ),
            pytest.param(
                *("America/Santiago", utc(2026, 9, 6), "15 0 * * *"),
                ["06 01:00 -0300", "07 00:15 -0300"],
                id="a gap at midnight",
            ),
        ],
    )
    def test_starts(
        self, zone: str, since: datetime, cron: str, expected: list[str]
    ) -> None:
        assert starts(cron, zone, since, days=2)[: len(expected)] == expected

    @pytest.mark.parametrize(
        ("since", "shows"), [(utc(2026, 3, 8), "07:00"), (utc(2026, 11, 1), "05:00")]
    )
    def test_a_window_lasts_its_duration_in_real_time(
        self, since: datetime, shows: str
    ) -> None:
        calendar = Calendar([window("0 22 * * SAT", "America/Chicago", hours=8)])
        (span,) = calendar.open_spans(since, since + timedelta(days=1))
        assert span.end - span.start == timedelta(hours=8)
        assert f"{span.end.astimezone(ZoneInfo('America/Chicago')):%H:%M}" == shows


class TestExpiry:
    CALENDAR = Calendar([SATURDAY])
    NOW = utc(2026, 11, 23)

    def test_a_certificate_still_valid_as_the_window_opens_is_in_time(self) -> None:
        assert not expires_before_window(OPENS, self.CALENDAR, self.NOW)

    def test_one_that_expires_just_before_is_not(self) -> None:
        assert expires_before_window(OPENS - SECOND, self.CALENDAR, self.NOW)

    def test_while_a_window_is_open_nothing_is_missed(self) -> None:
        assert not expires_before_window(OPENS - SECOND, self.CALENDAR, OPENS)

    def test_without_another_window_every_certificate_is_missed(self) -> None:
        never = Calendar(blackouts=[Blackout(start=self.NOW, end=utc(2100, 1, 1))])
        assert expires_before_window(utc(2090, 1, 1), never, self.NOW)


class TestJson:
    def test_a_window_is_read_back(self) -> None:
        assert Window.from_json(SATURDAY.as_json()) == SATURDAY

    def test_a_blackout_is_read_back(self) -> None:
        blackout = TestBlackouts.BLACKOUT
        assert Blackout.from_json(blackout.as_json()) == blackout
        assert Blackout.from_json(blackout.as_json()).start.tzinfo is UTC
