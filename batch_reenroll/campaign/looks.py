"""When Command's job lists were read to the end: what may be called absent (pure).

One look cannot prove that a job does not exist. An orchestrator may take it just
before ScheduledJobs is read, and its row of JobHistory may show just after that list
was read, too: for as long as the lists lag, a job may stand in neither. Two looks
prove it, when the second list of the later one was read at least that long after the
first list of the earlier one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

#: Of the settle time, how much is left to a request that is still under way, and how
#: much to lists that lag: together less than the whole, so that two looks fit in.
_UNDER_WAY_SHARE, _LAG_SHARE = 1 / 2, 1 / 3

#: Looks remembered; a forgotten one only makes a proof later.
_MAX_LOOKS = 1000


@dataclass(frozen=True, slots=True)
class _Look:
    """One complete look: its beginning, and the moment between the two lists."""

    began_s: float
    between_s: float


@dataclass(slots=True)
class Looks:
    """Complete looks of one process, in order; monotonic seconds."""

    _looks: deque[_Look] = field(default_factory=lambda: deque(maxlen=_MAX_LOOKS))

    def add(self, began_s: float, between_s: float) -> None:
        """Remember a complete look.

        Args:
            began_s: When it began.
            between_s: When ScheduledJobs had been read and JobHistory not yet.
        """
        self._looks.append(_Look(began_s, between_s))

    def prove_absence(self, since_s: float, settle_s: float) -> bool:
        """Return whether a job would have been seen by now.

        Args:
            since_s: When its request was answered or given up, or it was withdrawn.
            settle_s: The settle time, > 0.
        """
        last = self._looks[-1] if self._looks else None
        if last is None or last.began_s < since_s + settle_s:
            return False
        arrived_s = since_s + settle_s * _UNDER_WAY_SHARE
        first = next((look for look in self._looks if look.began_s >= arrived_s), last)
        return last.between_s >= first.between_s + settle_s * _LAG_SHARE
