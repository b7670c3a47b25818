"""What a plan's own page is made from: values, nothing live.

Times are aware UTC. A finish that is None means never.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleFacts:
    """One row that a reason holds for: its id, and what was said of it."""

    row_id: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonFacts:
    """Rows that are skipped, or pointed out, for one reason.

    Attributes:
        code: The stable reason code.
        meaning, advice: One sentence each, for people; either may be empty.
        rows: >= 1.
        examples: Some of them, n >= 0.
    """

    code: str
    meaning: str
    advice: str
    rows: int
    examples: tuple[ExampleFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFacts:
    """A kind of rows: store type, group of orchestrators, CA; each may be empty."""

    store_type: str
    orchestrators: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveFacts:
    """One wave.

    Attributes:
        name: Its name.
        named, drawn: Rows that name it, and rows that were drawn for it, >= 0.
        sampled: Kinds of rows of which it has one.
        unsampled: Kinds of which neither it nor a wave before it has one.
        soak_s: Seconds from its last row's end to the next wave, >= 0.
        max_failures: As written, ``2%``; "" for the campaign's budget alone.
        windows: Its own windows in words, n >= 0.
    """

    name: str
    named: int
    drawn: int
    sampled: int
    unsampled: tuple[KindFacts, ...] = ()
    soak_s: float = 0.0
    max_failures: str = ""
    windows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchFacts:
    """A stretch of time, ``start`` < ``end``."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFacts:
    """When rows may be sent.

    Attributes:
        windows: In words, n >= 0; none = at any time but in a blackout.
        blackouts: In order of their start.
        frame: The time that was looked at, from the moment of planning.
        open: Within it, when rows may be sent: apart, in order.
        opens_at: First moment from planning on at which a row may be sent, or None.
    """

    windows: tuple[str, ...]
    blackouts: tuple[StretchFacts, ...]
    frame: StretchFacts
    open: tuple[StretchFacts, ...]
    opens_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorFacts:
    """What is predicted of one orchestrator.

    Attributes:
        name: Its machine.
        rows: Its rows that will be submitted.
        job_s: Expected seconds of one of its jobs.
        n_samples: Jobs of its own history that say so; 0 = a guess from the others.
        p50, p95: When its last row ends.
        late_s: Seconds by which P95 misses a deadline, > 0; ``inf`` where it never
            ends; None where it misses none.
    """

    name: str
    rows: int
    job_s: float
    n_samples: int
    p50: datetime | None
    p95: datetime | None
    late_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceFacts:
    """A change that was predicted and helps.

    Attributes:
        change: What to change, in words.
        p50, p95: The campaign's finish with it.
        gain_s: Seconds that P95 is earlier; ``inf`` where it was never.
        meets_deadline: Whether P95 meets every deadline then; None without one.
    """

    change: str
    p50: datetime | None
    p95: datetime | None
    gain_s: float
    meets_deadline: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastFacts:
    """The prediction.

    Attributes:
        start: From when on it counts.
        p50, p95: When the campaign's last row ends.
        deadline: The campaign's, or None.
        late_s: As of :class:`OrchestratorFacts`, for the campaign.
        chance: Share of predicted courses that meet every deadline, 0 to 1, or None.
        lower_bound: Under these limits no course ends earlier.
        bound_by: Why: ``orchestrator``, ``rate`` or ``authority``.
        orchestrators: The last to end first.
        advice: Best first, n >= 0.
        assumptions: What it takes for granted, a sentence or two each, n >= 0.
    """

    start: datetime
    p50: datetime | None
    p95: datetime | None
    deadline: datetime | None
    late_s: float | None
    chance: float | None
    lower_bound: datetime | None
    bound_by: str
    orchestrators: tuple[OrchestratorFacts, ...]
    advice: tuple[AdviceFacts, ...] = ()
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """One plan, as it was made.

    Attributes:
        refusal: Why it would not run, one sentence, or "".
        counts: Rows by what becomes of them: ``pending``, or how they are skipped.
        skipped: Why rows are skipped, most rows first.
        cautions: What to look at about rows that may go, most rows first.
        unread: What could not be looked at, and why, and which rights the account
            lacks; a sentence each, n >= 0.
        waves: In their order; none = all rows at once.
        n_kinds: Kinds of rows that waves sample from.
        schedule: When rows may be sent.
        forecast: Or None where none was made.
        planned_at: When Command was asked.
        name, reason, ticket, requested_by, approved_by: From the manifest's
            ``campaign`` block; empty where it says nothing.
        deadline: The campaign's, or None.
        operator, host: Who planned, where.
        command_url: Base URL of Command, without credentials.
        command_version: Or "" where it shows none.
        manifest_name, manifest_sha256, plan_sha256: What it is bound to.
        plan_name: File name of the plan, or "" where none was written.
        tool_version: Of this program.
        limits: Limits in force for display, name to text.
        requests: Requests spent on planning, by kind.
    """

    refusal: str
    counts: Mapping[str, int]
    skipped: tuple[ReasonFacts, ...]
    cautions: tuple[ReasonFacts, ...]
    waves: tuple[WaveFacts, ...]
    n_kinds: int
    schedule: ScheduleFacts
    forecast: ForecastFacts | None
    planned_at: datetime
    name: str = ""
    reason: str = ""
    ticket: str = ""
    requested_by: str = ""
    approved_by: str = ""
    deadline: datetime | None = None
    operator: str
    host: str
    command_url: str
    command_version: str = ""
    manifest_name: str
    manifest_sha256: str
    plan_sha256: str
    plan_name: str = ""
    tool_version: str
    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
