"""What the command line costs before it does anything, against ``python -c pass``.

The figure is CPU time, as in ``benchmarks.manifest``.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import (
    Contender,
    Sample,
    arguments,
    measure,
    process,
    publish,
)
from benchmarks.ledgers import ended_ledger
from benchmarks.manifests import write_csv, write_yaml

_N_ROWS = 10
_EVERYTHING = "import batch_reenroll, pandas, aiohttp, jsonschema, cryptography.x509, "
_EVERYTHING += "jinja2, rich, yaml"


def main() -> None:
    options = arguments("startup", "Start-up", repetitions=15)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_csv(folder / "ten.csv", _N_ROWS)
        items = write_yaml(folder / "ten.yaml", _N_ROWS)
        ledger = f"sqlite:///{ended_ledger(folder / 'ten.db', _N_ROWS)}"
        table = measure(
            [
                Contender("python -c pass", lambda: _run("-c", "pass")),
                Contender("--help", lambda: _verb("--help")),
                Contender("validate, ten CSV rows", lambda: _verb("validate", rows)),
                Contender("validate, ten YAML rows", lambda: _verb("validate", items)),
                Contender("status", lambda: _verb("status", "--ledger", ledger)),
                Contender("all imports", lambda: _run("-c", _EVERYTHING)),
            ],
            title="One command",
            unit="CPU s",
            baseline="python -c pass",
            options=options,
        )
    publish(
        options,
        [table],
        notes=[
            "`all imports` is what a verb would wait for if nothing were loaded late. "
            "A unit test holds that --help, validate and status load none of them.",
        ],
    )


def _run(*words: str) -> Sample:
    return _cpu(process([sys.executable, *words]))


def _verb(*words: str | Path) -> Sample:
    return _cpu(process([sys.executable, "-m", "batch_reenroll", *words]))


def _cpu(sample: Sample) -> Sample:
    return replace(sample, figure=sample.cpu_s or 0.0)


if __name__ == "__main__":
    main()
