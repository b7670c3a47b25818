"""``results.xlsx``: the results as a sheet that opens in Excel as it is meant.

Every text is written as text: no formula, no link, no number is made of one. What
Excel cannot hold is refused before it is written. An xlsx file is a ZIP of sheets that
must be whole first, so this module needs a folder on disk while it works.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch_reenroll.errors import UsageError
from batch_reenroll.report.cells import xml_text
from batch_reenroll.report.facts import RESULT_COLUMNS, CampaignFacts, RowFacts
from batch_reenroll.report.sheets import MAX_CELL
from batch_reenroll.report.typed import TIMES, typed_value
from batch_reenroll.text import parse_time

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

#: Rows and columns of a sheet, the header's among them (Microsoft, "Excel
#: specifications and limits").
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384

# Texts go through write_string, which guesses nothing; the three options below hold
# even where that is forgotten.
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "default_date_format": "yyyy-mm-dd hh:mm:ss",
}
_BYTES_PER_CHUNK = 1 << 16
#: Excel's first day that it and everybody else agree on; it has none before 1900.
_FIRST_DAY = datetime(1900, 3, 1, tzinfo=UTC)
_WIDTHS: Mapping[str, int] = {
    **dict.fromkeys(TIMES, 19),
    **{"message": 60, "reason_code": 24, "outcome": 22, "store_path": 40},
}


def check_size(facts: CampaignFacts, n_rows: int) -> None:
    """Refuse what one sheet cannot hold.

    Raises:
        UsageError: Too many rows or columns (code ``too_large``).
    """
    n_columns = len(facts.input_columns) + len(RESULT_COLUMNS)
    if n_rows < MAX_ROWS and n_columns <= MAX_COLUMNS:
        return
    raise UsageError(
        f"results.xlsx: {n_rows:,} rows and {n_columns:,} columns; "
        f"an Excel sheet holds {MAX_ROWS - 1:,} and {MAX_COLUMNS:,}",
        code="too_large",
        hint="use --format parquet, or results.csv",
    )


def workbook(
    facts: CampaignFacts, rows: Iterable[RowFacts], n_rows: int
) -> Iterator[bytes]:
    """Yield ``results.xlsx`` in chunks: columns as in ``results.csv``.

    Times are dates of Excel in UTC (earlier than it knows: text), numbers are numbers,
    the rest is text on one line, cut visibly to what a cell holds.

    Args:
        facts: Of the campaign.
        rows: All of them, in order.
        n_rows: How many they are, < :data:`MAX_ROWS`.
    """
    from xlsxwriter import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.exceptions import (  # type: ignore[import-untyped]
        FileCreateError,
    )

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "results.xlsx"
        try:
            with Workbook(str(path), {**_OPTIONS, "tmpdir": scratch}) as book:
                # The same input gives the same bytes.
                made = parse_time(facts.written_at) or _FIRST_DAY
                book.set_properties({"created": made.replace(tzinfo=None)})
                sheet = book.add_worksheet("results")
                _head(sheet, facts, n_rows, book.add_format({"bold": True}))
                for row_no, row in enumerate(rows, start=1):
                    _line(sheet, row_no, row)
        except FileCreateError as exc:
            # It wraps what the disk said.
            raise OSError(*getattr(exc.args[0], "args", exc.args)) from exc
        with path.open("rb") as file:
            while chunk := file.read(_BYTES_PER_CHUNK):
                yield chunk


def _head(sheet: Worksheet, facts: CampaignFacts, n_rows: int, bold: Any) -> None:
    names = (*facts.input_columns, *RESULT_COLUMNS)
    for at, name in enumerate(names):
        width = 16 if at < len(facts.input_columns) else _WIDTHS.get(name, 14)
        sheet.set_column(at, at, width)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, n_rows, len(names) - 1)
    for at, name in enumerate(names):
        sheet.write_string(0, at, _text(name), bold)


def _line(sheet: Worksheet, row_no: int, row: RowFacts) -> None:
    for at, cell in enumerate(row.cells):
        if cell:
            sheet.write_string(row_no, at, _text(cell))
    for at, name in enumerate(RESULT_COLUMNS, start=len(row.cells)):
        value = typed_value(row, name)
        if isinstance(value, datetime) and value >= _FIRST_DAY:
            sheet.write_datetime(row_no, at, value.replace(tzinfo=None))
        elif isinstance(value, int | float):
            sheet.write_number(row_no, at, value)
        elif value is not None:
            sheet.write_string(row_no, at, _text(str(value)))


def _text(text: str) -> str:
    shown = xml_text(text, MAX_CELL)
    # Excel counts a character beyond the basic plane twice.
    if len(shown) > MAX_CELL // 2 and len(shown.encode("utf-16-le")) > 2 * MAX_CELL:
        return xml_text(text, MAX_CELL // 2)
    return shown
