"""Geometry of the plan's pictures."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from unit.report.planned import (
    HOUR,
    PLANNED,
    always,
    forecast,
    orchestrator,
    saturdays,
    stretch,
)

from batch_reenroll.report.plan_charts import N_LANES, finishes, weeks
from batch_reenroll.report.plan_facts import ScheduleFacts


def test_a_bar_reaches_from_p50_to_p95_on_the_scale_of_all() -> None:
    picture = finishes(forecast(deadline=PLANNED + 4 * HOUR))
    lane = picture.lanes[0]
    # 4 h to the deadline and 3 % beyond it are 100.
    hour = 100 / (4 * 1.03)
    assert lane.light == pytest.approx(hour, abs=0.01)
    assert lane.full == pytest.approx(hour, abs=0.01)
    assert picture.deadline_x == pytest.approx(4 * hour, abs=0.01)
    assert picture.bound_x == pytest.approx(0.7 * hour, abs=0.01)
    assert picture.x_labels[0] == "18:40"


def test_a_deadline_far_away_does_not_press_the_bars_together() -> None:
    picture = finishes(forecast(deadline=PLANNED + timedelta(days=60)))
    assert picture.deadline_x is None
    assert picture.campaign.light + picture.campaign.full > 90


def test_a_deadline_that_has_passed_lies_at_the_left_edge() -> None:
    assert finishes(forecast(deadline=PLANNED - HOUR)).deadline_x == 0


def test_a_bar_that_never_ends_reaches_the_right_edge() -> None:
    stuck = orchestrator("stuck", p95=None, late_s=math.inf)
    lane = finishes(forecast(orchestrators=(stuck,))).lanes[0]
    assert lane.light + lane.full == pytest.approx(100)
    assert lane.is_late
    assert lane.p95 is None


def test_thirty_orchestrators_are_drawn_and_the_others_counted() -> None:
    many = tuple(orchestrator(f"o{n}") for n in range(500))
    picture = finishes(forecast(orchestrators=many))
    assert [lane.name for lane in picture.lanes] == [f"o{n}" for n in range(N_LANES)]
    assert picture.n_more == 500 - N_LANES


def test_what_is_not_drawn_does_not_set_the_scale_but_is_no_earlier() -> None:
    found = forecast(p50=None, p95=None, deadline=None, lower_bound=None)
    picture = finishes(replace(found, orchestrators=()))
    assert picture.lanes == ()
    assert len(picture.x_labels) == 5


def test_weeks_begin_on_mondays_and_show_what_is_open() -> None:
    found = weeks(saturdays(), {"planned": PLANNED})
    assert [week.monday for week in found] == [
        *("Nov 23", "Nov 30", "Dec 7", "Dec 14", "Dec 21"),
    ]
    (night,) = found[0].open
    day = 100 / 7
    assert night.x == pytest.approx(6 * day + day * 4 / 24, abs=0.01)
    assert night.width == pytest.approx(day * 7.5 / 24, abs=0.01)
    assert [mark.name for mark in found[0].marks] == ["planned"]
    assert found[1].marks == ()
    assert found[2].blackouts


def test_what_is_open_over_a_monday_is_in_both_weeks() -> None:
    sunday = datetime(2026, 11, 29, 20, tzinfo=UTC)
    schedule = replace(saturdays(), open=(stretch(sunday, 8),))
    first, second, *_ = weeks(schedule, {})
    assert first.open[0].x + first.open[0].width == pytest.approx(100, abs=0.01)
    assert second.open[0].x == 0
    assert second.open[0].width == pytest.approx(100 / 42, abs=0.01)


def test_windows_each_minute_are_one_stripe() -> None:
    minute = 1 / 60
    open_ = tuple(stretch(PLANNED + n * HOUR / 30, minute) for n in range(2_000))
    stripes = weeks(replace(saturdays(), open=open_), {})[0].open
    assert len(stripes) == 1
    assert stripes[0].width == pytest.approx(100 * 2_000 / 30 / 168, abs=0.1)


def test_ten_minutes_in_a_week_can_be_seen() -> None:
    end_of_week = datetime(2026, 11, 29, 23, 59, tzinfo=UTC)
    open_ = (stretch(PLANNED, 0.05), stretch(end_of_week, 1 / 60))
    first, last = weeks(replace(saturdays(), open=open_), {})[0].open
    assert min(first.width, last.width) >= 0.4
    assert last.x + last.width <= 100


def test_years_are_cut_to_fourteen_weeks() -> None:
    frame = stretch(PLANNED, 24 * 365 * 50)
    found = weeks(
        ScheduleFacts(
            windows=(), blackouts=(), frame=frame, open=(frame,), opens_at=PLANNED
        ),
        {},
    )
    assert len(found) == 14
    assert len(weeks(always(), {})) == 5
