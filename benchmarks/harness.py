"""Contenders in turn, in one run: medians, spread, ratios to a baseline, goals.

A benchmark is a module with a ``main()``::

    from benchmarks.harness import Contender, Goal, arguments, measure, process, ...

    def main() -> None:
        options = arguments("manifest", "One million rows validated", repetitions=5)
        n_rows = 20_000 if options.quick else 1_000_000
        path = ...                                     # made once, not timed
        table = measure(
            [
                Contender("csv.reader", lambda: timed(lambda: bare_pass(path))),
                Contender("validate", lambda: process([sys.executable, "-m", ...])),
                Contender("pandas", ..., skip="pandas is not installed"),
            ],
            title="1,000,000 rows", unit="s", baseline="csv.reader", options=options,
        )
        goals = [
            Goal("time to a bare pass", table.ratio("validate"), at_most=6.0),
            Goal("peak RSS, MiB", table.peak_mib("validate"), at_most=300),
        ]
        publish(options, [table], goals=goals, notes=["..."], libraries=["pandas"])

Contenders run A B C A B C …, so that a slow minute of a shared machine hits them all;
ratios are taken within a round. A figure is seconds or anything per second: the unit
says so. :func:`publish` prints Markdown and writes ``<out>/<name>.md`` and ``.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.process import process, timed
from benchmarks.table import Goal, Sample, Table, show

__all__ = [
    "Contender",
    "Goal",
    "Options",
    "Sample",
    "Table",
    "arguments",
    "measure",
    "process",
    "publish",
    "timed",
]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work: ``run`` does it once. ``skip`` says why it cannot."""

    name: str
    run: Callable[[], Sample]
    skip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said; see :func:`arguments`."""

    name: str
    title: str
    quick: bool
    repetitions: int
    out: Path
    asked: argparse.Namespace


def arguments(
    name: str,
    title: str,
    *,
    repetitions: int = 5,
    more: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> Options:
    """Return the flags that all benchmarks share; ``more`` may add others (``asked``).

    ``--quick`` means a small size and two repetitions: it shows that all of it runs.
    """
    parser = argparse.ArgumentParser(prog=f"benchmarks.{name}", description=title)
    parser.add_argument("--quick", action="store_true", help="a small size, twice")
    parser.add_argument("--repetitions", type=int, metavar="N")
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    more(parser)
    asked = parser.parse_args()
    rounds = asked.repetitions or (2 if asked.quick else repetitions)
    return Options(
        name=name,
        title=title,
        quick=asked.quick,
        repetitions=rounds,
        out=asked.out,
        asked=asked,
    )


def measure(
    contenders: Sequence[Contender],
    *,
    title: str,
    unit: str,
    options: Options,
    baseline: str | None = None,
    repetitions: int | None = None,
) -> Table:
    """Run the contenders in turn, ``repetitions`` times (default: as asked for)."""
    running = [contender for contender in contenders if not contender.skip]
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in running}
    rounds = repetitions or options.repetitions
    for n in range(rounds):
        for contender in running:
            sample = contender.run()
            samples[contender.name].append(sample)
            told = f"{contender.name}: {show(sample.figure)} {unit}"
            print(f"{title}, {n + 1} of {rounds}: {told}", file=sys.stderr, flush=True)
    skipped = {one.name: one.skip for one in contenders if one.skip}
    return Table(
        title=title, unit=unit, baseline=baseline, samples=samples, skipped=skipped
    )


def publish(
    options: Options,
    tables: Sequence[Table],
    *,
    goals: Sequence[Goal] = (),
    notes: Sequence[str] = (),
    libraries: Sequence[str] = (),
) -> None:
    """Print the tables, goals and the machine, and write them as Markdown and JSON."""
    about = machine(libraries)
    lines = [f"## {options.title}", ""]
    for table in tables:
        lines += [*table.lines(), ""]
    if goals:
        lines += ["| goal | limit | reached | |", "|---|--:|--:|---|"]
        lines += [
            f"| {goal.what} | {goal.limit} | {show(goal.reached)} "
            f"| {'met' if goal.met else '**missed**'} |"
            for goal in goals
        ]
        lines.append("")
    for note in notes:
        lines += [note, ""]
    rounds = f"{options.repetitions} alternating repetitions"
    small = "; a quick run, too small to judge by" if options.quick else ""
    lines.append(f"{rounds}{small}. {about.sentence()}")
    text = "\n".join(lines) + "\n"
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{options.name}.md").write_text(text, encoding="utf-8")
    figures = {
        "name": options.name,
        "title": options.title,
        "quick": options.quick,
        "machine": about.facts,
        "tables": [table.as_json() for table in tables],
        "goals": [
            {"what": g.what, "limit": g.limit, "reached": g.reached, "met": g.met}
            for g in goals
        ],
        "notes": list(notes),
    }
    path = options.out / f"{options.name}.json"
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
