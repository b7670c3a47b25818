"""Text that means harm, and campaigns that are full of it."""

from __future__ import annotations

import unicodedata
from typing import Any

from hypothesis import strategies as st
from unit.report.reading import csv_lines
from unit.report.synthetic import report_of

from batch_reenroll.report import OUTCOMES, RESULT_COLUMNS, ReportInput, RowFacts

#: What has ever broken a reader, by what it would break.
PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\x1b[2J\x1b]0;x\x07",
    "a\r\nb\rc\nd",
    "\u202egnp.exe",
    "\ud800",
    "\ufffe",
    "`|*_[x](javascript:alert(1))",
    "x" * 1_000_000,
    "\U0001f600" * 20_000,
    "\x9b31m\x85next line",
    "Ã¤ from broken UTF-8: \ufffd\ufffd",
    "\u2067\u05d0\u2069\u200f",
    "_x001B_",
    "&#27;&lt;b&gt;",
    "${x} {{ 7*7 }} %s",
    "'=1",
    "]]>",
    "\x00",
)
# A failing example is printed, so those that are drawn are shorter.
_DRAWN = [text[:20_000] for text in PAYLOADS]
# What a manifest can hold: anything but what has no UTF-8.
cell_texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from([p for p in _DRAWN if "\ud800" not in p]),
)
foreign_texts = st.one_of(
    st.text(st.characters(), max_size=30), st.sampled_from(_DRAWN)
)
COLUMNS = ("KeystoreId", "Alias", "x-note")


def texts_of(*names: str) -> dict[str, st.SearchStrategy[str]]:
    return dict.fromkeys(names, foreign_texts)


@st.composite
def reports(draw: st.DrawFn) -> ReportInput:
    cells = st.tuples(cell_texts, cell_texts, cell_texts)
    result = st.fixed_dictionaries(
        {"outcome": st.sampled_from(OUTCOMES)},
        optional={
            **texts_of(*(set(RESULT_COLUMNS) - {"outcome", "duration_s"})),
            "duration_s": st.floats(),
        },
    )
    drawn: list[tuple[tuple[str, ...], dict[str, Any], str]] = draw(
        st.lists(st.tuples(cells, result, foreign_texts), max_size=6)
    )
    rows = [
        RowFacts(
            row_no=n + 1,
            row_id=str(n + 1),
            cells=row_cells,
            result=row_result,
            certificate_authority=ca,
            certificate_template=ca,
        )
        for n, (row_cells, row_result, ca) in enumerate(drawn)
    ]
    facts: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {}, optional=texts_of("name", "reason", "ticket", "operator", "stop_reason")
        )
    )
    return report_of(rows, input_columns=COLUMNS, defaults={}, **facts)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def assert_quiet(text: str, *, ends: str = "\n") -> None:
    """Fail where a character could act: a control, a direction mark, half a pair."""
    bad = {
        c
        for c in text
        if unicodedata.category(c) in ("Cc", "Cs")
        or unicodedata.bidirectional(c)
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        or c in "\u061c\u200e\u200f\u2028\u2029\ufeff"
    }
    assert not bad - set(ends)


def read_csv(content: bytes) -> list[list[str]]:
    """Return the lines of a CSV file, none of whose cells a spreadsheet runs."""
    lines = csv_lines(content)
    assert not [c for line in lines for c in line if c.startswith(_FORMULA)]
    return lines
