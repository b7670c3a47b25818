"""The four CSV files against each other and against the journal's end states.

``results.csv`` has one record for every row, in order. Walked through once, beside the
other three: each record must be the next one of ``success.csv``, of ``failure.csv`` or
of ``remaining.csv``, as its outcome says. So the three are disjoint and together the
whole, in bounded memory.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from batch_reenroll.evidence.findings import Faults

RESULTS = "results.csv"

#: Outcome → the file that its rows are in (design.md, section 5).
SIDE: Mapping[str, str] = {
    **dict.fromkeys(
        ("verified", "succeeded", "skipped_already_rotated"), "success.csv"
    ),
    **dict.fromkeys(("failed", "rejected", "warning"), "failure.csv"),
    **dict.fromkeys(("skipped_preflight", "stalled", "unknown"), "failure.csv"),
    **dict.fromkeys(
        ("not_attempted", "cancelled", "skipped_excluded"), "remaining.csv"
    ),
}

#: The first result columns of ``results.csv`` (design.md, section 5); input columns
#: stand before them. Later versions may add some at the end.
_FIRST_RESULTS = ("outcome", "reason_code", "message")

#: Of a manifest that is made of the results; see :func:`_differing`.
_WHY = {"x-outcome": "outcome", "x-reason_code": "reason_code", "x-message": "message"}


#: Reasons of rows that were rotated, but to a certificate that is wrong: what they
#: hold now is what a later run must replace.
_ROTATED_WRONGLY = frozenset({"san_lost", "authority_differs"})


class Record(NamedTuple):
    """A record of a CSV file, and the line at which it ends."""

    line: int
    cells: Sequence[str]


class Sheet:
    """One CSV file, read record by record; a fault ends it.

    Args:
        name: Of the file.
        lines: Its lines with their ends, or None where it cannot be read.
        faults: Where they go.
    """

    def __init__(self, name: str, lines: Iterable[str] | None, faults: Faults) -> None:
        self.name = name
        self._faults = faults
        self._records = iter(()) if lines is None else self._read(lines)
        first = next(self._records, None)
        self.header = () if first is None else tuple(first.cells)
        self.is_readable = first is not None
        #: Where the last record ended.
        self.line = 1

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        record = next(self._records)
        self.line = record.line
        return record

    def _read(self, lines: Iterable[str]) -> Iterator[Record]:
        reader = csv.reader(lines, strict=True)
        width = None
        try:
            for cells in reader:
                width = len(cells) if width is None else width
                if len(cells) != width:
                    message = "a record of another number of cells than the header"
                    self._faults.add(
                        "csv",
                        self.name,
                        reader.line_num,
                        message,
                        expected=width,
                        found=len(cells),
                    )
                    return
                yield Record(reader.line_num, cells)
            if width is None:
                self._faults.add(
                    "csv", self.name, 1, "it is empty: a header is missing"
                )
        except (csv.Error, ValueError) as exc:
            message = f"it cannot be read on: {exc}"
            self._faults.add("csv", self.name, reader.line_num + 1, message)


def check_sheets(
    sheets: Mapping[str, Iterable[str] | None],
    outcome_of: Callable[[int], str | None],
    n_rows: int | None,
    faults: Faults,
) -> Counter[str]:
    """Walk through the four files once; return the results by outcome.

    Args:
        sheets: Lines by file name; None for a file that cannot be read.
        outcome_of: A row's outcome by the journal, 1-based; None where not known.
        n_rows: Rows by the journal, or None where not known.
        faults: Where they go.
    """
    opened = {name: Sheet(name, lines, faults) for name, lines in sheets.items()}
    results = opened.pop(RESULTS)
    counts: Counter[str] = Counter()
    if not results.is_readable:
        return counts
    n_input = _n_input(results.header)
    if n_input is None:
        message = "the header does not have the result columns"
        faults.add("csv_header", RESULTS, 1, message)
        return counts
    comparing = {
        name: _Comparison(results.header, n_input, sheet)
        for name, sheet in opened.items()
        if _fits(sheet, results.header, n_input, faults)
    }
    row_no = 0
    for row_no, record in enumerate(results, start=1):
        outcome = record.cells[n_input]
        counts[outcome] += 1
        by_journal = outcome_of(row_no)
        if by_journal is not None and by_journal != outcome:
            message = f"row {row_no} ended otherwise in the journal"
            faults.add(
                "outcome",
                RESULTS,
                record.line,
                message,
                expected=by_journal,
                found=outcome,
            )
        side = comparing.get(SIDE.get(outcome, ""))
        if side is not None:
            side.check(row_no, record, faults)
        elif outcome not in SIDE:
            faults.add(
                "outcome",
                RESULTS,
                record.line,
                "no outcome that there is",
                found=outcome,
            )
    others = [opened[name] for name in comparing]
    _check_ends(results, others, row_no, n_rows, faults)
    return counts


def _n_input(header: Sequence[str]) -> int | None:
    """Return how many input columns stand before the results; None without results."""
    n = len(_FIRST_RESULTS)
    places = (
        at for at in range(len(header)) if tuple(header[at : at + n]) == _FIRST_RESULTS
    )
    return max(places, default=None)


def _fits(sheet: Sheet, results: Sequence[str], n_input: int, faults: Faults) -> bool:
    """Return whether a file has the columns that it can be compared by."""
    if not sheet.is_readable:
        return False
    if SIDE["succeeded"] == sheet.name:
        fits = sheet.header == results
    else:
        there = {name.casefold() for name in sheet.header}
        fits = there.issuperset(name.casefold() for name in results[:n_input])
    if not fits:
        message = f"its columns are not those of {RESULTS}"
        faults.add("csv_header", sheet.name, 1, message)
    return fits


def _check_ends(
    results: Sheet,
    others: Iterable[Sheet],
    n_found: int,
    n_rows: int | None,
    faults: Faults,
) -> None:
    if n_rows is not None and n_found != n_rows:
        message = "it does not have a record for every row of the genesis"
        faults.add(
            "rows", RESULTS, results.line, message, expected=n_rows, found=n_found
        )
    for sheet in others:
        n_more = sum(1 for _ in sheet)
        if n_more:
            message = f"{n_more} records more than results.csv has for this file"
            faults.add("rows", sheet.name, sheet.line, message)


class _Comparison:
    """Holds ``results.csv`` against the file that some of its rows are in."""

    def __init__(self, results: Sequence[str], n_input: int, sheet: Sheet) -> None:
        self._sheet = sheet
        self._results = results
        self._n_input = n_input
        self._is_same = sheet.header == results
        self._at = {name.casefold(): at for at, name in enumerate(sheet.header)}
        self._is_over = False

    def check(self, row_no: int, record: Record, faults: Faults) -> None:
        """Compare the row with the file's next record."""
        if self._is_over:
            return
        other = next(self._sheet, None)
        if other is None:
            self._is_over = True
            message = f"row {row_no} is missing, and every one after it"
            faults.add(
                "row_missing",
                self._sheet.name,
                self._sheet.line,
                message,
                expected=f"the row of {RESULTS}, line {record.line}",
            )
            return
        wrong = self._differing(row_no, record.cells, other.cells)
        if wrong is not None:
            name, expected, found = wrong
            message = f"{name} is not what {RESULTS} says at line {record.line}"
            faults.add(
                "row_differs",
                self._sheet.name,
                other.line,
                message,
                expected=expected,
                found=found,
            )

    def _differing(
        self, row_no: int, cells: Sequence[str], other: Sequence[str]
    ) -> tuple[str, str, str] | None:
        """Return the first column that differs, with both its cells."""
        if self._is_same:
            pairs = zip(self._results, cells, other, strict=True)
            return next((pair for pair in pairs if pair[1] != pair[2]), None)
        for name, cell in self._wanted(row_no, cells).items():
            at = self._at.get(name)
            found = "" if at is None else other[at]
            if found != cell:
                return name, cell, found
        return None

    def _wanted(self, row_no: int, cells: Sequence[str]) -> dict[str, str]:
        """Return what a manifest of the row must hold, by column in lower case.

        An empty input cell may have been filled with the manifest's default.
        """
        n = self._n_input
        result = dict(zip(self._results[n:], cells[n:], strict=True))
        given = zip(self._results[:n], cells[:n], strict=True)
        wanted = {name.casefold(): cell for name, cell in given if cell.strip()}
        wanted.setdefault("rowid", str(row_no))
        is_wrong = result.get("reason_code") in _ROTATED_WRONGLY
        held = result.get("thumbprint_after" if is_wrong else "thumbprint_before")
        if held:
            wanted["currentthumbprint"] = held
        return {**wanted, **{name: result[column] for name, column in _WHY.items()}}
