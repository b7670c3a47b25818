"""The tracker: sweeps over Command's job lists that advance many rows at once.

One look reads ScheduledJobs, where something depends on it, then JobHistory newest
first down to a floor: what a look begun a settle time ago had already seen. Jobs below
it that have not ended are swept as well or asked for by id, as ``campaign/polling.py``
finds cheaper. So the cost of a look depends on what is new, not on how many rows are in
flight.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from batch_reenroll.campaign.correlate import decide
from batch_reenroll.campaign.ends import LONG_PAST_S, reaches_back
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobRecord
from batch_reenroll.campaign.pace import backoff_s
from batch_reenroll.campaign.polling import (
    MAX_LIST_ROWS,
    MAX_PAGE_ROWS,
    Flow,
    plan_history,
    plan_scheduled,
)
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.timing import Timing
from batch_reenroll.campaign.verdict import Stop, StopRequest
from batch_reenroll.errors import CommandError, NotAuthorised
from batch_reenroll.runner.calm import Calm
from batch_reenroll.runner.context import Context, Tracked
from batch_reenroll.runner.ports import MAX_JOB_IDS
from batch_reenroll.runner.reading import (
    PAGE_ROWS,
    RETRY_BASE_S,
    RETRY_CAP_S,
    scheduled_jobs,
    see_all,
    sleep_until,
    wanted_of_scheduled,
)

_FORBIDDEN = 403


@dataclass(slots=True)
class Tracker:
    """Looks at Command's job lists and moves rows accordingly.

    Attributes:
        floor_id: The JobHistoryId down to which the next look reads; None = anywhere.
        flow: How JobHistory grows.
        page_rows: Largest page to be asked for; it halves where a look fails.
        past: What JobHistory held as the run began, as far as it was read.
    """

    ctx: Context
    floor_id: int | None = None
    past: list[JobRecord] = field(default_factory=list)
    flow: Flow = field(default_factory=Flow)
    page_rows: int = MAX_LIST_ROWS
    _n_scheduled: int = 0
    _n_pages: int = 1
    _alone: tuple[str, ...] = ()
    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _calm: Calm = field(init=False)

    def __post_init__(self) -> None:
        """Know no row that could be left alone."""
        self._calm = Calm(self.ctx)

    async def first_look(self) -> bool:
        """Look until one look succeeds; return False where a stop came first.

        Without a complete look there is no fence, and without a fence no submission.
        """
        while not self.ctx.is_stopping:
            if await self._try(self._look) and await self._try(self._look_back):
                return True
            await self._rest()
        return False

    async def run(self) -> None:
        """Look every poll interval until every row has ended or a stop is settled."""
        ctx = self.ctx
        while not ctx.is_done:
            began_s = ctx.clock.monotonic()
            await self._heed_stop()
            if not self._has_work():
                await sleep_until(ctx, began_s + ctx.settings.poll_interval_s)
            elif await self._try(self._look):
                await self._move_rows()
                until_s = began_s + ctx.settings.poll_interval_s
                await sleep_until(ctx, until_s)
            else:
                await self._rest()

    def _has_work(self) -> bool:
        """Return whether a look could move a row, or any is still to be sent.

        Rows whose job has ended are the verifier's.
        """
        states = {tracked.row.state for tracked in self.ctx.rows.values()}
        return self.ctx.is_feeding or bool(states - {State.VERIFYING})

    async def _heed_stop(self) -> None:
        wish = await self.ctx.ledger.stop_requested()
        if wish is not None:
            withdraw = wish is StopRequest.WITHDRAW
            message = "stopped by an operator"
            self.ctx.request_stop(Stop.OPERATOR, message, withdraw=withdraw)

    async def _rest(self) -> None:
        ctx = self.ctx
        failures = max(1, ctx.health.failures)
        wait_s = backoff_s(
            failures, roll=ctx.roll(), base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S
        )
        await sleep_until(ctx, ctx.clock.monotonic() + wait_s)

    async def _try(self, reading: Callable[[], Awaitable[None]]) -> bool:
        ctx = self.ctx
        try:
            await reading()
        except NotAuthorised as exc:
            ctx.request_stop(Stop.NOT_AUTHORISED, exc.message)
            return False
        except CommandError as exc:
            now_s = ctx.clock.monotonic()
            ctx.health.failed(now_s, exc.message)
            self.page_rows = max(min(self.page_rows, PAGE_ROWS), self.page_rows // 2)
            away_s = now_s - (ctx.health.away_since_s or now_s)
            if away_s > ctx.settings.unreachable_timeout_s:
                ctx.request_stop(Stop.UNREACHABLE, exc.message)
            return False
        if ctx.health.answered():
            ctx.notify()
        return True

    async def _look(self) -> None:
        ctx = self.ctx
        await self._withdraw()
        self._calm.begin_look()
        began_s = ctx.clock.monotonic()
        certain = await self._look_at_scheduled(began_s)
        between_s = ctx.clock.monotonic()
        await self._look_at_history(began_s)
        await self._look_at_stragglers(began_s)
        if certain:
            ctx.board.finish_look(began_s, between_s)
        else:
            ctx.board.finish_look(began_s, between_s, alone=self._alone)
        self._lower_floor(ctx.clock.monotonic())
        ctx.board.forget_ends(began_s - ctx.settings.verify_timeout_s)

    async def _withdraw(self) -> None:
        """Ask Command to drop the jobs of rows that are being withdrawn."""
        ctx = self.ctx
        waiting = [
            tracked
            for tracked in ctx.with_command()
            if tracked.row.state is State.WITHDRAWING and not tracked.unscheduled
        ]
        try:
            for group in _batches([t.row.job_id or "" for t in waiting]):
                await ctx.command.unschedule(group)
        except NotAuthorised as exc:
            if exc.status != _FORBIDDEN:
                raise
            await self._leave_waiting(waiting, exc.message)
            return
        for tracked in waiting:
            tracked.unscheduled = True
            tracked.answered_s = ctx.clock.monotonic()

    async def _leave_waiting(self, waiting: list[Tracked], message: str) -> None:
        """Follow jobs on that the account may not take back.

        Where a person wanted them back, the run stops; what the run itself would take
        back, it leaves where it is.
        """
        ctx = self.ctx
        is_own = not ctx.withdraw and all(t.row.submitted_at for t in waiting)
        stay = Decision(
            target=State.QUEUED, reason=Reason.PERMISSION_DENIED, message=message
        )
        await asyncio.gather(*(ctx.advance(tracked, stay) for tracked in waiting))
        # Only now: a stop that is settled ends this loop.
        ctx.withdraw = ctx.reclaims = False
        if is_own:
            what = "jobs that nobody takes are left in Command"
            await ctx.go_without("unschedule_refused", what, message)
            return
        ctx.request_stop(Stop.NOT_AUTHORISED, message)

    async def _look_at_scheduled(self, began_s: float) -> bool:
        """Read waiting jobs, if need be; return whether none can have been missed.

        A list that shrinks between two pages can hide a job that moved up from the
        second to the first. Then orchestrators are read again, each alone and in one
        page: those of which a complete look is wanted.
        """
        ctx = self.ctx
        self._alone = ()
        restless = self._calm.restless()
        wants = wanted_of_scheduled(ctx, restless, began_s)
        plan = plan_scheduled(
            wants,
            rows=max(self._n_scheduled, len(ctx.rows)),
            pages=self._n_pages,
            page_rows=self.page_rows,
        )
        if not plan.whole:
            ctx.board.begin_look(began_s)
            ctx.tracking = plan.shown()
            return False
        jobs, pages = await scheduled_jobs(ctx, None, plan.limit)
        self._n_scheduled, self._n_pages = len(jobs), pages
        alone = () if pages == 1 else plan.alone
        for agent_id in alone:
            more, agent_pages = await scheduled_jobs(ctx, agent_id, plan.limit)
            jobs.update(more)
            if agent_pages == 1:
                self._alone += (agent_id,)
        ctx.board.see_scheduled(jobs.values(), began_s, surely=pages == 1)
        ctx.tracking = plan.shown(pages, len(alone))
        return pages == 1

    async def _look_at_history(self, began_s: float) -> None:
        ctx, board, floor_id = self.ctx, self.ctx.board, self.floor_id
        known_id = board.high_id
        plan = plan_history(
            floor_id=floor_id,
            high_id=known_id,
            open_ids=() if floor_id is None else board.open_ids(floor_id),
            flow=self.flow,
            page_rows=min(self.page_rows, MAX_PAGE_ROWS),
        )
        sweep = ctx.command.job_history(limit=plan.limit, above=plan.above)
        records = await see_all(ctx, sweep, began_s)
        ids = [record.history_id for record in records]
        if known_id:
            self.flow = self.flow.after(ids, known_id=known_id)
        ctx.tracking += f"; {plan.shown}"

    async def _look_back(self) -> None:
        """Read on to where nothing that has ended can matter any more.

        A process that has just begun knows of no end before its first look, but a
        stranger's certificate may still be on its way into the inventory, where it
        would pass for the proof of ours.
        """
        ctx = self.ctx
        began_s = ctx.clock.monotonic()
        span = PAGE_ROWS
        while True:
            above = max(0, ctx.board.high_id - span)
            sweep = ctx.command.job_history(limit=PAGE_ROWS, above=above)
            records = await see_all(ctx, sweep, began_s)
            before = ctx.clock.now_utc() - timedelta(
                seconds=LONG_PAST_S + ctx.settings.job_timeout_s
            )
            if above == 0 or reaches_back(records, before):
                self.past = records
                return
            span *= 4

    async def _look_at_stragglers(self, began_s: float) -> None:
        """Ask by id for jobs that a sweep down to the floor does not reach."""
        ctx = self.ctx
        board = ctx.board
        wanted = set(board.unfinished(self.floor_id or 0, began_s))
        for tracked in self._calm.restless():
            job_id = tracked.row.job_id
            if job_id and not board.is_waiting(job_id) and not board.latest(job_id):
                wanted.add(job_id)
        for group in _batches(sorted(wanted)):
            await see_all(
                ctx,
                ctx.command.job_history(limit=PAGE_ROWS, above=0, job_ids=group),
                began_s,
            )

    def _lower_floor(self, ended_s: float) -> None:
        """Remember this look, and set the floor for the next.

        A row of JobHistory may become visible a little after one with a higher id, so
        the floor is what a look that ended a settle time ago had seen. Its end counts,
        not its beginning: a look over many pages takes its time.
        """
        self._seen.append((ended_s, self.ctx.board.high_id))
        horizon_s = self.ctx.clock.monotonic() - self.ctx.settings.settle_s
        while len(self._seen) > 1 and self._seen[1][0] <= horizon_s:
            self._seen.popleft()
        oldest_s, high_id = self._seen[0]
        if oldest_s <= horizon_s or self.floor_id is None:
            self.floor_id = high_id

    async def _move_rows(self) -> None:
        ctx = self.ctx
        now_s = ctx.clock.monotonic()
        moves = []
        for tracked in self._calm.restless():
            timing = Timing(
                now_s=now_s,
                answered_s=tracked.answered_s,
                rivals_until_s=tracked.rivals_until_s,
                running_s=tracked.running_s,
            )
            decision = decide(
                tracked.row,
                ctx.board,
                timing,
                ctx.settings,
                withdraw=ctx.withdraw,
                reclaim=ctx.gates.lost(tracked.row) if ctx.reclaims else None,
            )
            if decision is None:
                self._calm.begin(tracked)
            else:
                self._calm.end(tracked.row.row_no)
                moves.append(ctx.advance(tracked, decision))
        if moves:
            await asyncio.gather(*moves)


def resume_floor(rows: Iterable[Row]) -> int | None:
    """Return how far back the first look of a resumed run must read, or None.

    Args:
        rows: Those of which a job may be with Command.
    """
    fences = [row.fence.history_id for row in rows if row.fence is not None]
    return min(fences, default=None)


def _batches(items: list[str]) -> Iterable[list[str]]:
    return (items[at : at + MAX_JOB_IDS] for at in range(0, len(items), MAX_JOB_IDS))
