"""Where a campaign stands, in words that several verbs share; light to import."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from batch_reenroll.campaign.lifecycle import State, reported_outcome

if TYPE_CHECKING:
    from batch_reenroll.campaign.record import Campaign

DEFAULT_LEDGER = "sqlite:///batch-reenroll.db"


def resume_command(campaign_id: str, ledger_url: str) -> str:
    """Return the shell command that goes on with the campaign."""
    words = ["batch-reenroll", "resume", campaign_id]
    if ledger_url != DEFAULT_LEDGER:
        words += ["--ledger", ledger_url]
    return shlex.join(words)


def outcomes(campaign: Campaign) -> dict[State, int]:
    """Return rows by reported outcome."""
    counts: dict[State, int] = {}
    for state, n in campaign.rows.items():
        outcome = reported_outcome(state)
        counts[outcome] = counts.get(outcome, 0) + n
    return counts


def is_unfinished(campaign: Campaign) -> bool:
    """Return whether rows wait or are in flight."""
    return any(reported_outcome(state) is not state for state in campaign.rows)
