"""Ended jobs of other people at our stores: the inventory may lag behind them.

An end is dated by the read that first showed it, not by its ``OperationEnd``: whose
clock that comes from is not documented, and an orchestrator's may be minutes off
Command's. Clocks tell only what is long past.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from batch_reenroll.campaign.nouns import JobRecord

#: Ends older than this by the clocks are not noted: clocks may be a quarter of an hour
#: apart, and an inventory a quarter of an hour late.
LONG_PAST_S = 1800.0

Place = tuple[str, str]


@dataclass(slots=True)
class Ends:
    """Ends by place; all moments in monotonic seconds of this process."""

    _at: dict[Place, dict[str, float]] = field(default_factory=dict)
    _known: dict[str, float] = field(default_factory=dict)

    def note(self, place: Place, job_id: str, *, seen_s: float, age_s: float) -> None:
        """Note that a job has ended.

        Args:
            place: Its store.
            job_id: Noted once, however often it is read.
            seen_s: When the page was read that shows it.
            age_s: How long ago it ended, by the clocks.
        """
        if age_s <= LONG_PAST_S and job_id not in self._known:
            self._known[job_id] = seen_s
            self._at.setdefault(place, {})[job_id] = seen_s

    def claim(self, place: Place, job_id: str, *, at_s: float) -> None:
        """Say that a job is ours."""
        self._known[job_id] = at_s
        self._at.get(place, {}).pop(job_id, None)

    def latest_s(self, place: Place) -> float | None:
        """Return when somebody else's job was last seen to have ended, or None."""
        return max(self._at.get(place, {}).values(), default=None)

    def forget(self, before_s: float) -> None:
        """Forget ends seen before a moment: inventories have followed by then."""
        for place, ends in list(self._at.items()):
            kept = {job_id: at for job_id, at in ends.items() if at >= before_s}
            if kept:
                self._at[place] = kept
            else:
                del self._at[place]
        # Until the clocks say so as well, one that is read again is no new end.
        old_s = before_s - 2 * LONG_PAST_S
        for job_id in [job_id for job_id, at in self._known.items() if at < old_s]:
            del self._known[job_id]


#: Of the oldest rows read, how many must be long past: one clock may be wrong.
_OLDEST = 10


def reaches_back(records: Iterable[JobRecord], before: datetime) -> bool:
    """Return whether ``records`` reach back to a moment, whatever one clock says.

    Args:
        records: Rows of JobHistory without a gap up to the newest, in any order.
        before: Aware.
    """
    oldest = heapq.nsmallest(_OLDEST, records, key=lambda r: r.history_id)
    return len(oldest) == _OLDEST and all(
        record.started_at is not None and record.started_at < before
        for record in oldest
    )
