"""Predicted against simulated finish of a large campaign, in virtual time.

The scenario: 50,000 stores on 100 orchestrators, Zipf skew with 5,000 on the largest,
24 hours, 2 % hard failures, 1 % lost answers. Several times over, orchestrators are
drawn anew, each leaves a short job history, the prediction sees only that, and the
row-by-row model of ``campaign_model.py`` plays the campaign with the real lanes.

Run it with ``python -m benchmarks.feasibility`` (``--help`` for its size).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass

from batch_reenroll.campaign.durations import JobSample
from batch_reenroll.campaign.feasibility import predict
from batch_reenroll.campaign.forecast import Forecast, Limits, Question, Queue
from batch_reenroll.campaign.luck import History
from benchmarks.campaign_model import CampaignModel, Setting, Truth

JOB_TYPE = "WinCertReenrollment"
HOUR_S = 3600.0
DEADLINE_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Trial:
    """One drawn fleet: what was predicted and what then happened, in seconds."""

    forecast: Forecast
    simulated: list[float]
    orchestrators: list[dict[str, float]]
    bounds: list[float]
    predict_s: float
    simulate_s: float


def zipf_rows(stores: int, orchestrators: int, largest: int) -> list[int]:
    """Return rows by orchestrator: ``k**-s`` with ``s`` such that the first fits."""
    low, high = 0.0, 3.0
    for _ in range(60):
        s = (low + high) / 2
        total = math.fsum(k**-s for k in range(1, orchestrators + 1))
        low, high = (s, high) if stores / total < largest else (low, s)
    weights = [k**-low for k in range(1, orchestrators + 1)]
    total = math.fsum(weights)
    rows = [max(1, round(stores * weight / total)) for weight in weights]
    rows[0] += stores - sum(rows)
    return rows


def draw_truths(rows: list[int], rng: random.Random) -> list[Truth]:
    """Return orchestrators: medians of about 6 to 15 s, a tenth of them thrice that."""
    slow = set(rng.sample(range(1, len(rows)), len(rows) // 10))
    return [
        Truth(
            name=f"orch-{n:03d}",
            rows=count,
            median_s=rng.lognormvariate(math.log(9.0), 0.25) * (3 if n in slow else 1),
            sigma=rng.uniform(0.3, 0.6),
            heartbeat_s=rng.choice((15.0, 30.0, 30.0, 60.0)),
        )
        for n, count in enumerate(rows)
    ]


def draw_history(truths: list[Truth], rng: random.Random, most: int) -> list[JobSample]:
    """Return up to ``most`` past jobs of each orchestrator; some have none."""
    return [
        JobSample(
            orchestrator=truth.name,
            job_type=JOB_TYPE,
            duration_s=rng.lognormvariate(math.log(truth.median_s), truth.sigma),
            pickup_s=rng.uniform(0.0, truth.heartbeat_s),
        )
        for truth in truths
        for _ in range(rng.randint(0, most))
    ]


def play(
    rows: list[int], setting: Setting, *, seed: int, runs: int, history: int
) -> Trial:
    """Draw a fleet and its history, predict, simulate."""
    rng = random.Random(f"fleet:{seed}")
    truths = draw_truths(rows, rng)
    samples = draw_history(truths, rng, history)
    question = Question(
        queues=tuple(
            Queue(orchestrator=t.name, job_type=JOB_TYPE, rows=t.rows) for t in truths
        ),
        limits=Limits(
            rate_per_s=setting.rate_per_s,
            max_in_flight=setting.max_in_flight,
            per_orchestrator=setting.per_orchestrator,
            look_s=setting.look_s,
            settle_s=setting.settle_s,
            verify_s=setting.verify_s,
        ),
        start=0.0,
        deadline=DEADLINE_S,
        lost_share=setting.lost_share,
        seed=seed,
    )
    began_s = time.perf_counter()
    forecast = predict(question, History.of(samples))
    predict_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    models = [CampaignModel(truths, setting, seed=seed * 1000 + n) for n in range(runs)]
    simulated = [model.run() for model in models]
    simulate_s = time.perf_counter() - began_s
    actual = {
        truth.name: statistics.median(m.finish_s[truth.name] for m in models)
        for truth in truths
    }
    # The bound with what the orchestrators really are.
    work_s = max(t.rows * t.median_s * math.exp(t.sigma**2 / 2) for t in truths)
    bound_s = max(work_s, sum(rows) / setting.rate_per_s)
    return Trial(
        forecast=forecast,
        simulated=simulated,
        orchestrators=[
            {"p50": o.p50, "p95": o.p95, "actual": actual[o.orchestrator]}
            for o in forecast.orchestrators
        ],
        bounds=[finish / bound_s for finish in simulated],
        predict_s=predict_s,
        simulate_s=simulate_s,
    )


def summary(trials: list[Trial]) -> dict[str, object]:
    """Return the figures of all trials together."""
    actual = [finish for trial in trials for finish in trial.simulated]
    errors = [
        finish / trial.forecast.p50 - 1
        for trial in trials
        for finish in trial.simulated
    ]
    each = [o for trial in trials for o in trial.orchestrators]
    ratios = [abs(o["actual"] / o["p50"] - 1) for o in each]
    ratios.sort()
    return {
        "fleets": len(trials),
        "simulated_runs": len(actual),
        "predicted_p50_h": _hours(statistics.median(t.forecast.p50 for t in trials)),
        "predicted_p95_h": _hours(statistics.median(t.forecast.p95 for t in trials)),
        "simulated_p50_h": _hours(statistics.median(actual)),
        "simulated_p95_h": _hours(sorted(actual)[math.ceil(0.95 * len(actual)) - 1]),
        "error_of_p50_median": round(statistics.median(errors), 4),
        "error_of_p50_abs_mean": round(statistics.fmean(map(abs, errors)), 4),
        "ended_by_p50": _share(
            t.forecast.p50 >= f for t in trials for f in t.simulated
        ),
        "ended_by_p95": _share(
            t.forecast.p95 >= f for t in trials for f in t.simulated
        ),
        "orchestrator_error_median": round(statistics.median(ratios), 4),
        "orchestrator_error_p95": round(ratios[int(0.95 * len(ratios))], 4),
        "orchestrators_ended_by_p95": _share(o["actual"] <= o["p95"] for o in each),
        "makespan_over_lower_bound": round(
            statistics.fmean(b for t in trials for b in t.bounds), 4
        ),
        "predict_s": round(statistics.fmean(t.predict_s for t in trials), 2),
        "simulate_s_per_run": round(sum(t.simulate_s for t in trials) / len(actual), 2),
    }


def _hours(seconds: float) -> float:
    return round(seconds / HOUR_S, 2)


def _share(flags: Iterable[bool]) -> float:
    return round(statistics.fmean(flags), 3)


def main() -> None:
    """Play and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=50_000)
    parser.add_argument("--orchestrators", type=int, default=100)
    parser.add_argument("--largest", type=int, default=5_000)
    parser.add_argument("--per-orchestrator", type=int, default=8)
    parser.add_argument("--max-in-flight", type=int, default=500)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--fleets", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1, help="simulations per fleet")
    parser.add_argument(
        "--history", type=int, default=20, help="most jobs known of each"
    )
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rows = zipf_rows(asked.stores, asked.orchestrators, asked.largest)
    setting = Setting(
        rate_per_s=asked.rate,
        max_in_flight=asked.max_in_flight,
        per_orchestrator=asked.per_orchestrator,
    )
    trials = [
        play(rows, setting, seed=asked.seed + n, runs=asked.runs, history=asked.history)
        for n in range(asked.fleets)
    ]
    print(json.dumps(summary(trials), indent=2))


if __name__ == "__main__":
    main()
