"""The twelve outcomes, which report file each belongs to, and what each means.

``campaign`` decides outcomes; this room only sorts them (design.md, sections 2 and 5).
"""

from __future__ import annotations

from collections.abc import Mapping

SUCCESS = ("verified", "succeeded", "skipped_already_rotated")
FAILURE = (
    "failed",
    "rejected",
    "warning",
    "skipped_preflight",
    "stalled",
    "unknown",
)
REMAINING = ("not_attempted", "cancelled", "skipped_excluded")

#: Every outcome, in the order of the glossary.
OUTCOMES = (
    "verified",
    "succeeded",
    "warning",
    "failed",
    "rejected",
    "skipped_already_rotated",
    "skipped_preflight",
    "skipped_excluded",
    "not_attempted",
    "stalled",
    "unknown",
    "cancelled",
)

#: Every outcome in reading order: what worked, what failed, what is left.
BY_SIDE = (*SUCCESS, *FAILURE, *REMAINING)

SIDES: Mapping[str, tuple[str, ...]] = {
    "success": SUCCESS,
    "failure": FAILURE,
    "remaining": REMAINING,
}
SIDE_OF: Mapping[str, str] = {
    outcome: side for side, members in SIDES.items() for outcome in members
}

#: The five kinds of request of ``summary.json``.
REQUEST_KINDS = ("submit", "job_history", "scheduled_jobs", "inventory", "other")

#: What each outcome means, for a reader who never saw the tool.
MEANINGS: Mapping[str, str] = {
    "verified": "The store's inventory shows a new certificate with a later start.",
    "succeeded": "Command reports the job as successful; the inventory was not asked, "
    "or did not confirm it.",
    "skipped_already_rotated": "The certificate had been replaced before its turn "
    "came; nothing was sent.",
    "failed": "The job ran and failed.",
    "rejected": "Command refused the request; no job was created.",
    "warning": "The job ended with a warning; a person should look.",
    "skipped_preflight": "A check before the start found a fault; nothing was sent.",
    "stalled": "A job was created and did not end in the time allowed; "
    "it may still run.",
    "unknown": "It could not be found out whether the job ran; a person must look.",
    "not_attempted": "The campaign ended before this row's turn; nothing was sent.",
    "cancelled": "The row was withdrawn before its job was taken.",
    "skipped_excluded": "The row was left out on purpose.",
}


def words(outcome: str) -> str:
    """Return the outcome as a person says it: ``skipped already rotated``."""
    return outcome.replace("_", " ")
