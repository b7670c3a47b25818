"""Geometry of the page's pictures. The template draws; nothing here knows markup.

Plots are 100 units wide and high and are stretched to the page; their labels are text
of the page, so that they keep their size on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_N_POINTS = 160
_N_TICKS = 5
_DAY_S = 86_400.0
_MAX_BINS = 36
_LEAST_HEIGHT = 1.5
# Years that no certificate or job has; a fleet with one is drawn without it.
_EARLIEST_S = -5e9
_LATEST_S = 2e11


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stacked bar: from ``x`` on, ``width`` wide, in per cent."""

    name: str
    n: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """One cumulative line: its points (x, y), and the rows it ends at."""

    name: str
    points: tuple[tuple[float, float], ...]
    n: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram, in units of the plot, ``y`` from the top."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Rows submitted, finished and verified over time, cumulative."""

    lines: tuple[Line, ...]
    x_labels: tuple[str, ...]
    y_labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Certificates by expiry, before the campaign and now, on one scale.

    ``kept`` are the old certificates that are still there, ``new`` stands upon them.
    """

    before: tuple[Bar, ...]
    kept: tuple[Bar, ...]
    new: tuple[Bar, ...]
    n_before: int
    n_kept: int
    n_new: int
    bin_words: str
    x_labels: tuple[str, ...]
    y_labels: tuple[str, ...]
    earliest_before: str
    earliest_kept: str
    earliest_new: str


def stacked(counts: Mapping[str, int]) -> tuple[Segment, ...]:
    """Return the segments of a bar as wide as all ``counts``; zeros are left out."""
    rows = sum(counts.values())
    segments = []
    x = 0.0
    for name, n in counts.items():
        if n:
            width = 100 * n / rows
            segments.append(Segment(name, n, round(x, 3), round(width, 3)))
            x += width
    return tuple(segments)


def progress(moments: Mapping[str, Iterable[float]]) -> Progress | None:
    """Return the progress plot, or None where there is nothing to draw.

    Args:
        moments: POSIX seconds of each event, in any order, by the line's name.
    """
    series = {name: _sane(values) for name, values in moments.items()}
    everything = [value for values in series.values() for value in values]
    if not everything:
        return None
    start, end = min(everything), max(everything)
    if end - start < 1:
        end = start + 1
    top = _nice(max(len(values) for values in series.values()))
    lines = tuple(
        Line(name, _points(values, start, end, top), len(values))
        for name, values in series.items()
        if values
    )
    return Progress(
        lines=lines,
        x_labels=tuple(clock_labels(start, end)),
        y_labels=(f"{top:,}", f"{top // 2:,}", "0"),
    )


def _points(
    values: Sequence[float], start: float, end: float, top: int
) -> tuple[tuple[float, float], ...]:
    scale = (_N_POINTS - 1) / (end - start)
    bins = [0] * _N_POINTS
    for value in values:
        # The last moment may come to lie a rounding error beyond the last point.
        bins[min(_N_POINTS - 1, math.ceil((value - start) * scale))] += 1
    points = []
    done = 0
    for i, n in enumerate(bins):
        done += n
        x, y = 100 * i / (_N_POINTS - 1), 100 - 100 * done / top
        points.append((round(x, 2), round(y, 2)))
    return tuple(points)


def clock_labels(start: float, end: float) -> Iterable[str]:
    """Yield five times in UTC, at even distances from ``start`` to ``end``.

    Args:
        start: POSIX seconds; a year from 1 to 9999.
        end: The same, > ``start``. The further away, the less of the time is named.
    """
    form = "%H:%M:%S" if end - start < 600 else "%H:%M"
    if end - start > 18 * 3600:
        form = "%b %-d %H:%M" if end - start < 5 * _DAY_S else "%b %-d"
    for i in range(_N_TICKS):
        at = start + (end - start) * i / (_N_TICKS - 1)
        yield _moment(at).strftime(form)


def expiry(
    before: Iterable[float], new: Iterable[float], kept: Iterable[float]
) -> Expiry | None:
    """Return the histogram of expiry dates, or None where none is known.

    Args:
        before: POSIX seconds when the certificates of before expire.
        new: The same of the new certificates.
        kept: The same of those of before that are still there.
    """
    found = [_sane(values) for values in (before, new, kept)]
    if not any(found):
        return None
    first = min(min(values) for values in found if values)
    last = max(max(values) for values in found if values)
    start, width, words = _bins(first, last)
    n_bins = 1 + int((last - start) // width)
    old_bins, new_bins, kept_bins = (_binned(v, start, width, n_bins) for v in found)
    now_bins = [n + k for n, k in zip(new_bins, kept_bins, strict=True)]
    top = _nice(max(*old_bins, *now_bins))
    ends = [
        _moment(start + width * n_bins * i / (_N_TICKS - 1)) for i in range(_N_TICKS)
    ]
    form = "%b %Y" if width * n_bins > 120 * _DAY_S else "%b %-d"
    return Expiry(
        before=tuple(_bars(old_bins, top)),
        kept=tuple(_bars(kept_bins, top)),
        new=tuple(_bars(new_bins, top, kept_bins)),
        n_before=len(found[0]),
        n_kept=len(found[2]),
        n_new=len(found[1]),
        bin_words=words,
        x_labels=tuple(end.strftime(form) for end in ends),
        y_labels=(f"{top:,}", "0"),
        earliest_before=_day(found[0]),
        earliest_kept=_day(found[2]),
        earliest_new=_day(found[1]),
    )


def _bins(first: float, last: float) -> tuple[float, float, str]:
    for days, words in ((1, "day"), (7, "week"), (30, "30 days"), (91, "quarter")):
        width = days * _DAY_S
        start = math.floor(first / width) * width
        if (last - start) / width < _MAX_BINS:
            return start, width, words
    width = math.ceil((last - first) / (_MAX_BINS - 1) / _DAY_S) * _DAY_S
    return math.floor(first / _DAY_S) * _DAY_S, width, f"{width / _DAY_S:,.0f} days"


def _binned(
    values: Iterable[float], start: float, width: float, n_bins: int
) -> list[int]:
    bins = [0] * n_bins
    for value in values:
        bins[int((value - start) // width)] += 1
    return bins


def _bars(bins: Sequence[int], top: int, below: Sequence[int] = ()) -> Iterable[Bar]:
    step = 100 / len(bins)
    for i, n in enumerate(bins):
        if n:
            height = _height(n, top)
            under = _height(below[i], top) if below else 0.0
            yield Bar(
                round(i * step + step * 0.08, 3),
                round(max(100 - height - under, 0.0), 3),
                round(step * 0.84, 3),
                round(height, 3),
            )


def _height(n: int, top: int) -> float:
    # A single certificate among thousands must not vanish.
    return max(100 * n / top, _LEAST_HEIGHT) if n else 0.0


def _nice(n: int) -> int:
    """Return a round even number >= ``n``, for the top of an axis."""
    magnitude = int("1" + "0" * (len(str(n)) - 1))
    tops = (factor * magnitude for factor in (1, 2, 4, 5, 6, 8, 10))
    return next(top for top in tops if top >= n and top % 2 == 0)


def _sane(values: Iterable[float]) -> list[float]:
    # To the ms: what is smaller is lost in the sums below and would fall between bins.
    return [round(value, 3) for value in values if _EARLIEST_S < value < _LATEST_S]


def _day(values: Sequence[float]) -> str:
    return _moment(min(values)).strftime("%Y-%m-%d") if values else ""


def _moment(posix_s: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=posix_s)
