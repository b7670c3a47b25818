"""A row's clock, and what it means that it runs out."""

from __future__ import annotations

from dataclasses import dataclass

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.settings import RunSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A row's clock, in monotonic seconds of this process.

    Attributes:
        now_s: Now.
        answered_s: When the POST was answered, or its answer given up.
        rivals_until_s: Until when a second new job makes it unclear which is ours.
        running_s: When the job was first seen running, or None.
    """

    now_s: float
    answered_s: float
    rivals_until_s: float
    running_s: float | None = None


def unsettled(timing: Timing, settings: RunSettings) -> Decision | None:
    """Return the end of a row that nothing settles in time, or None to wait."""
    if timing.now_s - timing.answered_s <= settings.pickup_timeout_s:
        return None
    return Decision(
        target=State.UNKNOWN,
        reason=Reason.UNSETTLED,
        message="no answer came, and Command's job lists could not be read in time",
    )


def unpicked(row: Row, timing: Timing, settings: RunSettings) -> Decision | None:
    """Return the end of a row whose job nobody takes in time, or None to wait."""
    waited_s = timing.now_s - timing.answered_s
    if waited_s <= settings.pickup_timeout_s:
        return None
    which = f"job {row.job_id}" if row.job_id else "the job"
    return Decision(
        target=State.STALLED,
        reason=Reason.PICKUP_TIMEOUT,
        message=f"{which} was not picked up within {settings.pickup_timeout_s:g} s",
    )
