"""When the campaign may submit: windows and blackouts together.

Pure: every answer follows from the arguments. Nothing may be *submitted* outside; jobs
that Command already has go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import reduce
from heapq import merge
from typing import NamedTuple

from batch_reenroll.campaign.recurrence import Recurrence
from batch_reenroll.campaign.windows import (
    Blackout,
    Span,
    Window,
    joined,
    outside,
    shared,
)

#: How far ahead is looked. Long enough for a window on each 29 February.
HORIZON = timedelta(days=5 * 366)


class _Stretch(NamedTuple):
    """A time in which the calendar does not change, as far as it was looked at.

    Attributes:
        change: When it changes, or None where it does not within the horizon.
    """

    since: datetime
    until: datetime
    is_open: bool
    change: datetime | None


class Calendar:
    """Windows, any of which may be open, less the blackouts.

    A window is open in ``[start, start + duration - cutoff)``; what its cron line means
    when the clocks change stands in :mod:`batch_reenroll.campaign.recurrence`. Without
    windows it is open at any time but in a blackout.

    Moments given must be aware; moments returned are UTC. Asking again about the same
    stretch of time costs a comparison, so that it may be asked for every row.

    Args:
        windows: Valid ones; none = always open.
        blackouts: In any order; they may overlap.

    Raises:
        ValueError: A window is not open for 1 s to a year (see :class:`Recurrence`).
    """

    def __init__(
        self, windows: Sequence[Window] = (), blackouts: Sequence[Blackout] = ()
    ) -> None:
        self._layers = [[Recurrence(window) for window in windows]] if windows else []
        self._closed = list(joined(sorted(Span(b.start, b.end) for b in blackouts)))
        self._stretch: _Stretch | None = None

    def narrowed(self, windows: Sequence[Window]) -> Calendar:
        """Return the calendar of a wave: open where this is and one of these is, too.

        Without windows it is the same calendar.
        """
        if not windows:
            return self
        narrow = Calendar(windows)
        narrow._layers += self._layers
        narrow._closed = self._closed
        return narrow

    def is_open(self, at: datetime) -> bool:
        """Return whether a row may be submitted at ``at``."""
        return self._around(at).is_open

    def opens_at(self, at: datetime) -> datetime | None:
        """Return the first moment from ``at`` on at which a row may be submitted.

        Returns:
            ``at`` itself where it is open; None = not within :data:`HORIZON`.
        """
        stretch = self._around(at)
        return at if stretch.is_open else self._change(stretch, at)

    def closes_at(self, at: datetime) -> datetime | None:
        """Return the first moment from ``at`` on at which none may be submitted.

        Returns:
            ``at`` itself where it is closed; None = open throughout :data:`HORIZON`.
        """
        stretch = self._around(at)
        return self._change(stretch, at) if stretch.is_open else at

    def open_spans(self, since: datetime, until: datetime) -> Iterator[Span]:
        """Yield the open time within ``[since, until)``, apart, in order."""
        frame = Span(since, until)
        if since >= until:
            return
        layers = [
            joined(merge(*(window.spans(since, until) for window in layer)))
            for layer in self._layers
        ]
        yield from reduce(shared, layers, outside(self._closed, frame))

    def _around(self, at: datetime) -> _Stretch:
        known = self._stretch
        if known is None or not known.since <= at < known.until:
            known = self._stretch = self._look(at)
        return known

    def _change(self, known: _Stretch, at: datetime) -> datetime | None:
        # A later moment looks further: the answer must not depend on what was asked
        # before.
        if known.change is None and known.since < at:
            known = self._stretch = self._look(at)
        return known.change

    def _look(self, at: datetime) -> _Stretch:
        end = at + HORIZON
        span = next(self.open_spans(at, end), None)
        if span is None:
            return _Stretch(at, end, is_open=False, change=None)
        until = span.end if span.start == at else span.start
        change = until if until < end else None
        return _Stretch(at, until, is_open=span.start == at, change=change)


def expires_before_window(
    not_after: datetime, calendar: Calendar, at: datetime
) -> bool:
    """Return whether a certificate expires while nothing may be submitted.

    Args:
        not_after: Last moment at which it is valid (RFC 5280: inclusive), aware.
        calendar: Of the row's campaign and wave.
        at: The moment of planning, aware.

    Returns:
        False where it is open at ``at``, and where the certificate is still valid as
        the next window opens. True also where none opens again.
    """
    opens = calendar.opens_at(at)
    return opens is None or (opens != at and not_after < opens)
