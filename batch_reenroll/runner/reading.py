"""What one look reads of Command's job lists, page by page.

How much is read is ``campaign/polling.py``'s to say; that all of it is read is ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobRecord, Page, ScheduledJob
from batch_reenroll.campaign.pace import backoff_s
from batch_reenroll.campaign.polling import Wants
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    Refused,
)
from batch_reenroll.runner.context import Context, Tracked, happens
from batch_reenroll.runner.ports import Sweep

T = TypeVar("T")

#: Rows of a page where nothing is known yet of how much there is to read. Keyfactor's
#: own scripts use 1,000 here (keyfactor-command.md 2.1); the server may give fewer.
PAGE_ROWS = 1000

#: Pages of one list after which a look is given up as endless.
_MAX_PAGES = 10_000

# Pages in a row with nothing new after which a server is known to ignore the page
# number: a list that grows pushes some old items into the next page, but not all.
_MAX_STALE_PAGES = 10

#: Tries of one page within a look.
_READ_TRIES = 4

RETRY_BASE_S = 1.0
RETRY_CAP_S = 60.0


async def sleep_until(ctx: Context, until_s: float) -> None:
    """Sleep until then, or until nothing is left to follow."""
    while True:
        change = ctx.change
        left_s = until_s - ctx.clock.monotonic()
        if left_s <= 0 or ctx.is_done:
            return
        await happens(change, left_s)


async def read_page(ctx: Context, fetch: Callable[[], Awaitable[T]]) -> T:
    """Read one page, with a few tries.

    One bad read must not throw a whole look over many pages away.

    Raises:
        CommandError: The last try's; at once where no further try would help.
    """
    for failures in range(1, _READ_TRIES):
        try:
            return await fetch()
        except (NotAuthorised, Refused, ContractViolation):
            raise
        except CommandError as exc:
            wait_s = exc.retry_after_s or backoff_s(
                failures, roll=ctx.roll(), base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S
            )
            await sleep_until(ctx, ctx.clock.monotonic() + wait_s)
    return await fetch()


async def scheduled_jobs(
    ctx: Context, agent_id: str | None, limit: int = PAGE_ROWS
) -> tuple[dict[str, ScheduledJob], int]:
    """Return the jobs that wait, by id, and of how many pages the list was.

    Of one page it was only where that page shows so itself: an empty second page may
    as well mean that the list has become shorter, and its last job moved up unseen.

    Args:
        ctx: The run.
        agent_id: Of one orchestrator only, or of all.
        limit: Rows of a page.

    Raises:
        CommandError: As the answers say.
    """
    jobs: dict[str, ScheduledJob] = {}
    stale = 0
    was_all = False
    for number in range(1, _MAX_PAGES):
        page = await read_page(
            ctx,
            partial(
                ctx.command.scheduled_jobs,
                page=number,
                limit=limit,
                agent_id=agent_id,
            ),
        )
        before = len(jobs)
        jobs.update((job.job_id, job) for job in page.items)
        stale = 0 if len(jobs) > before else stale + 1
        if page.items and stale >= _MAX_STALE_PAGES:
            message = "GET /OrchestratorJobs/ScheduledJobs gives the same page again"
            raise ContractViolation(message, code="paging_ignored")
        if number == 1:
            was_all = _is_all(ctx, page, len(jobs), limit)
        if not page.items or (page.total is not None and len(jobs) >= page.total):
            return jobs, 1 if was_all else max(2, number)
    return jobs, _MAX_PAGES


def _is_all(ctx: Context, page: Page[ScheduledJob], n_jobs: int, limit: int) -> bool:
    """Return whether a list's first page, of ``n_jobs`` different jobs, is all of it.

    Without a total it is, where the server could have given more rows: undocumented:
    a cap on ReturnLimit; it is taken to be one for both job lists.
    """
    n_rows = n_jobs + page.dropped
    if page.total is not None:
        return n_rows >= page.total
    ctx.longest_page = max(ctx.longest_page, n_rows)
    return n_rows < min(limit, ctx.longest_page)


async def see_all(ctx: Context, sweep: Sweep, began_s: float) -> list[JobRecord]:
    """Show the board all that a sweep reads, in a look begun at ``began_s``; return it.

    Raises:
        CommandError: As the answers say; the board has what was read before.
    """
    records: list[JobRecord] = []
    while (page := await read_page(ctx, sweep.read)) is not None:
        records += page.items
        ctx.longest_page = max(ctx.longest_page, len(page.items))
        ctx.board.see_history(
            page.items,
            began_s,
            page.server_time,
            read_s=ctx.clock.monotonic(),
        )
    return records


def wanted_of_scheduled(
    ctx: Context, restless: Iterable[Tracked], began_s: float
) -> Wants:
    """Return for what a look that begins at ``began_s`` needs ScheduledJobs.

    A row's job may end the row only once a complete look was begun a settle time after
    the answer; from then on nothing that this list shows concerns it.
    """
    urgent: set[str] = set()
    due: set[str] = set()
    young = False
    for tracked in restless:
        row = tracked.row
        if ctx.withdraw or row.state in (State.IN_DOUBT, State.WITHDRAWING):
            urgent.add(row.agent_id)
        elif began_s < tracked.rivals_until_s:
            young = True
        else:
            looks = ctx.board.looks_of(row.agent_id)
            if not looks.any_since(tracked.rivals_until_s):
                begun = row.job_id is not None and ctx.board.latest(row.job_id)
                (urgent if begun else due).add(row.agent_id)

    def last_s(agent_id: str) -> tuple[float, str]:
        last = ctx.board.looks_of(agent_id).last()
        return (last.began_s if last else 0.0), agent_id

    return Wants(
        feeding=young or _is_feeding(ctx),
        urgent=frozenset(urgent),
        due=tuple(sorted(due - urgent, key=last_s)),
    )


def _is_feeding(ctx: Context) -> bool:
    """Return whether a row may still be sent: what waits at its store must be known."""
    if ctx.is_stopping:
        return any(_is_unsent(tracked) for tracked in ctx.rows.values())
    return ctx.is_feeding or any(_is_unsent(tracked) for tracked in ctx.rows.values())


def _is_unsent(tracked: Tracked) -> bool:
    return tracked.row.state in (State.PENDING, State.SUBMITTING)
