"""The ledger: durable transitions per second, and what a large campaign costs.

Slower disks are played by a shim that adds to every fsync, preloaded into the process
and made by the C compiler of the machine; where there is none, that part is skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.fastserver import fast_server
from benchmarks.harness import (
    Contender,
    Goal,
    Options,
    Sample,
    Table,
    arguments,
    measure,
    process,
    publish,
)

_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static int slow(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(fd);
    usleep(atoi(getenv("FSYNC_MORE_US")));
    return result;
}
int fsync(int fd) { return slow("fsync", fd); }
int fdatasync(int fd) { return slow("fdatasync", fd); }
"""

_WAITERS = (32, 256, 1024)
_WORK = [sys.executable, "-m", "benchmarks.ledgerwork"]


def _rate(waiters: int, n_rows: int, slow: dict[str, str]) -> Sample:
    return process(
        [*_WORK, "rate", str(waiters), str(n_rows)],
        figure=lambda said, _: float(json.loads(said)["per_s"]),
        environment=slow,
    )


def _transitions(options: Options, more_ms: int, shim: Path | None) -> Table:
    n_rows = 500 if options.quick else 10_000
    slow: dict[str, str] = {}
    if more_ms:
        slow = {"LD_PRELOAD": str(shim), "FSYNC_MORE_US": str(more_ms * 1000)}
    skip = "no C compiler" if more_ms and shim is None else ""
    alone = n_rows // (50 if more_ms else 10)
    grouped = [
        Contender(
            f"{waiters} waiting",
            lambda waiters=waiters: _rate(waiters, n_rows, slow),  # type: ignore[misc]
            skip,
        )
        for waiters in _WAITERS
    ]
    return measure(
        [Contender("commit for each", lambda: _rate(1, alone, slow), skip), *grouped],
        title=f"Durable transitions, {more_ms} ms added to every fsync",
        unit="per s",
        baseline=None if skip else "commit for each",
        options=options,
    )


def _large(options: Options, folder: Path) -> tuple[Table, str]:
    n_rows = 2_000 if options.quick else 1_000_000
    path = folder / "large.db"
    with fast_server() as url:
        built = process([*_WORK, "build", path, str(n_rows), url])
        status = ["status", "--output", "json", "--ledger", f"sqlite:///{path}"]
        table = measure(
            [
                Contender(
                    "python -c pass", lambda: process([sys.executable, "-c", ""])
                ),
                Contender(
                    "status",
                    lambda: process([sys.executable, "-m", "batch_reenroll", *status]),
                ),
                Contender(
                    "resume, to its first POST",
                    lambda: process([*_WORK, "decide", path]),
                ),
            ],
            title=f"A campaign of {n_rows:,} rows that wait: whole processes",
            unit="s",
            options=options,
        )
    size_bytes = path.stat().st_size
    note = (
        f"Writing {n_rows:,} rows into the ledger took {built.figure:.1f} s; the file "
        f"has {size_bytes / n_rows:,.0f} bytes for each row."
    )
    return table, note


def _shim(folder: Path) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    source, made = folder / "slow.c", folder / "slow.so"
    source.write_text(_SHIM)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", made, source, "-ldl"], check=True
    )
    return made


def main() -> None:
    """Measure and publish."""
    options = arguments("ledger", "The ledger: one SQLite file, every commit synced")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shim = _shim(folder)
        rates = [_transitions(options, more_ms, shim) for more_ms in (0, 2, 10)]
        large, note = _large(options, folder)
    best = max(rates[0].median(f"{waiters} waiting") for waiters in _WAITERS)
    resume_s = large.median("resume, to its first POST")
    goals = [
        Goal("durable transitions per second", best, at_least=20_000),
        Goal("resume decides within, s", resume_s, at_most=3.0),
        Goal("status within, s", large.median("status"), at_most=0.3),
    ]
    publish(options, [*rates, large], goals=goals, notes=[note], libraries=["uvloop"])


if __name__ == "__main__":
    main()
