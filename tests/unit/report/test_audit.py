"""Many campaigns on one sheet: the sums are right, and nobody's text does harm."""

from __future__ import annotations

import re

from unit.report.reading import Outline, sheet

from batch_reenroll.report import (
    AUDIT_COLUMNS,
    OUTCOMES,
    AuditLine,
    audit_csv,
    audit_page,
    audit_totals,
)

HOSTILE = "=cmd()\r\n\x1b[31m<script>alert(1)</script>\u202e"


def line(campaign_id: str = "q4", **changes: object) -> AuditLine:
    known: dict[str, object] = {
        "texts": {
            "campaign_id": campaign_id,
            "ticket": "CHG0042",
            "operator": "j.doe",
            "started_at": "2026-11-21T22:00:00.000Z",
            "finished_at": "2026-11-21T22:42:00.500Z",
        },
        "exit_code": 5,
        "submits": 12,
        "outcomes": {"verified": 7, "succeeded": 2, "failed": 1, "not_attempted": 4},
        "top_failures": [("job_failed", 1)],
    }
    return AuditLine(**{**known, **changes})  # type: ignore[arg-type]


def page(lines: list[AuditLine]) -> str:
    return audit_page(
        lines, ledger="a.db", since="", until="", written_at="2026-11-23T18:40:00.000Z"
    ).decode()


def test_a_campaign_is_one_line_of_the_sheet_with_its_sums() -> None:
    header, rows = sheet(b"".join(audit_csv([line()])))
    assert tuple(header) == AUDIT_COLUMNS
    (row,) = rows
    said = {name: row[name] for name in ("rows", "certificates_rotated", "failure")}
    assert said == {"rows": "14", "certificates_rotated": "9", "failure": "1"}
    assert (row["remaining"], row["duration_s"], row["submits"]) == ("4", "2520", "12")
    assert row["top_failures"] == "job_failed: 1"
    assert sum(int(row[outcome]) for outcome in OUTCOMES) == 14


def test_a_campaign_that_has_not_ended_has_no_duration_and_no_exit_code() -> None:
    texts = {"campaign_id": "q4", "started_at": "2026-11-21T22:00:00.000Z"}
    open_one = line(texts=texts, exit_code=None)
    _, (row,) = sheet(b"".join(audit_csv([open_one])))
    assert (row["duration_s"], row["exit_code"], row["finished_at"]) == ("", "", "")
    assert "not ended" in Outline(page([open_one])).words


def test_the_totals_are_of_all_campaigns() -> None:
    signed = line(texts={"campaign_id": "b", "approval_key": "sha256:00"})
    assert audit_totals([line(), signed]) == {
        "campaigns": 2,
        "rows": 28,
        "certificates_rotated": 18,
        "failure": 2,
        "remaining": 8,
        "submits": 24,
        "not_approved": 1,
    }


def test_the_page_says_it_in_one_sentence_and_needs_no_script() -> None:
    text = page([line(), line("q5")])
    outline = Outline(text)
    assert "2 campaigns, 18 certificates rotated" in outline.words
    assert "script" not in outline.tags
    assert "script-src &#39;none&#39;" in text
    assert not re.search(r"https?://", text)
    assert "No campaign in this time." in page([])


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    hostile = line(
        texts=dict.fromkeys(line().texts, HOSTILE),
        stop_reason=HOSTILE,
        top_failures=[(HOSTILE, 1)],
    )
    content = b"".join(audit_csv([hostile]))
    assert content.count(b"\n") == 2
    assert b"\x1b" not in content
    assert b",=cmd" not in content
    assert not content.split(b"\n")[1].startswith(b"=")
    text = page([hostile])
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
