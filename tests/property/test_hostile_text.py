"""One law for every renderer: anybody's text comes out harmless, legible and whole.

Each file is read back by a parser that shares nothing with its writer, and every text
in it must be what :func:`visible` shows of the text that went in.
"""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from openpyxl import load_workbook  # type: ignore[import-untyped]
from openpyxl.utils.escape import (  # type: ignore[import-untyped]
    unescape,
)
from unit.ledger.books import write
from unit.report.hostile import (
    PAYLOADS,
    assert_quiet,
    foreign_texts,
    read_csv,
    reports,
)
from unit.report.reading import Outline
from unit.report.synthetic import report_of, row

from batch_reenroll.cli.console import Console
from batch_reenroll.cli.status import as_text, facts_of
from batch_reenroll.errors import ManifestRejected, Problem, UsageError
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.report import (
    AUDIT_COLUMNS,
    RESULT_COLUMNS,
    SUCCESS,
    AuditLine,
    Format,
    ReportInput,
    RowFacts,
    audit_csv,
    audit_page,
    render,
)
from batch_reenroll.report.cells import cell_text, xml_text
from batch_reenroll.report.rowlines import FIELDS, INTERNED
from batch_reenroll.report.sheets import MAX_CELL
from batch_reenroll.report.typed import TIMES, WHOLE_NUMBERS
from batch_reenroll.text import quiet_json, undefuse, visible, well_formed

_TEXT_COLUMNS = tuple(
    name
    for name in RESULT_COLUMNS
    if name not in {*TIMES, *WHOLE_NUMBERS, "duration_s"}
)
#: A file of six rows, each cell of which may be full.
_MOST_BYTES = 20_000_000


# -- one check for each file -------------------------------------------------------


def check_results(content: bytes, report: ReportInput) -> None:
    hold_against(content, report, list(report.rows()))


def check_success(content: bytes, report: ReportInput) -> None:
    rows = [found for found in report.rows() if found.result["outcome"] in SUCCESS]
    hold_against(content, report, rows)


def hold_against(content: bytes, report: ReportInput, rows: list[RowFacts]) -> None:
    """Fail unless the sheet has these rows, input cells first."""
    header, *lines = read_csv(content)
    n_input = len(report.facts.input_columns)
    assert header[n_input:] == list(RESULT_COLUMNS)
    for line, found in zip(lines, rows, strict=True):
        assert tuple(map(undefuse, line[:n_input])) == found.cells
        for cell, name in zip(line[n_input:], RESULT_COLUMNS, strict=True):
            assert undefuse(cell) == visible(cell_text(found, name), MAX_CELL)
            assert_quiet(cell, ends="")


def check_part(content: bytes, report: ReportInput) -> None:
    header, *lines = read_csv(content)
    assert len(lines) <= len(list(report.rows()))
    own = [at for at, name in enumerate(header) if name.startswith("x-message")]
    for line in lines:
        for at in own:
            assert_quiet(line[at], ends="")


def check_sheet(content: bytes, report: ReportInput) -> None:
    _, *lines = read_csv(content)
    for line in lines:
        for cell in line:
            assert_quiet(cell, ends="")
    assert len(lines) <= len(list(report.rows()))


def check_parquet(content: bytes, report: ReportInput) -> None:
    table = pq.read_table(io.BytesIO(content))
    rows = list(report.rows())
    for at in range(len(report.facts.input_columns)):
        assert table.column(at).to_pylist() == [well_formed(r.cells[at]) for r in rows]
    for name in _TEXT_COLUMNS:
        expected = [visible(cell_text(r, name), MAX_CELL) or None for r in rows]
        # Behind the input columns: one of those may have the same name.
        at = len(report.facts.input_columns) + RESULT_COLUMNS.index(name)
        assert table.column(at).to_pylist() == expected


def check_xlsx(content: bytes, report: ReportInput) -> None:
    (found,) = load_workbook(io.BytesIO(content)).worksheets
    _, *lines = found.iter_rows(max_col=found.max_column)
    n_input = len(report.facts.input_columns)
    assert not [c for line in lines for c in line if c.data_type == "f" or c.hyperlink]
    for line, one in zip(lines, report.rows(), strict=True):
        texts = [*zip(line, one.cells, strict=False)]
        for name in _TEXT_COLUMNS:
            at = n_input + RESULT_COLUMNS.index(name)
            texts.append((line[at], cell_text(one, name)))
        for cell, text in texts:
            shown = unescape(str(cell.value or ""))
            assert_quiet(shown, ends="")
            assert shown in (xml_text(text, MAX_CELL), xml_text(text, MAX_CELL // 2))


def check_json(content: bytes, report: ReportInput) -> None:
    text = content.decode()
    assert_quiet(text)
    value = json.loads(text)
    if "rows" in value:
        assert value["rows"] == len(list(report.rows()))
        assert value["stop_reason"] == visible(report.facts.stop_reason, 1_000)


def check_junit(content: bytes, report: ReportInput) -> None:
    assert_quiet(content.decode())
    cases = list(ElementTree.fromstring(content).iter("testcase"))
    for case, found in zip(cases, report.rows(), strict=True):
        assert str(case.get("name")).startswith(f"row {found.row_id}")
        failure = case.find("failure")
        if failure is not None:
            message = cell_text(found, "message")
            assert (failure.text or "") == xml_text(message, 10_000)


def check_markdown(content: bytes, report: ReportInput) -> None:
    text = content.decode()
    assert_quiet(text)
    assert len(text) < 6_000
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inline)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "fence"}
    spans = [child.content for child in inline if child.type == "code_inline"]
    if shown := " ".join(visible(report.facts.ticket, 200).split()):
        assert unicodedata.normalize("NFC", shown) in [s.strip() for s in spans]


def check_page(content: bytes, report: ReportInput) -> None:
    text = content.decode()
    assert_quiet(text)
    outline = Outline(text)
    assert not {"img", "iframe", "object"} & set(outline.tags)
    assert outline.tags.count("script") == 3
    assert not [n for _, n, _ in outline.attributes if n.startswith("on")]
    texts, lines = (json.loads(script) for script in outline.scripts[:2])
    found = {line[0]: dict(zip(FIELDS, line, strict=True)) for line in lines}
    for one in report.rows():
        line = found[one.row_id]
        for name, limit in (("message", 300), ("orchestrator", 120)):
            assert name in INTERNED
            assert texts[line[name]] == visible(cell_text(one, name), limit)


def check_journal(content: bytes, report: ReportInput) -> None:
    assert content.decode().splitlines() == list(report.journal())


CHECKS: Mapping[str, Callable[[bytes, ReportInput], None]] = {
    "results.csv": check_results,
    "success.csv": check_success,
    "failure.csv": check_part,
    "remaining.csv": check_part,
    "verification.csv": check_sheet,
    "results.parquet": check_parquet,
    "results.xlsx": check_xlsx,
    "events.jsonl": check_journal,
    "summary.json": check_json,
    "junit.xml": check_junit,
    "report.md": check_markdown,
    "report.html": check_page,
    "evidence.json": check_json,
}


def check_all(report: ReportInput) -> None:
    for name, chunks in render(report, None, tuple(Format)):
        content = b"".join(chunks)
        assert len(content) < _MOST_BYTES, name
        # A file that is not in the table above has no check, and needs one.
        CHECKS[name](content, report)


# -- the report ----------------------------------------------------------------------


def soaked(text: str) -> ReportInput:
    """Return a report that holds ``text`` wherever somebody else's text may stand.

    A huge one stands whole in a cell and a message; two dozen times it would only take
    time.
    """
    cells = [text.replace("\ud800", ""), "a", text[:9_000].replace("\ud800", "")]
    names = set(RESULT_COLUMNS) - {"outcome", "duration_s"}
    result = {**dict.fromkeys(names, text[:9_000]), "message": text}
    rows = [
        row(n, outcome, cells=cells, **result)
        for n, outcome in enumerate(("verified", "failed", "cancelled"), start=1)
    ]
    said = ("name", "reason", "ticket", "requested_by", "approved_by", "owner")
    more = ("stop_reason", "operator", "host", "command_url", "manifest_name")
    return report_of(
        rows,
        input_columns=("KeystoreId", "Alias", "x-note"),
        defaults={},
        settings={text: text},
        resume_command=text,
        **dict.fromkeys((*said, *more), text),
    )


@pytest.mark.parametrize("text", PAYLOADS, ids=lambda text: ascii(text[:12]))
def test_each_payload_is_harmless_and_legible_in_every_file(text: str) -> None:
    check_all(soaked(text))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(reports())
def test_any_text_is_harmless_and_legible_in_every_file(report: ReportInput) -> None:
    check_all(report)


# -- the audit -----------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(foreign_texts)
def test_any_text_is_harmless_and_legible_in_the_audit(text: str) -> None:
    line = AuditLine(
        texts=dict.fromkeys(("campaign_id", "reason", "operator", "approved_by"), text),
        stop_reason=text,
        outcomes={"failed": 3},
        top_failures=[(text, 3)],
    )
    header, cells = read_csv(b"".join(audit_csv([line])))
    assert tuple(header) == AUDIT_COLUMNS
    found = dict(zip(header, map(undefuse, cells), strict=True))
    assert found["reason"] == found["stop_reason"] == visible(text, 2_000)
    page = audit_page([line], ledger=text, since="", until="", written_at=text)
    assert_quiet(page.decode())
    outline = Outline(page.decode())
    assert not {"img", "script"} & set(outline.tags)
    assert len(page) < 100_000


# -- the terminal --------------------------------------------------------------------


def said(act: Callable[[Console], None], **how: str) -> str:
    lines: list[str] = []
    act(Console(put=lines.append, **how))  # type: ignore[arg-type]
    return "\n".join(lines)


@given(foreign_texts, st.sampled_from(["text", "json"]))
def test_any_text_is_harmless_on_the_terminal(text: str, log_format: str) -> None:
    error = UsageError(f"no {text}", hint=f"try {text}")
    problem = Problem(code="x", message=text, file=text, line=1, row_id=text)
    for act in (
        lambda console: console.info(text, row=text, store=text),
        lambda console: console.warn(text),
        lambda console: console.error(error),
        lambda console: console.error(ManifestRejected([problem])),
    ):
        shown = said(act, log_format=log_format)
        assert_quiet(shown)
        assert len(shown) < 100_000


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``status`` knows of a campaign of three rows."""
    path = tmp_path_factory.mktemp("ledger") / "batch-reenroll.db"
    with SqliteLedger(path) as ledger:
        write(ledger, "c")
        return facts_of(ledger, "c")


@given(text=foreign_texts)
def test_any_text_is_harmless_in_the_status(
    standing: dict[str, Any], text: str
) -> None:
    def shown(text: str) -> str:
        facts = {
            **standing,
            "wave": text,
            "slowest_orchestrators": [{"orchestrator": text, "rows": 2}],
            "breakers": [{"kind": "orchestrator", "name": text, "cause": text}],
            "stop_reason": text,
        }
        return as_text(facts, ledger_url="sqlite:///batch-reenroll.db")

    assert_quiet(shown(f"a{text}"))
    # Nobody's text makes a line of its own, or one without an end.
    assert shown(f"a{text}").count("\n") == shown("a").count("\n")
    assert len(shown(text)) < 5_000


@given(foreign_texts)
def test_json_for_scripts_is_harmless_and_of_the_same_value(text: str) -> None:
    value = {text: [text, 1]}
    shown = quiet_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert_quiet(shown)
    assert json.loads(shown) == value
