"""When Command's job lists were read to the end: what may be called absent (pure).

One look cannot prove that a job does not exist. An orchestrator may take it just
before ScheduledJobs is read, and its row of JobHistory may show just after that list
was read, too: for as long as the lists lag, a job may stand in neither. Two looks
prove it, when the second list of the later one was read at least that long after the
first list of the earlier one.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

#: Of the settle time, how much is left to a request that is still under way, and how
#: much to lists that lag: together less than the whole, so that two looks fit in.
_UNDER_WAY_SHARE, _LAG_SHARE = 1 / 2, 1 / 3

#: Looks remembered at least: a day of them at the default poll interval.
_MIN_LOOKS = 10_000


def lag_s(settle_s: float) -> float:
    """Return how long Command's lists may lag, of a settle time in seconds."""
    return settle_s * _LAG_SHARE


@dataclass(frozen=True, slots=True)
class Look:
    """One complete look: its beginning, and the moment between the two lists."""

    began_s: float
    between_s: float


@dataclass(slots=True)
class Looks:
    """Complete looks of one process, in order; monotonic seconds.

    Attributes:
        of_all: Where these are looks at one orchestrator: the looks at all of them,
            which count for it as well.
    """

    of_all: Looks | None = None
    _looks: list[Look] = field(default_factory=list)

    def add(self, began_s: float, between_s: float) -> None:
        """Remember a complete look.

        Args:
            began_s: When it began.
            between_s: When ScheduledJobs had been read and JobHistory not yet.
        """
        if len(self._looks) >= 2 * _MIN_LOOKS:
            del self._looks[:_MIN_LOOKS]
        self._looks.append(Look(began_s, between_s))

    def first_since(self, at_s: float) -> float | None:
        """Return when the first complete look begun at ``at_s`` or later began."""
        first = self.first(at_s)
        return None if first is None else first.began_s

    def any_since(self, at_s: float) -> bool:
        """Return whether a complete look began at ``at_s`` or later."""
        last = self.last()
        return last is not None and last.began_s >= at_s

    def prove_absence(self, since_s: float, settle_s: float) -> bool:
        """Return whether a job would have been seen by now.

        Args:
            since_s: When its request was answered or given up, or it was withdrawn.
            settle_s: The settle time, > 0.
        """
        last = self.last()
        if last is None or last.began_s < since_s + settle_s:
            return False
        arrived_s = since_s + settle_s * _UNDER_WAY_SHARE
        first = self.first(arrived_s) or last
        return last.between_s >= first.between_s + lag_s(settle_s)

    def first(self, at_s: float) -> Look | None:
        """Return the first complete look begun at ``at_s`` or later, or None."""
        n = bisect_left(self._looks, at_s, key=lambda look: look.began_s)
        own = self._looks[n : n + 1]
        wider = self.of_all.first(at_s) if self.of_all else None
        return min([*own, *([wider] if wider else [])], key=_began_s, default=None)

    def last(self) -> Look | None:
        """Return the last complete look, or None."""
        wider = self.of_all.last() if self.of_all else None
        found = [*self._looks[-1:], *([wider] if wider else [])]
        return max(found, key=_began_s, default=None)


def _began_s(look: Look) -> float:
    return look.began_s
