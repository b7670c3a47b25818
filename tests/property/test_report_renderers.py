"""Whatever Command says, every file reads back and all of them agree."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from unit.report.hostile import COLUMNS, foreign_texts, reports
from unit.report.reading import Outline, files_of, sheet

from batch_reenroll.campaign.fingerprint import fingerprint
from batch_reenroll.report import (
    FAILURE,
    REMAINING,
    RESULT_COLUMNS,
    SUCCESS,
    ReportInput,
    RowFacts,
)
from batch_reenroll.report.charts import expiry, progress
from batch_reenroll.report.markdown import quoted
from batch_reenroll.report.sheets import MAX_CELL, safe_cell

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "summary.v1.schema.json").read_text()
)


@settings(deadline=None, max_examples=30)
@given(reports())
def test_every_file_reads_back_and_all_agree(report: ReportInput) -> None:
    files = files_of(report)
    rows = list(report.rows())
    _csv_echoes_the_input(files, rows)
    _counts_reconcile(files, rows)
    _page_holds_no_markup_of_theirs(files["report.html"].decode(), rows)
    _no_raw_controls(files)
    evidence = json.loads(files["evidence.json"])["files"]
    for name, entry in evidence.items():
        assert entry["sha256"] == hashlib.sha256(files[name]).hexdigest()
    assert files["report.md"].count(b"\n") < 60


def _csv_echoes_the_input(files: dict[str, bytes], rows: list[RowFacts]) -> None:
    header, lines = sheet(files["results.csv"])
    assert tuple(header) == (*COLUMNS, *RESULT_COLUMNS)
    echoed = [tuple(line[name] for name in COLUMNS) for line in lines]
    assert echoed == [row.cells for row in rows]
    assert [line["outcome"] for line in lines] == [r.result["outcome"] for r in rows]


def _counts_reconcile(files: dict[str, bytes], rows: list[RowFacts]) -> None:
    n_of = {
        name: len(sheet(files[f"{name}.csv"])[1]) for name in ("success", "failure")
    }
    n_of["remaining"] = len(sheet(files["remaining.csv"])[1])
    for name, side in zip(n_of, (SUCCESS, FAILURE, REMAINING), strict=True):
        assert n_of[name] == sum(r.result["outcome"] in side for r in rows)
    assert sum(n_of.values()) == len(rows)
    summary = json.loads(files["summary.json"])
    Draft202012Validator(SCHEMA).validate(summary)
    assert summary["rows"] == sum(summary["outcomes"].values()) == len(rows)
    for groups in ("orchestrator", "ca", "template", "store_type", "wave"):
        assert sum(g["rows"] for g in summary[f"by_{groups}"]) == len(rows)
    suite = ElementTree.fromstring(files["junit.xml"])[0]
    assert len(suite.findall("testcase")) == len(rows)
    assert len(suite.findall("testcase/failure")) == n_of["failure"]


def _page_holds_no_markup_of_theirs(text: str, rows: list[RowFacts]) -> None:
    outline = Outline(text)
    assert "img" not in outline.tags
    assert outline.tags.count("script") == 3
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]
    json.loads(outline.scripts[0])
    assert len(json.loads(outline.scripts[1])) == len(rows)


def _no_raw_controls(files: dict[str, bytes]) -> None:
    # The input is echoed in CSV as it came; everything else is made printable.
    for name in ("summary.json", "junit.xml", "report.md", "report.html"):
        text = files[name].decode()
        bad = {c for c in text if c < " " and c != "\n"} | set(text) & set("\u202e\x7f")
        assert not bad, (name, bad)


@given(foreign_texts)
def test_a_result_cell_is_printable_bounded_and_no_formula(text: str) -> None:
    cell = safe_cell(text)
    assert len(cell) <= MAX_CELL + 1
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not any(c < " " for c in cell)


@given(foreign_texts)
def test_a_fingerprint_is_stable_short_and_printable(text: str) -> None:
    found = fingerprint(text)
    assert len(found) <= 240
    assert "\n" not in found
    assert fingerprint(text) == found


@given(st.text(alphabet="`ab |<", max_size=20))
def test_a_code_span_cannot_be_left(text: str) -> None:
    span = quoted(text)
    if span != "–":
        fence = span[: len(span) - len(span.lstrip("`"))]
        assert span.endswith(fence)
        inside = span[len(fence) : -len(fence)]
        assert fence not in inside
        assert not inside.startswith("`")
        assert not inside.endswith("`")


any_times = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20)


@given(any_times, any_times)
def test_pictures_stay_inside_their_frame(a: list[float], b: list[float]) -> None:
    plot = progress({"a": a, "b": b})
    points = [p for line in plot.lines for p in line.points] if plot else []
    assert all(0 <= x <= 100 and -0.01 <= y <= 100 for x, y in points)
    picture = expiry(a, b, a)
    bars = (*picture.before, *picture.kept, *picture.new) if picture else ()
    for bar in bars:
        assert -0.01 <= bar.x <= bar.x + bar.width <= 100.01
        assert -0.01 <= bar.y <= bar.y + bar.height <= 100.01
