"""Taking jobs back that no orchestrator has begun, and what then becomes of their rows.

A 204 of Unschedule proves nothing: a job counts as gone once a look begun a settle time
later finds it in neither list, where an earlier look saw nothing either. A row whose
job nobody took ends ``stalled`` all the same: it was fed to an orchestrator that did
not come for it. Its store is in ``failure.csv``; ``retry --only stalled`` looks for the
job, finds it gone, and sends the row again.
"""

from __future__ import annotations

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.timing import Timing, unpicked, unsettled


def take_back(
    row: Row,
    job_id: str,
    board: JobBoard,
    timing: Timing,
    settings: RunSettings,
    *,
    cancels: bool,
    stalls: bool,
) -> Decision | None:
    """Return what a row does about its job, which has not begun and is to go.

    Args:
        row: In doubt after a retry, or withdrawing.
        job_id: Its job, of which history knows nothing.
        board: What Command's lists have shown.
        timing: The row's clock; ``answered_s`` is when the job was taken back.
        settings: Settle time and timeouts in force.
        cancels: Whether a person stopped the campaign.
        stalls: Whether the run itself takes back what nobody takes in time.
    """
    if board.is_waiting(job_id):
        if row.state is State.IN_DOUBT:
            return Decision(
                target=State.WITHDRAWING,
                reason=Reason.WITHDRAWING,
                message=f"job {job_id} still waits; it is taken back first",
                note={"job_id": job_id},
            )
        return unpicked(row, timing, settings)
    looks = board.looks_of(row.agent_id)
    if not looks.prove_absence(timing.answered_s, settings.settle_s):
        return unsettled(timing, settings)
    # A stop that ran out of time still means it: the next run carries it on.
    cancels = cancels or row.reason is Reason.CANCELLING
    if cancels and row.state is State.WITHDRAWING:
        return Decision(
            target=State.CANCELLED,
            reason=Reason.TAKEN_BACK,
            message=f"the campaign was stopped; job {job_id} was taken back",
            note={"job_id": job_id},
        )
    # A retry clears the time: then the job that is gone is one of an earlier attempt.
    if stalls and row.state is State.WITHDRAWING and row.submitted_at is not None:
        return Decision(
            target=State.STALLED,
            reason=Reason.UNSCHEDULED,
            message=f"no orchestrator took job {job_id}; it was taken back",
            note={"job_id": job_id},
        )
    return once_more(row, Reason.WITHDRAWN, f"job {job_id} is gone")


def withdrawn(
    row: Row,
    job_id: str,
    board: JobBoard,
    timing: Timing,
    why: str,
    reason: Reason = Reason.WITHDRAWING,
) -> Decision | None:
    """Return the move that takes a waiting job back, or None while it may not be.

    Until the settle time is over the job may be somebody else's, made in the same
    moments, with ours still to show.

    Args:
        row: Queued.
        job_id: Its job.
        board: What Command's lists have shown.
        timing: The row's clock.
        why: What the journal says of it.
        reason: The code that goes with it.
    """
    settled = board.looks_of(row.agent_id).any_since(timing.rivals_until_s)
    if not settled or not board.is_waiting(job_id):
        return None
    return Decision(
        target=State.WITHDRAWING,
        reason=reason,
        message=f"{why}; job {job_id} is taken back",
        note={"job_id": job_id},
    )


def once_more(row: Row, reason: Reason, message: str) -> Decision:
    """Return the move of a row that goes back to be sent again."""
    return Decision(
        target=State.PENDING,
        reason=reason,
        message=message,
        changes=dict.fromkeys(
            (
                "job_id",
                "job_history_id",
                "job_result",
                "picked_up_at",
                "finished_at",
                "submitted_at",
                "fence",
            )
        ),
        note={"job_id": row.job_id} if row.job_id else {},
    )
