"""``python -m simulation``: play many seeds; a failing one is printed and shrunk."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from simulation.judge import faults
from simulation.play import play
from simulation.scenario import Scenario, draw, smaller

_BLOCK = 25
_SHOWN = 5
_SHRINK_STEPS = 200


def judged(scenario: Scenario) -> list[str]:
    """Return the promises broken in a scenario; a crash of the player is one."""
    try:
        return faults(play(scenario))
    except Exception as exc:  # noqa: BLE001 - any escape is a finding
        return [f"{type(exc).__name__}: {exc}"]


def play_block(first: int, count: int) -> list[tuple[int, list[str]]]:
    """Play seeds ``first`` to ``first + count - 1``; return those that failed."""
    found = ((seed, judged(draw(seed))) for seed in range(first, first + count))
    return [(seed, broken) for seed, broken in found if broken]


def shrunk(scenario: Scenario) -> Scenario:
    """Return a simpler scenario that still fails."""
    steps = 0
    while steps < _SHRINK_STEPS:
        for candidate in smaller(scenario):
            steps += 1
            if judged(candidate):
                scenario = candidate
                break
        else:
            return scenario
    return scenario


def _blocks(first: int, seeds: int) -> Iterator[tuple[int, int]]:
    for at in range(first, first + seeds, _BLOCK):
        yield at, min(_BLOCK, first + seeds - at)


def main() -> int:
    """Play; print every failing seed and the first one shrunk."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    began_s = time.monotonic()
    failing: list[tuple[int, list[str]]] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        blocks = list(zip(*_blocks(asked.first, asked.seeds), strict=True))
        for block in pool.map(play_block, *blocks):
            for seed, broken in block:
                print(f"seed {seed}: {'; '.join(broken[:_SHOWN])}", flush=True)
            failing += block
    took_s = time.monotonic() - began_s
    print(
        f"{asked.seeds} campaigns simulated, {len(failing)} failed, "
        f"{asked.seeds / took_s:.1f} campaigns/s"
    )
    if failing:
        seed = failing[0][0]
        print(f"seed {seed}, shrunk: {shrunk(draw(seed))!r}")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
