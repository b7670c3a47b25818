"""When rows may be submitted: windows and blackouts as values, spans in order.

A :class:`Span` is half-open, ``[start, end)``, in aware UTC, and not empty. Sequences
of spans are in order and apart: each begins after the one before it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

#: Longest duration of a window: who looks for a window that is open now has to look
#: back so far.
LONGEST_S = 366 * 86_400


class Span(NamedTuple):
    """A stretch of time, ``start`` <= t < ``end``, aware UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A recurring time in which rows may be submitted.

    Attributes:
        cron: Five fields: when a window opens, in ``timezone``.
        timezone: IANA name.
        duration_s: Seconds of real time it is open, > ``cutoff_s``, at most
            :data:`LONGEST_S`; it does not grow or shrink when the clocks change.
        cutoff_s: Seconds before its end from which nothing is submitted, >= 0.
    """

    cron: str
    timezone: str
    duration_s: int
    cutoff_s: int = 0

    @property
    def open_s(self) -> int:
        """Seconds from its start in which rows may be submitted."""
        return self.duration_s - self.cutoff_s

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Window:
        """Return the window in ``value``."""
        return cls(**value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackout:
    """A time in which nothing is submitted; ``start`` < ``end``, aware UTC.

    At ``start`` it is closed, at ``end`` it is not.
    """

    start: datetime
    end: datetime

    def as_json(self) -> dict[str, str]:
        """Return a JSON object that :meth:`from_json` reads back."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}

    @classmethod
    def from_json(cls, value: Mapping[str, str]) -> Blackout:
        """Return the blackout in ``value``."""
        start, end = (datetime.fromisoformat(value[edge]) for edge in ("start", "end"))
        return cls(start=start.astimezone(UTC), end=end.astimezone(UTC))


def joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield the union of spans that come in order of their start, apart again.

    Spans that overlap or touch become one.
    """
    whole: Span | None = None
    for span in spans:
        if whole is None:
            whole = span
        elif span.start <= whole.end:
            whole = Span(whole.start, max(whole.end, span.end))
        else:
            yield whole
            whole = span
    if whole is not None:
        yield whole


def shared(one: Iterable[Span], other: Iterable[Span]) -> Iterator[Span]:
    """Yield the time in both sequences; neither is read further than needed."""
    ones, others = iter(one), iter(other)
    left, right = next(ones, None), next(others, None)
    while left is not None and right is not None:
        start, end = max(left.start, right.start), min(left.end, right.end)
        if start < end:
            yield Span(start, end)
        if left.end < right.end:
            left = next(ones, None)
        else:
            right = next(others, None)


def outside(closed: Iterable[Span], frame: Span) -> Iterator[Span]:
    """Yield the time within ``frame`` that lies in none of ``closed``."""
    start = frame.start
    for span in closed:
        if start < min(span.start, frame.end):
            yield Span(start, min(span.start, frame.end))
        start = max(start, span.end)
    if start < frame.end:
        yield Span(start, frame.end)
