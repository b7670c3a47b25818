"""What the process exits with."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from batch_reenroll.campaign.lifecycle import State


class StopRequest(StrEnum):
    """What a person who stops a campaign from outside wants done."""

    #: Send nothing more; settle lost answers.
    SETTLE = "settle"
    #: Also take back the jobs that no orchestrator has begun.
    WITHDRAW = "withdraw"


class Stop(StrEnum):
    """Why a run ended before every row had its turn."""

    NOT_AUTHORISED = "not_authorised"
    UNREACHABLE = "unreachable"
    LEDGER = "ledger"
    BUDGET = "budget"
    OPERATOR = "operator"
    WINDOW = "window"
    WAVE = "wave"
    SIGINT = "sigint"
    SIGTERM = "sigterm"


#: What a run exits with that stopped early (design.md, section 4).
STOP_CODES: Mapping[Stop, int] = {
    Stop.LEDGER: 2,
    Stop.NOT_AUTHORISED: 8,
    Stop.UNREACHABLE: 9,
    Stop.BUDGET: 6,
    Stop.OPERATOR: 10,
    Stop.WINDOW: 10,
    Stop.WAVE: 10,
    Stop.SIGINT: 130,
    Stop.SIGTERM: 143,
}

_UNPROVEN = (State.UNKNOWN, State.STALLED)
_FAILED = (State.FAILED, State.REJECTED, State.WARNING, State.SKIPPED_PREFLIGHT)


def exit_code(outcomes: Mapping[State, int], *, verify: bool, stop: Stop | None) -> int:
    """Return the exit code of a campaign (design.md, section 4).

    Args:
        outcomes: Rows by reported outcome.
        verify: Whether verification was asked for.
        stop: Why the run ended early, or None.

    Returns:
        The first that holds of the contract's list. Rows that were not attempted
        (a breaker, a stop) have not ended well, so they never give 0: 7.
    """
    if stop is not None:
        return STOP_CODES[stop]

    def any_of(*states: State) -> bool:
        return any(outcomes.get(state, 0) for state in states)

    if any_of(*_UNPROVEN, State.NOT_ATTEMPTED, State.CANCELLED):
        return 7
    if verify and any_of(State.SUCCEEDED):
        return 7
    return 5 if any_of(*_FAILED) else 0
