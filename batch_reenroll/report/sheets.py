"""The four CSV files: ``results``, ``success``, ``failure`` and ``remaining``.

Input cells come back as they were, so that a file can be compared with the manifest it
answers; ``failure.csv`` and ``remaining.csv`` are manifests that run again as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence

from batch_reenroll.report.cells import cell_text
from batch_reenroll.report.facts import RESULT_COLUMNS, CampaignFacts, RowFacts
from batch_reenroll.text import defuse, visible

#: Longest cell made from a result: Excel's limit is 32,767, one is for the quote of
#: ``defuse``. (Microsoft, "Excel specifications and limits".)
MAX_CELL = 32_766

#: Why the row is in the file; a manifest carries ``x-`` columns through.
WHY_COLUMNS = ("x-outcome", "x-reason_code", "x-message")

_LINES_PER_CHUNK = 500

#: Reasons of rows that were rotated, but to a certificate that is wrong.
ROTATED_WRONGLY = frozenset({"san_lost", "authority_differs"})


def results(facts: CampaignFacts, rows: Iterable[RowFacts]) -> Iterator[bytes]:
    """Yield ``results.csv``, or ``success.csv``, which is a part of it."""
    header = (*(defuse(name) for name in facts.input_columns), *RESULT_COLUMNS)
    return csv_of(header, map(_result_line, rows))


def manifest(facts: CampaignFacts, rows: Iterable[RowFacts]) -> Iterator[bytes]:
    """Yield a manifest of ``rows``."""
    columns = manifest_columns(facts)
    # Read once: facts.defaults may name a column in another case than the user's.
    defaults = {column_key(name): cell for name, cell in facts.defaults.items()}
    return csv_of(
        tuple(defuse(name) for name in columns),
        (_manifest_line(row, facts.input_columns, columns, defaults) for row in rows),
    )


def manifest_columns(facts: CampaignFacts) -> tuple[str, ...]:
    """Return the columns of ``failure.csv``: the user's, then what a new run needs."""
    columns = list(facts.input_columns)
    seen = {column_key(name) for name in columns}
    for name in (*facts.defaults, "CurrentThumbprint", "RowId", *WHY_COLUMNS):
        if column_key(name) not in seen:
            seen.add(column_key(name))
            columns.append(name)
    return tuple(columns)


def column_key(name: str) -> str:
    """Return what two spellings of one manifest column have in common."""
    return name.casefold()


def shown_cell(text: str) -> str:
    """Return somebody else's text on one line, cut visibly to :data:`MAX_CELL`."""
    return visible(text, MAX_CELL)


def safe_cell(text: str) -> str:
    """Return :func:`shown_cell` of ``text`` so that no spreadsheet runs it."""
    return defuse(shown_cell(text))


def _result_line(row: RowFacts) -> list[str]:
    line = [defuse(cell) for cell in row.cells]
    texts = [cell_text(row, column) for column in RESULT_COLUMNS]
    line += [text and safe_cell(text) for text in texts]
    return line


def _manifest_line(
    row: RowFacts,
    input_columns: Sequence[str],
    columns: Sequence[str],
    defaults: Mapping[str, str],
) -> list[str]:
    cells = {
        column_key(name): cell
        for name, cell in zip(input_columns, row.cells, strict=True)
    }
    for key, default in defaults.items():
        if not cells.get(key, "").strip():
            cells[key] = default
    # A certificate that was found wrong is the one to replace now: by the one before
    # it, the store would count as rotated already.
    is_wrong = cell_text(row, "reason_code") in ROTATED_WRONGLY
    thumbprint = cell_text(row, f"thumbprint_{'after' if is_wrong else 'before'}")
    if thumbprint:
        cells["currentthumbprint"] = visible(thumbprint)
    if not cells.get("rowid", "").strip():
        cells["rowid"] = row.row_id
    safe = {key: defuse(cell) for key, cell in cells.items()}
    for name in WHY_COLUMNS:
        safe[name] = safe_cell(cell_text(row, name.removeprefix("x-")))
    return [safe.get(column_key(name), "") for name in columns]


class _Line:
    """Hands a finished line back to the caller of ``writerow``."""

    def write(self, line: str) -> str:
        # The writer quotes a lone CR or LF for certain only where its own line end
        # holds that character; hence CRLF there and LF here.
        return line[:-2] + "\n"


def csv_of(header: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Yield a CSV file in chunks of UTF-8; cells come ready, lines end with LF."""
    writer = csv.writer(_Line(), lineterminator="\r\n")
    chunk: list[str] = [str(writer.writerow(header))]
    for line in lines:
        chunk.append(str(writer.writerow(line)))
        if len(chunk) >= _LINES_PER_CHUNK:
            yield _utf8(chunk)
            chunk = []
    yield _utf8(chunk)


def _utf8(chunk: Sequence[str]) -> bytes:
    # A lone surrogate has no UTF-8; it is spelled out rather than lost.
    return "".join(chunk).encode("utf-8", "backslashreplace")
