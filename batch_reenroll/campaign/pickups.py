"""How long jobs wait for their orchestrator, learned from the ledger's campaigns.

JobHistory says how long jobs ran, not when they were asked for; the ledger does. Such a
wait tells how often the orchestrator asks for work only where nothing else kept it, so
the first job after a pause counts and those that queued behind it do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from batch_reenroll.campaign.durations import JobSample


class Pickup(NamedTuple):
    """When a row's job was asked for, taken and done; aware.

    ``submitted_at`` is our clock's, the others are Command's: where the two differ by
    more than a wait, its sample is wrong or, below 0, left out.
    """

    orchestrator: str
    submitted_at: datetime
    picked_up_at: datetime
    finished_at: datetime | None


def waits(pickups: Iterable[Pickup]) -> Iterator[JobSample]:
    """Yield a sample for each job that its orchestrator was free to take at once.

    Args:
        pickups: Of any orchestrators; those of each in the order of their submission.
    """
    free_at: dict[str, datetime] = {}
    for one in pickups:
        before = free_at.get(one.orchestrator)
        is_free = before is None or before <= one.submitted_at
        ended = one.finished_at or one.picked_up_at
        free_at[one.orchestrator] = max(before or ended, ended)
        waited_s = (one.picked_up_at - one.submitted_at).total_seconds()
        if is_free and waited_s >= 0:
            yield JobSample(
                orchestrator=one.orchestrator, job_type="", pickup_s=waited_s
            )
