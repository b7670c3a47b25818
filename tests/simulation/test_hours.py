"""The simulation's own reading of windows and the product's say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from simulation.hours import Hours
from simulation.steering import CHANGES, CHANGING, OFTEN

from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.windows import Blackout, Window


def _moments(start: datetime) -> list[datetime]:
    return [start + timedelta(minutes=5, seconds=1) * n for n in range(-140, 140)]


@pytest.mark.parametrize(("zone", "start"), CHANGES)
@pytest.mark.parametrize("cron", CHANGING)
def test_windows_open_alike_where_clocks_change(
    zone: str, start: str, cron: str
) -> None:
    windows = (Window(cron=cron, timezone=zone, duration_s=1500),)
    mine, calendar = Hours(windows), Calendar(windows)
    for at in _moments(datetime.fromisoformat(start)):
        assert mine.is_open(at) == calendar.is_open(at), at


def test_windows_less_blackouts_close_alike() -> None:
    start = datetime(2027, 1, 15, 8, tzinfo=UTC)
    windows = tuple(
        Window(cron=cron, timezone="Asia/Kolkata", duration_s=durations[0], cutoff_s=60)
        for cron, durations in OFTEN
    )
    blackout = Blackout(start=start, end=start + timedelta(minutes=25))
    mine, calendar = Hours(windows, (blackout,)), Calendar(windows, (blackout,))
    for at in _moments(start):
        assert mine.is_open(at) == calendar.is_open(at), at
        if mine.is_open(at):
            assert mine.closes(at) == calendar.closes_at(at), at
