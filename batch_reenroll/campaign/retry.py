"""Which rows a ``retry`` takes back, and to where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from batch_reenroll.campaign.lifecycle import RETRIES, State
from batch_reenroll.campaign.nouns import JobResult
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row

#: Columns of the last attempt that a new one must not inherit. What the store held
#: before stays: by it a row that was rotated after all is recognised.
_OF_THE_JOB = ("job_id", "job_history_id", "job_result", "fence")
_OF_THE_END = ("http_status", "submitted_at", "picked_up_at", "finished_at")


def retried(row: Row, *, taken: frozenset[str] = frozenset()) -> Decision | None:
    """Return the move that takes an ended row back, or None where none does.

    A row whose job may still be with Command goes to ``in_doubt`` with its fence and
    job id: there its job is looked for, adopted if it ran, withdrawn if it waits.

    Args:
        row: Which.
        taken: Jobs of its store that rows of the campaign took for theirs. A row of
            another alias may have run since; its job is not this row's.
    """
    if row.state not in RETRIES:
        return None
    look_first = State.IN_DOUBT in RETRIES[row.state]
    if row.state is State.UNKNOWN and row.job_result == JobResult.UNKNOWN:
        # Its job has ended; before a new attempt the inventory is looked at anyway.
        look_first = False
    target = State.IN_DOUBT if look_first else State.PENDING
    cleared = _OF_THE_END if look_first else _OF_THE_JOB + _OF_THE_END
    changes: dict[str, Any] = dict.fromkeys(cleared)
    others = taken - {row.job_id}
    if look_first and row.fence is not None and others:
        changes["fence"] = replace(row.fence, jobs=row.fence.jobs | others)
    return Decision(
        target=target,
        reason=Reason.RETRIED,
        message="",
        changes={
            **changes,
            "losses": 0,
            "retries": row.retries + 1,
        },
        note={"was": str(row.state)},
    )
