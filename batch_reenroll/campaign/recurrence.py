"""From a window's cron line to moments in UTC, through every change of the clocks.

The line's language is cronsim's, which is Debian cron's: names, ranges, lists, steps;
where neither the day of the month nor the day of the week begins with ``*``, a day that
fits either will do, otherwise it must fit both.

What happens when the clocks change is Debian cron's rule as well:

- A line whose minute and hour both begin with a number names a time of day, once a day.
  **Spring forward**: a start that the clocks skip comes at the first moment after the
  gap (``30 2 * * *`` opens at 3:00). **Fall back**: a start that the clocks show twice
  comes at its first showing only.
- A line whose minute or hour begins with ``*`` follows the clock on the wall. A start
  that the clocks skip does not happen; one that they show twice happens twice.

Only lines without a zone are given to cronsim. With one it rounds half-hour changes
away (2.8: ``*/15 2 * * *`` in Australia/Lord_Howe loses 2:00 and 2:15 when the clocks
fall back), so the step from wall to UTC is taken here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from batch_reenroll.campaign.windows import LONGEST_S, Span, Window, joined

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
# Any day will do: only the time of day is asked for.
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - a clock on the wall
# A zone lies within 26 hours of UTC, and Pacific/Apia once skipped a whole day.
_MARGIN = timedelta(days=3)


class Recurrence:
    """The spans of one window.

    Args:
        window: With a cron line and a zone that the manifest's rules found valid.

    Raises:
        ValueError: It is not open, or for more than :data:`LONGEST_S`.
        cronsim.CronSimError: ``window.cron`` is not a cron line.
        zoneinfo.ZoneInfoNotFoundError: ``window.timezone`` is not a zone.
    """

    def __init__(self, window: Window) -> None:
        if not 0 < window.open_s <= LONGEST_S:
            message = f"window {window.cron!r} is open for {window.open_s} s; "
            raise ValueError(message + f"expected 1 to {LONGEST_S}")
        minute, hour, *days = window.cron.split()
        self._zone = ZoneInfo(window.timezone)
        self._open = timedelta(seconds=window.open_s)
        self._days_cron = " ".join(("0 0", *days))
        self._follows_wall = minute.startswith("*") or hour.startswith("*")
        self._starts = tuple(_times_of_day(f"{minute} {hour} * * *"))
        first = (Span(t, t + self._open) for t in map(_SOME_DAY.__add__, self._starts))
        self._usual = [
            (span.start - _SOME_DAY, span.end - _SOME_DAY) for span in joined(first)
        ]

    def spans(self, since: datetime, until: datetime) -> Iterator[Span]:
        """Yield the spans that reach into ``[since, until)``, whole, apart, in order.

        Starts are computed as they are asked for. Where the union of all never ends,
        the one span ends some days after ``until``.
        """
        day = (since - self._open - _MARGIN).date()
        last = (until + _MARGIN).date()
        for span in joined(self._from_day(day, last)):
            if span.start >= until:
                return
            if span.end > since:
                yield span

    def _from_day(self, first: date, last: date) -> Iterator[Span]:
        # cronsim begins after the moment it is given.
        for midnight in CronSim(
            self._days_cron, datetime.combine(first, time()) - _SECOND
        ):
            if midnight.date() > last:
                return
            yield from self._of_day(midnight)

    def _of_day(self, midnight: datetime) -> Iterator[Span]:
        """Yield the spans that begin on one day of the wall."""
        edges = (midnight, midnight + _DAY)
        offsets = {
            wall - _utc(wall, self._zone, fold) for wall in edges for fold in (0, 1)
        }
        if len(offsets) == 1:
            zero = (midnight - offsets.pop()).replace(tzinfo=UTC)
            for begin, end in self._usual:
                yield Span(zero + begin, zero + end)
            return
        walls = (midnight + start for start in self._starts)
        for start in sorted(
            {moment for wall in walls for moment in self._moments(wall)}
        ):
            yield Span(start, start + self._open)

    def _moments(self, wall: datetime) -> list[datetime]:
        """Return when the wall shows a start, in UTC."""
        # PEP 495: fold 0 reads the wall by the offset before a change, fold 1 after it.
        early, late = (_utc(wall, self._zone, fold) for fold in (0, 1))
        if early == late:
            found = [early]
        elif early < late:
            found = [early, late] if self._follows_wall else [early]
        else:
            found = [] if self._follows_wall else [_change(self._zone, late, early)]
        return [moment.replace(tzinfo=UTC) for moment in found]


def _times_of_day(cron: str) -> Iterator[timedelta]:
    for wall in CronSim(cron, _SOME_DAY - _SECOND):
        if wall >= _SOME_DAY + _DAY:
            return
        yield wall - _SOME_DAY


def _utc(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """Return the UTC time, without a zone, at which the wall shows ``wall``."""
    moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    return moment.replace(tzinfo=None)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first second after ``before`` with the offset of ``after``."""
    old = _offset(zone, before)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, utc: datetime) -> timedelta | None:
    return utc.replace(tzinfo=UTC).astimezone(zone).utcoffset()
