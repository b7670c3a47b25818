"""One run of one campaign: what starts when, and how it ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.breakers import (
    Breakers,
    Kind,
    Opened,
)
from batch_reenroll.campaign.causes import AUTHORITY, BreakerRules
from batch_reenroll.campaign.durations import durations_by_orchestrator, samples_of
from batch_reenroll.campaign.lanes import Lanes
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.looks import lag_s
from batch_reenroll.campaign.pace import Pace
from batch_reenroll.campaign.quota import DAY_S, authority_key
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.errors import LedgerError
from batch_reenroll.runner.context import Context, Tracked, happens, place_number
from batch_reenroll.runner.examine import Examiner
from batch_reenroll.runner.gates import Gates, way_of
from batch_reenroll.runner.listen import Listener
from batch_reenroll.runner.ports import (
    Clock,
    Command,
    Handshakes,
    Ledger,
    Observer,
    Unobserved,
)
from batch_reenroll.runner.submit import feed
from batch_reenroll.runner.track import Tracker, resume_floor
from batch_reenroll.runner.verify import Verifier
from batch_reenroll.runner.waves import Waves

#: Bounds of the submit pool. A POST takes 0.2-0.3 s on a real Command
#: (keyfactor-command.md 7), an inventory read the same: about one worker for each
#: submission per second keeps the pace, and more than this costs CPU (DESIGN.md).
_WORKERS_MIN, _WORKERS_MAX = 8, 128

#: Where rows stand of which no process has sent anything, if all do.
_UNTOUCHED = frozenset({State.PENDING, State.SKIPPED_PREFLIGHT, State.SKIPPED_EXCLUDED})

#: Stops after which Command cannot be asked any more: nothing is left to settle.
_AT_ONCE = frozenset({Stop.LEDGER, Stop.NOT_AUTHORISED, Stop.UNREACHABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended. ``stop`` is None when every row had its turn."""

    stop: Stop | None
    message: str


class Run:
    """Carries a campaign on from where its ledger says it stands.

    Args:
        settings: Limits and times.
        command, ledger, clock: The ports.
        roll: Returns a uniform sample in [0, 1).
        standing: Rows by state as the ledger has them.
        drain: A stop asked for by a person follows rows in flight to their end,
            within the grace time, and not only lost answers.
        withdraw: Send nothing: only take back the jobs that no orchestrator has begun.
        handshakes: Reaches the endpoints that rows name; None = they are not looked at.
        observer: Told what happens, or None.
    """

    def __init__(
        self,
        *,
        settings: RunSettings,
        command: Command,
        ledger: Ledger,
        clock: Clock,
        roll: Callable[[], float],
        standing: Mapping[State, int],
        drain: bool = False,
        withdraw: bool = False,
        handshakes: Handshakes | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._drain = drain
        self._withdraw = withdraw
        lanes = Lanes(
            max_in_flight=settings.max_in_flight,
            per_orchestrator=settings.per_orchestrator,
        )
        pace = Pace(
            ceiling_per_s=settings.rate_per_s,
            burst=settings.burst,
            now_s=clock.monotonic(),
            authorities={
                authority_key(name): limit
                for name, limit in settings.authorities.items()
            },
        )
        self._ctx = Context(
            settings=settings,
            command=command,
            ledger=ledger,
            clock=clock,
            roll=roll,
            lanes=lanes,
            pace=pace,
            gates=Gates(lanes, pace, _breakers(settings)),
            board=JobBoard(lag_s=lag_s(settings.settle_s)),
            standing=dict(standing),
            reclaims=settings.unschedule_stalled,
            observer=observer or Unobserved(),
        )
        for name in settings.authorities:
            self._ctx.gates.call(Kind.AUTHORITY, authority_key(name), name)
        if not _UNTOUCHED.issuperset(state for state, n in standing.items() if n):
            self._ctx.pace.after_another(clock.monotonic())
        for state in OUTCOMES:
            self._ctx.tally.add(state, standing.get(state, 0))
        self._tracker = Tracker(self._ctx)
        self._listener = Listener(self._ctx)
        self._examiner = Examiner(self._ctx, handshakes)
        self._verifier = Verifier(self._ctx, self._examiner)
        self._waves = Waves(self._ctx)
        self._ctx.on_verify(self._verifier.start)

    def stop(self, stop: Stop, message: str = "") -> None:
        """Ask for an orderly stop. May be called from a signal handler of the loop."""
        self._ctx.request_stop(stop, message)

    def snapshot(self) -> Mapping[str, Any]:
        """Return what a progress display shows."""
        return self._ctx.snapshot()

    async def run(self) -> RunEnd:
        """Go on until every row has ended or a stop is settled.

        Raises:
            LedgerError: The ledger refused a write; in-flight rows stay as written.
        """
        ctx = self._ctx
        try:
            await self._take_up()
            if await self._tracker.first_look():
                await self._get_ready()
                if self._withdraw:
                    message = "stopped to take its waiting jobs back"
                    ctx.request_stop(Stop.OPERATOR, message, withdraw=True)
                await self._work()
        except BaseExceptionGroup as group:
            refused = group.subgroup(LedgerError)
            if refused is None:
                raise
            raise _first(refused) from group
        if ctx.stop is None:
            await self._close_lanes()
        return RunEnd(stop=ctx.stop, message=self._stop_message())

    async def _get_ready(self) -> None:
        """Ask who is there, and tell the lanes how long each one's jobs take."""
        if self._withdraw:
            return
        names = await self._listener.listen()
        expected = durations_by_orchestrator(samples_of(self._tracker.past))
        self._tracker.past.clear()
        for agent_id, machine in names.items():
            self._ctx.lanes.expect(agent_id, expected(machine))

    def _stop_message(self) -> str:
        """Return why the run stopped, with what a budget's stop came too late for."""
        ctx = self._ctx
        more = ctx.tally.failures - ctx.failures_at_stop
        if ctx.stop is not Stop.BUDGET or not more:
            return ctx.stop_message
        rows = "1 more row" if more == 1 else f"{more} more rows"
        return f"{ctx.stop_message}; {rows} that were in flight then failed as well"

    async def _take_up(self) -> None:
        """Load what waits, and what was in flight when the last process ended."""
        ctx = self._ctx
        unresolved = await ctx.ledger.unresolved()
        # A job of a row that was given up must be seen before the store's next row
        # goes: nothing would tell the two jobs apart.
        adrift = await ctx.ledger.adrift()
        self._tracker.floor_id = resume_floor([*unresolved, *adrift])
        for row in unresolved:
            await self._take_up_row(row)
        if any(limit.per_day for limit in ctx.settings.authorities.values()):
            await self._recall_sent()
        await self._waves.take_up()

    async def _recall_sent(self) -> None:
        """Count what was sent to each CA in the last day, for its quota."""
        ctx = self._ctx
        now, now_s = ctx.clock.now_utc(), ctx.clock.monotonic()
        day = timedelta(seconds=DAY_S)
        sent: dict[str, list[float]] = {}
        for authority, at in await ctx.ledger.sent_since(now - day):
            age_s = (now - at).total_seconds()
            sent.setdefault(authority_key(authority), []).append(now_s - age_s)
        for key, sent_s in sent.items():
            ctx.pace.recall(key, sent_s)

    async def _take_up_row(self, row: Row) -> None:
        ctx = self._ctx
        now_s = ctx.clock.monotonic()
        tracked = Tracked(
            row=row,
            answered_s=now_s - self._age_s(row),
            # What came while nobody looked may have come at any time.
            rivals_until_s=now_s + ctx.settings.settle_s,
            running_s=now_s if row.state is State.RUNNING else None,
        )
        place = place_number(row.agent_id, row.client_machine, row.store_path)
        verifying = row.state is State.VERIFYING
        ctx.lanes.resume(row.row_no, way_of(row), place, slot=not verifying)
        ctx.enter(tracked)
        if verifying:
            self._verifier.start(tracked)
        elif row.state is State.SUBMITTING:
            doubt = Decision(
                target=State.IN_DOUBT,
                reason=Reason.ANSWER_LOST,
                message="the program ended between intent and answer",
            )
            await ctx.advance(tracked, doubt)

    def _age_s(self, row: Row) -> float:
        """Return how long ago the row was answered; 0 where only a doubt began."""
        if row.submitted_at is None or row.state in (State.SUBMITTING, State.IN_DOUBT):
            return 0.0
        age = self._ctx.clock.now_utc() - row.submitted_at
        return max(0.0, age.total_seconds())

    async def _work(self) -> None:
        ctx = self._ctx
        rate = ctx.settings.rate_per_s
        wanted = math.ceil(rate) + _WORKERS_MIN
        n_workers = min(ctx.settings.max_in_flight, _WORKERS_MAX, wanted)
        async with asyncio.TaskGroup() as tasks:
            loops = [
                tasks.create_task(feed(ctx, n_workers=n_workers), name="feed"),
                tasks.create_task(self._tracker.run(), name="track"),
                tasks.create_task(self._verifier.run(), name="verify"),
                tasks.create_task(self._examiner.run(), name="examine"),
                tasks.create_task(self._waves.run(), name="waves"),
                tasks.create_task(self._listener.run(), name="listen"),
            ]
            await self._until_over()
            for loop in loops:
                loop.cancel()

    async def _until_over(self) -> None:
        """Return when every row has ended, or when a stop is settled or out of time."""
        ctx = self._ctx
        while not ctx.is_done:
            change = ctx.change
            timeout_s = None
            if ctx.stop is not None and ctx.stop is not Stop.BUDGET:
                left_s = ctx.stopped_s + self._grace_s() - ctx.clock.monotonic()
                if left_s <= 0 or self._is_settled(ctx.stop):
                    return
                timeout_s = left_s
            await happens(change, timeout_s)

    def _grace_s(self) -> float:
        """Return how long a stop may take.

        A job is only taken back, and only seen to be gone, in a look begun a settle
        time after what came before; each may have to wait for the next look.
        """
        settings = self._ctx.settings
        if not self._ctx.withdraw:
            return settings.grace_s
        looks_s = 2 * settings.settle_s + 3 * settings.poll_interval_s
        return settings.grace_s + looks_s

    def _is_settled(self, stop: Stop) -> bool:
        """Return whether nothing is left that a stop should wait for."""
        open_states = {State.PENDING, State.SUBMITTING}
        if stop not in _AT_ONCE:
            if self._drain:
                return False
            open_states.add(State.IN_DOUBT)
            if self._ctx.withdraw:
                open_states |= {State.SUBMITTED, State.QUEUED, State.WITHDRAWING}
        return not any(t.row.state in open_states for t in self._ctx.rows.values())

    async def _close_lanes(self) -> None:
        """End the rows that an open breaker kept from being sent."""
        ctx = self._ctx
        moves = [
            ctx.advance_unsent(row.row_no, _kept_back(breaker))
            for row in await ctx.ledger.waiting()
            if (breaker := ctx.gates.kept_back(row.way)) is not None
        ]
        await asyncio.gather(*moves)


def _breakers(settings: RunSettings) -> Breakers:
    rest_s = settings.breaker_rest_s
    return Breakers(
        BreakerRules(in_a_row=settings.breaker_failures, rest_s=rest_s),
        replace(AUTHORITY, rest_s=rest_s),
    )


def _kept_back(breaker: Opened) -> Decision:
    return Decision(
        target=State.NOT_ATTEMPTED,
        reason=Reason.BREAKER_OPEN,
        message=f"the breaker of {breaker.title} is open: {breaker.cause}",
    )


def _first(group: BaseExceptionGroup[LedgerError]) -> LedgerError:
    """Return the first leaf of the group: the others are its consequences."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    assert isinstance(leaf, LedgerError)  # noqa: S101 - subgroup() kept only these
    return leaf
