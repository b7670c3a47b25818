"""What goes in and what comes out on paper: manifests and report folders."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from acceptance.served import Row
from jsonschema import Draft202012Validator

from batch_reenroll.cli.evidence import ReportFolder
from batch_reenroll.evidence import Faults, check_folder

SCHEMAS = Path(__file__).parents[2] / "schemas"

SUCCESS = {"verified", "succeeded", "skipped_already_rotated"}
REMAINING = {"not_attempted", "cancelled", "skipped_excluded"}


def write_manifest(path: Path, rows: Sequence[Row]) -> Path:
    """Write a CSV manifest with the columns of the first row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report folder, read with nothing but the standard library."""

    folder: Path

    def lines(self, name: str) -> list[Row]:
        """Return the lines of a CSV file."""
        with (self.folder / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def results(self) -> list[Row]:
        """The lines of results.csv."""
        return self.lines("results.csv")

    @property
    def outcomes(self) -> Counter[str]:
        """Rows by outcome, counted in results.csv."""
        return Counter(line["outcome"] for line in self.results)

    @property
    def summary(self) -> dict[str, Any]:
        """summary.json."""
        value: dict[str, Any] = json.loads(self.text("summary.json"))
        return value

    def text(self, name: str) -> str:
        """Return a file as text."""
        return (self.folder / name).read_text(encoding="utf-8")

    def assert_accounts_for(self, rows: Sequence[Row]) -> None:
        """Fail unless every row is in the report once, in every file that has rows."""
        wanted = [row["RowId"] for row in rows]
        results = self.results
        assert [line["RowId"] for line in results] == wanted
        parts = {
            name: [line["RowId"] for line in self.lines(f"{name}.csv")]
            for name in ("success", "failure", "remaining")
        }
        assert sorted(chain.from_iterable(parts.values())) == sorted(wanted)
        for line in results:
            assert line["RowId"] in parts[part_of(line["outcome"])]
        self._assert_summary(Counter(line["outcome"] for line in results), len(wanted))
        self.assert_chain()

    def _assert_summary(self, outcomes: Counter[str], n_rows: int) -> None:
        summary = self.summary
        schema = json.loads((SCHEMAS / "summary.v1.schema.json").read_text())
        Draft202012Validator(schema).validate(summary)
        assert summary["rows"] == n_rows
        assert Counter(summary["outcomes"]) == outcomes
        for group in ("by_orchestrator", "by_ca", "by_store_type", "by_reason"):
            assert sum(entry["rows"] for entry in summary[group]) == n_rows, group

    def assert_chain(self) -> None:
        """Fail unless every journal line holds the SHA-256 of the line before."""
        prev = "0" * 64
        for number, line in enumerate(self.text("events.jsonl").splitlines()):
            entry = json.loads(line)
            assert (entry["seq"], entry["prev"]) == (number, prev)
            prev = hashlib.sha256(line.encode()).hexdigest()
        assert prev == self.summary["journal_head"]

    def assert_holds(self) -> None:
        """Fail unless the evidence is of its schema and verifies."""
        schema = json.loads((SCHEMAS / "evidence.v1.schema.json").read_text())
        Draft202012Validator(schema).validate(json.loads(self.text("evidence.json")))
        faults = Faults()
        check_folder(ReportFolder(self.folder), faults)
        assert faults.kept == []


def ended_as(folder: Path) -> dict[str, int]:
    """Return how many rows of the campaign ``c`` ended how, by its summary."""
    counts = Report(folder=folder / "reports" / "c").summary["outcomes"]
    return {outcome: n for outcome, n in counts.items() if n}


def part_of(outcome: str) -> str:
    """Return the file, of three, that a row of this outcome is in."""
    if outcome in SUCCESS:
        return "success"
    return "remaining" if outcome in REMAINING else "failure"


def report_of(said: str, folder: Path) -> Report:
    """Return the report whose path a command printed; its evidence holds."""
    found = re.search(r"^report: (.+)/report\.html$", said, re.MULTILINE)
    assert found, f"no path of a report in:\n{said}"
    report = Report(folder=folder / found[1])
    report.assert_holds()
    return report
