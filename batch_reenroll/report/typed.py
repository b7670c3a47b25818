"""The results as values with types: what analysts' files hold instead of text."""

from __future__ import annotations

from datetime import datetime

from batch_reenroll.report.cells import cell_text, seconds
from batch_reenroll.report.facts import RESULT_COLUMNS, RowFacts
from batch_reenroll.report.sheets import shown_cell
from batch_reenroll.text import parse_time

#: Result columns that hold a moment, UTC.
TIMES = frozenset(
    name for name in RESULT_COLUMNS if name.endswith("_at") or name.startswith("not_")
)
#: Result columns that hold a whole number, below 2**63.
WHOLE_NUMBERS = frozenset(("http_status", "attempts", "job_history_id"))

_MAX = 2**63


def typed_value(row: RowFacts, column: str) -> str | int | float | datetime | None:
    """Return the row's result of ``column``; None where there is none of its type.

    Texts are printable and bounded as in ``results.csv``, without its quote before a
    formula.
    """
    text = cell_text(row, column)
    if not text:
        return None
    if column in TIMES:
        return parse_time(text)
    if column in WHOLE_NUMBERS:
        return _whole(text)
    return seconds(row) if column == "duration_s" else shown_cell(text)


def _whole(text: str) -> int | None:
    # Longer ones are none of Command's, and take long to read.
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20):
        return None
    value = int(text)
    return value if -_MAX <= value < _MAX else None
