"""The submit pool: from a row whose turn has come to an answer in the ledger.

The order of writes is the whole point: the intent is durable before the request may
leave, and the answer is durable before the row moves on. Whatever happens between the
two leaves the row ``submitting``, which the next process takes for in doubt.
"""

from __future__ import annotations

import asyncio
from typing import Any

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.pace import AHEAD_S
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    NotSent,
    OutcomeUnknown,
    StoreInFlight,
    Throttled,
)
from batch_reenroll.runner.context import Context, Tracked, happens
from batch_reenroll.runner.prepare import (
    away,
    give_back,
    inventory_may_lag,
    prepare,
    still_ready,
)

#: Refused POSTs without one success that end the run (design.md 5.1).
_FORBIDDEN_LIMIT = 5

_FORBIDDEN = 403
_TOO_MANY, _UNAVAILABLE = 429, 503


async def feed(ctx: Context, *, n_workers: int) -> None:
    """Start rows as their turn comes, at most ``n_workers`` at once, until the end.

    Returns when nothing waits and nothing is in flight, or when a stop was asked for
    and every started row has its answer.
    """
    free = asyncio.Semaphore(n_workers)
    async with asyncio.TaskGroup() as tasks:
        while (row_no := await _next_row(ctx, free)) is not None:
            row_nos = [row_no]
            while not free.locked() and (more := _another(ctx)) is not None:
                await free.acquire()
                row_nos.append(more)
            for row in await ctx.ledger.rows(row_nos):
                tasks.create_task(_one(ctx, row, free))


def _another(ctx: Context) -> int | None:
    """Return a row that may go at once, in the same moment as the one before."""
    if ctx.is_stopping or ctx.health.away_since_s is not None:
        return None
    return ctx.gates.take(ctx.clock.monotonic())


async def _next_row(ctx: Context, free: asyncio.Semaphore) -> int | None:
    """Wait for a worker and a row; None where no further row goes."""
    await free.acquire()
    while True:
        change = ctx.change
        if ctx.is_stopping or ctx.is_done:
            free.release()
            return None
        now_s = ctx.clock.monotonic()
        closed_s = _closed_s(ctx)
        wakes_s = [now_s + closed_s] if closed_s else _window_ends_s(ctx, now_s)
        # While Command is away only the tracker asks; its first good look is a change.
        if not closed_s and ctx.health.away_since_s is None:
            if (row_no := ctx.gates.take(now_s)) is not None:
                return row_no
            if (next_s := ctx.lanes.next_wake_s()) is not None:
                wakes_s.append(next_s)
        wake_s = min(wakes_s, default=None)
        await happens(change, None if wake_s is None else max(0.0, wake_s - now_s))


#: Longest sleep towards a window: the wall clock may be set meanwhile.
_WINDOW_NAP_S = 60.0


def _closed_s(ctx: Context) -> float:
    """Return how long to wait for a window; 0 while one is open.

    A stop is asked for where the run is not to wait, or where it would be for ever.
    """
    now = ctx.clock.now_utc()
    opens = ctx.calendar.opens_at(now)
    if opens == now:
        ctx.was_open, ctx.closed_until = True, None
        return 0.0
    # That Command turned all away before says nothing of the time since.
    ctx.throttled_since_s = None
    if opens is None:
        ctx.request_stop(Stop.WINDOW, "no further window opens within five years")
        return _WINDOW_NAP_S
    if ctx.settings.until_window_end and ctx.was_open and ctx.is_feeding:
        ctx.request_stop(Stop.WINDOW, "the window has ended")
    ctx.closed_until = opens
    return min(_WINDOW_NAP_S, (opens - now).total_seconds())


def _window_ends_s(ctx: Context, now_s: float) -> list[float]:
    """Return when the end of the window ends the run, if it does.

    Nothing else may happen until then, and by the next window it would have passed
    unnoticed.
    """
    if not ctx.settings.until_window_end:
        return []
    now = ctx.clock.now_utc()
    closes = ctx.calendar.closes_at(now)
    return [] if closes is None else [now_s + (closes - now).total_seconds()]


async def _one(ctx: Context, row: Row, free: asyncio.Semaphore) -> None:
    try:
        now_s = ctx.clock.monotonic()
        tracked = Tracked(row=row, answered_s=now_s, rivals_until_s=now_s)
        ctx.enter(tracked)
        if await prepare(ctx, tracked) and await _paced(ctx, tracked):
            await _submit(ctx, tracked)
    finally:
        free.release()
        ctx.notify()


async def _paced(ctx: Context, tracked: Tracked) -> bool:
    """Wait for the row's permit; return whether it may be sent now."""
    while not ctx.is_stopping:
        await _authority(ctx, tracked)
        async with ctx.turnstile:
            if _authority_wait_s(ctx, tracked) > _TICK_S:
                continue
            send_s = await _permit(ctx, tracked)
        if send_s is None:
            break
        wait_s = send_s - ctx.clock.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if _may_leave(ctx, tracked):
            return True
        now_s = ctx.clock.monotonic()
        ctx.gates.unused(tracked.row, send_s, now_s)
        if not ctx.pace.is_held(now_s):
            break
    if ctx.rows.get(tracked.row.row_no) is tracked:
        give_back(ctx, tracked, 0.0)
    return False


def _may_leave(ctx: Context, tracked: Tracked) -> bool:
    """Return whether a row whose permit has come may use it.

    The window may have ended while it waited, a stranger's job have shown up.
    """
    return not (
        ctx.is_stopping
        or ctx.pace.is_held(ctx.clock.monotonic())
        or not ctx.calendar.is_open(ctx.clock.now_utc())
        or ctx.board.pending_at(tracked.row)
        or inventory_may_lag(ctx, tracked.row)
    )


async def _authority(ctx: Context, tracked: Tracked) -> None:
    """Wait for the row's CA, out of the way of rows of others."""
    while not ctx.is_stopping:
        change = ctx.change
        wait_s = _authority_wait_s(ctx, tracked)
        if wait_s <= _TICK_S:
            return
        await happens(change, wait_s)


def _authority_wait_s(ctx: Context, tracked: Tracked) -> float:
    """Return how long the row's CA has it wait before it may ask for its permit.

    Up to the very moment: a permit taken for a later one holds up all other rows.
    """
    now_s = ctx.clock.monotonic()
    return ctx.gates.ready_s(tracked.row, now_s) - now_s


#: Shorter waits are over: clocks have no finer steps that count.
_TICK_S = 0.001


async def _permit(ctx: Context, tracked: Tracked) -> float | None:
    """Return when the request may leave; None where it may not, or will not.

    Soon, so that a new rate is soon in force.
    """
    while not ctx.is_stopping:
        now_s = ctx.clock.monotonic()
        wait_s = ctx.pace.ready_s(now_s) - AHEAD_S - now_s
        if wait_s > 0:
            await happens(ctx.change, wait_s)
        elif await still_ready(ctx, tracked):
            return ctx.gates.reserve(tracked.row, ctx.clock.monotonic())
        else:
            return None
    return None


async def _submit(ctx: Context, tracked: Tracked) -> None:
    if not await _intend(ctx, tracked):
        return
    if not ctx.calendar.is_open(ctx.clock.now_utc()):
        # A commit may take its time.
        await ctx.advance(tracked, _CAME_LATE)
        return
    sent_s = ctx.clock.monotonic()
    try:
        status = await ctx.command.submit(tracked.row.request)
    except CommandError as exc:
        _answered(ctx, tracked)
        await _not_accepted(ctx, tracked, exc, sent_s)
        return
    _answered(ctx, tracked)
    ctx.pace.answered(tracked.answered_s, tracked.answered_s - sent_s)
    ctx.posts_accepted += 1
    ctx.throttled_since_s = None
    accepted = Decision(
        target=State.SUBMITTED,
        changes={"http_status": status, "submitted_at": ctx.clock.now_utc()},
    )
    await ctx.advance(tracked, accepted)


def _answered(ctx: Context, tracked: Tracked) -> None:
    tracked.answered_s = ctx.clock.monotonic()
    tracked.rivals_until_s = tracked.answered_s + ctx.settings.settle_s


_CAME_LATE = Decision(
    target=State.PENDING,
    reason=Reason.NOT_CARRIED_OUT,
    message="the window ended before the request could leave",
    changes={"fence": None},
)


async def _intend(ctx: Context, tracked: Tracked) -> bool:
    """Write the intent; return whether the request may leave."""
    row = tracked.row
    changes: dict[str, Any] = {
        "attempts": row.attempts + 1,
        "fence": ctx.board.fence_for(row),
        "before": row.before,
        "thumbprint_before": row.thumbprint_before,
        "not_before_before": row.not_before_before,
        "not_after_before": row.not_after_before,
    }
    try:
        await ctx.advance(tracked, Decision(target=State.SUBMITTING, changes=changes))
    except StoreInFlight as exc:
        held = Decision(
            target=State.NOT_ATTEMPTED,
            reason=Reason.STORE_IN_FLIGHT,
            message=exc.message,
        )
        await ctx.advance(tracked, held)
        return False
    return True


async def _not_accepted(
    ctx: Context, tracked: Tracked, exc: CommandError, sent_s: float
) -> None:
    now_s = tracked.answered_s
    if isinstance(exc, Throttled):
        _throttled(ctx, exc)
    else:
        # Command did something else than turn us away: it is not all it does.
        ctx.throttled_since_s = None
    if isinstance(exc, Throttled | OutcomeUnknown):
        _pushed_back(ctx, exc, now_s=now_s, sent_s=sent_s)
    elif isinstance(exc, NotSent):
        away(ctx, exc)
    elif isinstance(exc, NotAuthorised):
        _forbidden(ctx, exc)
    await ctx.advance(tracked, _after(ctx, exc))


def _pushed_back(
    ctx: Context, exc: CommandError, *, now_s: float, sent_s: float
) -> None:
    """Tell the pace: 429 and 503 ask for less, other lost answers may be bad luck."""
    if exc.status in (_TOO_MANY, _UNAVAILABLE) or exc.retry_after_s is not None:
        ctx.pace.throttled(now_s, sent_s=sent_s, retry_after_s=exc.retry_after_s)
    else:
        ctx.pace.lost(now_s, sent_s=sent_s)


def _after(ctx: Context, exc: CommandError) -> Decision:
    """Return what a POST that was not accepted makes of its row."""
    status = {"http_status": exc.status}
    if isinstance(exc, OutcomeUnknown | ContractViolation):
        return Decision(
            target=State.IN_DOUBT,
            reason=Reason.ANSWER_LOST,
            message=exc.message,
            changes={**status, "submitted_at": ctx.clock.now_utc()},
        )
    if isinstance(exc, Throttled | NotSent) or exc.status == _UNAUTHENTICATED:
        # Nothing was carried out: the row waits for another turn.
        return Decision(
            target=State.PENDING,
            reason=Reason.NOT_CARRIED_OUT,
            message=exc.message,
            changes={**status, "fence": None},
        )
    forbidden = isinstance(exc, NotAuthorised)
    return Decision(
        target=State.REJECTED,
        reason=Reason.PERMISSION_DENIED if forbidden else Reason.REFUSED,
        message=exc.message,
        changes={**status, "finished_at": ctx.clock.now_utc()},
    )


_UNAUTHENTICATED = 401


def _throttled(ctx: Context, exc: CommandError) -> None:
    """Give up once Command has accepted nothing for as long as it may be away."""
    now_s = ctx.clock.monotonic()
    if ctx.throttled_since_s is None:
        ctx.throttled_since_s = now_s
    elif now_s - ctx.throttled_since_s > ctx.settings.unreachable_timeout_s:
        ctx.request_stop(Stop.UNREACHABLE, exc.message)


def _forbidden(ctx: Context, exc: NotAuthorised) -> None:
    if exc.status != _FORBIDDEN:
        ctx.request_stop(Stop.NOT_AUTHORISED, exc.message)
        return
    ctx.posts_forbidden += 1
    nothing_left = not ctx.waiting and len(ctx.rows) <= 1
    if ctx.posts_accepted == 0 and (
        ctx.posts_forbidden >= _FORBIDDEN_LIMIT or nothing_left
    ):
        ctx.request_stop(Stop.NOT_AUTHORISED, exc.message)
