"""Geometry of a plan's pictures: who ends when, and when rows may be sent.

Tracks are 100 units wide and are stretched to the page. The template draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batch_reenroll.report.charts import clock_labels
from batch_reenroll.report.plan_facts import ForecastFacts, ScheduleFacts, StretchFacts

#: Orchestrators that are drawn.
N_LANES = 30

#: A deadline further away than so many times the campaign is not drawn: the bars
#: would vanish.
_FAR = 6.0
#: Room at the right for what never ends.
_MARGIN, _NEVER_MARGIN = 0.03, 0.1
# Years that no campaign has, but a hostile deadline may.
_LATEST = datetime(8000, 1, 1, tzinfo=UTC)
_WEEK = timedelta(days=7)
_MAX_WEEKS = 14
#: Closed times shorter than this share of a week (10 min) are too narrow to be drawn.
_LEAST_GAP = 0.1
#: Narrower ones are widened: ten minutes in a week must not vanish on a phone.
_LEAST_WIDTH = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One bar: light up to P50, full from there to P95.

    Attributes:
        name: Of the orchestrator.
        p50, p95: When it ends, None = never.
        light: Width up to P50, from the left edge, in per cent.
        full: Width from there to P95.
        is_late: P95 misses a deadline.
    """

    name: str
    p50: datetime | None
    p95: datetime | None
    light: float
    full: float
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finishes:
    """Who ends when, on one scale.

    Attributes:
        campaign: All of it.
        lanes: Orchestrators, the last to end first, n <= :data:`N_LANES`.
        n_more: Orchestrators that are not drawn.
        deadline_x, bound_x: Where they lie, or None where they are not drawn.
        x_labels: Times at even distances from the left edge to the right.
    """

    campaign: Lane
    lanes: tuple[Lane, ...]
    n_more: int
    deadline_x: float | None
    bound_x: float | None
    x_labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stripe:
    """Part of a track: from ``x`` on, ``width`` wide, in per cent."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on a track."""

    name: str
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """Seven days from a Monday, 00:00 UTC.

    Attributes:
        monday: ``Nov 23``.
        open: When rows may be sent.
        blackouts: When they may not whatever the windows say.
        marks: Moments in this week.
    """

    monday: str
    open: tuple[Stripe, ...]
    blackouts: tuple[Stripe, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime

    def x(self, moment: datetime | None) -> float:
        """Return where ``moment`` lies, 0 to 100; the right edge for never."""
        if moment is None:
            return 100.0
        share = (moment - self.start) / (self.end - self.start)
        return round(min(max(100 * share, 0.0), 100.0), 3)


def finishes(forecast: ForecastFacts) -> Finishes:
    """Return the picture of who ends when."""
    shown = forecast.orchestrators[:N_LANES]
    scale = _scale(forecast)
    deadline = forecast.deadline
    return Finishes(
        campaign=_lane(
            "The campaign", forecast.p50, forecast.p95, forecast.late_s, scale
        ),
        lanes=tuple(_lane(o.name, o.p50, o.p95, o.late_s, scale) for o in shown),
        n_more=len(forecast.orchestrators) - len(shown),
        deadline_x=scale.x(deadline) if deadline and deadline <= scale.end else None,
        bound_x=scale.x(forecast.lower_bound) if forecast.lower_bound else None,
        x_labels=tuple(clock_labels(scale.start.timestamp(), scale.end.timestamp())),
    )


def _lane(
    name: str,
    p50: datetime | None,
    p95: datetime | None,
    late_s: float | None,
    scale: _Scale,
) -> Lane:
    light = scale.x(p50)
    return Lane(
        name=name,
        p50=p50,
        p95=p95,
        light=light,
        full=round(max(scale.x(p95) - light, 0.0), 3),
        is_late=late_s is not None,
    )


def _scale(forecast: ForecastFacts) -> _Scale:
    start = min(forecast.start, _LATEST)
    ends = [forecast.p50, forecast.p95, forecast.lower_bound]
    for one in forecast.orchestrators:
        ends += (one.p50, one.p95)
    last = max((end for end in ends if end is not None), default=start)
    last = min(max(last, start), _LATEST)
    deadline = forecast.deadline
    if deadline is not None and deadline > last:
        near = last == start or deadline - start <= _FAR * (last - start)
        last = min(deadline, _LATEST) if near else last
    margin = _NEVER_MARGIN if None in ends else _MARGIN
    return _Scale(start, last + max(margin * (last - start), timedelta(minutes=1)))


def weeks(
    schedule: ScheduleFacts, marks: Mapping[str, datetime | None]
) -> tuple[Week, ...]:
    """Return the weeks of the schedule's frame, 14 at most.

    Args:
        schedule: When rows may be sent.
        marks: Moments to show where they lie in the frame, by name; None is left out.
    """
    frame = schedule.frame
    start = min(frame.start.astimezone(UTC), _LATEST)
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = day - timedelta(days=min(day.weekday(), (day - _EARLIEST).days))
    found: list[Week] = []
    while monday < frame.end and len(found) < _MAX_WEEKS:
        found.append(_week(monday, schedule, marks))
        monday += _WEEK
    return tuple(found)


_EARLIEST = datetime.min.replace(tzinfo=UTC)


def _week(
    monday: datetime, schedule: ScheduleFacts, marks: Mapping[str, datetime | None]
) -> Week:
    scale = _Scale(monday, monday + _WEEK)
    return Week(
        monday=monday.strftime("%b %-d"),
        open=tuple(_stripes(schedule.open, scale)),
        blackouts=tuple(_stripes(schedule.blackouts, scale)),
        marks=tuple(
            Mark(name, scale.x(moment))
            for name, moment in marks.items()
            if moment is not None and scale.start <= moment < scale.end
        ),
    )


def _stripes(stretches: Iterable[StretchFacts], scale: _Scale) -> Iterator[Stripe]:
    """Yield what of the stretches lies on the scale, joined where the gap is tiny."""
    x = end = -1.0
    for stretch in stretches:
        if stretch.end <= scale.start or stretch.start >= scale.end:
            continue
        left, right = scale.x(stretch.start), scale.x(stretch.end)
        if end >= 0 and left - end < _LEAST_GAP:
            end = max(end, right)
            continue
        if end >= 0:
            yield _stripe(x, end)
        x, end = left, right
    if end >= 0:
        yield _stripe(x, end)


def _stripe(x: float, end: float) -> Stripe:
    width = max(end - x, _LEAST_WIDTH)
    return Stripe(round(min(x, 100 - width), 3), round(width, 3))
