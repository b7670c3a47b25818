"""From a row of JobHistory to what its job came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batch_reenroll.campaign.board import is_final
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobRecord, JobResult, JobStatus
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.text import visible

#: Longest message of Command's that a row keeps, in characters.
_MESSAGE_LIMIT = 8192


def by_record(record: JobRecord | None, settings: RunSettings) -> Decision | None:
    """Return where a job's newest history row puts its row; None = still waiting.

    Args:
        record: The row with the job's highest JobHistoryId, or None.
        settings: Whether success has to be proven.
    """
    if record is None:
        return None
    changes: dict[str, Any] = {"job_history_id": record.history_id}
    if record.started_at is not None:
        changes["picked_up_at"] = record.started_at
    if not is_final(record):
        if record.status in (JobStatus.UNKNOWN, JobStatus.WAITING):
            return None
        return Decision(target=State.RUNNING, changes=changes)
    if record.ended_at is not None:
        changes["finished_at"] = record.ended_at
    changes["job_result"] = int(record.result)
    message = visible(record.message, _MESSAGE_LIMIT)
    note: Mapping[str, Any] = {"result": int(record.result)}
    target, reason = _RESULTS.get(
        record.result, (State.VERIFYING, Reason.JOB_RESULT_UNKNOWN)
    )
    if target is State.VERIFYING and not settings.verify:
        if record.result is JobResult.SUCCESS:
            target, reason = State.SUCCEEDED, Reason.NOT_VERIFIED
        else:
            target = State.UNKNOWN
    return Decision(
        target=target, reason=reason, message=message, changes=changes, note=note
    )


_RESULTS: Mapping[JobResult, tuple[State, Reason]] = {
    JobResult.SUCCESS: (State.VERIFYING, Reason.JOB_SUCCEEDED),
    JobResult.WARNING: (State.WARNING, Reason.JOB_WARNING),
    JobResult.FAILURE: (State.FAILED, Reason.JOB_FAILED),
}
