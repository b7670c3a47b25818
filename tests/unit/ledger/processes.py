"""Other processes that work on a ledger: started, listened to, killed by their id."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[2]


@contextlib.contextmanager
def victim(verb: str, path: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start ``unit.ledger.victim``; whatever happens, it is gone afterwards."""
    search = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-m", "unit.ledger.victim", verb, str(path), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    """Return what the process says next, or "" once it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill_after(process: subprocess.Popen[str], n_lines: int) -> list[str]:
    """Hear ``n_lines`` lines, kill the process, and return every line it had said."""
    assert process.stdout is not None
    heard = [process.stdout.readline() for _ in range(n_lines)]
    process.kill()
    heard += process.stdout.readlines()
    process.wait()
    # The last line may be cut: what was not said whole was not acknowledged.
    return [line.strip() for line in heard if line.endswith("\n")]
