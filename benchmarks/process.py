"""One repetition of a contender: work in this process, or a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.table import Sample

#: A process of its own that measures another: exec counts the memory of whoever called
#: it as the new program's peak, so the caller must be small.
_LAUNCHER = """
import json, os, sys, time
out, command, began = int(sys.argv[1]), sys.argv[2:], time.perf_counter()
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, used = os.wait4(pid, 0)
took = time.perf_counter() - began
figures = [os.waitstatus_to_exitcode(status), took,
           used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]
os.write(out, json.dumps(figures).encode())
"""


def timed(work: Callable[[], object]) -> Sample:
    """Return the seconds that ``work`` takes in this process."""
    cpu_s, began_s = time.process_time(), time.perf_counter()
    work()
    took_s = time.perf_counter() - began_s
    return Sample(took_s, time.process_time() - cpu_s)


def process(
    command: Sequence[str | Path],
    *,
    figure: Callable[[str, float], float] = lambda _, took_s: took_s,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    exit_codes: Iterable[int] = (0,),
) -> Sample:
    """Run a process to its end; its seconds, CPU and peak RSS (that of it alone).

    Args:
        command: Program and arguments.
        figure: The sample's figure from stdout and seconds; default: the seconds.
        environment: Added to ours.
        folder: Where it runs.
        exit_codes: Those that are fine; any other raises RuntimeError.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER]
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile("w+") as output:
        subprocess.run(
            [*launcher, str(told.fileno()), *map(str, command)],
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            env={**os.environ, **(environment or {})},
            pass_fds=[told.fileno()],
        )
        told.seek(0)
        output.seek(0)
        code, took_s, cpu_s, peak_bytes = json.loads(told.read())
        said = output.read()
    if code not in set(exit_codes):
        message = f"{' '.join(map(str, command))} exited with {code}: {said[-2000:]}"
        raise RuntimeError(message)
    return Sample(figure(said, took_s), cpu_s, peak_bytes, said)
