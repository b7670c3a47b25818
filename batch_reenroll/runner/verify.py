"""The verifier: rows whose job has ended, until the inventory shows the proof."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field

from batch_reenroll.campaign.levels import Level, Standing, Why, record
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobResult
from batch_reenroll.campaign.proof import proven
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.errors import CommandError, NotAuthorised
from batch_reenroll.runner.context import Context, Tracked, happens
from batch_reenroll.runner.examine import Examiner

#: Inventory reads at one time: they are the cheapest of reads, but one a row.
_READS = 16

#: Each look at a store that does not show the proof waits so much longer than the one
#: before, up to this many poll intervals: an inventory comes with its schedule or with
#: the next free moment of its orchestrator, not with our asking.
_LONGER, _LONGEST = 1.5, 6.0


@dataclass(slots=True)
class Verifier:
    """Rows that wait for their proof, soonest look first."""

    ctx: Context
    examiner: Examiner
    _due: list[tuple[float, int]] = field(default_factory=list)
    _waits: dict[int, _Wait] = field(default_factory=dict)

    def start(self, tracked: Tracked) -> None:
        """Take over a row that has just moved to ``verifying``."""
        row_no, now_s = tracked.row.row_no, self.ctx.clock.monotonic()
        self._waits[row_no] = _Wait(since_s=now_s, quiet_since_s=now_s)
        heapq.heappush(self._due, (now_s, row_no))

    async def run(self) -> None:
        """Look at stores as they fall due; never returns, ends by cancellation."""
        reads = asyncio.Semaphore(_READS)
        async with asyncio.TaskGroup() as tasks:
            while True:
                change = self.ctx.change
                now_s = self.ctx.clock.monotonic()
                while self._due and self._due[0][0] <= now_s:
                    _, row_no = heapq.heappop(self._due)
                    tasks.create_task(self._one(row_no, reads), name=f"verify {row_no}")
                wait_s = self._due[0][0] - now_s if self._due else None
                await happens(change, wait_s)

    async def _one(self, row_no: int, reads: asyncio.Semaphore) -> None:
        tracked = self.ctx.rows[row_no]
        try:
            async with reads:
                inventory = await self.ctx.command.inventory(tracked.row.store_id)
        except NotAuthorised as exc:
            self.ctx.request_stop(Stop.NOT_AUTHORISED, exc.message)
            return
        except CommandError as exc:
            await self._not_yet(tracked, Reason.INVENTORY_UNREADABLE, exc.message)
            return
        found = proven(tracked.row, inventory)
        if found is None:
            await self._not_yet(
                tracked,
                Reason.INVENTORY_UNCHANGED,
                "the inventory does not show a new certificate",
            )
            return
        del self._waits[row_no]
        self.examiner.add(tracked, found)

    async def _not_yet(self, tracked: Tracked, reason: Reason, message: str) -> None:
        """Look again later, or end the row unproven at its deadline."""
        row_no, now_s = tracked.row.row_no, self.ctx.clock.monotonic()
        wait, settings = self._waits[row_no], self.ctx.settings
        if self.ctx.at_work[tracked.row.agent_id]:
            wait.quiet_since_s = now_s
        deadline_s = wait.deadline_s(settings)
        if now_s < deadline_s:
            again_s = now_s + settings.poll_interval_s * wait.factor
            wait.factor = min(_LONGEST, wait.factor * _LONGER)
            heapq.heappush(self._due, (min(deadline_s, again_s), row_no))
            self.ctx.notify()
            return
        del self._waits[row_no]
        waited = f"{message} after {now_s - wait.since_s:.0f} s"
        if tracked.row.job_result == JobResult.SUCCESS:
            if reason is Reason.INVENTORY_UNCHANGED:
                reason = _unchanged(tracked.row)
            standing = Standing(level=Level.JOB, why=Why(reason))
            decision = Decision(
                target=State.SUCCEEDED,
                reason=reason,
                message=waited,
                changes={"verification": record(None, standing)},
                note={"level": int(standing.level)},
            )
        else:
            decision = Decision(
                target=State.UNKNOWN, reason=Reason.JOB_RESULT_UNKNOWN, message=waited
            )
        await self.ctx.advance(tracked, decision)


def _unchanged(row: Row) -> Reason:
    """Return why no inventory showed the new certificate."""
    if row.inventory_scheduled is False:
        return Reason.NO_INVENTORY_SCHEDULE
    return Reason.INVENTORY_UNCHANGED


@dataclass(slots=True)
class _Wait:
    """How long a row has waited for its proof, in monotonic seconds.

    Attributes:
        since_s: Since when.
        quiet_since_s: Since when its orchestrator has had no other job of ours: it
            runs jobs one after another, and inventories after reenrollments
            (keyfactor-command.md 10), so until then none can be expected.
        factor: Poll intervals until the next look.
    """

    since_s: float
    quiet_since_s: float
    factor: float = 1.0

    def deadline_s(self, settings: RunSettings) -> float:
        """Return when the wait ends: at the latest a job timeout later than asked."""
        latest_s = self.since_s + settings.job_timeout_s
        return min(self.quiet_since_s, latest_s) + settings.verify_timeout_s
