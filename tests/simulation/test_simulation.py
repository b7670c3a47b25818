"""A few hundred seeds on every run; `make simulate SEEDS=10000` plays more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulation.judge import faults
from simulation.play import play
from simulation.scenario import Scenario, draw

from batch_reenroll.campaign.lifecycle import State

_BLOCK = 15
_SEEDS = 240


@pytest.mark.parametrize("first", range(0, _SEEDS, _BLOCK))
def test_no_promise_is_broken(first: int) -> None:
    broken = {
        seed: found
        for seed in range(first, first + _BLOCK)
        if (found := faults(play(draw(seed))))
    }
    assert not broken


@pytest.mark.parametrize(
    "seed",
    [
        6,  # the feeder span while Command was away and a resting row was due
        23,  # moves queued behind a dead ledger writer waited for ever
        4,  # with a retry: an earlier try of an ended job read as a job still going
        64,  # slowing down let a burst out of the limiter
    ],
)
def test_a_seed_that_once_failed_holds(seed: int) -> None:
    assert faults(play(draw(seed))) == []


def test_the_same_seed_plays_the_same() -> None:
    first, second = play(draw(12)), play(draw(12))
    assert first.lines == second.lines
    assert first.log == second.log


def test_a_resumed_campaign_ends_as_an_uninterrupted_one() -> None:
    """In calm weather, any number of crashes changes no outcome."""
    for seed in range(25):
        drawn = draw(seed)
        calm = replace(
            drawn,
            weather=replace(
                drawn.weather,
                refused=0.0,
                lost_request=0.0,
                lost_answer=0.0,
                error_before=0.0,
                error_after=0.0,
                throttled=0.0,
                bad_read=0.0,
                outages=(),
            ),
            strangers=(),
            settings=replace(
                drawn.settings, breaker_failures=1000, verify_timeout_s=3_000.0
            ),
            fleet=replace(drawn.fleet, offline=0),
            crashes=(),
            retries=0,
        )
        crashing = replace(calm, crashes=(40, 90, 15, 200))
        assert _outcomes(crashing) == _outcomes(calm), seed


def _outcomes(scenario: Scenario) -> dict[int, State]:
    return {row.row_no: row.state for row in play(scenario).rows}
