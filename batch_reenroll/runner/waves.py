"""Waves in time: the rows of one wave after another, each behind its gate.

Only rows of waves that are open stand in the lanes. What has happened is read from
the rows, so that a run that was stopped anywhere goes on at the same wave.
"""

from __future__ import annotations

import math
from collections import Counter
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


@dataclass(slots=True)
class Waves:
    """Opens one wave after another. Without waves, all rows are open at once."""

    ctx: Context
    _at: int = 0
    _confirmed: bool = False
    _base: Calendar = field(init=False)

    def __post_init__(self) -> None:
        settings = self.ctx.settings
        self._base = Calendar(settings.windows, settings.blackouts)

    async def take_up(self) -> None:
        """Put the rows that may go into the lanes, as the ledger has them."""
        ctx = self.ctx
        waves = ctx.settings.waves
        for wave, state, n_rows in await ctx.ledger.wave_states():
            ctx.by_wave.setdefault(wave, Counter())[state] += n_rows
        ctx.last_end = await ctx.ledger.last_end()
        if not waves:
            await self._add(None)
            self._enter_wave()
            return
        names = [wave.name for wave in waves]
        begun = (at for at, name in enumerate(names) if self._is_begun(name))
        self._at = max(begun, default=0)
        for name in names[: self._at + 1]:
            await self._add(name)
        self._enter_wave()
        # Whoever resumes a campaign that waits for consent has given it.
        self._confirmed = isinstance(self._gate(), Ask)

    async def run(self) -> None:
        """Open waves until the last is open or a stop comes."""
        ctx = self.ctx
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
            open=ctx.lanes.held + ctx.lanes.waiting,
        )
        now = ctx.clock.now_utc()
        confirm = ctx.settings.confirm_waves and ctx.more_waves
        return gate(wave, tally, ended_at=ctx.last_end, now=now, confirm=confirm)

    def _is_begun(self, name: str) -> bool:
        states = self.ctx.by_wave.get(name, Counter())
        return any(n for state, n in states.items() if state not in _UNTOUCHED)

    async def _open_next(self) -> None:
        ctx = self.ctx
        before = ctx.settings.waves[self._at].name
        self._at += 1
        self._confirmed = False
        name = ctx.settings.waves[self._at].name
        detail = {"wave": name, "after": before}
        now = ctx.clock.now_utc()
        await ctx.ledger.note(Note(event="wave_opened", at=now, detail=detail))
        await self._add(name)
        self._enter_wave()
        ctx.notify()

    def _enter_wave(self) -> None:
        ctx = self.ctx
        waves = ctx.settings.waves
        ctx.soaking_until = None
        ctx.wave = waves[self._at].name if waves else None
        ctx.calendar = self._base.narrowed(waves[self._at].windows if waves else ())
        ctx.more_waves = self._at + 1 < len(waves)

    async def _add(self, wave: str | None) -> None:
        for row in await self.ctx.ledger.waiting(wave):
            place = place_number(row.agent_id, row.client_machine, row.store_path)
            deadline_s = row.deadline.timestamp() if row.deadline else math.inf
            self.ctx.lanes.add(row.row_no, row.way, place, deadline_s=deadline_s)
