"""What callers may do to jobs: withdraw them, send them again, acknowledge them.

undocumented: what becomes of an id that is unknown or of a job that is not eligible.
Here it is passed over and the answer is 204 all the same: between a client's look and
its request any job may begin, and one of them must not spoil a whole batch. So 204
does not mean that a job was withdrawn; a client has to look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from batch_reenroll.sandbox.access import Caller
from batch_reenroll.sandbox.exchange import Request
from batch_reenroll.sandbox.orchestration import Orchestration
from batch_reenroll.sandbox.params import Listing
from batch_reenroll.sandbox.query import Context
from batch_reenroll.sandbox.rights import Right
from batch_reenroll.sandbox.selection import read_audit_ids, read_job_ids
from batch_reenroll.sandbox.state import HistoryRow, Job, Result, Status
from batch_reenroll.sandbox.world import World


class JobControl:
    """Carries out Unschedule, Reschedule and Acknowledge.

    Args:
        world: What there is.
        orchestration: Creates the jobs of Reschedule.
        scheduled, history: What a query is about.
    """

    def __init__(
        self,
        world: World,
        orchestration: Orchestration,
        *,
        scheduled: Listing[Job],
        history: Listing[HistoryRow],
    ) -> None:
        self._world = world
        self._orchestration = orchestration
        self._scheduled = scheduled
        self._history = history

    def unschedule(self, request: Request, caller: Caller) -> None:
        """Withdraw reenrollments that no orchestrator has begun.

        Inventory schedules cannot be withdrawn, as Keyfactor's page of the endpoint
        says. undocumented: a job that runs goes on; a job that an orchestrator was
        given but has not begun is cancelled at its turn (``JobCancelled``, see
        ``orchestration``); of a job that Command meant to try again, the history row
        keeps its Status 5.

        Raises:
            ApiError: 4xx; nothing was changed.
        """
        world = self._world
        asked = read_job_ids(request)
        jobs = asked.of(
            world.scheduled.values(),
            lambda job: job.job_id,
            self._scheduled,
            self._context(caller),
        )
        _demand_schedule(caller, jobs)
        for job in jobs:
            world.drop_scheduled(job)
            job.withdrawn = True
            world.tell(
                "job_unscheduled",
                job,
                world.now,
                by=caller.name,
                handed_out=job.handed_out,
            )

    def reschedule(self, request: Request, caller: Caller) -> None:
        """Schedule failed reenrollments again, each job once.

        Inventories are not eligible, as Keyfactor's page of the endpoint says.
        undocumented: whether the JobId is kept (``reschedule_keeps_job_id``); the
        failed row stays as it is, so that it can be rescheduled once more; under a
        kept JobId a job that is scheduled or running already is passed over.

        Raises:
            ApiError: 4xx; nothing was changed.
        """
        rows = self._rows(request, caller)
        eligible = {row.job.job_id: row for row in rows if _may_go_again(row)}
        if self._world.settings.reschedule_keeps_job_id:
            for job_id in self._world.pending_job_ids() & eligible.keys():
                del eligible[job_id]
        _demand_schedule(caller, [row.job for row in eligible.values()])
        for row in eligible.values():
            self._send_again(row, caller)

    def _send_again(self, row: HistoryRow, caller: Caller) -> None:
        world, old = self._world, row.job
        if old.wish is None:  # an inventory
            return
        if not world.settings.reschedule_keeps_job_id:
            new = self._orchestration.schedule(
                old.store, old.wish, caller.name, world.now
            )
        else:
            # A job of its own: the old one may still lie, withdrawn, in a queue.
            new = replace(
                old,
                requested_at=world.now,
                by=caller.name,
                not_before=0.0,
                tries=0,
                withdrawn=False,
            )
            world.put_scheduled(new)
        world.tell(
            "job_rescheduled",
            old,
            world.now,
            by=caller.name,
            history_id=row.history_id,
            new_job_id=new.job_id,
        )

    def acknowledge(self, request: Request, caller: Caller) -> None:
        """Set failures and warnings to Status 4.

        undocumented: a job that Command will try again goes on being tried; its next
        try is a new row.

        Raises:
            ApiError: 4xx; nothing was changed.
        """
        world = self._world
        for row in self._rows(request, caller):
            if not _may_be_acknowledged(row):
                continue
            row.status = Status.ACKNOWLEDGED
            world.tell(
                "job_acknowledged",
                row.job,
                world.now,
                by=caller.name,
                history_id=row.history_id,
            )

    def _rows(self, request: Request, caller: Caller) -> list[HistoryRow]:
        return read_audit_ids(request).of(
            self._world.visible_history(),
            lambda row: row.history_id,
            self._history,
            self._context(caller),
        )

    def _context(self, caller: Caller) -> Context:
        return Context(now=self._world.now, me=caller.name)


def _demand_schedule(caller: Caller, jobs: Iterable[Job]) -> None:
    caller.demand_in(
        Right.SCHEDULE_STORES, (job.store.plan.container_id for job in jobs)
    )


def _may_go_again(row: HistoryRow) -> bool:
    ended = row.status in (Status.COMPLETED, Status.ACKNOWLEDGED)
    return row.result is Result.FAILURE and ended


def _may_be_acknowledged(row: HistoryRow) -> bool:
    ended = row.status in (Status.COMPLETED, Status.COMPLETED_WILL_RETRY)
    return row.result in (Result.FAILURE, Result.WARNING) and ended
