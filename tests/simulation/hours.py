"""When rows may be sent, worked out minute by minute, as no product would do it.

Knows the cron lines that :mod:`simulation.drawing` draws: lists and steps of minutes
and hours, on any day. What they mean when the clocks change is Debian cron's rule, as
the product's documents say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from batch_reenroll.campaign.windows import Blackout, Window

_MINUTE = timedelta(minutes=1)


class Hours:
    """Windows, any of which may be open, less the blackouts."""

    def __init__(
        self, windows: Sequence[Window], blackouts: Sequence[Blackout] = ()
    ) -> None:
        self._windows = windows
        self._blackouts = blackouts

    @property
    def may_close(self) -> bool:
        """Whether it is not open all the time."""
        return bool(self._windows or self._blackouts)

    def is_open(self, at: datetime) -> bool:
        """Return whether a row may be sent at ``at``."""
        if any(b.start <= at < b.end for b in self._blackouts):
            return False
        return not self._windows or any(True for _ in self._ends(at))

    def closes(self, at: datetime) -> datetime:
        """Return when the stretch that is open at ``at`` ends."""
        starts = [b.start for b in self._blackouts if b.start > at]
        first = min(starts, default=datetime.max.replace(tzinfo=UTC))
        if not self._windows:
            return first
        while at < first and (ends := tuple(self._ends(at))):
            at = max(ends)
        return min(at, first)

    def _ends(self, at: datetime) -> Iterator[datetime]:
        """Yield when each window ends that is open at ``at``."""
        for window in self._windows:
            open_for = timedelta(seconds=window.open_s)
            start = at.replace(second=0, microsecond=0)
            while at < start + open_for:
                if _starts(window, start):
                    yield start + open_for
                    break
                start -= _MINUTE


@lru_cache(maxsize=100_000)
def _starts(window: Window, at: datetime) -> bool:
    """Return whether a window opens with the minute ``at``."""
    minute, hour, *days = window.cron.split()
    assert days == ["*", "*", "*"], window.cron
    zone = ZoneInfo(window.timezone)
    wall = at.astimezone(zone)
    if minute.startswith("*") or hour.startswith("*"):
        return _fits(wall, minute, hour)
    if wall.fold and _fits(wall, minute, hour):
        return False  # a time of day that the wall shows twice counts once
    # At the end of a gap comes what the wall skipped.
    shown = [wall.replace(tzinfo=None, fold=0)]
    before = (at - _MINUTE).astimezone(zone).replace(tzinfo=None)
    while shown[-1] - before > _MINUTE:
        shown.append(shown[-1] - _MINUTE)
    return any(_fits(moment, minute, hour) for moment in shown)


def _fits(wall: datetime, minute: str, hour: str) -> bool:
    return _has(minute, wall.minute) and _has(hour, wall.hour)


def _has(field: str, value: int) -> bool:
    if field == "*":
        return True
    if field.startswith("*/"):
        return value % int(field[2:]) == 0
    return value in map(int, field.split(","))
