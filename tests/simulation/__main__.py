"""``python -m simulation``: play many seeds; a failing one is printed and shrunk."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from simulation.drawing import draw
from simulation.frozen import as_python
from simulation.shrinking import judged, shrunk

_BLOCK = 25
#: Blocks between two lines that say how far it has come.
_TOLD = 40
_SHOWN = 5
#: Failing seeds that are shrunk: the first ones.
_SHRUNK = 3


def play_block(first: int, count: int) -> list[tuple[int, list[str]]]:
    """Play seeds ``first`` to ``first + count - 1``; return those that failed."""
    found = ((seed, judged(draw(seed))) for seed in range(first, first + count))
    return [(seed, broken) for seed, broken in found if broken]


def _blocks(first: int, seeds: int) -> Iterator[tuple[int, int]]:
    for at in range(first, first + seeds, _BLOCK):
        yield at, min(_BLOCK, first + seeds - at)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    return parser.parse_args()


def main() -> int:
    """Play; print every failing seed, and the first ones shrunk and frozen."""
    asked = _asked()
    began_s = time.monotonic()
    failing: list[int] = []
    with ProcessPoolExecutor(asked.jobs) as pool:
        blocks = list(zip(*_blocks(asked.first, asked.seeds), strict=True))
        for n, block in enumerate(pool.map(play_block, *blocks), 1):
            if n % _TOLD == 0:
                print(f"{n * _BLOCK} campaigns played", file=sys.stderr, flush=True)
            for seed, broken in block:
                print(f"seed {seed}: {'; '.join(broken[:_SHOWN])}", flush=True)
                failing.append(seed)
    took_s = time.monotonic() - began_s
    last = asked.first + asked.seeds - 1
    print(
        f"{asked.seeds} campaigns simulated (seeds {asked.first} to {last}) "
        f"in {took_s:.0f} s, {asked.seeds / took_s:.1f} campaigns/s; "
        f"{len(failing)} failed"
    )
    for seed in failing[:_SHRUNK]:
        found = shrunk(draw(seed))
        print(f"\nseed {seed}, shrunk; keep it in tests/simulation/test_regressions.py")
        print(f"{as_python(found)}\n{'; '.join(judged(found)[:_SHOWN])}", flush=True)
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
