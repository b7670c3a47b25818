"""Which rows a ``retry`` takes back, and to where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from batch_reenroll.campaign.certificate import CertificateFacts
from batch_reenroll.campaign.lifecycle import RETRIES, State
from batch_reenroll.campaign.nouns import JobResult
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row

#: Columns of the last attempt that a new one must not inherit. What the store held
#: before stays: by it a row that was rotated after all is recognised.
_OF_THE_JOB = ("job_id", "job_history_id", "job_result", "fence")
_OF_THE_END = ("http_status", "submitted_at", "picked_up_at", "finished_at")
_OF_THE_PROOF = (
    *("alias_after", "thumbprint_after", "not_after_after"),
    *("verified_at", "verification"),
)

#: The store is as it should be; only what serves its certificate was not.
_OF_THE_SERVICE = frozenset({Reason.ENDPOINT_SERVES_OLD, Reason.ENDPOINT_SERVES_OTHER})


def retried(row: Row, *, taken: frozenset[str] = frozenset()) -> Decision | None:
    """Return the move that takes an ended row back, or None where none does.

    A row whose job may still be with Command goes to ``in_doubt`` with its fence and
    job id: there its job is looked for, adopted if it ran, withdrawn if it waits. One
    whose endpoint served the wrong certificate is only looked at again.

    Args:
        row: Which.
        taken: Jobs of its store that rows of the campaign took for theirs. A row of
            another alias may have run since; its job is not this row's.
    """
    if row.state not in RETRIES:
        return None
    finding = (row.verification or {}).get("finding")
    if row.state is State.WARNING and finding in _OF_THE_SERVICE:
        return _again(row, State.VERIFYING, dict.fromkeys(_OF_THE_PROOF))
    look_first = State.IN_DOUBT in RETRIES[row.state]
    if row.state is State.UNKNOWN and row.job_result == JobResult.UNKNOWN:
        # Its job has ended; before a new attempt the inventory is looked at anyway.
        look_first = False
    target = State.IN_DOUBT if look_first else State.PENDING
    cleared = _OF_THE_END if look_first else _OF_THE_JOB + _OF_THE_END
    changes: dict[str, Any] = dict.fromkeys((*cleared, *_OF_THE_PROOF))
    if row.state is State.WARNING and finding is not None:
        changes |= _replacing_the_new(row.verification or {})
    others = taken - {row.job_id}
    if look_first and row.fence is not None and others:
        changes["fence"] = replace(row.fence, jobs=row.fence.jobs | others)
    return _again(row, target, changes)


def _again(row: Row, target: State, changes: dict[str, Any]) -> Decision:
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


def _replacing_the_new(verification: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes the certificate that was found wrong the one to replace.

    Else the row would count as rotated already. What the first certificate held stays
    the measure: one that lost a name must not excuse the next that lacks it.
    """
    wrong = CertificateFacts.from_json(verification["after"])
    first = {key: verification[key] for key in ("before",) if key in verification}
    return {
        "thumbprint_before": wrong.thumbprint,
        "not_before_before": wrong.not_before,
        "not_after_before": wrong.not_after,
        "verification": {"level": 0, **first},
    }
