"""``report.md`` is short, and hostile text cannot act in it."""

from __future__ import annotations

import pytest
from unit.report.reading import files_of
from unit.report.synthetic import fleet, one_of_each, report_of, row

from batch_reenroll.report import ReportInput
from batch_reenroll.report.markdown import quoted


def text_of(report: ReportInput) -> str:
    return files_of(report)["report.md"].decode()


def test_it_says_what_a_ticket_needs() -> None:
    report = fleet(300)
    text = text_of(report)
    facts = report.facts
    for said in (
        "# It worked in part",
        "| verified |",
        "| **all** | **300** |",
        "`batch-reenroll run failure.csv`",
        "`CHG0042`",
        facts.manifest_sha256,
        facts.plan_sha256,
        facts.journal_head,
    ):
        assert said in text


def test_three_thousand_causes_make_it_no_longer_than_a_ticket_takes() -> None:
    rows = [
        row(n, "failed", reason_code=f"r{n}", message="word " * 50)
        for n in range(1, 3_001)
    ]
    long = dict.fromkeys(("reason", "ticket", "operator", "stop_reason"), "y" * 9_000)
    text = text_of(report_of(rows, **long, resume_command="z" * 9_000))
    assert text.count("\n") < 60
    # Fields of ticket systems begin to cut at 4,000 characters.
    assert len(text) < 4_000


def test_it_stays_below_sixty_lines_whatever_happened() -> None:
    rows = one_of_each() + [
        row(n, "failed", reason_code="r\n" * n, message="\n" * n) for n in range(13, 90)
    ]
    report = report_of(rows, stop_reason="a\nb", resume_command="x\ny")
    assert text_of(report).count("\n") < 60


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "`plain`"),
        ("", "–"),
        (" \n ", "`\\n`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("a```b`", "```` a```b` ````"),
        ("<b>|*x*", "`<b>|*x*`"),
        ("a\r\n# b", "`a\\r\\n# b`"),
    ],
)
def test_foreign_text_is_one_code_span(text: str, expected: str) -> None:
    assert quoted(text) == expected


def test_long_text_is_cut_visibly() -> None:
    assert quoted("x" * 1_000).endswith("characters)`")


def test_causes_are_the_most_frequent_first_and_the_rest_is_counted() -> None:
    rows = [
        row(10 * code + n, "failed", reason_code=f"r{code}", message="m")
        for code in range(1, 8)
        for n in range(code)
    ]
    lines = [line for line in text_of(report_of(rows)).splitlines() if " × " in line]
    assert [line.split(" ×")[0] for line in lines] == [
        f"- {n}" for n in (7, 6, 5, 4, 3)
    ]
    assert "- 2 more in summary.json" in text_of(report_of(rows))
