"""The Monte Carlo: many campaigns at once as flows of rows, one array row per trial.

Within a step, an orchestrator is a server that gives each of its rows the seconds
that :mod:`batch_reenroll.campaign.pipeline` says; shared limits (pace, places,
authorities) slow orchestrators down, the one with most work left last, as the lanes
do it. Steps end where a window does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batch_reenroll.campaign.forecast import Limits, Spans
from batch_reenroll.campaign.lanes import ROUND_EVERY
from batch_reenroll.campaign.openings import Quotas, opened
from batch_reenroll.campaign.pipeline import Floats
from batch_reenroll.campaign.quota import DAY_S

Ints = NDArray[np.int64]

#: Steps that a stage should take; after as many more each, steps get longer.
_STEPS = 120

#: Beyond this, never: 20 years.
HORIZON_S = 20 * 365 * DAY_S

_LEAST_STEP_S = 0.5
_EPS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The queues of one stage: T trials, G queues, O orchestrators, C authorities.

    Queues of one orchestrator stand next to each other, the first one to go first.

    Attributes:
        rows: (G) rows.
        row_s, job_s: (T, G) seconds per row, with and without waits.
        alone_s: (T, G) the same as ``row_s`` with one place only.
        owner: (G) index of the orchestrator, ascending from 0 without gaps.
        authority: (G) index of the authority.
        first: (O) index of each orchestrator's first queue.
        heartbeat_s: (T, O) interval.
        phase: (T, O) share of it before the first heartbeat.
    """

    rows: Floats
    row_s: Floats
    job_s: Floats
    alone_s: Floats
    owner: Ints
    authority: Ints
    first: Ints
    heartbeat_s: Floats
    phase: Floats


def finishes(
    work: Work,
    *,
    limits: Limits,
    start: Floats,
    spans: Spans | None,
    quotas: Quotas,
) -> Floats:
    """Return when each queue's last job ends, (T, G); inf = never.

    Args:
        work: What is to be done.
        limits: Shared limits.
        start: (T) when the stage begins.
        spans: When rows may be sent.
        quotas: The authorities' limits; ``used`` goes on from stage to stage.
    """
    return _Flow(work, limits, start, spans, quotas).run()


class _Flow:
    def __init__(
        self,
        work: Work,
        limits: Limits,
        start: Floats,
        spans: Spans | None,
        quotas: Quotas,
    ) -> None:
        self._work, self._limits = work, limits
        self._spans, self._quotas = spans, quotas
        self._now = start.copy()
        self._horizon = float(np.min(start)) + HORIZON_S
        self._left = np.broadcast_to(work.rows, work.row_s.shape).copy()
        self._finish = np.full(work.row_s.shape, np.inf)
        self._idle_s = work.phase * work.heartbeat_s - self._last_batch_s()
        self._openings = np.zeros(len(start))

    def _last_batch_s(self) -> Floats:
        """Return what the last rows need not wait for: a next heartbeat."""
        work, places = self._work, self._limits.per_orchestrator
        last = np.append(work.first[1:], len(work.owner)) - 1
        rows = np.add.reduceat(work.rows, work.first)
        spared = (work.row_s - work.job_s)[:, last] * np.minimum(rows, places)
        return np.asarray(spared, dtype=np.float64)

    def run(self) -> Floats:
        step_s = self._first_step_s()
        n_steps = 0
        while (active := self._active()).any():
            dt = self._open(active, step_s)
            self._step(np.where(active, dt, 0.0))
            n_steps += 1
            if n_steps % _STEPS == 0:
                step_s *= 2
        return self._finish

    def _active(self) -> NDArray[np.bool_]:
        has_rows = (self._left > _EPS).any(axis=1)
        return np.asarray(has_rows & (self._now < self._horizon))

    def _first_step_s(self) -> float:
        seconds = np.add.reduceat(self._left * self._work.row_s, self._work.first, 1)
        longest_s = float(np.median(seconds.max(axis=1)))
        paced_s = float(self._work.rows.sum()) / self._limits.rate_per_s
        return max(_LEAST_STEP_S, max(longest_s, paced_s) / _STEPS)

    def _open(self, active: NDArray[np.bool_], step_s: float) -> Floats:
        """Move on to the next open moment; return how long the next step is, (T)."""
        begin, end = opened(self._now, self._spans)
        waited = active & (begin > self._now)
        if waited.any():
            self._openings += waited
            # Another phase for each opening: the golden ratio spreads them evenly.
            phase = (self._work.phase + 0.618034 * self._openings[:, None]) % 1.0
            again_s = np.maximum(self._idle_s, phase * self._work.heartbeat_s)
            self._idle_s = np.where(waited[:, None], again_s, self._idle_s)
        self._now = np.where(active, begin, self._now)
        self._quotas.turn(self._now)
        left_s = self._quotas.left_s(self._now)
        # Where only used-up quotas are left, the next step is the next day.
        can_go = self._can_go().any(axis=1)
        dt = np.where(can_go, np.minimum(step_s, left_s), left_s)
        return np.minimum(dt, end - np.where(np.isfinite(begin), begin, 0.0))

    def _step(self, dt: Floats) -> None:
        work = self._work
        seconds = np.where(self._can_go(), self._left * work.row_s, 0.0)
        total_s = np.cumsum(seconds, axis=1)
        before_s = total_s - seconds
        before_s = before_s - before_s[:, work.first][:, work.owner]
        heads = (seconds > 0) & (before_s <= _EPS)
        share = self._shares(seconds, heads, dt)
        budget_s = np.maximum(0.0, dt[:, None] - self._idle_s) * share
        # Nothing is served in a trial that does not move.
        budget_s = np.where(dt[:, None] > 0, budget_s, 0.0)
        served_s = np.clip(budget_s[:, work.owner] - before_s, 0.0, seconds)
        done = (seconds > 0) & (served_s >= seconds * (1 - _EPS))
        with np.errstate(divide="ignore", invalid="ignore"):
            within_s = (before_s + seconds) / share[:, work.owner]
        finish = self._now[:, None] + self._idle_s[:, work.owner] + within_s
        self._finish = np.where(done, finish, self._finish)
        rows = served_s / work.row_s
        self._left = np.where(done, 0.0, self._left - rows)
        self._charge(rows)
        self._idle_s = np.where(
            dt[:, None] > 0, np.maximum(0.0, self._idle_s - dt[:, None]), self._idle_s
        )
        self._now = self._now + dt

    def _can_go(self) -> NDArray[np.bool_]:
        can = self._left > _EPS
        if self._quotas.has_days:
            free = self._quotas.used < self._quotas.per_day - _EPS
            can &= free[:, self._work.authority]
        return can

    def _shares(self, seconds: Floats, heads: NDArray[np.bool_], dt: Floats) -> Floats:
        """Return how much of its own speed each orchestrator may use, (T, O)."""
        work, limits = self._work, self._limits
        per_s = np.where(heads, 1.0 / work.row_s, 0.0)
        left = np.add.reduceat(self._left, work.first, 1)
        places = np.minimum(left, limits.per_orchestrator)
        work_s = np.add.reduceat(seconds, work.first, 1)
        granted = _granted(places, work_s, limits.max_in_flight)
        # Half the places are more than half the speed where the job is what takes long.
        speed = granted * (work.row_s / work.alone_s)[:, work.first]
        share = np.where(granted < places, np.minimum(1.0, speed), 1.0)
        wanted = np.add.reduceat(per_s, work.first, 1) * share
        paced = _granted(wanted, work_s, limits.rate_per_s)
        share = share * paced / np.maximum(wanted, _EPS)
        if self._quotas.is_limiting:
            share = share * self._authority_shares(per_s * share[:, work.owner], dt)
        return np.asarray(share)

    def _authority_shares(self, wanted: Floats, dt: Floats) -> Floats:
        """Return the share that the slowest authority of each head row leaves."""
        work, quotas = self._work, self._quotas
        share = np.ones_like(wanted)
        safe = np.maximum(dt, _LEAST_STEP_S)
        for n in range(quotas.used.shape[1]):
            of_this = work.authority == n
            asked = wanted[:, of_this].sum(axis=1)
            day = np.maximum(0.0, quotas.per_day[n] - quotas.used[:, n]) / safe
            allowed = np.minimum(quotas.rate_per_s[n], day)
            part = np.minimum(1.0, allowed / np.maximum(asked, _EPS))
            share[:, of_this] = part[:, None]
        heads = np.where(wanted > 0, share, np.inf)
        found = np.minimum.reduceat(heads, work.first, axis=1)
        return np.where(np.isfinite(found), found, 1.0)

    def _charge(self, rows: Floats) -> None:
        if self._quotas.has_days:
            for n in range(self._quotas.used.shape[1]):
                of_this = self._work.authority == n
                self._quotas.used[:, n] += rows[:, of_this].sum(axis=1)


def _granted(wanted: Floats, urgency: Floats, limit: float) -> Floats:
    """Return how much of what each wants it gets, (T, O).

    As the lanes do it: one part in ``ROUND_EVERY`` goes round, and of the rest the most
    urgent get all they want.
    """
    if (wanted.sum(axis=1) <= limit * (1 + _EPS)).all():
        return wanted
    n_wanting = np.maximum(1, (wanted > 0).sum(axis=1, keepdims=True))
    base = np.minimum(wanted, limit / ROUND_EVERY / n_wanting)
    rest, left = wanted - base, limit - base.sum(axis=1, keepdims=True)
    order = np.argsort(-urgency, axis=1, kind="stable")
    in_order = np.take_along_axis(rest, order, axis=1)
    ahead = np.cumsum(in_order, axis=1) - in_order
    granted = np.clip(left - ahead, 0.0, in_order)
    found = np.empty_like(granted)
    np.put_along_axis(found, order, granted, axis=1)
    return np.asarray(base + found)
