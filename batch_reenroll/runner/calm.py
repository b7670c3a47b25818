"""Which rows a look has to think about: with many in flight, nearly all just wait.

A job that waits, ours beyond doubt, is moved by nothing but a row of JobHistory, the
pick-up timeout, or a wish to take it back. Until one of these its row is calm, and a
look costs nothing for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.runner.context import TRACKED, Context, Tracked

#: Looks after which all rows are thought about once more.
_LOOKS_BETWEEN = 30


@dataclass(slots=True)
class Calm:
    """The rows that may be left alone, by number and by job."""

    ctx: Context
    _jobs: dict[int, str] = field(default_factory=dict)
    _rows: dict[str, int] = field(default_factory=dict)
    _until_s: float = math.inf
    _n_looks: int = 0

    def begin_look(self) -> None:
        """Count a look, and forget rows that are in flight no more."""
        self._n_looks += 1
        for row_no in self._jobs.keys() - self.ctx.rows.keys():
            self.end(row_no)

    def restless(self) -> list[Tracked]:
        """Return the rows with Command that something may move now, by number."""
        ctx = self.ctx
        if self._all():
            numbers = set(ctx.rows)
        else:
            numbers = ctx.rows.keys() - self._jobs.keys()
            numbers |= {self._rows[j] for j in ctx.board.touched & self._rows.keys()}
        found = (ctx.rows.get(number) for number in sorted(numbers))
        return [t for t in found if t is not None and t.row.state in TRACKED]

    def _all(self) -> bool:
        ctx = self.ctx
        return (
            ctx.withdraw
            or ctx.reclaims
            or self._n_looks % _LOOKS_BETWEEN == 0
            or ctx.clock.monotonic() > self._until_s
        )

    def begin(self, tracked: Tracked) -> None:
        """Let a row be calm that has just been found to have to wait, if it can be."""
        row, ctx = tracked.row, self.ctx
        looks = ctx.board.looks_of(row.agent_id)
        if (
            row.job_id is not None
            and row.state is State.QUEUED
            and looks.any_since(tracked.rivals_until_s)
        ):
            self._jobs[row.row_no] = row.job_id
            self._rows[row.job_id] = row.row_no
            until_s = tracked.answered_s + ctx.settings.pickup_timeout_s
            self._until_s = min(self._until_s, until_s)

    def end(self, row_no: int) -> None:
        """Let a row be calm no more."""
        job_id = self._jobs.pop(row_no, None)
        if job_id is not None:
            del self._rows[job_id]
        if not self._jobs:
            self._until_s = math.inf
