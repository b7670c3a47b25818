"""Waves in time: the rows of one wave after another, each behind its gate.

Only rows of waves that are open stand in the lanes. What has happened is read from
the rows, so that a run that was stopped anywhere goes on at the same wave.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from batch_reenroll.campaign.budget import FAILURES, TRIED
from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.rows import Note
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.campaign.waves import Ask, Halt, OpenNext, Wait, WaveTally, gate
from batch_reenroll.runner.context import Context, happens, place_number

#: States of rows that were never sent: a wave of which all rows stand so is not open.
_UNTOUCHED = frozenset(
    {
        State.PENDING,
        State.SKIPPED_PREFLIGHT,
        State.SKIPPED_EXCLUDED,
        State.SKIPPED_ALREADY_ROTATED,
    }
)


#: What the journal calls a wave that was opened, and the question behind one.
_OPENED, _ASKED = "wave_opened", "wave_asked"

#: Rows that are in the lanes before the first is sent: enough to choose among. The
#: rest of a million would keep it waiting for seconds.
_ROWS_AT_FIRST = 10_000

#: Rows put into the lanes at once later: the event loop stands still for about 10 ms.
_ROWS_AT_A_TIME = 1_000


@dataclass(slots=True)
class Waves:
    """Opens one wave after another. Without waves, all rows are open at once."""

    ctx: Context
    _at: int = 0
    _confirmed: bool = False
    _base: Calendar = field(init=False)
    _unread: deque[int] = field(default_factory=deque)

    def __post_init__(self) -> None:
        settings = self.ctx.settings
        self._base = Calendar(settings.windows, settings.blackouts)

    async def take_up(self) -> None:
        """Put the rows that may go into the lanes, as the ledger has them."""
        ctx = self.ctx
        waves = ctx.settings.waves
        if not waves:
            await self._add(None)
            await self._read(_ROWS_AT_FIRST)
            self._enter_wave()
            return
        for wave, state, n_rows in await ctx.ledger.wave_states():
            ctx.by_wave.setdefault(wave, Counter())[state] += n_rows
        ctx.last_end = await ctx.ledger.last_end()
        names = [wave.name for wave in waves]
        told = await ctx.ledger.wave_events()
        # A wave of which no row had to be sent shows only in the journal.
        opened = {wave for event, wave in told if event == _OPENED}
        begun = (
            at
            for at, name in enumerate(names)
            if name in opened or self._is_begun(name)
        )
        self._at = max(begun, default=0)
        for name in names[: self._at + 1]:
            await self._add(name)
        await self._read(_ROWS_AT_FIRST)
        self._enter_wave()
        # Whoever resumes a campaign that has asked for consent has given it.
        self._confirmed = tuple(told[-1:]) == ((_ASKED, names[self._at]),)

    async def run(self) -> None:
        """Open waves until the last is open or a stop comes."""
        ctx = self.ctx
        await self._read_on()
        while ctx.more_waves and not ctx.is_stopping:
            change = ctx.change
            timeout_s: float | None = None
            match self._gate():
                case OpenNext():
                    await self._open_next()
                    continue
                case Ask(question):
                    if self._confirmed:
                        await self._open_next()
                        continue
                    await self._note(_ASKED, {"wave": self._name})
                    ctx.request_stop(Stop.WAVE, question)
                case Halt(reason):
                    ctx.request_stop(Stop.BUDGET, reason)
                case Wait(until) if until is not None:
                    left = until - ctx.clock.now_utc()
                    timeout_s = max(0.0, left.total_seconds())
                    ctx.soaking_until = until
                case _:
                    ctx.soaking_until = None
            await happens(change, timeout_s)

    def _gate(self) -> Wait | OpenNext | Ask | Halt:
        ctx = self.ctx
        wave = ctx.settings.waves[self._at]
        states = ctx.by_wave.get(wave.name, Counter())
        tally = WaveTally(
            ended=sum(states[state] for state in TRIED),
            failed=sum(states[state] for state in FAILURES),
            # Not by state: rows that an open breaker keeps back will never end.
            open=ctx.lanes.held + ctx.waiting,
        )
        now = ctx.clock.now_utc()
        confirm = ctx.settings.confirm_waves and ctx.more_waves
        return gate(wave, tally, ended_at=ctx.last_end, now=now, confirm=confirm)

    def _is_begun(self, name: str) -> bool:
        states = self.ctx.by_wave.get(name, Counter())
        return any(n for state, n in states.items() if state not in _UNTOUCHED)

    async def _open_next(self) -> None:
        ctx = self.ctx
        before = self._name
        self._at += 1
        self._confirmed = False
        await self._note(_OPENED, {"wave": self._name, "after": before})
        await self._add(self._name)
        self._enter_wave()
        ctx.notify()
        await self._read_on()

    @property
    def _name(self) -> str:
        return self.ctx.settings.waves[self._at].name

    async def _note(self, event: str, detail: Mapping[str, str]) -> None:
        now = self.ctx.clock.now_utc()
        await self.ctx.note(Note(event=event, at=now, detail=detail))

    def _enter_wave(self) -> None:
        ctx = self.ctx
        waves = ctx.settings.waves
        ctx.soaking_until = None
        ctx.wave = waves[self._at].name if waves else None
        ctx.calendar = self._base.narrowed(waves[self._at].windows if waves else ())
        ctx.more_waves = self._at + 1 < len(waves)

    async def _add(self, wave: str | None) -> None:
        self._unread.extend(await self.ctx.ledger.waiting_order(wave))
        self.ctx.unread = len(self._unread)

    async def _read(self, n_rows: int) -> None:
        """Put the next rows into the lanes."""
        ctx = self.ctx
        at_hand = [self._unread.popleft() for _ in range(min(n_rows, ctx.unread))]
        for row in await ctx.ledger.waiting_rows(at_hand):
            place = place_number(row.agent_id, row.client_machine, row.store_path)
            deadline_s = row.deadline.timestamp() if row.deadline else math.inf
            ctx.lanes.add(row.row_no, row.way, place, deadline_s=deadline_s)
        ctx.unread = len(self._unread)

    async def _read_on(self) -> None:
        """Put all other rows into the lanes while the first are sent already."""
        while self._unread and not self.ctx.is_stopping:
            await self._read(_ROWS_AT_A_TIME)
            self.ctx.notify()
            await asyncio.sleep(0)
