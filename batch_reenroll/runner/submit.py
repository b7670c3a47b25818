"""The submit pool: from a row whose turn has come to an answer in the ledger.

The order of writes is the whole point: the intent is durable before the request may
leave, and the answer is durable before the row moves on. Whatever happens between the
two leaves the row ``submitting``, which the next process takes for in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import InventoryCertificate
from batch_reenroll.campaign.pace import AHEAD_S, backoff_s
from batch_reenroll.campaign.proof import already_rotated, before
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    NotSent,
    OutcomeUnknown,
    Refused,
    StoreInFlight,
    Throttled,
)
from batch_reenroll.runner.context import Context, Stranger, Tracked, happens
from batch_reenroll.text import visible

#: Refused POSTs without one success that end the run (design.md 5.1).
_FORBIDDEN_LIMIT = 5

_FORBIDDEN = 403
_TOO_MANY, _UNAVAILABLE = 429, 503

#: Longest wait after reads that fail in a row.
_REST_CAP_S = 30.0


async def feed(ctx: Context, *, n_workers: int) -> None:
    """Start rows as their turn comes, at most ``n_workers`` at once, until the end.

    Returns when nothing waits and nothing is in flight, or when a stop was asked for
    and every started row has its answer.
    """
    free = asyncio.Semaphore(n_workers)
    async with asyncio.TaskGroup() as tasks:
        while (row_no := await _next_row(ctx, free)) is not None:
            tasks.create_task(_one(ctx, row_no, free), name=f"submit row {row_no}")


async def _next_row(ctx: Context, free: asyncio.Semaphore) -> int | None:
    await free.acquire()
    while True:
        change = ctx.change
        if ctx.is_stopping or ctx.is_done:
            free.release()
            return None
        now_s = ctx.clock.monotonic()
        wake_s: float | None = None
        # While Command is away only the tracker asks; its first good look is a change.
        if ctx.health.away_since_s is None:
            closed_s = _closed_s(ctx)
            row_no = None if closed_s else ctx.lanes.take(now_s)
            if row_no is not None:
                return row_no
            wake_s = now_s + closed_s if closed_s else ctx.lanes.next_wake_s()
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
    if opens is None:
        ctx.request_stop(Stop.WINDOW, "no further window opens within five years")
        return _WINDOW_NAP_S
    if ctx.settings.until_window_end and ctx.was_open and ctx.is_feeding:
        ctx.request_stop(Stop.WINDOW, "the window has ended")
    ctx.closed_until = opens
    return min(_WINDOW_NAP_S, (opens - now).total_seconds())


async def _one(ctx: Context, row_no: int, free: asyncio.Semaphore) -> None:
    try:
        row = await ctx.ledger.row(row_no)
        now_s = ctx.clock.monotonic()
        tracked = Tracked(row=row, answered_s=now_s, rivals_until_s=now_s)
        ctx.enter(tracked)
        if await _prepare(ctx, tracked) and await _paced(ctx, tracked):
            await _submit(ctx, tracked)
    finally:
        free.release()
        ctx.notify()


def _give_back(ctx: Context, tracked: Tracked, rest_s: float) -> None:
    """Return a row that has not been sent to its lane."""
    ctx.leave(tracked)
    until_s = ctx.clock.monotonic() + rest_s
    ctx.lanes.give_back(tracked.row.row_no, not_before_s=until_s)


async def _prepare(ctx: Context, tracked: Tracked) -> bool:
    """Look at the store; return whether the row may go on to be sent."""
    stranger = ctx.board.pending_at(tracked.row)
    if stranger and await _given_up(ctx, tracked, stranger):
        return False
    row = tracked.row
    known = ctx.strangers.get(row.row_no)
    if not (ctx.settings.verify or row.current_thumbprint or row.attempts or known):
        return True
    inventory = await _inventory(ctx, tracked)
    if inventory is None:
        return False
    rotated = already_rotated(known.row if known and known.row else row, inventory)
    if rotated is not None:
        await ctx.advance(tracked, _skip(tracked, rotated))
        return False
    tracked.row = _with_inventory(ctx, row, inventory)
    tracked.looked_s = ctx.clock.monotonic()
    if known is not None and known.row is None:
        known.row = tracked.row
    if stranger or _inventory_may_lag(ctx, row):
        _give_back(ctx, tracked, ctx.settings.poll_interval_s)
        return False
    return True


def _with_inventory(
    ctx: Context, row: Row, inventory: Sequence[InventoryCertificate]
) -> Row:
    """Return the row with what its store holds now."""
    seen = before(row, inventory)
    under = seen.under_alias
    now = Decision(
        target=row.state,
        changes={
            "before": seen.certificates,
            "thumbprint_before": under.thumbprint if under else None,
            "not_before_before": under.not_before if under else None,
            "not_after_before": under.not_after if under else None,
        },
    )
    return row.moved(now.move(row, ctx.clock.now_utc()))


def _inventory_may_lag(ctx: Context, row: Row) -> bool:
    """Return whether a stranger's job may still come to show in the inventory.

    Until it does, what the inventory holds is not what our job will replace, and the
    stranger's certificate would pass for the proof of ours.
    """
    ended_s = ctx.board.stranger_ended_s(row)
    if ended_s is None or not ctx.settings.verify:
        return False
    return ctx.clock.monotonic() - ended_s <= ctx.settings.verify_timeout_s


def _skip(tracked: Tracked, found: InventoryCertificate) -> Decision:
    row = tracked.row
    return Decision(
        target=State.SKIPPED_ALREADY_ROTATED,
        reason=Reason.ALREADY_ROTATED,
        message="the store holds another certificate already",
        changes={
            "thumbprint_before": row.thumbprint_before or row.current_thumbprint,
            "alias_after": visible(found.alias, 512),
            "thumbprint_after": found.thumbprint,
            "not_after_after": found.not_after,
        },
    )


async def _given_up(ctx: Context, tracked: Tracked, jobs: frozenset[str]) -> bool:
    """Wait for somebody else's job of the store; return whether the row was given up.

    The job is never adopted. After the pick-up timeout the row ends, unsent.
    """
    row_no, now_s = tracked.row.row_no, ctx.clock.monotonic()
    known = ctx.strangers.setdefault(row_no, Stranger(since_s=now_s))
    if now_s - known.since_s <= ctx.settings.pickup_timeout_s:
        return False
    named = sorted(jobs)
    decision = Decision(
        target=State.NOT_ATTEMPTED,
        reason=Reason.JOB_PENDING,
        message="another reenrollment of the store has not ended: " + ", ".join(named),
        note={"job_ids": named},
    )
    await ctx.advance(tracked, decision)
    return True


async def _inventory(
    ctx: Context, tracked: Tracked
) -> Sequence[InventoryCertificate] | None:
    """Return the store's inventory; None where the row has been dealt with instead."""
    row = tracked.row
    try:
        return await ctx.command.inventory(row.store_id)
    except NotAuthorised as exc:
        ctx.request_stop(Stop.NOT_AUTHORISED, exc.message)
        _give_back(ctx, tracked, 0.0)
    except Throttled as exc:
        now_s = ctx.clock.monotonic()
        ctx.pace.throttled(now_s, sent_s=now_s, retry_after_s=exc.retry_after_s)
        _give_back(ctx, tracked, exc.retry_after_s or ctx.settings.poll_interval_s)
    except (Refused, ContractViolation) as exc:
        decision = Decision(
            target=State.FAILED,
            reason=Reason.INVENTORY_UNREADABLE,
            message=f"nothing was sent: {exc.message}",
            changes={"http_status": exc.status, "finished_at": ctx.clock.now_utc()},
        )
        await ctx.advance(tracked, decision)
    except CommandError as exc:
        _away(ctx, exc)
        _give_back(ctx, tracked, _rest_s(ctx))
    return None


def _away(ctx: Context, exc: CommandError) -> None:
    ctx.health.failed(ctx.clock.monotonic(), exc.message)
    ctx.notify()


def _rest_s(ctx: Context) -> float:
    failures = max(1, ctx.health.failures)
    return backoff_s(failures, roll=ctx.roll(), base_s=1.0, cap_s=_REST_CAP_S)


async def _paced(ctx: Context, tracked: Tracked) -> bool:
    """Wait for the row's permit; return whether it may be sent now."""
    held = True
    while held and not ctx.is_stopping:
        async with ctx.turnstile:
            send_s = await _permit(ctx, tracked)
        if send_s is None:
            return False
        wait_s = send_s - ctx.clock.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        held = ctx.pace.is_held(ctx.clock.monotonic())
    if ctx.is_stopping:
        _give_back(ctx, tracked, 0.0)
        return False
    # The window may have ended while the row waited, a stranger's job have shown up.
    if not ctx.calendar.is_open(ctx.clock.now_utc()):
        _give_back(ctx, tracked, 0.0)
        return False
    if ctx.board.pending_at(tracked.row) or _inventory_may_lag(ctx, tracked.row):
        _give_back(ctx, tracked, 0.0)
        return False
    return True


async def _permit(ctx: Context, tracked: Tracked) -> float | None:
    """Return when the request may leave; None where the row was dealt with instead.

    Soon, so that a new rate is soon in force.
    """
    while not ctx.is_stopping:
        now_s = ctx.clock.monotonic()
        wait_s = ctx.pace.ready_s(now_s) - AHEAD_S - now_s
        if wait_s > 0:
            await happens(ctx.change, wait_s)
        elif not _is_stale(ctx, tracked, now_s):
            return ctx.pace.reserve(now_s)
        elif not await _prepare(ctx, tracked):
            return None
    return ctx.clock.monotonic()


def _is_stale(ctx: Context, tracked: Tracked, now_s: float) -> bool:
    """Return whether the row waited so long that its store must be looked at again.

    A stranger's job that has ended since is remembered for the verify timeout; an
    inventory read before that would let its certificate pass for the proof of ours.
    """
    looked_s = tracked.looked_s
    return looked_s is not None and now_s - looked_s > ctx.settings.verify_timeout_s


async def _submit(ctx: Context, tracked: Tracked) -> None:
    if not await _intend(ctx, tracked):
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
    if isinstance(exc, Throttled | OutcomeUnknown):
        _pushed_back(ctx, exc, now_s=now_s, sent_s=sent_s)
    elif isinstance(exc, NotSent):
        _away(ctx, exc)
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
    nothing_left = not ctx.lanes.waiting and len(ctx.rows) <= 1
    if ctx.posts_accepted == 0 and (
        ctx.posts_forbidden >= _FORBIDDEN_LIMIT or nothing_left
    ):
        ctx.request_stop(Stop.NOT_AUTHORISED, exc.message)
