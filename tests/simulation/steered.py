"""Mistakes in how a campaign is steered; see :mod:`simulation.mutations`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from simulation import mistakes
from simulation.mutations import PLAIN, Mutation
from simulation.scenario import (
    START,
    Crash,
    Halt,
    Hand,
    Moment,
    Scenario,
    Tokens,
    Weather,
)

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.quota import AuthorityLimit
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.waves import WavePlan
from batch_reenroll.campaign.windows import Blackout, Window
from batch_reenroll.sandbox import FleetPlan
from batch_reenroll.sandbox.policy import NEW_CA

_CALM = replace(PLAIN, weather=Weather(latency_s=0.3))
_OFTEN = Window(cron="*/10 * * * *", timezone="UTC", duration_s=240)
_CANARY = WavePlan(name="canary", size=Limit.parse("2"), soak_s=120)
_REST = WavePlan(name="rest")


def _set(scenario: Scenario, **changes: object) -> Scenario:
    changed = replace(scenario.settings, **changes)  # type: ignore[arg-type]
    assert isinstance(changed, RunSettings)
    return replace(scenario, settings=changed)


STEERED = (
    Mutation(
        name="look at the window only when a row is taken",
        make=mistakes.look_at_the_window_when_a_row_is_taken,
        scenario=_set(
            replace(_CALM, fleet=FleetPlan(stores=20, orchestrators=4)),
            windows=(_OFTEN,),
            rate_per_s=0.05,
        ),
    ),
    Mutation(
        name="let a run that ends with its window go on in the next one",
        make=mistakes.run_on_in_the_next_window,
        scenario=_set(
            replace(
                _CALM,
                fleet=FleetPlan(stores=3, orchestrators=1),
                command=replace(PLAIN.command, job_min_s=620.0, job_max_s=700.0),
            ),
            windows=(_OFTEN,),
            until_window_end=True,
            per_orchestrator=1,
            pickup_timeout_s=1200.0,
        ),
    ),
    Mutation(
        name="open a wave before the last one has soaked",
        make=mistakes.open_waves_unsoaked,
        scenario=_set(_CALM, waves=(_CANARY, _REST)),
    ),
    Mutation(
        name="open a wave although the last one failed",
        make=mistakes.open_waves_over_budget,
        scenario=_set(
            replace(_CALM, fleet=FleetPlan(stores=8, orchestrators=2, broken_stores=8)),
            waves=(replace(_CANARY, max_failures=Limit.parse("1")), _REST),
        ),
    ),
    Mutation(
        name="take every resume for consent to the next wave",
        make=mistakes.take_every_resume_for_consent,
        scenario=replace(
            _set(_CALM, waves=(_CANARY, _REST), confirm_waves=True),
            halts=(Halt(at_s=60.0),),
        ),
    ),
    Mutation(
        name="forget that a wave was opened of which nothing had to be sent",
        make=mistakes.forget_that_a_wave_was_opened,
        scenario=_set(
            replace(_CALM, fleet=FleetPlan(stores=2, orchestrators=1)),
            waves=(_CANARY, replace(_CANARY, name="early"), _REST),
            confirm_waves=True,
        ),
    ),
    Mutation(
        name="forget over a restart what a CA was sent today",
        make=mistakes.forget_the_quota,
        scenario=replace(
            _set(
                replace(_CALM, fleet=FleetPlan(stores=4, orchestrators=2)),
                authorities={NEW_CA: AuthorityLimit(per_day=3)},
                poll_interval_s=300.0,
                pickup_timeout_s=3600.0,
            ),
            crashes=(Crash(moment=Moment.POSTED, n=2),),
        ),
    ),
    Mutation(
        name="forget over a restart what a CA has just been sent",
        make=mistakes.forget_the_rate_of_a_ca,
        scenario=replace(
            _set(_CALM, authorities={NEW_CA: AuthorityLimit(rate_per_s=0.05)}),
            crashes=tuple(Crash(moment=Moment.ANSWERED, n=1) for _ in range(3)),
        ),
    ),
    Mutation(
        name="feed on behind an open breaker",
        make=mistakes.feed_on_behind_a_breaker,
        scenario=_set(
            replace(_CALM, fleet=FleetPlan(stores=5, orchestrators=1, broken_stores=5)),
            breaker_failures=2,
            breaker_rest_s=60.0,
            per_orchestrator=1,
        ),
    ),
    Mutation(
        name="forget what a stop was taking back",
        make=mistakes.forget_what_a_stop_was_taking_back,
        scenario=_set(
            replace(
                _CALM,
                command=replace(PLAIN.command, heartbeat_s=600.0),
                halts=(Halt(at_s=8.0, hand=Hand.WITHDRAW),),
                weather=Weather(latency_s=0.3, outages=((25.0, 120.0),)),
            ),
            grace_s=1.0,
            pickup_timeout_s=1200.0,
        ),
    ),
    Mutation(
        name="send a POST again after a 401 without a turn of its own",
        make=mistakes.resend_after_a_401,
        scenario=_set(
            replace(
                _CALM,
                fleet=FleetPlan(stores=30, orchestrators=4),
                tokens=Tokens(revoked=(2.0, 5.0, 9.0, 14.0)),
            ),
            rate_per_s=2.0,
            per_orchestrator=10,
        ),
    ),
    Mutation(
        name="count 429s through a time in which nothing may be sent",
        make=mistakes.remember_429s_over_a_closed_time,
        scenario=_set(
            replace(
                _CALM,
                fleet=FleetPlan(stores=4, orchestrators=1),
                weather=Weather(
                    latency_s=0.1,
                    scripted=tuple((n, "throttled") for n in range(1, 7)),
                ),
            ),
            blackouts=(
                Blackout(
                    start=datetime.fromtimestamp(START + 3, UTC),
                    end=datetime.fromtimestamp(START + 903, UTC),
                ),
            ),
            unreachable_timeout_s=300.0,
        ),
    ),
)
