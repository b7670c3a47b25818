"""What one simulated campaign meets, drawn from a seed.

A scenario is a plain value: printing it is enough to play it again, and a smaller one
can be made by replacing a field.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.sandbox import FleetPlan, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bad the network and Command are. Shares are probabilities of one request.

    Attributes:
        latency_s: Longest way in one direction.
        refused: The connection is refused: nothing is sent.
        lost_request: It left and never arrived.
        lost_answer: It was carried out and the answer never came.
        error_before, error_after: 500 without and with having been carried out.
        throttled: 429 with Retry-After.
        bad_read: Any of these, for a GET.
        mischief: A page of a list comes with some items twice.
        outages: (start, length) of times in which every connection is refused.
    """

    latency_s: float = 0.3
    refused: float = 0.0
    lost_request: float = 0.0
    lost_answer: float = 0.0
    error_before: float = 0.0
    error_after: float = 0.0
    throttled: float = 0.0
    bad_read: float = 0.0
    mischief: float = 0.0
    outages: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that a simulated campaign depends on.

    Attributes:
        seed: Of every later draw.
        strangers: (time, store index): somebody else re-enrolls a store.
        crashes: Each the number of ledger or network steps after which the process
            dies; one entry for each life but the last.
        second_aliases: Store indices that have a second row under another alias.
        skew_s: Command's clock less ours.
        commit_s: How long a commit takes.
        retries: Times somebody retries everything that did not end well.
    """

    seed: int
    fleet: FleetPlan
    command: Settings
    settings: RunSettings
    weather: Weather
    strangers: tuple[tuple[float, int], ...] = ()
    crashes: tuple[int, ...] = ()
    second_aliases: tuple[int, ...] = ()
    skew_s: float = 0.0
    commit_s: float = 0.0
    retries: int = 0


def draw(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    rng = random.Random(f"scenario:{seed}")
    n_stores = rng.choice((1, 2, 5, 10, 20, 40))
    n_agents = rng.randint(1, 5)
    settings = _settings(rng)
    return Scenario(
        seed=seed,
        fleet=FleetPlan(
            stores=n_stores,
            orchestrators=n_agents,
            offline=int(n_agents > 1 and rng.random() < 0.2),
            broken_stores=rng.randint(0, min(2, n_stores)),
            seed=seed,
        ),
        command=_command(rng, settings),
        settings=settings,
        weather=_weather(rng),
        strangers=tuple(
            sorted(
                (round(rng.uniform(0, 400), 1), rng.randrange(n_stores))
                for _ in range(rng.choice((0, 0, 1, 3, 6)))
            )
        ),
        crashes=tuple(rng.randint(1, 400) for _ in range(rng.choice((0, 0, 1, 2, 4)))),
        second_aliases=tuple(
            rng.sample(range(n_stores), min(n_stores, rng.choice((0, 0, 1, 3))))
        ),
        skew_s=rng.choice((0.0, 0.0, -240.0, 3.5, 600.0)),
        commit_s=rng.choice((0.0, 0.0, 0.002, 0.05)),
        retries=rng.choice((0, 0, 1, 2)),
    )


def _settings(rng: random.Random) -> RunSettings:
    poll_s = rng.choice((2.0, 5.0, 15.0))
    return RunSettings(
        rate_per_s=rng.choice((0.5, 5.0, 50.0)),
        burst=rng.choice((1, 1, 3)),
        max_in_flight=rng.choice((1, 5, 100)),
        per_orchestrator=rng.choice((1, 2, 10)),
        poll_interval_s=poll_s,
        pickup_timeout_s=900.0,
        job_timeout_s=900.0,
        settle_time_s=rng.choice((None, 30.0)),
        verify=rng.random() < 0.8,
        verify_timeout_s=rng.choice((60.0, 300.0)),
        unreachable_timeout_s=3600.0,
        budget_limit="100%",
        breaker_failures=rng.choice((3, 1000)),
    )


def _command(rng: random.Random, settings: RunSettings) -> Settings:
    job_s = rng.choice((0.5, 5.0, 45.0))
    return Settings(
        heartbeat_s=rng.choice((1.0, 10.0, 60.0)),
        job_min_s=job_s / 2,
        job_max_s=job_s,
        inventory_delay_s=rng.choice((0.5, 20.0)),
        # The settle time is by definition how long Command's lists may lag.
        history_lag_s=rng.choice((0.0, 0.0, 1.0, settings.settle_s / 3)),
        job_retry_count=rng.choice((0, 0, 1, 2)),
        job_retry_delay_s=rng.choice((1.0, 30.0)),
        result_enums=rng.choice(("int", "string")),
        zone_suffix=rng.random() < 0.5,
        return_limit_max=rng.choice((None, None, 2, 7)),
        nightly_inventory=False,
        # Rows of stores that are none of ours: tables grow while they are paged.
        noise_jobs_per_s=rng.choice((0.0, 0.0, 0.02, 0.1)),
    )


def _weather(rng: random.Random) -> Weather:
    bad = rng.choice((0.0, 0.02, 0.15))
    return Weather(
        latency_s=rng.choice((0.01, 0.3, 2.0)),
        refused=bad * rng.random(),
        lost_request=bad * rng.random(),
        lost_answer=bad * rng.random(),
        error_before=bad * rng.random(),
        error_after=bad * rng.random(),
        throttled=bad * rng.random(),
        bad_read=bad * rng.random(),
        mischief=rng.choice((0.0, 0.0, 0.1)),
        outages=tuple(
            (round(rng.uniform(0, 300), 1), round(rng.uniform(1, 900), 1))
            for _ in range(rng.choice((0, 0, 0, 1, 2)))
        ),
    )


def smaller(scenario: Scenario) -> list[Scenario]:
    """Return scenarios that are simpler in one way each, simplest ideas first."""
    found = [
        replace(scenario, crashes=()),
        replace(scenario, strangers=()),
        replace(scenario, second_aliases=()),
        replace(scenario, weather=Weather(latency_s=scenario.weather.latency_s)),
        replace(scenario, skew_s=0.0),
        replace(scenario, commit_s=0.0),
        replace(scenario, retries=0),
        *(
            replace(scenario, crashes=scenario.crashes[:n])
            for n in range(len(scenario.crashes))
        ),
        *(
            replace(
                scenario,
                strangers=scenario.strangers[:n] + scenario.strangers[n + 1 :],
            )
            for n in range(len(scenario.strangers))
        ),
    ]
    calm = scenario.weather
    for name in (
        "refused",
        "lost_request",
        "lost_answer",
        "error_before",
        "error_after",
        "throttled",
        "bad_read",
        "mischief",
    ):
        found.append(replace(scenario, weather=_without(calm, name)))
    found.append(replace(scenario, weather=replace(calm, outages=())))
    return [item for item in found if item != scenario]


def _without(weather: Weather, name: str) -> Weather:
    values: dict[str, Any] = {name: 0.0}
    return replace(weather, **values)
