"""A few hundred seeds on every run; `make simulate SEEDS=10000` plays more."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from simulation.drawing import draw
from simulation.frozen import as_python
from simulation.judge import faults
from simulation.mutations import MUTATIONS
from simulation.play import play
from simulation.played import Played
from simulation.scenario import Crash, Halt, Moment, Retry, Scenario, Tokens, Weather
from simulation.shrinking import judged, shrunk, smaller

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.sandbox import FleetPlan, Settings

_BLOCK = 15
_SEEDS = 150

#: A small campaign to which nothing happens.
_CALM = Scenario(
    seed=1,
    fleet=FleetPlan(stores=6, orchestrators=2, seed=1),
    command=Settings(nightly_inventory=False, heartbeat_s=5.0),
    settings=RunSettings(poll_interval_s=5.0, breaker_failures=1000),
    weather=Weather(latency_s=0.3),
)


@pytest.mark.parametrize("first", range(0, _SEEDS, _BLOCK))
def test_no_promise_is_broken(first: int) -> None:
    broken = {
        seed: found
        for seed in range(first, first + _BLOCK)
        if (found := judged(draw(seed)))
    }
    assert not broken


def test_the_same_seed_plays_the_same() -> None:
    first, second = play(draw(12)), play(draw(12))
    assert first.lines == second.lines
    assert first.log == second.log


def test_a_resumed_campaign_ends_as_an_uninterrupted_one() -> None:
    """In calm weather, any number of crashes and stops changes no outcome."""
    crashes = tuple(Crash(moment=m, n=n) for n in (1, 3, 9) for m in Moment)
    halts = (Halt(at_s=4.0), Halt(at_s=9.0, resume_after_s=100.0))
    for seed in range(12):
        fleet = replace(_CALM.fleet, seed=seed)
        calm = replace(_CALM, seed=seed, fleet=fleet)
        interrupted = replace(calm, crashes=crashes, halts=halts)
        assert _outcomes(play(interrupted)) == _outcomes(play(calm)), seed


def _outcomes(played: Played) -> dict[int, State]:
    assert faults(played) == []
    return {row.row_no: row.state for row in played.rows}


# -- does what should happen in the simulation happen? ------------------------------


@pytest.mark.parametrize("moment", Moment)
def test_a_process_dies_at_each_kind_of_moment(moment: Moment) -> None:
    crashes = tuple(Crash(moment=moment, n=n) for n in (1, 2, 1))
    one_by_one = replace(_CALM.settings, max_in_flight=1)
    played = play(replace(_CALM, settings=one_by_one, crashes=crashes))
    assert played.n_lives == 4
    assert set(_outcomes(played).values()) == {State.VERIFIED}


def test_a_process_may_die_at_any_await() -> None:
    """Step by step through a whole campaign: every one of its awaits is a death."""
    for n in range(1, 1500, 50):
        for near in (0, 1, 7):
            crash = Crash(moment=Moment.STEP, n=n + near)
            played = play(replace(_CALM, crashes=(crash,)))
            assert set(_outcomes(played).values()) == {State.VERIFIED}
            if played.n_lives == 1:
                return
    pytest.fail("a campaign of six stores takes more steps than that")


def test_tokens_end_early_and_are_replaced_once() -> None:
    # Amid the first submissions, so that one of them meets a revoked token.
    tokens = Tokens(lifetime_s=30.0, revoked=(2.5, 12.0), away=((40.0, 20.0),))
    many = replace(_CALM, fleet=FleetPlan(stores=30, orchestrators=2, seed=1))
    played = play(replace(many, tokens=tokens))
    assert {post.status for post in played.posts} == {204, 401}
    assert set(_outcomes(played).values()) == {State.VERIFIED}


def test_a_stopped_campaign_is_resumed_and_ends() -> None:
    played = play(replace(_CALM, halts=(Halt(at_s=2.0, resume_after_s=50.0),)))
    assert [str(ended.end.stop) for ended in played.ends] == ["operator", "None"]
    assert set(_outcomes(played).values()) == {State.VERIFIED}


def test_a_retry_takes_back_only_the_outcomes_it_names() -> None:
    broken = replace(
        _CALM,
        fleet=FleetPlan(stores=6, orchestrators=2, broken_stores=2, seed=1),
        retries=(
            Retry(after_s=5.0, only=(State.STALLED,)),
            Retry(after_s=5.0, only=(State.FAILED,)),
        ),
    )
    played = play(broken)
    assert faults(played) == []
    assert len(played.ends) == 2
    assert sorted(row.retries for row in played.rows) == [0, 0, 0, 0, 1, 1]


# -- a failing seed -------------------------------------------------------------------


def test_a_failing_scenario_is_shrunk_and_printed_as_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutation = next(m for m in MUTATIONS if m.name == "resend on timeout")
    with monkeypatch.context() as patch:
        mutation.make(patch)
        found = shrunk(mutation.at(mutation.known))
        assert judged(found)
        assert not any(judged(candidate) for candidate in smaller(found))
    assert found.fleet.stores <= 2
    assert found.settings.pickup_timeout_s == RunSettings().pickup_timeout_s
    assert judged(found) == []
    assert eval(as_python(found), {**globals()}) == found


def test_drawn_scenarios_survive_printing() -> None:
    from simulation import scenario as nouns
    from simulation import steering

    names = {**vars(steering), **globals(), **vars(nouns), "Fraction": Fraction}
    for seed in range(50):
        drawn = draw(seed)
        assert eval(as_python(drawn), names) == drawn
