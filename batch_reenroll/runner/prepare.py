"""Before a row is sent: what its store holds, and whose jobs are at work on it.

What is read here is what the proof of success will be measured against, so it must be
of a moment at which nobody else's certificate is still on its way into the inventory.
"""

from __future__ import annotations

from collections.abc import Sequence

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import InventoryCertificate
from batch_reenroll.campaign.pace import backoff_s
from batch_reenroll.campaign.proof import already_rotated, before
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    Refused,
    Throttled,
)
from batch_reenroll.runner.context import Context, Stranger, Tracked
from batch_reenroll.text import visible

#: Longest wait after reads that fail in a row.
_REST_CAP_S = 30.0


def give_back(ctx: Context, tracked: Tracked, rest_s: float) -> None:
    """Return a row that has not been sent to its lane."""
    ctx.give_back(tracked, not_before_s=ctx.clock.monotonic() + rest_s)


async def prepare(ctx: Context, tracked: Tracked) -> bool:
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
    if stranger or inventory_may_lag(ctx, row):
        give_back(ctx, tracked, ctx.settings.poll_interval_s)
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


def inventory_may_lag(ctx: Context, row: Row) -> bool:
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
        give_back(ctx, tracked, 0.0)
    except Throttled as exc:
        now_s = ctx.clock.monotonic()
        ctx.pace.throttled(now_s, sent_s=now_s, retry_after_s=exc.retry_after_s)
        give_back(ctx, tracked, exc.retry_after_s or ctx.settings.poll_interval_s)
    except (Refused, ContractViolation) as exc:
        decision = Decision(
            target=State.FAILED,
            reason=Reason.INVENTORY_UNREADABLE,
            message=f"nothing was sent: {exc.message}",
            changes={"http_status": exc.status, "finished_at": ctx.clock.now_utc()},
        )
        await ctx.advance(tracked, decision)
    except CommandError as exc:
        away(ctx, exc)
        give_back(ctx, tracked, _rest_s(ctx))
    return None


def away(ctx: Context, exc: CommandError) -> None:
    """Note that a request found no Command to carry it out."""
    ctx.health.failed(ctx.clock.monotonic(), exc.message)
    ctx.notify()


def _rest_s(ctx: Context) -> float:
    failures = max(1, ctx.health.failures)
    return backoff_s(failures, roll=ctx.roll(), base_s=1.0, cap_s=_REST_CAP_S)


async def still_ready(ctx: Context, tracked: Tracked) -> bool:
    """Return whether a row whose permit is due may go; look again where it waited long.

    Whatever takes time is done before the permit is taken: requests that wait with a
    permit in their hands leave together, faster than any pace.
    """
    if _is_stale(ctx, tracked) and not await prepare(ctx, tracked):
        return False
    try:
        await ctx.command.ready()
    except NotAuthorised as exc:
        ctx.request_stop(Stop.NOT_AUTHORISED, exc.message)
        give_back(ctx, tracked, 0.0)
        return False
    except CommandError as exc:
        away(ctx, exc)
        give_back(ctx, tracked, _rest_s(ctx))
        return False
    return True


def _is_stale(ctx: Context, tracked: Tracked) -> bool:
    """Return whether the row waited so long that its store must be looked at again.

    A stranger's job that has ended since is remembered for the verify timeout; an
    inventory read before that would let its certificate pass for the proof of ours.
    """
    if tracked.looked_s is None:
        return False
    age_s = ctx.clock.monotonic() - tracked.looked_s
    return age_s > ctx.settings.verify_timeout_s
