"""What a prediction is asked, and what it answers: plain values.

Times are seconds since the epoch, UTC; ``math.inf`` as a finish means never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from batch_reenroll.campaign.quota import AuthorityLimit
from batch_reenroll.campaign.settings import RunSettings

#: What a prediction takes for granted: the one text of it, for pages and for
#: :mod:`batch_reenroll.campaign.feasibility`, which computes by it.
ASSUMPTIONS = (
    "An orchestrator runs its jobs one after another and asks for work at a steady "
    "interval. How long that is, earlier campaigns of the ledger tell; without any it "
    "is taken to be about two minutes, give or take a factor of five.",
    "Jobs take as long as Command's job history says; an orchestrator without a "
    "history of its own is taken to be like the others, and where Command has none at "
    "all, a job is taken to last about 15 seconds, give or take a factor of five.",
    "A job that fails takes as long as one that succeeds.",
    "A row that is in flight when a window closes is counted as not begun, so that the "
    "prediction is rather too late than too early.",
    "Nobody else's jobs run on the orchestrators, and Command is there all the time.",
)

#: Open spans ``[start, end)`` in ascending order, apart from each other.
Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Rows that are alike: one orchestrator, job type, authority, stage, deadline.

    Attributes:
        orchestrator: As samples name it (its machine).
        job_type: As samples name it, or "".
        rows: >= 1.
        authority: The certificate authority, or "".
        stage: Index of the wave, from 0.
        deadline: Or None for the campaign's.
    """

    orchestrator: str
    job_type: str
    rows: int
    authority: str = ""
    stage: int = 0
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A wave as the prediction needs it.

    Attributes:
        soak_s: After its last row has ended, before the next stage begins.
        spans: When its rows may be sent; None = the campaign's spans.
    """

    soak_s: float = 0.0
    spans: tuple[tuple[float, float], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds the campaign. Durations are seconds.

    Attributes:
        rate_per_s: Ceiling of the pace, > 0.
        max_in_flight, per_orchestrator: Rows with Command, >= 1.
        look_s: From one look at the job lists to the next, > 0.
        settle_s: See :class:`RunSettings`.
        verify_s: From a job's end until the inventory is expected to prove it.
        authorities: Limits by authority, as queues name it.
    """

    rate_per_s: float = 20.0
    max_in_flight: int = 500
    per_orchestrator: int = 4
    look_s: float = 10.0
    settle_s: float = 20.0
    verify_s: float = 10.0
    authorities: Mapping[str, AuthorityLimit] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        settings: RunSettings,
        authorities: Mapping[str, AuthorityLimit] | None = None,
    ) -> Limits:
        """Return the limits in a campaign's settings."""
        return cls(
            rate_per_s=settings.rate_per_s,
            max_in_flight=settings.max_in_flight,
            per_orchestrator=settings.per_orchestrator,
            look_s=settings.poll_interval_s,
            settle_s=settings.settle_s,
            verify_s=settings.poll_interval_s if settings.verify else 0.0,
            authorities=authorities or {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that a prediction depends on, the history apart.

    Attributes:
        queues: What is to be done.
        limits: How fast it may be done.
        start: When the campaign is to begin.
        deadline: When it must have ended, or None.
        spans: When rows may be sent; None = always, empty = never.
        stages: One for each wave, at least as many as queues name.
        retry_share: Jobs that Command runs once more, as a share of all, >= 0.
        lost_share: Submissions whose answer gets lost, 0 to 1.
        earliest: Earliest moment to which the start could be moved, or None.
        trials: Of the Monte Carlo, >= 20.
        seed: Any integer >= 0; the same seed gives the same answer.
    """

    queues: tuple[Queue, ...]
    limits: Limits
    start: float
    deadline: float | None = None
    spans: tuple[tuple[float, float], ...] | None = None
    stages: tuple[Stage, ...] = (Stage(),)
    retry_share: float = 0.0
    lost_share: float = 0.01
    earliest: float | None = None
    trials: int = 200
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.queues or any(queue.rows < 1 for queue in self.queues):
            raise ValueError("a prediction needs queues of one row or more")
        if max(queue.stage for queue in self.queues) >= len(self.stages):
            raise ValueError("a queue names a stage that is not there")
        if self.trials < 20:
            raise ValueError(f"trials must be >= 20, not {self.trials}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorForecast:
    """What is predicted of one orchestrator.

    Attributes:
        rows: Its rows.
        p50, p95: When its last row ends.
        late_s: By how much P95 misses the earliest missed deadline, > 0, or None.
        job_s: Median expected duration of its jobs.
        row_s: Median seconds per row, waits for heartbeats and looks included.
        heartbeat_s: Median of what is believed of its heartbeat.
        n_samples: Jobs of its history that were used.
    """

    orchestrator: str
    rows: int
    p50: float
    p95: float
    late_s: float | None
    job_s: float
    row_s: float
    heartbeat_s: float
    n_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A change that was tried and helps.

    Attributes:
        code: Stable: ``per_orchestrator``, ``rate``, ``max_in_flight``,
            ``authority_limit``, ``split``, ``start_earlier``, ``soak``, ``window``.
        change: What to change, for people.
        p50, p95: The campaign's finish with it.
        gain_s: How much earlier P95 is, > 0; ``inf`` where it was never.
        meets_deadline: Whether P95 meets it then; None without a deadline.
    """

    code: str
    change: str
    p50: float
    p95: float
    gain_s: float
    meets_deadline: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The answer.

    Attributes:
        p50, p95: When the campaign's last row ends.
        deadline: As asked.
        late_s: By how much P95 misses a deadline, > 0, or None where it meets all.
        chance: Share of trials in which every deadline is met; None without any.
        lower_bound: No campaign under these limits ends earlier: the largest of the
            longest orchestrator's work and all rows over each limit, in open time
            (median over trials).
        bound_by: Which of these that is: ``orchestrator``, ``rate``, ``authority``.
        orchestrators: The last to end first.
        advice: Best first; empty unless it was asked for.
    """

    p50: float
    p95: float
    deadline: float | None
    late_s: float | None
    chance: float | None
    lower_bound: float
    bound_by: str
    orchestrators: tuple[OrchestratorForecast, ...]
    advice: tuple[Advice, ...] = ()

    @property
    def late(self) -> tuple[OrchestratorForecast, ...]:
        """Orchestrators that miss a deadline, the worst first."""
        found = [item for item in self.orchestrators if item.late_s is not None]
        return tuple(sorted(found, key=lambda item: -(item.late_s or 0.0)))
