"""A scenario from a seed. What it draws may change: frozen scenarios do not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from simulation.scenario import (
    Crash,
    Halt,
    Hand,
    Moment,
    Retry,
    Scenario,
    Span,
    Tokens,
    Weather,
)
from simulation.steering import steered

from batch_reenroll.campaign.lifecycle import RETRIES
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.sandbox import FleetPlan, Settings
from batch_reenroll.sandbox.pages import Mischief

T = TypeVar("T")

_MISCHIEFS: tuple[tuple[Mischief, ...], ...] = (
    ("duplicate",),
    ("reverse",),
    ("shuffle",),
    ("reverse", "shuffle", "duplicate"),
)

#: Minutes by which clocks differ; the product must not care.
_SKEWS_S = (0.0, 0.0, -240.0, 3.5, 600.0)


def draw(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    rng = random.Random(f"scenario:{seed}")
    n_stores = rng.choice((1, 2, 5, 10, 20, 40))
    n_agents = rng.randint(1, 5)
    settings = _settings(rng)
    scenario = Scenario(
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
        tokens=_tokens(rng) if rng.random() < 0.5 else None,
        strangers=tuple(
            sorted(
                (round(rng.uniform(0, 400), 1), rng.randrange(n_stores))
                for _ in range(rng.choice((0, 0, 1, 3, 6)))
            )
        ),
        crashes=_some(rng, (0, 0, 1, 2, 4), _crash),
        halts=tuple(sorted(_some(rng, (0, 0, 0, 1, 3), _halt), key=lambda h: h.at_s)),
        retries=_some(rng, (0, 0, 1, 2), _retry),
        second_aliases=tuple(
            rng.sample(range(n_stores), min(n_stores, rng.choice((0, 0, 1, 3))))
        ),
        skew_s=rng.choice(_SKEWS_S),
        agent_skews_s=_some(rng, (0, 0, 1, 3), lambda rng: rng.choice(_SKEWS_S)),
        commit_s=rng.choice((0.0, 0.0, 0.002, 0.05)),
        full_disk=_spans(rng, (0, 0, 0, 0, 0, 1), 60.0),
    )
    return _readable(steered(scenario))


def _readable(scenario: Scenario) -> Scenario:
    """Return the scenario with pages large enough to be read to the end.

    A list that has to be read whole, two rows and two seconds a page, grows faster
    than anybody could read it.
    """
    weather, command = scenario.weather, scenario.command
    whole = weather.unsorted or weather.mischief
    if not whole or weather.latency_s < 2.0 or command.return_limit_max != 2:
        return scenario
    return replace(scenario, command=replace(command, return_limit_max=30))


def _some(
    rng: random.Random, numbers: tuple[int, ...], draw_one: Callable[[random.Random], T]
) -> tuple[T, ...]:
    return tuple(draw_one(rng) for _ in range(rng.choice(numbers)))


def _spans(
    rng: random.Random, numbers: tuple[int, ...], longest_s: float
) -> tuple[Span, ...]:
    return _some(
        rng,
        numbers,
        lambda rng: (
            round(rng.uniform(0, 300), 1),
            round(rng.uniform(1, longest_s), 1),
        ),
    )


def _settings(rng: random.Random) -> RunSettings:
    poll_s = rng.choice((3.0, 5.0, 15.0))
    return RunSettings(
        rate_per_s=rng.choice((1.0, 5.0, 50.0)),
        burst=rng.choice((1, 1, 3)),
        max_in_flight=rng.choice((1, 5, 100)),
        per_orchestrator=rng.choice((1, 2, 10)),
        poll_interval_s=poll_s,
        pickup_timeout_s=rng.choice((300.0, 60.0 * poll_s)),
        job_timeout_s=900.0,
        settle_time_s=rng.choice((None, 30.0)),
        verify=rng.random() < 0.8,
        verify_timeout_s=rng.choice((60.0, 300.0)),
        unreachable_timeout_s=rng.choice((300.0, 3600.0, 3600.0)),
        budget_limit=rng.choice(("100%", "100%", "30%", "2")),
        budget_min_rows=rng.choice((1, 5)),
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
        return_limit_max=rng.choice((None, 30, 2, 7)),
        nightly_inventory=False,
        # Rows of stores that are none of ours: tables grow while they are paged.
        noise_jobs_per_s=rng.choice((0.0, 0.0, 0.02, 0.05)),
    )


def _weather(rng: random.Random) -> Weather:
    bad = rng.choice((0.0, 0.02, 0.15))
    return Weather(
        latency_s=rng.choice((0.01, 0.3, 2.0)),
        refused=bad * rng.random(),
        lost_request=bad * rng.random(),
        lost_answer=bad * rng.random(),
        delayed=bad * rng.random(),
        error_before=bad * rng.random(),
        error_after=bad * rng.random(),
        throttled=bad * rng.random(),
        bad_read=bad * rng.random(),
        mischief=rng.choice((0.0, 0.0, 0.1, 0.5)),
        mischiefs=rng.choice(_MISCHIEFS),
        unsorted=rng.random() < 0.1,
        outages=_spans(rng, (0, 0, 0, 1, 2), 900.0),
        storms=_spans(rng, (0, 0, 0, 1, 2), 120.0),
    )


def _tokens(rng: random.Random) -> Tokens:
    return Tokens(
        lifetime_s=rng.choice((40.0, 120.0, 600.0)),
        told=rng.random() < 0.7,
        revoked=_some(
            rng, (0, 1, 3), lambda rng: round(10.0 ** rng.uniform(0.5, 2.6), 1)
        ),
        away=_spans(rng, (0, 0, 1, 2), 400.0),
        locked=_spans(rng, (0, 0, 0, 0, 0, 1), 60.0),
        lost=rng.choice((0.0, 0.0, 0.1)),
    )


#: How many of each a life of our process may well see, about.
_LATEST = {
    Moment.STEP: 3000.0,
    Moment.POSTED: 12.0,
    Moment.ANSWERED: 12.0,
    Moment.BEFORE_COMMIT: 60.0,
    Moment.AFTER_COMMIT: 60.0,
}


def _crash(rng: random.Random) -> Crash:
    moment = rng.choice((Moment.STEP, Moment.STEP, *Moment))
    return Crash(
        moment=moment,
        n=int(_LATEST[moment] ** rng.random()),
        down_s=rng.choice((0.0, 1.0, 120.0)),
    )


def _halt(rng: random.Random) -> Halt:
    return Halt(
        at_s=round(rng.uniform(0, 300), 1),
        hand=rng.choice(tuple(Hand)),
        resume_after_s=rng.choice((0.0, 5.0, 1000.0)),
    )


def _retry(rng: random.Random) -> Retry:
    known = tuple(RETRIES)
    some = tuple(rng.sample(known, rng.randint(1, len(known))))
    return Retry(
        after_s=rng.choice((5.0, 2000.0)),
        only=known if rng.random() < 0.5 else some,
    )
