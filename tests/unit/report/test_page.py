"""``report.html``: what it answers, and that nothing foreign can act in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass

import pytest
from unit.report.reading import Outline, files_of
from unit.report.synthetic import fleet, one_of_each, report_of, row

from batch_reenroll.report import ReportInput, RowFacts, render
from batch_reenroll.report.rowlines import FIELDS, INTERNED, MAX_LINES, RowLines
from batch_reenroll.report.surroundings import duration_text, time_text


def page_of(report: ReportInput) -> str:
    return files_of(report)["report.html"].decode()


def outline_of(report: ReportInput) -> Outline:
    return Outline(page_of(report))


@dataclass(frozen=True)
class Told:
    meaning: str
    advice: str


def test_a_stranger_finds_the_verdict_the_people_and_the_digests() -> None:
    report = fleet(120)
    words = outline_of(report).words
    facts = report.facts
    for said in (
        "It worked in part",
        "of 120 rows ended well",
        "batch-reenroll run failure.csv",
        facts.requested_by,
        facts.approved_by,
        facts.ticket,
        facts.operator,
        facts.manifest_sha256,
        facts.plan_sha256,
        facts.journal_head,
    ):
        assert said in words


def test_the_page_names_the_digests_of_the_files_made_before_it() -> None:
    files = files_of(fleet(5))
    words = Outline(files["report.html"].decode()).words
    for name in ("results.csv", "failure.csv", "summary.json", "junit.xml"):
        assert hashlib.sha256(files[name]).hexdigest() in words


def test_a_missing_approval_is_said_rather_than_left_out() -> None:
    report = report_of([row()], requested_by="", approved_by="", ticket="")
    assert "names no requester, no approver and no ticket" in outline_of(report).words


def test_a_known_reason_is_explained_with_what_to_do() -> None:
    report = report_of([row(1, "failed", reason_code="job_failed", message="boom")])
    explained = {"job_failed": Told("The job failed.", "Mend it.")}
    files = {
        name: b"".join(chunks).decode() for name, chunks in render(report, explained)
    }
    words = Outline(files["report.html"]).words
    assert "The job failed." in words
    assert "Mend it." in words


def causes_of(rows: list[RowFacts], **facts: object) -> str:
    """Return the words from the failures' heading to the pictures'."""
    words = outline_of(report_of(rows, **facts)).words
    return words.partition("What failed, and why Rows")[2].partition("Where it")[0]


def test_a_reason_stands_once_with_its_messages_and_where_they_came_from() -> None:
    def failed(n: int, message: str, orchestrator: str) -> RowFacts:
        return row(
            n,
            "failed",
            reason_code="job_failed",
            message=message,
            orchestrator=orchestrator,
        )

    words = causes_of(
        [
            *(failed(n, "disk full", "o1") for n in (1, 2)),
            *(failed(n, "no route", "o1") for n in (3, 4, 5)),
            failed(6, "no route", "o2"),
        ]
    )
    assert words.count("job_failed") == 1
    assert "4 no route on 2 orchestrators, most (3) on o1" in words
    assert "2 disk full all on o1" in words
    assert words.index("no route") < words.index("disk full")


def test_messages_beyond_the_first_of_a_reason_are_counted() -> None:
    letters = "abcdefghi"
    rows = [
        row(n, "failed", reason_code="job_failed", message=letter * 4)
        for n, letter in enumerate(letters, start=1)
    ]
    assert "3 more messages for 3 rows: summary.json, by_reason" in causes_of(rows)


def test_what_succeeded_without_proof_says_why() -> None:
    rows = [row(1, "succeeded", reason_code="inventory_unchanged", message="old one")]
    words = outline_of(report_of(rows)).words
    assert "What ended well, but is not proven, and why" in words
    assert "old one" in words


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "approved by cab@example.com (as the manifest says; not signed)"),
        (
            {"approval_key": "sha256:ab", "approved_at": "2026-11-20T08:00:00.000Z"},
            "approved by cab@example.com (a signed approval of the plan on "
            "2026-11-20 08:00:00 UTC)",
        ),
        ({"approved_by": ""}, "approved by nobody on record"),
    ],
)
def test_the_head_says_who_approved_it_and_what_that_rests_on(
    facts: dict[str, object], said: str
) -> None:
    words = outline_of(report_of([row()], **facts)).words
    assert said in words.partition("What became of")[0]


def test_the_page_says_how_to_check_it_with_and_without_the_tool() -> None:
    words = outline_of(report_of([row()], campaign_id="it's mine")).words
    assert "batch-reenroll evidence verify 'it'\"'\"'s mine'" in words
    assert "sha256sum report.html" in words
    assert "--trusted-key KEY.pem" in words


def test_waves_come_in_their_own_order_and_only_where_there_are_any() -> None:
    rows = [row(1, wave="rest"), row(2, wave="canary"), row(3, "failed")]
    words = outline_of(report_of(rows, waves=("canary", "rest"))).words
    assert "Wave Rows" in words
    table = words.partition("Wave Rows")[2]
    assert table.index("canary") < table.index("rest") < table.index("(none)")
    assert "Wave Rows" not in outline_of(report_of([row()])).words


def test_the_policy_names_exactly_the_pages_own_style_and_script() -> None:
    text = page_of(fleet(3))
    (policy,) = [
        value
        for _, name, value in Outline(text).attributes
        if name == "content" and "default-src" in value
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (block,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_has_no_inline_handlers_styles_or_outside_addresses() -> None:
    outline = outline_of(fleet(50))
    for tag, name, value in outline.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name != "style", (tag, value)
        if name in ("src", "href", "action"):
            assert value.startswith(("data:", "#")), (tag, value)


def test_without_script_the_first_200_rows_are_there_failures_first() -> None:
    outline = outline_of(fleet(400))
    assert "The first 200 of 400 rows, failures first" in outline.words
    assert outline.tags.count("tr") > 200


def test_rows_for_the_script_are_failures_then_remaining_then_successes() -> None:
    lines = RowLines()
    for line in one_of_each():
        lines.add(line, str(line.result["outcome"]))
    outcomes = [found["outcome"] for found in lines.first(12)]
    assert outcomes == [
        "warning",
        "failed",
        "rejected",
        "skipped_preflight",
        "stalled",
        "unknown",
        "skipped_excluded",
        "not_attempted",
        "cancelled",
        "verified",
        "succeeded",
        "skipped_already_rotated",
    ]


def test_rows_beyond_the_cut_leave_successes_out_first() -> None:
    lines = RowLines(limit=3)
    for n in range(1, 5):
        lines.add(row(n, "verified"), "verified")
    for n in range(5, 7):
        lines.add(row(n, "failed"), "failed")
    kept = [found["row_id"] for found in lines.first(10)]
    assert kept == ["5", "6", "1"]
    assert lines.n_kept() == 3


def test_a_cut_is_stated_in_the_page() -> None:
    n_rows = MAX_LINES + 1
    rows = [row(1, "failed"), *[row(2)] * (n_rows - 1)]
    assert "This page holds 50,000 of 50,001 rows" in outline_of(report_of(rows)).words


def test_the_script_data_says_the_same_as_the_rows() -> None:
    report = fleet(30)
    texts, lines = (json.loads(s) for s in outline_of(report).scripts[:2])
    found = {
        line[0]: {
            name: texts[value] if name in INTERNED else value
            for name, value in zip(FIELDS, line, strict=True)
        }
        for line in lines
    }
    for made in report.rows():
        line = found[made.row_id]
        assert line["outcome"] == made.result["outcome"]
        assert line["message"] == made.result["message"]
        assert line["store_path"] == made.result["store_path"]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "</script><img src=x onerror=alert(1)>",
        '" onmouseover="alert(1)',
        "<!--<script>",
        "{{ 7 * 7 }}",
    ],
)
def test_markup_in_any_text_stays_text(hostile: str) -> None:
    bad = row(
        1,
        "failed",
        cells=[hostile] * 8,
        row_id=hostile,
        **dict.fromkeys(
            (
                "message",
                "reason_code",
                "orchestrator",
                "client_machine",
                "store_path",
                "store_type",
                "wave",
                "alias_after",
            ),
            hostile,
        ),
    )
    report = report_of(
        [bad],
        **dict.fromkeys(
            ("campaign_id", "name", "reason", "ticket", "stop_reason", "operator"),
            hostile,
        ),
        settings={hostile: hostile},
        resume_command=hostile,
    )
    harmless = outline_of(report_of([row(1, "failed")], resume_command="x"))
    outline = outline_of(report)
    assert "img" not in outline.tags
    assert outline.tags.count("script") == harmless.tags.count("script")
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]
    assert hostile in outline.words


def test_controls_and_direction_marks_are_spelled_out() -> None:
    text = page_of(report_of([row(1, "failed", message="a\x1b[31m\u202eb\ud800")]))
    assert "a\\x1b[31m\\u202eb\\ud800" in text
    assert "\u202e" not in text


def test_controls_in_what_the_campaign_says_are_spelled_out_too() -> None:
    text = page_of(report_of([row()], reason="a\u202eb\x9b", operator="x\r\ny"))
    assert "a\\u202eb\\x9b" in text
    assert "x\\r\\ny" in text


def test_a_megabyte_of_message_is_cut_visibly() -> None:
    text = page_of(report_of([row(1, "failed", message="x" * 1_000_000)]))
    assert len(text) < 100_000
    assert "characters)" in text


def test_an_empty_campaign_still_makes_a_page() -> None:
    assert "What became of the 0 rows" in outline_of(report_of([])).words


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (192, "3 min 12 s"),
        (3900, "1 h 05 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_durations_read_as_people_say_them(
    duration_s: float | None, expected: str
) -> None:
    assert duration_text(duration_s) == expected


def test_times_read_as_people_say_them() -> None:
    assert time_text("2026-11-23T18:40:05.123Z") == "2026-11-23 18:40:05 UTC"
    assert time_text(None) == "–"
    assert time_text("soon") == "soon"
