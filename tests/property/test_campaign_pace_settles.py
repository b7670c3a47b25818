"""The pace finds what Command bears, whatever way Command has to say so.

Each case plays ten minutes of virtual time: a capacity below the ceiling, a drop to
less than half, a rise to four times that. Within a minute of each step, and from then
on, what is accepted is compared with the best constant rate for that capacity.
"""

from __future__ import annotations

import pytest
from unit.campaign.pacing import Played, Server, best_static, play

from batch_reenroll.campaign.pace import Pace

CEILING_PER_S = 100.0
WORKERS = 108  # as the runner has for this ceiling
SETTLE_S, STEP_S = 60.0, 150.0
CAPACITIES_PER_S = (40.0, 15.0, 60.0)

BY_429 = Server(steps=(), refuses=True, slows=False)
BY_LATENCY = Server(steps=(), refuses=False, slows=True)
BY_BOTH = Server(steps=(), refuses=True, slows=True)


def played(server: Server, seed: int) -> tuple[Server, Played]:
    steps = tuple((n * STEP_S, per_s) for n, per_s in enumerate(CAPACITIES_PER_S))
    server = Server(
        steps=steps,
        refuses=server.refuses,
        slows=server.slows,
        bucket_s=(0.1, 1.0, 3.0)[seed % 3],
        retry_after_s=(None, 1.0)[seed % 2] if server.refuses else None,
    )
    pace = Pace(ceiling_per_s=CEILING_PER_S, burst=1, now_s=0.0)
    until_s = len(steps) * STEP_S
    return server, play(server, pace, workers=WORKERS, until_s=until_s, seed=seed)


@pytest.mark.parametrize("server", [BY_429, BY_LATENCY, BY_BOTH])
@pytest.mark.parametrize("seed", range(4))
def test_it_settles_within_a_tenth_of_the_best_constant_rate(
    server: Server, seed: int
) -> None:
    server, seen = played(server, seed)
    for n, capacity in enumerate(CAPACITIES_PER_S):
        best = best_static(server, capacity, workers=WORKERS, seed=seed)
        found = seen.goodput(n * STEP_S + SETTLE_S, (n + 1) * STEP_S)
        assert found >= 0.9 * best, (capacity, found, best)


@pytest.mark.parametrize("seed", range(3))
def test_few_requests_are_refused_on_the_way(seed: int) -> None:
    _, seen = played(BY_429, seed)
    assert len(seen.refused_s) < 0.02 * len(seen.sent_s)


@pytest.mark.parametrize("server", [BY_429, BY_LATENCY, BY_BOTH])
def test_it_never_sends_faster_than_the_ceiling(server: Server) -> None:
    _, seen = played(server, 1)
    sent = seen.sent_s
    for n in range(len(sent) - 50):
        assert sent[n + 50] - sent[n] >= 50 / CEILING_PER_S - 1e-6


def test_a_command_that_answers_well_is_asked_at_the_ceiling_within_ten_s() -> None:
    server = Server(steps=((0.0, 500.0),), refuses=True, slows=True)
    pace = Pace(ceiling_per_s=CEILING_PER_S, burst=1, now_s=0.0)
    seen = play(server, pace, workers=WORKERS, until_s=30.0, seed=1)
    assert seen.goodput(10.0, 30.0) >= 0.97 * CEILING_PER_S
