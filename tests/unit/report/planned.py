"""Plans that look like real ones, made from a seed and nothing else."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from batch_reenroll.report.plan_facts import (
    AdviceFacts,
    ExampleFacts,
    ForecastFacts,
    KindFacts,
    OrchestratorFacts,
    PlanFacts,
    ReasonFacts,
    ScheduleFacts,
    StretchFacts,
    WaveFacts,
)
from batch_reenroll.text import sha256_hex

PLANNED = datetime(2026, 11, 23, 18, 40, tzinfo=UTC)
DEADLINE = datetime(2026, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def stretch(start: datetime, hours: float) -> StretchFacts:
    """Return a stretch from ``start``, ``hours`` long."""
    return StretchFacts(start=start, end=start + hours * HOUR)


def always() -> ScheduleFacts:
    """Return the schedule of a plan without windows and blackouts."""
    frame = stretch(PLANNED, 28 * 24)
    return ScheduleFacts(
        windows=(), blackouts=(), frame=frame, open=(frame,), opens_at=PLANNED
    )


def saturdays() -> ScheduleFacts:
    """Return four Saturday nights with a blackout in the second of them."""
    night = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)
    week = timedelta(days=7)
    return ScheduleFacts(
        windows=("0 22 * * SAT (America/Chicago), 8 h, nothing in the last 30 min",),
        blackouts=(stretch(night + 1.2 * week, 60),),
        frame=stretch(PLANNED, 28 * 24),
        open=tuple(stretch(night + n * week, 7.5) for n in range(4)),
        opens_at=night,
    )


def orchestrator(
    name: str = "iis-001.example.com", *, rows: int = 40, **changes: object
) -> OrchestratorFacts:
    """Return one that ends within two hours, with ``changes``."""
    known: dict[str, object] = {
        "name": name,
        "rows": rows,
        "job_s": 18.4,
        "n_samples": 120,
        "p50": PLANNED + HOUR,
        "p95": PLANNED + 2 * HOUR,
    }
    return OrchestratorFacts(**{**known, **changes})  # type: ignore[arg-type]


def forecast(**changes: object) -> ForecastFacts:
    """Return one that meets its deadline, with ``changes``."""
    known: dict[str, object] = {
        "start": PLANNED,
        "p50": PLANNED + HOUR,
        "p95": PLANNED + 2 * HOUR,
        "deadline": PLANNED + 6 * HOUR,
        "late_s": None,
        "chance": 0.99,
        "lower_bound": PLANNED + 0.7 * HOUR,
        "bound_by": "orchestrator",
        "orchestrators": (orchestrator(),),
    }
    return ForecastFacts(**{**known, **changes})  # type: ignore[arg-type]


def plan_facts(**changes: object) -> PlanFacts:
    """Return a plan of ten rows that all go, with ``changes``."""
    known: dict[str, object] = {
        "refusal": "",
        "counts": {"pending": 10},
        "skipped": (),
        "cautions": (),
        "waves": (),
        "n_kinds": 0,
        "schedule": always(),
        "forecast": None,
        "planned_at": PLANNED,
        "name": "q4-rotation",
        "reason": "Issuing CA 1 retires on 2026-12-01",
        "ticket": "CHG0042",
        "requested_by": "pki-team",
        "approved_by": "cab@example.com",
        "operator": "j.doe",
        "host": "ops-07.example.com",
        "command_url": "https://keyfactor.example.com/KeyfactorAPI",
        "command_version": "25.4.1",
        "manifest_name": "q4.csv",
        "manifest_sha256": sha256_hex("manifest"),
        "plan_sha256": sha256_hex("plan"),
        "plan_name": "plan.json",
        "tool_version": "0.1.0",
        "limits": {"Pace": "at most 20 per second"},
        "requests": {"other": 14, "scheduled_jobs": 3},
    }
    return PlanFacts(**{**known, **changes})  # type: ignore[arg-type]


def reason(
    code: str = "store_unknown", rows: int = 3, *, message: str = "", examples: int = 2
) -> ReasonFacts:
    """Return a reason with examples 101, 102, …"""
    return ReasonFacts(
        code=code,
        meaning=f"What {code} means.",
        advice=f"What to do about {code}.",
        rows=rows,
        examples=tuple(
            ExampleFacts(row_id=str(101 + n), message=message or f"store {n} is none")
            for n in range(examples)
        ),
    )


def late_fleet(n: int = 100, seed: int = 1) -> PlanFacts:
    """Return a large refused plan: everything is in it, and some miss the deadline."""
    dice = random.Random(seed)
    ends = sorted((dice.paretovariate(1.1) for _ in range(n)), reverse=True)
    deadline = PLANNED + 24 * HOUR
    orchestrators = []
    for number, hours in enumerate(ends, 1):
        p95 = PLANNED + hours * 1.35 * HOUR
        late_s = (p95 - deadline).total_seconds()
        orchestrators.append(
            orchestrator(
                f"{dice.choice(('iis', 'f5', 'java'))}-{number:03}.example.com",
                rows=int(hours * 120),
                job_s=dice.uniform(8, 70),
                n_samples=dice.choice((0, 3, 44, 1_200)),
                p50=PLANNED + hours * HOUR,
                p95=p95,
                late_s=late_s if late_s > 0 else None,
            )
        )
    last = orchestrators[0]
    assert last.p50 is not None
    kinds = tuple(
        KindFacts(
            store_type=store_type,
            orchestrators=f"{group}-#.example.com",
            authority="ca01.example.com\\Corp Issuing CA 2",
        )
        for store_type in ("IISU", "PEM", "JKS")
        for group in ("iis", "f5", "java")
    )
    return plan_facts(
        refusal="P95 misses the deadline of 2026-11-24T18:40Z by far; --accept-late",
        counts={
            "pending": 11_820,
            "skipped_preflight": 140,
            "skipped_already_rotated": 512,
            "skipped_excluded": 28,
        },
        skipped=(
            reason("store_unknown", 90, examples=5),
            reason("parameter_missing", 50, examples=5, message="needs Port " * 12),
        ),
        cautions=(reason("orchestrator_silent", 310, examples=5),),
        waves=(
            WaveFacts(
                name="canary",
                named=2,
                drawn=116,
                sampled=4,
                unsampled=kinds,
                soak_s=1800,
                max_failures="0",
            ),
            WaveFacts(
                name="early",
                named=0,
                drawn=1_182,
                sampled=9,
                unsampled=kinds[:2],
                max_failures="2%",
                windows=("0 22 * * SUN (America/Chicago), 4 h",),
            ),
            WaveFacts(name="rest", named=0, drawn=10_520, sampled=9),
        ),
        n_kinds=13,
        schedule=saturdays(),
        deadline=deadline,
        forecast=forecast(
            p50=last.p50,
            p95=last.p95,
            deadline=deadline,
            late_s=last.late_s,
            chance=0.02,
            lower_bound=last.p50 - 3 * HOUR,
            orchestrators=tuple(orchestrators),
            advice=(
                AdviceFacts(
                    change="move half of the 5,000 stores of iis-001 to another",
                    p50=PLANNED + 14 * HOUR,
                    p95=PLANNED + 20 * HOUR,
                    gain_s=30_000,
                    meets_deadline=True,
                ),
                AdviceFacts(
                    change="allow 8 rows in flight per orchestrator",
                    p50=PLANNED + 20 * HOUR,
                    p95=PLANNED + 27 * HOUR,
                    gain_s=9_000,
                    meets_deadline=False,
                ),
            ),
        ),
        limits={
            "Pace": "at most 20 per second",
            "In flight": "500 rows, 4 per orchestrator",
            "Budget": "stops when more than 20% of the rows that ended have failed",
        },
    )
