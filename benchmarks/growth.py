"""Cost per row as the manifest grows: validate, plan and report; a chart beside them.

CPU time of the verb's process less that of the same verb with ten rows, over the rows:
what a row costs, start-up left out. ``plan`` asks the embedded Command, a process of
its own whose time is not counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import log10
from pathlib import Path

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
from benchmarks.ledgers import CAMPAIGN_ID, ended_ledger
from benchmarks.manifests import write_csv

_SIZES = (10_000, 100_000, 1_000_000)
_PLAN_SIZES = (1_000, 2_000, 4_000)
_QUICK = (100, 200, 400)
_START_ROWS = 10
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
#: Makes the input for so many rows and returns the command that works on it.
Prepare = Callable[[Path, int], list[str]]


def main() -> None:
    options = arguments("growth", "Cost per row", repetitions=3, more=_flags)
    sizes = _QUICK if options.quick else _SIZES
    ledgers = [n for n in sizes if n <= options.asked.largest_report]
    plan_sizes = _QUICK if options.quick else _PLAN_SIZES
    tables = {"validate": _per_row("validate", _validate, sizes, options)}
    if not options.asked.without_plan:
        tables["plan"] = _per_row("plan", _plan, plan_sizes, options)
    tables["report"] = _per_row("report", _report, ledgers, options)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "growth.svg").write_text(_chart(tables), encoding="utf-8")
    publish(
        options,
        list(tables.values()),
        goals=[
            Goal(f"{verb}: dearest row to cheapest", _spread(table), at_most=1.3)
            for verb, table in tables.items()
        ],
        notes=[
            "`growth.svg` shows it. The embedded Command answers some hundred requests "
            "a second on one core; that is why `plan` is measured at smaller sizes.",
        ],
    )


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--without-plan", action="store_true", help="asks no Command")
    parser.add_argument(
        "--largest-report",
        type=int,
        default=_SIZES[-1],
        metavar="ROWS",
        help="a million rows take 6 GB of disk and some minutes to make",
    )


def _per_row(
    verb: str, prepare: Prepare, sizes: Sequence[int], options: Options
) -> Table:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as servers:
        folder = Path(name)
        commands = {}
        for n_rows in (_START_ROWS, *sizes):
            place = folder / str(n_rows)
            place.mkdir()
            environment = {}
            if prepare is _plan:
                environment = servers.enter_context(_sandbox(place, n_rows))
            command = prepare(place, n_rows)
            if prepare is _plan:
                _make_manifest(place, environment)
            commands[n_rows] = command, environment, place
        start_s = min(_cpu_s(*commands[_START_ROWS]).figure for _ in range(3))
        return measure(
            [
                Contender(f"{n:,}", lambda n=n: _row_us(n, start_s, *commands[n]))  # type: ignore[misc]
                for n in sizes
            ],
            title=f"{verb}: rows",
            unit="CPU µs a row",
            baseline=f"{sizes[0]:,}",
            options=options,
        )


def _validate(folder: Path, n_rows: int) -> list[str]:
    return ["validate", str(write_csv(folder / "m.csv", n_rows))]


def _report(folder: Path, n_rows: int) -> list[str]:
    ledger = ended_ledger(folder / "ledger.db", n_rows)
    where = ["--ledger", f"sqlite:///{ledger}", "--reports", str(folder / "reports")]
    return ["report", CAMPAIGN_ID, *where]


def _plan(folder: Path, n_rows: int) -> list[str]:
    del n_rows
    return ["plan", str(folder / "m.csv"), "-o", str(folder / "plan.json")]


@contextlib.contextmanager
def _sandbox(folder: Path, n_stores: int) -> Iterator[dict[str, str]]:
    """Start an embedded Command; yield the environment that names it."""
    command = [sys.executable, "-m", "batch_reenroll", "sandbox", "serve"]
    size = ["--stores", str(n_stores), "--orchestrators", str(max(2, n_stores // 100))]
    where = ["--dir", str(folder / "sandbox"), "--heartbeat", "3600"]
    said = folder / "said.txt"
    with (
        said.open("w") as out,
        subprocess.Popen([*command, *size, *where], stdout=out, stderr=out) as server,
    ):
        try:
            while "_PASSWORD=" not in said.read_text():
                if server.poll() is not None:
                    raise RuntimeError(said.read_text())
                time.sleep(0.1)
            yield dict(re.findall(r"^export (\w+)=(.*)$", said.read_text(), re.M))
        finally:
            server.send_signal(signal.SIGINT)


def _make_manifest(folder: Path, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "batch_reenroll", "discover", "-o", "m.csv"]
    subprocess.run(
        command,
        check=True,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
    )


def _cpu_s(words: list[str], environment: Mapping[str, str], folder: Path) -> Sample:
    command = [sys.executable, "-m", "batch_reenroll", *words]
    sample = process(command, environment=environment, folder=folder)
    return replace(sample, figure=sample.cpu_s or 0.0)


def _row_us(
    n_rows: int,
    start_s: float,
    words: list[str],
    environment: Mapping[str, str],
    folder: Path,
) -> Sample:
    sample = _cpu_s(words, environment, folder)
    return replace(sample, figure=(sample.figure - start_s) / n_rows * 1e6)


def _spread(table: Table) -> float:
    medians = [table.median(name) for name in table.samples]
    return max(medians) / min(medians)


def _chart(tables: Mapping[str, Table]) -> str:
    """Return an SVG: cost per row relative to the smallest size, over the size."""
    lines = []
    for color, (verb, table) in zip(_COLORS, tables.items(), strict=False):
        points = [
            (60 + (log10(float(name.replace(",", ""))) - 2) * 105, _y(table, name))
            for name in table.samples
        ]
        lines += [
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{color}" stroke-width="2"/>'
            for (x1, y1), (x2, y2) in pairwise(points)
        ]
        lines += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>'
            for x, y in points
        ]
        x, y = points[-1]
        lines.append(
            f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{color}">{verb}</text>'
        )
    for ratio in (0.5, 1.0, 1.3, 1.5, 2.0):
        y = _height(ratio)
        dash = ' stroke-dasharray="4 3"' if ratio == 1.3 else ""
        lines.append(
            f'<line x1="55" y1="{y:.0f}" x2="490" y2="{y:.0f}" stroke="#999"{dash}/>'
            f'<text x="20" y="{y + 4:.0f}">{ratio:g}</text>'
        )
    for power in range(2, 7):
        x = 60 + (power - 2) * 105
        lines.append(f'<text x="{x - 20}" y="255">{10**power:,}</text>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 270" '
        'font-family="sans-serif" font-size="12">'
        "<title>Cost per row relative to the smallest size, by rows</title>"
        '<rect width="560" height="270" fill="#fff"/>' + "".join(lines) + "</svg>\n"
    )


def _y(table: Table, name: str) -> float:
    return _height(table.ratio(name))


def _height(ratio: float) -> float:
    return 235 - min(ratio, 2.2) * 100


if __name__ == "__main__":
    main()
