"""A ledger made into all report files, against ``DataFrame.to_csv`` of the same table.

The figure is CPU time, as in ``benchmarks.manifest``. The table of ``to_csv`` is
``results.csv`` as text; reading it is not counted.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser
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
from benchmarks.ledgers import CAMPAIGN_ID, ended_ledger

_TO_CSV = """
import sys, time, pandas
table = pandas.read_csv(sys.argv[1], dtype=str, keep_default_na=False)
began = time.process_time()
table.to_csv(sys.argv[2], index=False)
print(time.process_time() - began)
"""


def main() -> None:
    options = arguments(
        "reports", "Reports of one campaign", repetitions=2, more=_flags
    )
    n_rows = 5_000 if options.quick else options.asked.rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = ended_ledger(folder / "ledger.db", n_rows)
        results = folder / "reports" / CAMPAIGN_ID / "results.csv"
        _report(ledger, folder)
        n_bytes = sum(file.stat().st_size for file in results.parent.iterdir())
        table = measure(
            [
                Contender("DataFrame.to_csv", lambda: _to_csv(results, folder)),
                Contender("report, ten files", lambda: _report(ledger, folder)),
            ],
            title=f"{n_rows:,} rows",
            unit="CPU s",
            baseline="DataFrame.to_csv",
            options=options,
        )
    publish(
        options,
        [table],
        goals=[
            Goal("peak RSS, MiB", table.peak_mib("report, ten files"), at_most=1024.0)
        ],
        notes=[f"The files hold {n_bytes / 2**20:,.0f} MiB; to_csv writes one of ten."],
        libraries=["pandas"],
    )


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N")


def _to_csv(results: Path, folder: Path) -> Sample:
    command = [sys.executable, "-c", _TO_CSV, str(results), str(folder / "copy.csv")]
    return process(command, figure=lambda said, _: float(said))


def _report(ledger: Path, folder: Path) -> Sample:
    command = [sys.executable, "-m", "batch_reenroll", "report", CAMPAIGN_ID]
    where = ["--ledger", f"sqlite:///{ledger}", "--reports", str(folder / "reports")]
    sample = process([*command, *where])
    return replace(sample, figure=sample.cpu_s or 0.0)


if __name__ == "__main__":
    main()
