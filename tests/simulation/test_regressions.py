"""Scenarios that once broke a promise, written out so that they stay what they are.

``make simulate`` prints a failing seed shrunk, as such an expression. A seed alone
would not do: it means another campaign as soon as the drawing changes. Where the
mistake can be made again by a patch, :mod:`simulation.mutations` does so, too, and
shows that the simulation still catches it.
"""

from __future__ import annotations

import pytest
from simulation.scenario import (
    Crash,
    Halt,
    Hand,
    Moment,
    Retry,
    Scenario,
    Tokens,
    Weather,
)
from simulation.shrinking import judged

from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.sandbox import FleetPlan, Settings

REGRESSIONS = {
    "a job of a row that was given up is behind the newest page": Scenario(
        seed=742,
        fleet=FleetPlan(stores=10, orchestrators=5, seed=742),
        command=Settings(
            heartbeat_s=1.0,
            job_min_s=22.5,
            job_max_s=45.0,
            inventory_delay_s=20.0,
            noise_jobs_per_s=0.05,
            nightly_inventory=False,
            return_limit_max=2,
        ),
        settings=RunSettings(
            rate_per_s=5.0,
            max_in_flight=5,
            poll_interval_s=5.0,
            settle_time_s=30.0,
            budget_limit="100%",
            breaker_failures=1000,
        ),
        weather=Weather(
            refused=0.1062771901475478,
            lost_request=0.09082346115512259,
            delayed=0.05654862796219621,
            error_before=0.09194030299051086,
            bad_read=0.04638179049252651,
        ),
        strangers=((7.2, 8),),
        halts=(Halt(at_s=214.6),),
        second_aliases=(8, 4),
    ),
    "a stranger's job ended before our first look, behind the newest page": Scenario(
        seed=742,
        fleet=FleetPlan(stores=40, orchestrators=5, seed=742),
        command=Settings(
            heartbeat_s=1.0,
            job_min_s=22.5,
            job_max_s=45.0,
            inventory_delay_s=20.0,
            noise_jobs_per_s=0.05,
            nightly_inventory=False,
            return_limit_max=2,
        ),
        settings=RunSettings(
            rate_per_s=5.0,
            max_in_flight=5,
            per_orchestrator=2,
            poll_interval_s=5.0,
            pickup_timeout_s=300.0,
            job_timeout_s=900.0,
            settle_time_s=30.0,
            verify_timeout_s=300.0,
            budget_limit="2",
            budget_min_rows=1,
            breaker_failures=1000,
        ),
        weather=Weather(
            latency_s=0.3,
            refused=0.1062771901475478,
            lost_request=0.09082346115512259,
            lost_answer=0.02382487652113306,
            delayed=0.05654862796219621,
            error_before=0.09194030299051086,
            error_after=0.09089249500317285,
            throttled=0.01495720077091564,
            bad_read=0.04638179049252651,
            mischiefs=("shuffle",),
        ),
        strangers=((7.2, 8), (32.1, 15), (227.3, 30)),
        crashes=(Crash(moment=Moment.ANSWERED, n=2, down_s=0.0),),
        halts=(
            Halt(at_s=106.3, hand=Hand.SIGTERM, resume_after_s=5.0),
            Halt(at_s=123.1, hand=Hand.WITHDRAW, resume_after_s=0.0),
            Halt(at_s=214.6, hand=Hand.OPERATOR, resume_after_s=0.0),
        ),
        second_aliases=(8, 4, 22),
        full_disk=((98.9, 1.1),),
    ),
    "the feeder spins while Command is away and a resting row is due": Scenario(
        seed=6,
        fleet=FleetPlan(stores=10, orchestrators=2, seed=6),
        command=Settings(nightly_inventory=False),
        settings=RunSettings(rate_per_s=1.0, poll_interval_s=15.0, budget_limit="100%"),
        weather=Weather(refused=0.3, outages=((6.0, 400.0),)),
    ),
    "moves queue behind a ledger writer that has ended": Scenario(
        seed=23,
        fleet=FleetPlan(stores=20, orchestrators=2, seed=23),
        command=Settings(nightly_inventory=False),
        settings=RunSettings(rate_per_s=50.0, budget_limit="100%"),
        commit_s=0.05,
        full_disk=((0.5, 20.0),),
    ),
    "an earlier try of an ended job reads as a job that goes on": Scenario(
        seed=4,
        fleet=FleetPlan(stores=4, broken_stores=2, orchestrators=1, seed=4),
        command=Settings(
            job_retry_count=2, job_retry_delay_s=1.0, nightly_inventory=False
        ),
        settings=RunSettings(poll_interval_s=5.0, budget_limit="100%"),
        retries=(Retry(after_s=5.0),),
    ),
    "slowing down lets a burst out": Scenario(
        seed=4,
        fleet=FleetPlan(stores=30, orchestrators=4, seed=4),
        command=Settings(nightly_inventory=False),
        settings=RunSettings(
            rate_per_s=5.0, burst=5, per_orchestrator=10, budget_limit="100%"
        ),
        weather=Weather(throttled=0.3),
    ),
    "requests that waited for a new token leave together": Scenario(
        seed=82,
        fleet=FleetPlan(stores=40, orchestrators=2, seed=82),
        command=Settings(nightly_inventory=False),
        settings=RunSettings(rate_per_s=1.0, per_orchestrator=20, budget_limit="100%"),
        weather=Weather(latency_s=1.0),
        tokens=Tokens(lifetime_s=30.0),
    ),
    "an inventory read long before the POST hides a stranger's job": Scenario(
        seed=354,
        fleet=FleetPlan(stores=10, orchestrators=1, seed=354),
        command=Settings(inventory_delay_s=20.0, nightly_inventory=False),
        settings=RunSettings(
            rate_per_s=0.05,
            per_orchestrator=10,
            poll_interval_s=5.0,
            verify_timeout_s=60.0,
            budget_limit="100%",
        ),
        weather=Weather(latency_s=2.0, storms=((9.4, 119.8),)),
        strangers=tuple((20.0 + 3.0 * n, n) for n in range(10)),
    ),
    "a job between Command's two lists passes for absent": Scenario(
        seed=11,
        fleet=FleetPlan(stores=1, orchestrators=1, seed=11),
        command=Settings(
            heartbeat_s=60.0,
            job_min_s=1.0,
            job_max_s=4.0,
            history_lag_s=3.3,
            nightly_inventory=False,
        ),
        settings=RunSettings(
            poll_interval_s=5.0, pickup_timeout_s=120.0, budget_limit="100%"
        ),
        weather=Weather(
            outages=((3.0, 41.66886370047441),), scripted=((1, "lost_answer"),)
        ),
    ),
    "a stranger's job is ours because looks were rare": Scenario(
        seed=14,
        fleet=FleetPlan(stores=8, orchestrators=2, seed=1),
        command=Settings(
            heartbeat_s=1.0, job_min_s=1.0, job_max_s=4.0, nightly_inventory=False
        ),
        settings=RunSettings(
            poll_interval_s=5.0, settle_time_s=3.0, budget_limit="100%"
        ),
        weather=Weather(latency_s=0.5),
        strangers=tuple((1.0 + n / 4, n % 8) for n in range(16)),
    ),
    "a retried row adopts the job of another alias of its store": Scenario(
        seed=1552,
        fleet=FleetPlan(stores=1, orchestrators=1, seed=1552),
        command=Settings(nightly_inventory=False),
        settings=RunSettings(pickup_timeout_s=300.0, budget_limit="100%"),
        weather=Weather(outages=((8.4, 304.0),), scripted=((1, "error_before"),)),
        retries=(Retry(after_s=5.0),),
        second_aliases=(0,),
    ),
    "an orchestrator's slow clock makes a stranger's job look long past": Scenario(
        seed=0,
        fleet=FleetPlan(stores=5, orchestrators=4, seed=1931),
        command=Settings(
            heartbeat_s=60.0,
            job_min_s=22.5,
            job_max_s=45.0,
            inventory_delay_s=20.0,
            nightly_inventory=False,
        ),
        settings=RunSettings(
            per_orchestrator=1, budget_limit="100%", breaker_failures=1000
        ),
        strangers=((106.3, 4),),
        crashes=(Crash(moment=Moment.ANSWERED, n=3, down_s=120.0),),
        agent_skews_s=(-240.0,),
    ),
    "a process dies between a POST and its answer, again and again": Scenario(
        seed=1,
        fleet=FleetPlan(stores=5, orchestrators=2, seed=1),
        command=Settings(nightly_inventory=False),
        settings=RunSettings(poll_interval_s=5.0, budget_limit="100%"),
        crashes=(
            Crash(moment=Moment.POSTED, n=1),
            Crash(moment=Moment.POSTED, n=1),
            Crash(moment=Moment.ANSWERED, n=1, down_s=120.0),
            Crash(moment=Moment.AFTER_COMMIT, n=2),
            Crash(moment=Moment.BEFORE_COMMIT, n=3),
        ),
    ),
    "a ledger writer that dies before its first batch answers nobody": Scenario(
        seed=20,
        fleet=FleetPlan(stores=8, orchestrators=2, seed=20),
        command=Settings(nightly_inventory=False),
        settings=RunSettings(poll_interval_s=5.0, budget_limit="100%"),
        crashes=(
            Crash(moment=Moment.POSTED, n=1),
            *(Crash(moment=Moment.STEP, n=n) for n in range(1, 8)),
        ),
    ),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_once_broke_holds(name: str) -> None:
    assert judged(REGRESSIONS[name]) == []
