"""Mistakes made on purpose, each with the trouble that shows it.

Every mutation is one that a plausible change could make. Its scenario holds as the
program stands; with the mistake, some seed of it must not. Scenarios are written out,
so that no change of the drawing can make one harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from simulation import mistakes
from simulation.scenario import (
    Crash,
    Moment,
    Retry,
    Scenario,
    Tokens,
    Weather,
)

from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.sandbox import FleetPlan, Settings

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One mistake.

    Attributes:
        name: What is done wrong.
        make: Makes it.
        scenario: Played with one seed after another; fleet and network follow it.
        known: The seed to begin with.
    """

    name: str
    make: Patch
    scenario: Scenario
    known: int = 0

    def at(self, seed: int) -> Scenario:
        """Return the scenario with another seed."""
        fleet = replace(self.scenario.fleet, seed=seed)
        return replace(self.scenario, seed=seed, fleet=fleet)


_SETTINGS = RunSettings(
    rate_per_s=20.0,
    poll_interval_s=5.0,
    pickup_timeout_s=120.0,
    verify_timeout_s=60.0,
    budget_limit="100%",
    breaker_failures=1000,
)
_COMMAND = Settings(
    nightly_inventory=False, heartbeat_s=5.0, job_min_s=1.0, job_max_s=4.0
)
_LOSSES = Weather(latency_s=0.5, lost_request=0.2, lost_answer=0.3, error_after=0.1)

PLAIN = Scenario(
    seed=0,
    fleet=FleetPlan(stores=8, orchestrators=2),
    command=_COMMAND,
    settings=_SETTINGS,
    weather=_LOSSES,
)

#: Somebody else works on the same stores at the same time.
_CROWDED = replace(
    PLAIN,
    strangers=tuple((1.0 + n / 4, n % 8) for n in range(16)),
)

#: Somebody else works on each store at about the time we do, a few seconds before or
#: after; rows are sent for so long that it holds whenever the first one is sent.
_FOLLOWED = replace(
    PLAIN,
    fleet=FleetPlan(stores=40, orchestrators=2),
    settings=replace(_SETTINGS, rate_per_s=2.0, per_orchestrator=40),
    weather=Weather(latency_s=0.5),
    strangers=tuple((1.0 + n / 2 + n % 12 / 2, n) for n in range(40)),
)

#: Lists of many short pages that become shorter while they are read.
_SHRINKING = replace(
    PLAIN,
    fleet=FleetPlan(stores=20, orchestrators=4),
    settings=replace(_SETTINGS, rate_per_s=1.0, verify_timeout_s=40.0),
    command=replace(_COMMAND, inventory_delay_s=30.0, return_limit_max=2),
    weather=Weather(latency_s=1.0),
    strangers=tuple((1.0 + n, n) for n in range(20)),
)


MUTATIONS = (
    Mutation(
        name="write the intent after the POST",
        make=mistakes.intent_after_the_post,
        scenario=replace(
            PLAIN, crashes=tuple(Crash(moment=Moment.POSTED, n=n) for n in (1, 2, 3))
        ),
    ),
    Mutation(
        name="drop the fence",
        make=mistakes.no_fence,
        scenario=replace(
            PLAIN,
            weather=replace(_LOSSES, lost_answer=0.1),
            second_aliases=tuple(range(8)),
        ),
    ),
    Mutation(name="resend on timeout", make=mistakes.resend_on_timeout, scenario=PLAIN),
    Mutation(
        name="adopt the newest job of the store",
        make=mistakes.adopt_the_newest,
        known=1,
        scenario=_CROWDED,
    ),
    Mutation(
        name="forget one CompletedWillRetry",
        make=mistakes.forget_completed_will_retry,
        scenario=replace(
            PLAIN,
            fleet=FleetPlan(stores=4, orchestrators=2, broken_stores=2),
            command=replace(_COMMAND, job_retry_count=1, job_retry_delay_s=30.0),
            retries=(Retry(after_s=5.0),),
        ),
    ),
    Mutation(
        name="give a lost answer no time to settle",
        make=mistakes.no_settle_time,
        scenario=replace(
            PLAIN,
            weather=Weather(latency_s=2.0, lost_answer=0.3, delayed=0.4),
        ),
    ),
    Mutation(
        name="conclude before a rival job can show",
        make=mistakes.conclude_before_rivals_show,
        scenario=replace(
            _FOLLOWED,
            command=replace(_COMMAND, job_min_s=0.1, job_max_s=0.3, heartbeat_s=2.0),
        ),
    ),
    Mutation(
        name="take 5xx for a refusal",
        make=mistakes.take_5xx_for_a_refusal,
        scenario=replace(PLAIN, weather=Weather(latency_s=0.5, error_after=0.3)),
    ),
    Mutation(
        name="trust an inventory that lags behind a stranger's job",
        make=mistakes.trust_a_lagging_inventory,
        known=1,
        scenario=replace(
            _CROWDED,
            settings=replace(_SETTINGS, rate_per_s=1.0),
            command=replace(_COMMAND, inventory_delay_s=20.0),
            weather=Weather(latency_s=0.5),
        ),
    ),
    Mutation(
        name="believe a list that shrinks between two pages",
        make=mistakes.believe_a_shrinking_list,
        known=6,
        scenario=replace(
            PLAIN,
            fleet=FleetPlan(stores=60, orchestrators=4, slow=0),
            command=replace(
                _COMMAND,
                return_limit_max=2,
                heartbeat_s=1.0,
                job_min_s=2.0,
                job_max_s=6.0,
            ),
            settings=replace(
                _SETTINGS,
                per_orchestrator=20,
                # Rare looks: few have to miss a job.
                poll_interval_s=110.0,
                pickup_timeout_s=600.0,
                settle_time_s=3.0,
                verify=False,
            ),
            weather=Weather(latency_s=1.0, lost_answer=1.0),
            # A long list that shrinks all the time; ours stand at its end.
            strangers=tuple((n / 400, n % 4) for n in range(240)),
        ),
    ),
    Mutation(
        name="take an empty second page for the end of a list of one page",
        make=mistakes.believe_an_empty_second_page,
        known=25,
        scenario=_SHRINKING,
    ),
    Mutation(
        name="forget a job as it leaves one list for the other",
        make=mistakes.forget_jobs_between_the_lists,
        scenario=replace(
            PLAIN,
            command=replace(
                _COMMAND, history_lag_s=3.3, job_min_s=15.0, job_max_s=30.0
            ),
            weather=Weather(latency_s=0.5),
            strangers=tuple((0.1, n) for n in range(8)),
        ),
    ),
    Mutation(
        name="forget within a look that a job has ended",
        make=mistakes.forget_that_a_job_has_ended,
        scenario=replace(
            PLAIN,
            fleet=FleetPlan(stores=4, orchestrators=2, broken_stores=2),
            command=replace(_COMMAND, job_retry_count=2, job_retry_delay_s=1.0),
            retries=(Retry(after_s=5.0),),
        ),
    ),
    Mutation(
        name="count the burst in intervals",
        make=mistakes.burst_by_intervals,
        known=4,
        scenario=replace(
            PLAIN,
            fleet=FleetPlan(stores=30, orchestrators=4),
            settings=replace(_SETTINGS, rate_per_s=5.0, burst=5, per_orchestrator=10),
            weather=Weather(latency_s=0.3, throttled=0.3),
        ),
    ),
    Mutation(
        name="forget the slots of resumed rows",
        make=mistakes.forget_the_cap,
        scenario=replace(
            PLAIN,
            settings=replace(_SETTINGS, per_orchestrator=2),
            crashes=tuple(Crash(moment=Moment.STEP, n=300) for _ in range(3)),
        ),
    ),
    Mutation(
        name="do not refresh a token that was refused",
        make=mistakes.never_refresh,
        scenario=replace(PLAIN, tokens=Tokens(revoked=(5.0, 20.0))),
    ),
    Mutation(
        name="fetch a token for each request that was refused",
        make=mistakes.refresh_for_everybody,
        scenario=replace(
            PLAIN,
            fleet=FleetPlan(stores=30, orchestrators=4),
            tokens=Tokens(revoked=(1.0, 2.0, 5.0)),
        ),
    ),
    Mutation(
        name="let requests wait for a new token while the old one is good",
        make=mistakes.wait_for_each_new_token,
        scenario=replace(
            PLAIN,
            fleet=FleetPlan(stores=40, orchestrators=4),
            settings=replace(_SETTINGS, rate_per_s=1.0, per_orchestrator=20),
            weather=Weather(latency_s=1.0),
            tokens=Tokens(lifetime_s=30.0),
        ),
    ),
    Mutation(
        name="conclude from one look that nothing is there",
        make=mistakes.conclude_from_one_look,
        known=8,
        scenario=replace(
            PLAIN,
            fleet=FleetPlan(stores=20, orchestrators=4),
            command=replace(_COMMAND, heartbeat_s=60.0, history_lag_s=3.3),
            weather=Weather(latency_s=0.3, lost_answer=0.5, outages=((3.0, 45.0),)),
        ),
    ),
    Mutation(
        name="take a rival that no look could show for a later job",
        make=mistakes.let_rivals_be_late,
        scenario=replace(
            _FOLLOWED,
            settings=replace(_FOLLOWED.settings, settle_time_s=3.0),
            command=replace(_COMMAND, heartbeat_s=1.0),
        ),
    ),
    Mutation(
        name="keep an inventory however long the row waits",
        make=mistakes.keep_an_old_inventory,
        scenario=replace(
            PLAIN,
            command=replace(_COMMAND, inventory_delay_s=20.0),
            settings=replace(_SETTINGS, rate_per_s=0.05),
            weather=Weather(latency_s=0.5),
            strangers=tuple((15.0 + n, n) for n in range(8)),
        ),
    ),
    Mutation(
        name="let moves wait behind a ledger that refused one",
        make=mistakes.spin_on_a_full_disk,
        scenario=replace(PLAIN, full_disk=((1.0, 30.0),)),
    ),
    Mutation(
        name="look for the jobs of other rows of the store",
        make=mistakes.look_for_jobs_of_other_rows,
        scenario=replace(
            PLAIN,
            weather=Weather(lost_request=0.3, outages=((2.0, 200.0),)),
            retries=(Retry(after_s=5.0),),
            second_aliases=tuple(range(8)),
        ),
    ),
    Mutation(
        name="believe an orchestrator's clock",
        make=mistakes.believe_an_orchestrators_clock,
        scenario=replace(
            _CROWDED,
            settings=replace(_SETTINGS, rate_per_s=1.0),
            command=replace(_COMMAND, inventory_delay_s=20.0),
            weather=Weather(latency_s=0.5),
            agent_skews_s=(-240.0, 600.0),
        ),
    ),
    Mutation(
        name="forget what the process before has just sent",
        make=mistakes.begin_afresh_after_each_crash,
        scenario=replace(
            PLAIN,
            settings=replace(_SETTINGS, rate_per_s=0.5),
            weather=Weather(latency_s=0.01),
            crashes=tuple(Crash(moment=Moment.POSTED, n=1) for _ in range(3)),
        ),
    ),
    Mutation(
        name="date what ended by the beginning of the look",
        make=mistakes.date_ends_by_the_looks_beginning,
        known=5,
        scenario=_SHRINKING,
    ),
)
