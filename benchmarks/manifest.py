"""A manifest validated: against a bare pass over the same file, and in how much memory.

Every contender is a process of its own. The figure is its CPU time, start-up included:
all of them work on one core, and CPU time does not see who else uses the machine.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import (
    Contender,
    Goal,
    Sample,
    arguments,
    measure,
    process,
    publish,
)
from benchmarks.manifests import FAULTS, write_csv, write_yaml

_BARE = "import csv, sys\nfor _ in csv.reader(open(sys.argv[1], newline='')): pass"
_PANDAS = "import sys, pandas\npandas.read_csv(sys.argv[1])"
_YAML = "import sys, yaml\nyaml.load(open(sys.argv[1], 'rb'), yaml.CSafeLoader)"
_BAD_EVERY = 1_000


def main() -> None:
    options = arguments("manifest", "A manifest validated", repetitions=3)
    n_csv, n_yaml = (20_000, 2_000) if options.quick else (1_000_000, 50_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good = write_csv(folder / "good.csv", n_csv)
        bad = write_csv(folder / "bad.csv", n_csv, bad_every=_BAD_EVERY)
        rows = write_yaml(folder / "rows.yaml", n_yaml)
        csv_table = measure(
            [
                Contender("csv.reader", lambda: _python(_BARE, good)),
                Contender("validate", lambda: _validate(good)),
                Contender("validate, 1 row in 1,000 bad", lambda: _validate(bad)),
                Contender("pandas.read_csv", lambda: _python(_PANDAS, good)),
            ],
            title=f"{n_csv:,} CSV rows",
            unit="CPU s",
            baseline="csv.reader",
            options=options,
        )
        yaml_table = measure(
            [
                Contender("yaml.CSafeLoader", lambda: _python(_YAML, rows)),
                Contender("validate", lambda: _validate(rows)),
            ],
            title=f"{n_yaml:,} YAML rows",
            unit="CPU s",
            baseline="yaml.CSafeLoader",
            options=options,
        )
        n_faults = _checked(bad, n_csv // _BAD_EVERY)
    publish(
        options,
        [csv_table, yaml_table],
        goals=[
            Goal("CSV: time to a bare pass", csv_table.ratio("validate"), at_most=6.0),
            Goal("CSV: peak RSS, MiB", csv_table.peak_mib("validate"), at_most=300.0),
        ],
        notes=[
            f"All {n_faults:,} planted faults were reported with file, line, column, "
            "row id, code and hint.",
            "validate to pandas.read_csv: "
            f"{csv_table.ratio('validate', 'pandas.read_csv'):.2f}.",
        ],
        libraries=["pandas", "PyYAML", "jsonschema"],
    )


def _python(program: str, path: Path) -> Sample:
    return _cpu(process([sys.executable, "-c", program, path]))


def _validate(path: Path) -> Sample:
    command = [sys.executable, "-m", "batch_reenroll", "validate", str(path)]
    return _cpu(process([*command, "--output", "json"], exit_codes=(0, 3)))


def _cpu(sample: Sample) -> Sample:
    return replace(sample, figure=sample.cpu_s or 0.0)


def _checked(path: Path, n_expected: int) -> int:
    """Return how many faults of a manifest are told; all planted ones must be."""
    problems = json.loads(_validate(path).output)["problems"]
    found = Counter(problem["code"] for problem in problems)
    planted = Counter(FAULTS[n % len(FAULTS)][2] for n in range(1, n_expected + 1))
    told = ("file", "line", "column", "row_id", "code", "hint")
    if found != planted or not all(p[key] for p in problems for key in told):
        message = f"{found} where {planted} were planted, or a fault without a place"
        raise RuntimeError(message)
    return len(problems)


if __name__ == "__main__":
    main()
