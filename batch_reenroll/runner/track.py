"""The tracker: sweeps over Command's job lists that advance many rows at once.

One look reads ScheduledJobs, then JobHistory newest first down to a floor: what a look
begun a settle time ago had already seen. Jobs below the floor that have not ended are
asked for by id, in batches. So the cost of a look depends on what is new, not on how
many rows are in flight.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from batch_reenroll.campaign.correlate import Timing, decide
from batch_reenroll.campaign.ends import LONG_PAST_S, reaches_back
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobRecord, ScheduledJob
from batch_reenroll.campaign.pace import backoff_s
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.verdict import Stop, StopRequest
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    Refused,
)
from batch_reenroll.runner.context import Context, Tracked, happens
from batch_reenroll.runner.ports import MAX_JOB_IDS, Sweep

T = TypeVar("T")

#: Rows asked for in one page. Keyfactor's own scripts use 1,000 here
#: (keyfactor-command.md 2.1); the server may give fewer.
PAGE_ROWS = 1000

#: Pages of one list after which a look is given up as endless.
_MAX_PAGES = 10_000

# Pages in a row with nothing new after which a server is known to ignore the page
# number: a list that grows pushes some old items into the next page, but not all.
_MAX_STALE_PAGES = 10

#: Tries of one page within a look.
_READ_TRIES = 4

_FORBIDDEN = 403

_RETRY_BASE_S = 1.0
_RETRY_CAP_S = 60.0


@dataclass(slots=True)
class Tracker:
    """Looks at Command's job lists and moves rows accordingly."""

    ctx: Context
    floor_id: int | None = None
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

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
            if await self._try(self._look):
                await self._move_rows()
                until_s = began_s + ctx.settings.poll_interval_s
                await self._sleep_until(until_s)
            else:
                await self._rest()

    async def _heed_stop(self) -> None:
        wish = await self.ctx.ledger.stop_requested()
        if wish is not None:
            withdraw = wish is StopRequest.WITHDRAW
            message = "stopped by an operator"
            self.ctx.request_stop(Stop.OPERATOR, message, withdraw=withdraw)

    async def _sleep_until(self, until_s: float) -> None:
        """Sleep until then, or until nothing is left to follow."""
        ctx = self.ctx
        while True:
            change = ctx.change
            left_s = until_s - ctx.clock.monotonic()
            if left_s <= 0 or ctx.is_done:
                return
            await happens(change, left_s)

    async def _rest(self) -> None:
        ctx = self.ctx
        failures = max(1, ctx.health.failures)
        wait_s = backoff_s(
            failures, roll=ctx.roll(), base_s=_RETRY_BASE_S, cap_s=_RETRY_CAP_S
        )
        await self._sleep_until(ctx.clock.monotonic() + wait_s)

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
        began_s = ctx.clock.monotonic()
        certain = await self._look_at_scheduled(began_s)
        between_s = ctx.clock.monotonic()
        await self._look_at_history(began_s)
        await self._look_at_stragglers(began_s)
        if certain:
            ctx.board.finish_look(began_s, between_s)
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
        """Follow jobs on that the account may not take back, and stop."""
        ctx = self.ctx
        stay = Decision(
            target=State.QUEUED, reason=Reason.PERMISSION_DENIED, message=message
        )
        await asyncio.gather(*(ctx.advance(tracked, stay) for tracked in waiting))
        # Only now: a stop that is settled ends this loop.
        ctx.withdraw = False
        ctx.request_stop(Stop.NOT_AUTHORISED, message)

    async def _read(self, fetch: Callable[[], Awaitable[T]]) -> T:
        """Read one page, with a few tries.

        One bad read must not throw a whole look over many pages away.

        Raises:
            CommandError: The last try's; at once where no further try would help.
        """
        ctx = self.ctx
        for failures in range(1, _READ_TRIES):
            try:
                return await fetch()
            except (NotAuthorised, Refused, ContractViolation):
                raise
            except CommandError as exc:
                wait_s = exc.retry_after_s or backoff_s(
                    failures, roll=ctx.roll(), base_s=_RETRY_BASE_S, cap_s=_RETRY_CAP_S
                )
                await self._sleep_until(ctx.clock.monotonic() + wait_s)
        return await fetch()

    async def _look_at_scheduled(self, began_s: float) -> bool:
        """Read waiting jobs; return whether none can have been missed.

        A list that shrinks between two pages can hide a job that moved up from the
        second to the first. Then the orchestrators with rows in doubt are read again,
        each alone and in one page.
        """
        ctx = self.ctx
        jobs, pages = await self._scheduled(None)
        certain = pages == 1
        if not certain:
            certain = True
            for agent_id in sorted({t.row.agent_id for t in ctx.with_command()}):
                more, agent_pages = await self._scheduled(agent_id)
                jobs.update(more)
                certain = certain and agent_pages == 1
        ctx.board.see_scheduled(jobs.values(), began_s)
        return certain

    async def _scheduled(
        self, agent_id: str | None
    ) -> tuple[dict[str, ScheduledJob], int]:
        jobs: dict[str, ScheduledJob] = {}
        stale = 0
        for number in range(1, _MAX_PAGES):
            page = await self._read(
                partial(
                    self.ctx.command.scheduled_jobs,
                    page=number,
                    limit=PAGE_ROWS,
                    agent_id=agent_id,
                )
            )
            before = len(jobs)
            jobs.update((job.job_id, job) for job in page.items)
            stale = 0 if len(jobs) > before else stale + 1
            if page.items and stale >= _MAX_STALE_PAGES:
                message = (
                    "GET /OrchestratorJobs/ScheduledJobs gives the same page again"
                )
                raise ContractViolation(message, code="paging_ignored")
            if not page.items or (page.total is not None and len(jobs) >= page.total):
                # An empty page past the first only says that the first was all.
                return jobs, number if page.items else max(1, number - 1)
        return jobs, _MAX_PAGES

    async def _look_at_history(self, began_s: float) -> None:
        sweep = self.ctx.command.job_history(limit=PAGE_ROWS, above=self.floor_id)
        await self._see_all(sweep, began_s)

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
            records = await self._see_all(sweep, began_s)
            before = ctx.clock.now_utc() - timedelta(
                seconds=LONG_PAST_S + ctx.settings.job_timeout_s
            )
            if above == 0 or reaches_back(records, before):
                return
            span *= 4

    async def _see_all(self, sweep: Sweep, began_s: float) -> list[JobRecord]:
        records: list[JobRecord] = []
        while (page := await self._read(sweep.read)) is not None:
            records += page.items
            self.ctx.board.see_history(
                page.items,
                began_s,
                page.server_time,
                read_s=self.ctx.clock.monotonic(),
            )
        return records

    async def _look_at_stragglers(self, began_s: float) -> None:
        """Ask by id for jobs that a sweep down to the floor does not reach."""
        ctx = self.ctx
        board = ctx.board
        wanted = set(board.unfinished(self.floor_id or 0))
        for tracked in ctx.with_command():
            job_id = tracked.row.job_id
            if job_id and not board.is_waiting(job_id) and not board.latest(job_id):
                wanted.add(job_id)
        for group in _batches(sorted(wanted)):
            await self._see_all(
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
        for tracked in ctx.with_command():
            timing = Timing(
                now_s=now_s,
                answered_s=tracked.answered_s,
                rivals_until_s=tracked.rivals_until_s,
                running_s=tracked.running_s,
            )
            decision = decide(
                tracked.row, ctx.board, timing, ctx.settings, withdraw=ctx.withdraw
            )
            if decision is not None:
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
