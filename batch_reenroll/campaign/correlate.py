"""From what the board shows to what a row does next.

Command answers 204 without a job id, so a row's job must be found. The rules, and why
each is safe:

======================  ==============================  ================================
row                     board                           decision, and the argument
======================  ==============================  ================================
submitted               one job beyond the fence        adopt: our 204 made a job for
                                                        the store, and one is there
submitted               two or more beyond the fence    unknown, both named: nothing in
                                                        the API tells them apart
submitted               none                            wait until the pick-up timeout
any, job has ended      the last complete look began    wait: until the settle time is
                        before the settle time was      over a second new job may show
                        over                            up, and then neither is surely
                                                        ours
in doubt                one beyond the fence            adopt, and say so: either ours,
                                                        or a stranger's made in the
                                                        same moments, which rotates the
                                                        same store once either way
in doubt                two or more                     unknown, both named
in doubt                none, look too early            wait: lists may lag, and the
                                                        request may still be under way
in doubt                none, pick-up timeout over      unknown: a person must look
in doubt                none in two complete looks,     back to pending: had the request
                        the later one begun a settle    been carried out, its job would
                        time after the doubt            have stood in one of the lists
retried, in doubt       its old job still waits         withdraw it; once it is gone
                                                        from both lists, send again
retried, in doubt       two or more, all ended          the inventory decides, or, where
                                                        all failed, send again: nothing
                                                        of ours is left in Command
queued, running         another job beyond the fence,   unknown, both named: when the
                        seen by the first look begun    second was made is not known, so
                        a settle time after the answer  either may be ours
queued, running         another, first seen later       ours stays: our job was there
                                                        before that one
queued, running         its record names another store  give the job back: a waiting
                                                        job's target was ambiguous
queued, withdrawal      its job still waits, in a look  withdraw it: nobody has begun
asked for               begun after the settle time     it, and it is ours
withdrawing             gone from both lists, in two    cancelled where a person
                        looks, the later one begun a    stopped the campaign; retried:
                        settle time after Unschedule    send again
withdrawing             it has a history row            follow it: it began before it
                                                        could be taken back
======================  ==============================  ================================

A waiting job is adopted only where its target can mean no other store of that
orchestrator; otherwise JobHistory, which names the machine, decides later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from batch_reenroll.campaign.board import JobBoard, is_final, record_fits
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobRecord, JobResult, JobStatus
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.results import by_record
from batch_reenroll.campaign.rows import Decision, Fence, Row
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


def decide(
    row: Row,
    board: JobBoard,
    timing: Timing,
    settings: RunSettings,
    *,
    withdraw: bool = False,
) -> Decision | None:
    """Return what the row does next, or None to wait.

    Args:
        row: In doubt, submitted, queued, running or withdrawing.
        board: What Command's lists have shown.
        timing: The row's clock.
        settings: Settle time and timeouts in force.
        withdraw: Whether a person wants waiting jobs taken back.
    """
    if row.job_id is None:
        return _find(row, board, timing, settings)
    going_back = row.state in (State.IN_DOUBT, State.WITHDRAWING)
    if going_back and board.latest(row.job_id) is None:
        return _take_back(row, row.job_id, board, timing, settings, withdraw)
    step = _follow(row, row.job_id, board, timing, settings)
    if withdraw and step is None and row.state is State.QUEUED:
        return _withdraw(row.job_id, board, timing)
    return step


def _find(
    row: Row, board: JobBoard, timing: Timing, settings: RunSettings
) -> Decision | None:
    unsure = _unsure(row, board)
    found = board.candidates(row) - unsure
    if len(found) > 1 and row.retries:
        return _rivals_ended(row, found, board, timing, settings)
    if len(found) > 1:
        return _two_candidates(found)
    if found:
        (job_id,) = found
        record = board.latest(job_id)
        return _adopt(row, job_id, _open_view(record, board, timing), settings)
    if row.state is State.IN_DOUBT and unsure:
        return _unsettled(timing, settings)
    if row.state is State.IN_DOUBT:
        return _absent(row, board, timing, settings)
    return _unpicked(row, timing, settings)


def _unsure(row: Row, board: JobBoard) -> frozenset[str]:
    """Return candidates that may be a sister store's: no record names a machine."""
    if row.place_unique:
        return frozenset()
    found = board.candidates(row)
    return frozenset(job_id for job_id in found if board.latest(job_id) is None)


def _absent(
    row: Row, board: JobBoard, timing: Timing, settings: RunSettings
) -> Decision | None:
    if not board.looks.prove_absence(timing.answered_s, settings.settle_s):
        return _unsettled(timing, settings)
    note = {"high_history_id": board.high_id}
    losses = row.losses + 1
    if losses >= settings.max_losses:
        return Decision(
            target=State.FAILED,
            reason=Reason.ATTEMPTS_EXHAUSTED,
            message=f"{losses} requests were lost and none of them made a job",
            changes={"losses": losses},
            note=note,
        )
    return Decision(
        target=State.PENDING,
        reason=Reason.CONFIRMED_ABSENT,
        message="the lost request made no job; it will be sent again",
        changes={"losses": losses, "fence": None, "submitted_at": None},
        note=note,
    )


def _open_view(
    record: JobRecord | None, board: JobBoard, timing: Timing
) -> JobRecord | None:
    """Return the record, as if still in process while a rival may yet show up."""
    look = board.look_began_s
    settled = look is not None and look >= timing.rivals_until_s
    if record is None or settled or not is_final(record):
        return record
    return replace(record, status=JobStatus.IN_PROCESS)


def _unsettled(timing: Timing, settings: RunSettings) -> Decision | None:
    if timing.now_s - timing.answered_s <= settings.pickup_timeout_s:
        return None
    return Decision(
        target=State.UNKNOWN,
        reason=Reason.UNSETTLED,
        message="no answer came, and Command's job lists could not be read in time",
    )


def _adopt(
    row: Row, job_id: str, record: JobRecord | None, settings: RunSettings
) -> Decision:
    in_doubt = row.state is State.IN_DOUBT
    reason = Reason.ADOPTED_IN_DOUBT if in_doubt else Reason.ADOPTED
    changes: dict[str, Any] = {"job_id": job_id}
    note = {"job_id": job_id, "in_doubt": in_doubt}
    step = by_record(record, settings)
    if step is None:
        return Decision(
            target=State.QUEUED,
            reason=reason,
            message=f"job {job_id} found",
            changes=changes,
            note=note,
        )
    return Decision(
        target=step.target,
        reason=step.reason or reason,
        message=step.message,
        changes={**changes, **step.changes},
        note={**note, "adopted": str(reason), **step.note},
    )


def _follow(
    row: Row, job_id: str, board: JobBoard, timing: Timing, settings: RunSettings
) -> Decision | None:
    record = board.latest(job_id)
    if record is not None and not record_fits(record, row):
        return _give_back(row, job_id)
    others = board.candidates(row) - {job_id} - _unsure(row, board)
    # Looks may be rare: what came in time may show only in the first one after it.
    until_s = board.looks.first_since(timing.rivals_until_s)
    rivals = {
        other
        for other in others
        if until_s is None or (board.first_seen_s(other) or 0.0) <= until_s
    }
    if rivals:
        return _two_candidates({job_id, *rivals})
    if record is None:
        return _unpicked(row, timing, settings)
    step = by_record(_open_view(record, board, timing), settings)
    if step is not None and step.target is not row.state:
        return step
    if step is None and row.state is not State.RUNNING:
        return _unpicked(row, timing, settings)
    if (
        row.state is State.RUNNING
        and timing.running_s is not None
        and not is_final(record)
    ):
        ran_s = timing.now_s - timing.running_s
        if ran_s > settings.job_timeout_s:
            return Decision(
                target=State.STALLED,
                reason=Reason.JOB_TIMEOUT,
                message=f"job {job_id} was taken but has not ended "
                f"within {settings.job_timeout_s:g} s",
            )
    return None


def _take_back(
    row: Row,
    job_id: str,
    board: JobBoard,
    timing: Timing,
    settings: RunSettings,
    withdraw: bool,
) -> Decision | None:
    """Return what a row does about its job, which has not begun and is to go."""
    if board.is_waiting(job_id):
        if row.state is State.IN_DOUBT:
            return Decision(
                target=State.WITHDRAWING,
                reason=Reason.WITHDRAWING,
                message=f"job {job_id} still waits; it is taken back first",
                note={"job_id": job_id},
            )
        return _unpicked(row, timing, settings)
    if not board.looks.prove_absence(timing.answered_s, settings.settle_s):
        return _unsettled(timing, settings)
    if withdraw and row.state is State.WITHDRAWING:
        return Decision(
            target=State.CANCELLED,
            reason=Reason.TAKEN_BACK,
            message=f"the campaign was stopped; job {job_id} was taken back",
            note={"job_id": job_id},
        )
    return _once_more(row, Reason.WITHDRAWN, f"job {job_id} is gone")


def _withdraw(job_id: str, board: JobBoard, timing: Timing) -> Decision | None:
    """Return the move that takes a waiting job back, or None while it may not be.

    Until the settle time is over the job may be somebody else's, made in the same
    moments, with ours still to show.
    """
    look = board.look_began_s
    if look is None or look < timing.rivals_until_s or not board.is_waiting(job_id):
        return None
    return Decision(
        target=State.WITHDRAWING,
        reason=Reason.WITHDRAWING,
        message=f"the campaign was stopped; job {job_id} is taken back",
        note={"job_id": job_id},
    )


def _rivals_ended(
    row: Row,
    jobs: frozenset[str],
    board: JobBoard,
    timing: Timing,
    settings: RunSettings,
) -> Decision | None:
    """Return what a retried row does about two jobs, either of which may be its own.

    Once both have ended it no longer matters which was which: if one succeeded the
    inventory decides; if none did, nothing of ours is left in Command.
    """
    records = [board.latest(job_id) for job_id in sorted(jobs)]
    ended = [record for record in records if record is not None and is_final(record)]
    if len(ended) < len(records):
        waited_s = timing.now_s - timing.answered_s
        return _two_candidates(jobs) if waited_s > settings.pickup_timeout_s else None
    named = ", ".join(sorted(jobs))
    if all(record.result is JobResult.FAILURE for record in ended):
        return _once_more(row, Reason.JOB_FAILED, f"all of these failed: {named}")
    if not settings.verify:
        return _two_candidates(jobs)
    return Decision(
        target=State.VERIFYING,
        reason=Reason.JOB_RESULT_UNKNOWN,
        message=f"the inventory decides between jobs {named}",
        changes={"job_result": int(JobResult.UNKNOWN)},
        note={"job_ids": sorted(jobs)},
    )


def _once_more(row: Row, reason: Reason, message: str) -> Decision:
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


def _give_back(row: Row, job_id: str) -> Decision:
    fence = row.fence or Fence(history_id=0)
    return Decision(
        target=State.SUBMITTED,
        reason=Reason.ADOPTED_WRONGLY,
        message=f"job {job_id} belongs to another store",
        changes={
            "job_id": None,
            "job_history_id": None,
            "picked_up_at": None,
            "fence": Fence(history_id=fence.history_id, jobs=fence.jobs | {job_id}),
        },
        note={"job_id": job_id},
    )


def _two_candidates(jobs: set[str] | frozenset[str]) -> Decision:
    named = sorted(jobs)
    return Decision(
        target=State.UNKNOWN,
        reason=Reason.TWO_CANDIDATES,
        message="more than one new job fits this submission: " + ", ".join(named),
        note={"job_ids": named},
    )


def _unpicked(row: Row, timing: Timing, settings: RunSettings) -> Decision | None:
    waited_s = timing.now_s - timing.answered_s
    if waited_s <= settings.pickup_timeout_s:
        return None
    which = f"job {row.job_id}" if row.job_id else "the job"
    return Decision(
        target=State.STALLED,
        reason=Reason.PICKUP_TIMEOUT,
        message=f"{which} was not picked up within {settings.pickup_timeout_s:g} s",
    )
