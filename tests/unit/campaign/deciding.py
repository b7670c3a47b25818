"""One row, one board, one moment: what the correlation tests are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from unit.campaign.making import row_of, watching

from batch_reenroll.campaign.correlate import decide
from batch_reenroll.campaign.lifecycle import State, is_legal
from batch_reenroll.campaign.nouns import JobRecord, ScheduledJob
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Fence, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.timing import Timing

ANSWERED_S = 100.0
SETTLE_S = 10.0
EARLY_S = ANSWERED_S + SETTLE_S - 0.001
PICKUP_S = 3600.0
JOB_S = 1800.0

SETTINGS = RunSettings(
    settle_time_s=SETTLE_S, pickup_timeout_s=PICKUP_S, job_timeout_s=JOB_S, max_losses=3
)
SUBMITTED = row_of(fence=Fence(history_id=50))
IN_DOUBT = replace(SUBMITTED, state=State.IN_DOUBT)
QUEUED = replace(SUBMITTED, state=State.QUEUED, job_id="ours")
RUNNING = replace(QUEUED, state=State.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the lists showed first at ``seen_s``, and the row's clock at ``now_s``.

    ``look_s`` is when the last complete look began: plainly, just late enough. Another
    one had begun half a settle time earlier.
    """

    row: Row
    scheduled: Sequence[ScheduledJob] = ()
    history: Sequence[JobRecord] = ()
    look_s: float | None = ANSWERED_S + SETTLE_S
    now_s: float = ANSWERED_S + SETTLE_S + 1
    seen_s: float = ANSWERED_S + 1
    running_s: float | None = None
    settings: RunSettings = field(default=SETTINGS)
    withdraw: bool = False
    reclaim: str | None = None


def decided(case: Case) -> Decision | None:
    board = watching(case.row, replace(case.row, client_machine="web2"))
    board.see_scheduled(case.scheduled, case.seen_s)
    board.see_history(case.history, case.seen_s)
    if case.look_s is not None:
        board.finish_look(case.look_s - SETTLE_S / 2)
        board.finish_look(case.look_s)
    timing = Timing(
        now_s=case.now_s,
        answered_s=ANSWERED_S,
        rivals_until_s=ANSWERED_S + SETTLE_S,
        running_s=case.running_s,
    )
    return decide(
        case.row,
        board,
        timing,
        case.settings,
        withdraw=case.withdraw,
        reclaim=case.reclaim,
    )


def decision(case: Case) -> Decision:
    made = decided(case)
    assert made is not None, "expected a decision, got: wait"
    assert is_legal(case.row.state, made.target)
    return made


def ends(case: Case) -> tuple[State, Reason | None]:
    made = decision(case)
    return made.target, made.reason
