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
                        looks, the later one begun a    stopped the campaign; stalled
                        settle time after Unschedule    where nobody took it in time;
                                                        retried: send again
queued, those that      its job still waits, the same,  withdraw it: the row will end
stall are to be taken   and the pick-up timeout is      stalled, and no job of it is
back                    over or its orchestrator is     left to run when nobody expects
                        taken for dead                  it any more
withdrawing             it has a history row            follow it: it began before it
                                                        could be taken back
======================  ==============================  ================================

A waiting job is adopted only where its target can mean no other store of that
orchestrator; otherwise JobHistory, which names the machine, decides later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from batch_reenroll.campaign.board import JobBoard, is_final
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.matching import record_fits
from batch_reenroll.campaign.nouns import JobRecord, JobResult, JobStatus
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.results import by_record
from batch_reenroll.campaign.rows import Decision, Fence, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.timing import Timing, unpicked, unsettled
from batch_reenroll.campaign.withdrawal import once_more, take_back, withdrawn


def decide(
    row: Row,
    board: JobBoard,
    timing: Timing,
    settings: RunSettings,
    *,
    withdraw: bool = False,
    reclaim: str | None = None,
) -> Decision | None:
    """Return what the row does next, or None to wait.

    Args:
        row: In doubt, submitted, queued, running or withdrawing.
        board: What Command's lists have shown.
        timing: The row's clock.
        settings: Settle time and timeouts in force.
        withdraw: Whether a person wants waiting jobs taken back.
        reclaim: None = jobs that nobody takes are left in Command; otherwise they are
            taken back: after the pick-up timeout, or at once for the reason given, if
            any.
    """
    if row.job_id is None:
        return _find(row, board, timing, settings)
    going_back = row.state in (State.IN_DOUBT, State.WITHDRAWING)
    if going_back and board.latest(row.job_id) is None:
        stalls = reclaim is not None
        return take_back(
            row, row.job_id, board, timing, settings, cancels=withdraw, stalls=stalls
        )
    step = _follow(row, row.job_id, board, timing, settings)
    if row.state is not State.QUEUED:
        return step
    if step is None and withdraw:
        why, reason = "the campaign was stopped", Reason.CANCELLING
        return withdrawn(row, row.job_id, board, timing, why, reason)
    if step is None:
        return withdrawn(row, row.job_id, board, timing, reclaim) if reclaim else None
    if step.reason is Reason.PICKUP_TIMEOUT and reclaim is not None:
        why = "it was not picked up in time"
        return withdrawn(row, row.job_id, board, timing, why, step.reason) or step
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
        return _adopt(row, job_id, _open_view(row, record, board, timing), settings)
    if row.state is State.IN_DOUBT and unsure:
        return unsettled(timing, settings)
    if row.state is State.IN_DOUBT:
        return _absent(row, board, timing, settings)
    return unpicked(row, timing, settings)


def _unsure(row: Row, board: JobBoard) -> frozenset[str]:
    """Return candidates that may be a sister store's: no record names a machine."""
    if row.place_unique:
        return frozenset()
    found = board.candidates(row)
    return frozenset(job_id for job_id in found if board.latest(job_id) is None)


def _absent(
    row: Row, board: JobBoard, timing: Timing, settings: RunSettings
) -> Decision | None:
    looks = board.looks_of(row.agent_id)
    if not looks.prove_absence(timing.answered_s, settings.settle_s):
        return unsettled(timing, settings)
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
    row: Row, record: JobRecord | None, board: JobBoard, timing: Timing
) -> JobRecord | None:
    """Return the record, as if still in process while a rival may yet show up."""
    settled = board.looks_of(row.agent_id).any_since(timing.rivals_until_s)
    if record is None or settled or not is_final(record):
        return record
    return replace(record, status=JobStatus.IN_PROCESS)


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
    until_s = board.looks_of(row.agent_id).first_since(timing.rivals_until_s)
    rivals = {
        other
        for other in others
        if until_s is None or (board.first_seen_s(other) or 0.0) <= until_s
    }
    if rivals:
        return _two_candidates({job_id, *rivals})
    if record is None:
        return unpicked(row, timing, settings)
    step = by_record(_open_view(row, record, board, timing), settings)
    if step is not None and step.target is not row.state:
        return step
    if step is None and row.state is not State.RUNNING:
        return unpicked(row, timing, settings)
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
        return once_more(row, Reason.JOB_FAILED, f"all of these failed: {named}")
    if not settings.verify:
        return _two_candidates(jobs)
    return Decision(
        target=State.VERIFYING,
        reason=Reason.JOB_RESULT_UNKNOWN,
        message=f"the inventory decides between jobs {named}",
        changes={"job_result": int(JobResult.UNKNOWN)},
        note={"job_ids": sorted(jobs)},
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
