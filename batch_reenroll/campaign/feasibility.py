"""Whether a campaign can meet its deadline: a seeded Monte Carlo of how it will go.

What the model takes for granted stands in
:data:`~batch_reenroll.campaign.forecast.ASSUMPTIONS`; how it computes by it:

- Orchestrators are fed as :mod:`batch_reenroll.campaign.lanes` feeds them. That they
  run one job at a time is keyfactor-command.md 10.
- Durations of one orchestrator and job type are lognormal with a median that does not
  change during the campaign; how well the median is known depends on the history
  (:mod:`batch_reenroll.campaign.durations`), and each trial draws its own.
- A job that Command runs again costs its time twice.
- A lost answer costs a place for the settle time, no work of the orchestrator.

Trials use common random numbers: the same seed draws the same orchestrators whatever
the limits, so that two predictions differ by what was changed and not by luck.
"""

from __future__ import annotations

import math

import numpy as np

from batch_reenroll.campaign.flow import Work, finishes
from batch_reenroll.campaign.forecast import (
    Forecast,
    OrchestratorForecast,
    Question,
    Queue,
)
from batch_reenroll.campaign.luck import History, Luck
from batch_reenroll.campaign.openings import Quotas, open_after
from batch_reenroll.campaign.pipeline import MODEL_ERROR, Floats, row_s
from batch_reenroll.campaign.quota import DAY_S


def predict(question: Question, history: History) -> Forecast:
    """Return when the campaign and each orchestrator will have ended.

    Deterministic: the same question and history give the same answer. 50,000 rows on
    100 orchestrators take about a second for 200 trials.
    """
    return _Prediction(question, history).forecast()


class _Prediction:
    def __init__(self, question: Question, history: History) -> None:
        self._question, self._history = question, history
        self._drawn = Luck(question, history)
        self._queues = sorted(question.queues, key=_order)
        names = sorted({queue.authority for queue in self._queues})
        self._authorities = {name: n for n, name in enumerate(names)}
        self._job_s = np.column_stack([self._drawn.job_s(q) for q in self._queues])
        self._heartbeat_s = np.column_stack(
            [self._drawn.heartbeat_s(q.orchestrator) for q in self._queues]
        )
        limits = question.limits
        doubt_s = question.lost_share * (limits.settle_s + limits.look_s)
        error = np.exp(
            MODEL_ERROR
            * np.column_stack(
                [self._drawn.normal("model", q.orchestrator) for q in self._queues]
            )
        )
        self._row_s, self._alone_s = (
            np.maximum(self._job_s, error * self._pipeline_s(places)) + doubt_s / places
            for places in (limits.per_orchestrator, 1)
        )

    def _pipeline_s(self, places: int) -> Floats:
        limits = self._question.limits
        return row_s(
            self._job_s,
            self._heartbeat_s,
            places=places,
            look_s=limits.look_s,
            settle_s=limits.settle_s,
        )

    def forecast(self) -> Forecast:
        question = self._question
        finish = self._finish()
        bound, bound_by = self._lower_bound()
        last = np.maximum(finish.max(axis=1), bound)
        deadlines = np.array([_deadline(queue, question) for queue in self._queues])
        due = np.isfinite(deadlines)
        late = np.where(due, finish - np.where(due, deadlines, 0.0), -np.inf)
        has_deadline = bool(due.any())
        late_s = _percentile(late.max(axis=1), 95) if has_deadline else 0.0
        return Forecast(
            p50=_percentile(last, 50),
            p95=_percentile(last, 95),
            deadline=question.deadline,
            late_s=late_s if late_s > 0 else None,
            chance=float((late <= 0).all(axis=1).mean()) if has_deadline else None,
            lower_bound=_percentile(bound, 50),
            bound_by=bound_by,
            orchestrators=self._orchestrators(finish, late),
        )

    def _finish(self) -> Floats:
        """Return when each queue's last row has ended, (T, G)."""
        question, limits = self._question, self._question.limits
        start = np.full(question.trials, question.start)
        finish = np.full(self._job_s.shape, -np.inf)
        quotas = self._quotas()
        tail_s = limits.look_s / 2 + limits.verify_s
        for number, stage in enumerate(question.stages):
            of_stage = [n for n, q in enumerate(self._queues) if q.stage == number]
            if not of_stage:
                continue
            spans = question.spans if stage.spans is None else stage.spans
            found = tail_s + finishes(
                self._work(of_stage),
                limits=limits,
                start=np.where(np.isfinite(start), start, question.start),
                spans=spans,
                quotas=quotas,
            )
            found[~np.isfinite(start)] = np.inf
            finish[:, of_stage] = found
            start = found.max(axis=1) + stage.soak_s
        return finish

    def _work(self, of_stage: list[int]) -> Work:
        queues = [self._queues[n] for n in of_stage]
        names = list(dict.fromkeys(queue.orchestrator for queue in queues))
        owner = np.array([names.index(queue.orchestrator) for queue in queues])
        first = np.searchsorted(owner, np.arange(len(names)))
        phases = [self._drawn.uniform(f"{name}\1{queues[0].stage}") for name in names]
        return Work(
            rows=np.array([float(queue.rows) for queue in queues]),
            row_s=self._row_s[:, of_stage],
            job_s=self._job_s[:, of_stage],
            alone_s=self._alone_s[:, of_stage],
            owner=owner,
            authority=np.array([self._authorities[q.authority] for q in queues]),
            first=first,
            heartbeat_s=self._heartbeat_s[:, of_stage][:, first],
            phase=np.column_stack(phases),
        )

    def _quotas(self) -> Quotas:
        limits = self._question.limits.authorities
        known = [limits.get(name) for name in self._authorities]
        rates = [limit.rate_per_s if limit else None for limit in known]
        days = [limit.per_day if limit else None for limit in known]
        return Quotas(
            rate_per_s=np.array([np.inf if r is None else r for r in rates]),
            per_day=np.array([np.inf if d is None else float(d) for d in days]),
            start=self._question.start,
            used=np.zeros((self._question.trials, len(known))),
        )

    def _lower_bound(self) -> tuple[Floats, str]:
        """Return what no campaign can undercut, (T), and what sets it."""
        question = self._question
        rows = np.array([float(queue.rows) for queue in self._queues])
        names = [queue.orchestrator for queue in self._queues]
        first = [n for n, name in enumerate(names) if n == 0 or names[n - 1] != name]
        longest_s = np.add.reduceat(self._job_s * rows, first, axis=1).max(axis=1)
        paced_s = float(rows.sum()) / question.limits.rate_per_s
        quotas = self._quotas()
        of_authority = np.zeros(len(self._authorities))
        for queue in self._queues:
            of_authority[self._authorities[queue.authority]] += queue.rows
        issued_s = float(np.max(of_authority / quotas.rate_per_s))
        days = float(np.max(np.ceil(of_authority / quotas.per_day))) - 1
        work_s = np.maximum(longest_s, max(paced_s, issued_s))
        bound = open_after(question.start, work_s, question.spans)
        bound = np.maximum(bound, question.start + max(0.0, days) * DAY_S)
        sizes = {
            "orchestrator": float(np.median(longest_s)),
            "rate": paced_s,
            "authority": max(issued_s, days * DAY_S),
        }
        return bound, max(sizes, key=lambda name: sizes[name])

    def _orchestrators(
        self, finish: Floats, late: Floats
    ) -> tuple[OrchestratorForecast, ...]:
        groups: dict[str, list[int]] = {}
        for n, queue in enumerate(self._queues):
            groups.setdefault(queue.orchestrator, []).append(n)
        found = [self._orchestrator(ns, finish, late) for ns in groups.values()]
        return tuple(sorted(found, key=lambda item: (-item.p95, item.orchestrator)))

    def _orchestrator(
        self, ns: list[int], finish: Floats, late: Floats
    ) -> OrchestratorForecast:
        queues = [self._queues[n] for n in ns]
        kinds = {queue.job_type for queue in queues}
        name = queues[0].orchestrator
        last, late_s = finish[:, ns].max(axis=1), late[:, ns].max(axis=1)
        late_p95_s = _percentile(late_s, 95)
        weights = np.array([queue.rows for queue in queues], dtype=np.float64)
        job_s = np.average(self._job_s[:, ns], axis=1, weights=weights)
        per_row_s = np.average(self._row_s[:, ns], axis=1, weights=weights)
        return OrchestratorForecast(
            orchestrator=name,
            rows=sum(queue.rows for queue in queues),
            p50=_percentile(last, 50),
            p95=_percentile(last, 95),
            late_s=late_p95_s if late_p95_s > 0 else None,
            job_s=float(np.median(job_s)),
            row_s=float(np.median(per_row_s)),
            heartbeat_s=float(np.median(self._heartbeat_s[:, ns[0]])),
            n_samples=sum(self._history.durations.of(name, kind).n for kind in kinds),
        )


def _order(queue: Queue) -> tuple[str, float, str, str, int]:
    deadline = math.inf if queue.deadline is None else queue.deadline
    kind = queue.job_type, queue.authority, queue.stage
    return queue.orchestrator, deadline, *kind


def _deadline(queue: Queue, question: Question) -> float:
    found = [d for d in (queue.deadline, question.deadline) if d is not None]
    return min(found, default=math.inf)


def _percentile(values: Floats, share: int) -> float:
    # Without interpolation: half-way to never is no moment.
    return float(np.percentile(values, share, method="inverted_cdf"))
