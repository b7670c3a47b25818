"""How long jobs take, learned from this very Command's job history.

A small hierarchy of averages of log durations: every job of Command, a job type, a job
type on one orchestrator. Where there is little history, an estimate leans on the level
above it, by as much as the spreads of both say (normal-normal shrinkage); where there
is none at all, on the priors below. An estimate says how uncertain it is, and how much
of that it shares with its siblings.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from batch_reenroll.campaign.nouns import JobRecord, JobStatus

Key = tuple[str, str]
_ENDED = (
    JobStatus.COMPLETED,
    JobStatus.ACKNOWLEDGED,
    JobStatus.COMPLETED_WILL_RETRY,
)

#: Shortest duration that counts: history has whole seconds on some versions.
_LEAST_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSample:
    """What is known of one job that has run.

    Attributes:
        orchestrator: The orchestrator's machine name, as queues name it.
        job_type: As Command names it (``WinCertReenrollment``).
        duration_s: From its start to its end, >= 0, or None.
        pickup_s: From its request until an orchestrator with nothing else to do took
            it, >= 0, or None. JobHistory does not say when a job was asked for; the
            ledger's campaigns do (:mod:`batch_reenroll.campaign.pickups`).
    """

    orchestrator: str
    job_type: str
    duration_s: float | None = None
    pickup_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is believed of a quantity before any sample, on the log scale.

    Attributes:
        median: In the quantity's own unit, > 0.
        spread: Standard deviation of what is believed of all of Command.
        between: Of job types about that, and of orchestrators about their type.
        within: Of single values about their group.
    """

    median: float
    spread: float
    between: float
    within: float


#: A reenrollment's run: 45 s and 32 s were seen from request to finish, the wait for
#: pick-up included (keyfactor-command.md 7), so about 15 s of run; 95 % within 3 to
#: 75 s. Orchestrators and types differ by half as much again or as little.
DURATION_S = Prior(median=15.0, spread=0.8, between=0.5, within=0.6)

#: How often an orchestrator asks for work. The C agent falls back to 5 minutes where
#: the server says nothing (keyfactor-command.md 9); the two runs above were taken
#: within half a minute. Two minutes, 95 % within 25 s to 10 minutes.
HEARTBEAT_S = Prior(median=120.0, spread=0.8, between=0.5, within=1.0)

#: Samples that a prior spread counts for.
_SPREAD_WEIGHT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A log mean: ``N(mean, own²)`` plus what it shares, ``shared`` times N(0, 1).

    Attributes:
        within: Standard deviation of single values about it.
        n: Samples of the group itself.
    """

    mean: float
    own: float
    shared: float
    within: float
    n: int


def samples_of(records: Iterable[JobRecord]) -> list[JobSample]:
    """Return the reenrollments among ``records`` that have ended, in their order."""
    return [
        JobSample(
            orchestrator=record.agent_machine,
            job_type=record.job_type,
            duration_s=(record.ended_at - record.started_at).total_seconds(),
        )
        for record in records
        if "reenrollment" in record.job_type.casefold()
        and record.status in _ENDED
        and record.started_at is not None
        and record.ended_at is not None
        and record.ended_at >= record.started_at
    ]


class Estimates:
    """Estimates of one positive quantity for every (orchestrator, job type).

    Args:
        values: (orchestrator, job type, value > 0), n >= 0, in any order.
        prior: What holds without them.
    """

    def __init__(self, values: Iterable[tuple[str, str, float]], prior: Prior) -> None:
        logs: dict[Key, list[float]] = defaultdict(list)
        for orchestrator, kind, value in values:
            logs[_key(orchestrator, kind)].append(math.log(value))
        self._between = prior.between**2
        self._within = _pooled_variance(logs.values(), prior.within)
        self._groups = {key: (len(ys), _mean(ys)) for key, ys in logs.items()}
        kinds = {kind for _, kind in self._groups}
        bottom = {kind: self._bottom_up(kind) for kind in kinds}
        overall = [(y, variance + self._between) for y, variance in bottom.values()]
        overall.append((math.log(prior.median), prior.spread**2))
        self._all = _combined(overall)
        above = (self._all[0], self._all[1] + self._between)
        self._kinds = {
            kind: _combined([found, above]) for kind, found in bottom.items()
        }
        self._unseen = above

    def of(self, orchestrator: str, kind: str) -> Estimate:
        """Return the estimate for one orchestrator and job type, known or not."""
        mean, variance = self._kinds.get(kind.casefold(), self._unseen)
        n, seen = self._groups.get(_key(orchestrator, kind), (0, 0.0))
        spread = variance + self._between
        weight = 1.0 if n == 0 else self._within / n / (self._within / n + spread)
        return Estimate(
            mean=weight * mean + (1 - weight) * seen,
            own=math.sqrt(max(0.0, weight * spread - weight**2 * variance)),
            shared=weight * math.sqrt(variance),
            within=math.sqrt(self._within),
            n=n,
        )

    def _bottom_up(self, kind: str) -> tuple[float, float]:
        """Return a type's mean and its variance from its orchestrators alone."""
        return _combined(
            [
                (mean, self._within / n + self._between)
                for (_, of_kind), (n, mean) in self._groups.items()
                if of_kind == kind
            ]
        )


def duration_estimates(samples: Iterable[JobSample]) -> Estimates:
    """Return what is known of durations in seconds."""
    return Estimates(_ran(samples), DURATION_S)


def durations_by_orchestrator(samples: Iterable[JobSample]) -> Callable[[str], float]:
    """Return how long a reenrollment on an orchestrator takes: its median, in seconds.

    All types of an orchestrator count as one; an unknown one is like the others.
    """
    found = Estimates(((name, "", s) for name, _, s in _ran(samples)), DURATION_S)
    return lambda orchestrator: math.exp(found.of(orchestrator, "").mean)


def _ran(samples: Iterable[JobSample]) -> Iterator[tuple[str, str, float]]:
    for sample in samples:
        if sample.duration_s is not None:
            duration_s = max(_LEAST_S, sample.duration_s)
            yield sample.orchestrator, sample.job_type, duration_s


def heartbeat_estimates(samples: Iterable[JobSample]) -> Estimates:
    """Return what is known of heartbeat intervals in seconds, one type for all.

    A job waits for a time evenly spread over the interval; the log of such a wait is
    on average the interval's log less 1.
    """
    waits = [(s.orchestrator, s.pickup_s) for s in samples if s.pickup_s is not None]
    values = [(name, "", max(_LEAST_S, wait) * math.e) for name, wait in waits]
    return Estimates(values, HEARTBEAT_S)


def _key(orchestrator: str, kind: str) -> Key:
    return orchestrator.casefold(), kind.casefold()


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _pooled_variance(groups: Iterable[list[float]], prior: float) -> float:
    """Return the variance within groups; few samples leave it at the prior's."""
    squares, freedom = _SPREAD_WEIGHT * prior**2, _SPREAD_WEIGHT
    for ys in groups:
        middle = _mean(ys)
        squares += math.fsum((y - middle) ** 2 for y in ys)
        freedom += len(ys) - 1
    return squares / freedom


def _combined(parts: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Return the mean of (value, variance) parts, and its variance."""
    weighted = [(value, 1.0 / variance) for value, variance in parts]
    total = math.fsum(weight for _, weight in weighted)
    return math.fsum(v * weight for v, weight in weighted) / total, 1.0 / total
