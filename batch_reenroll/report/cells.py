"""One value of a row, as text or as a number that can be trusted."""

from __future__ import annotations

import math
import re

from batch_reenroll.report.facts import RowFacts
from batch_reenroll.text import parse_time, visible

# XML 1.0 has no way to write these, not even as references (production 2, Char);
# the other forbidden characters are controls and surrogates, which visible() escapes.
_NOT_XML = re.compile("[\ufffe\uffff]")


def cell_text(row: RowFacts, column: str) -> str:
    """Return the row's result of ``column`` as text; "" where it has none."""
    value = row.result.get(column)
    if type(value) is str:
        return value
    if value is None:
        return ""
    return number_text(value) if isinstance(value, float) else str(value)


def number_text(value: float) -> str:
    """Return ``value`` to the thousandth without needless zeros; "" if not finite."""
    if not math.isfinite(value):
        return ""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def seconds(row: RowFacts) -> float | None:
    """Return the row's ``duration_s``, or None where there is no finite one."""
    value = row.result.get("duration_s")
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None


def posix_s(row: RowFacts, column: str) -> float | None:
    """Return the time in ``column`` as POSIX seconds, or None where there is none."""
    text = cell_text(row, column)
    moment = parse_time(text) if text else None
    return None if moment is None else moment.timestamp()


def xml_text(text: str, limit: int) -> str:
    """Return ``text`` printable, at most ``limit`` long, and fit for XML 1.0.

    Markup is not escaped yet.
    """
    return visible(_NOT_XML.sub(_spelled, text), limit)


def _spelled(match: re.Match[str]) -> str:
    return ascii(match.group())[1:-1]
