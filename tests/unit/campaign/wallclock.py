"""A second opinion on windows: every minute asked by itself, on the wall's clock.

Shares nothing with the product but the meaning of a window: no cron parser, no days, no
spans. Slow and plain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from batch_reenroll.campaign.windows import Window

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a cron line: its text, and the numbers that fit it."""

    text: str
    numbers: frozenset[int]

    @property
    def is_star(self) -> bool:
        return self.text.startswith("*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A cron line whose meaning is known without reading it. 0 is Sunday."""

    minute: Part
    hour: Part
    day: Part
    month: Part
    weekday: Part

    def window(self, zone: str, duration_s: int, cutoff_s: int = 0) -> Window:
        parts = (self.minute, self.hour, self.day, self.month, self.weekday)
        return Window(
            cron=" ".join(part.text for part in parts),
            timezone=zone,
            duration_s=duration_s,
            cutoff_s=cutoff_s,
        )

    def fits(self, wall: datetime) -> bool:
        day = wall.day in self.day.numbers
        weekday = wall.isoweekday() % 7 in self.weekday.numbers
        if self.day.is_star or self.weekday.is_star:
            date = day and weekday
        else:
            date = day or weekday
        return (
            wall.minute in self.minute.numbers
            and wall.hour in self.hour.numbers
            and wall.month in self.month.numbers
            and date
        )


@cache
def walls(
    zone: str, first: datetime, last: datetime
) -> list[tuple[datetime, datetime]]:
    """Return each whole minute in UTC with what the wall shows, fold included."""
    found = []
    at, where = first, ZoneInfo(zone)
    while at < last:
        found.append((at, at.astimezone(where).replace(tzinfo=None)))
        at += MINUTE
    return found


def starts(
    line: Line, zone: str, first: datetime, last: datetime
) -> Iterator[datetime]:
    """Yield the minutes at which the window opens, as Debian cron would have it."""
    by_wall = line.minute.is_star or line.hour.is_star
    before: datetime | None = None
    for at, wall in walls(zone, first, last):
        skipped = before is not None and any(
            line.fits(missing) for missing in _between(before, wall)
        )
        if by_wall:
            opens = line.fits(wall)
        else:
            opens = skipped or (line.fits(wall) and not wall.fold)
        if opens:
            yield at
        before = wall


def _between(before: datetime, wall: datetime) -> Iterator[datetime]:
    missing = before.replace(fold=0) + MINUTE
    while missing < wall:
        yield missing
        missing += MINUTE


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)
