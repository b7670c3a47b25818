"""The four CSV files."""

from __future__ import annotations

import pytest
from unit.report.reading import files_of, sheet
from unit.report.synthetic import INPUT_COLUMNS, fleet, one_of_each, report_of, row

from batch_reenroll.report import FAILURE, REMAINING, RESULT_COLUMNS, SUCCESS
from batch_reenroll.report.sheets import MAX_CELL, safe_cell


def test_results_have_input_columns_first_and_one_line_per_row_in_order() -> None:
    header, rows = sheet(files_of(fleet(40))["results.csv"])
    assert tuple(header) == (*INPUT_COLUMNS, *RESULT_COLUMNS)
    assert [line["Alias"] for line in rows] == [f"web-{n}" for n in range(1, 41)]


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("success.csv", SUCCESS),
        ("failure.csv", FAILURE),
        ("remaining.csv", REMAINING),
    ],
)
def test_each_outcome_is_in_exactly_the_file_of_its_side(
    name: str, side: tuple[str, ...]
) -> None:
    rows = one_of_each()
    _, lines = sheet(files_of(report_of(rows))[name])
    expected = [r.row_id for r in rows if r.result["outcome"] in side]
    assert [line["Alias"].removeprefix("web") for line in lines] == expected


def test_success_has_the_columns_of_results() -> None:
    files = files_of(report_of(one_of_each()))
    assert sheet(files["success.csv"])[0] == sheet(files["results.csv"])[0]


def test_failure_is_a_manifest_with_defaults_thumbprint_id_and_the_reason() -> None:
    failed = row(
        7,
        "failed",
        thumbprint_before="ab" * 20,
        reason_code="job_failed",
        message="no",
    )
    header, (line,) = sheet(files_of(report_of([failed]))["failure.csv"])
    assert header == [
        *INPUT_COLUMNS,
        "CertificateAuthority",
        "CurrentThumbprint",
        "RowId",
        "x-outcome",
        "x-reason_code",
        "x-message",
    ]
    assert line["CertificateTemplate"] == "WebServer"
    assert line["CertificateAuthority"] == "ca01.example.com\\Corp Issuing CA 2"
    assert line["CurrentThumbprint"] == "ab" * 20
    assert line["RowId"] == "7"
    assert (line["x-outcome"], line["x-reason_code"], line["x-message"]) == (
        "failed",
        "job_failed",
        "no",
    )


def test_columns_the_user_has_in_any_case_are_filled_and_not_repeated() -> None:
    failed = row(
        3,
        "failed",
        cells=["k", " mine ", "", "old", "x"],
        row_id="mine",
        thumbprint_before="cd" * 20,
    )
    report = report_of(
        [failed],
        input_columns=(
            "keystoreid",
            "ROWID",
            "certificatetemplate",
            "currentthumbprint",
            "X-Outcome",
        ),
        defaults={"CertificateTemplate": "WebServer"},
    )
    header, (line,) = sheet(files_of(report)["failure.csv"])
    assert header == [
        "keystoreid",
        "ROWID",
        "certificatetemplate",
        "currentthumbprint",
        "X-Outcome",
        "x-reason_code",
        "x-message",
    ]
    assert line["ROWID"] == " mine "
    assert line["certificatetemplate"] == "WebServer"
    assert line["currentthumbprint"] == "cd" * 20
    assert line["X-Outcome"] == "failed"


def test_a_row_without_an_id_gets_the_one_of_its_results() -> None:
    failed = row(12, "failed", cells=["k", ""])
    report = report_of([failed], input_columns=("KeystoreId", "RowId"), defaults={})
    _, (line,) = sheet(files_of(report)["failure.csv"])
    assert line["RowId"] == "12"


def test_a_thumbprint_the_user_gave_stays_where_none_was_seen() -> None:
    skipped = row(1, "skipped_preflight", cells=["ef" * 20])
    report = report_of([skipped], input_columns=("CurrentThumbprint",), defaults={})
    _, (line,) = sheet(files_of(report)["failure.csv"])
    assert line["CurrentThumbprint"] == "ef" * 20


def test_an_input_cell_wins_over_the_default() -> None:
    cells = ["k", "CN=a", "", "a", "Own", "", "", ""]
    _, (line,) = sheet(
        files_of(report_of([row(1, "failed", cells=cells)]))["failure.csv"]
    )
    assert line["CertificateTemplate"] == "Own"


def test_files_without_rows_still_have_their_header() -> None:
    files = files_of(report_of([row(1, "verified")]))
    assert sheet(files["remaining.csv"])[1] == []
    assert sheet(files["remaining.csv"])[0][: len(INPUT_COLUMNS)] == list(INPUT_COLUMNS)


def test_lines_end_with_lf_and_embedded_line_ends_survive_in_quotes() -> None:
    cells = ["a\r\nb", "\r", "\n", "", "", "", "", ""]
    content = files_of(report_of([row(1, cells=cells)]))["results.csv"]
    _, (line,) = sheet(content)
    assert [line[name] for name in INPUT_COLUMNS[:3]] == ["a\r\nb", "\r", "\n"]
    assert not content.split(b"\n")[0].endswith(b"\r")
    assert content.endswith(b"\n")
    assert not content.endswith(b"\r\n")


def test_formulas_are_defused_in_input_and_in_results() -> None:
    cells = ["=cmd()", "+1", "-1", "@x", "'=y", "", "", ""]
    content = files_of(report_of([row(1, cells=cells, message="=HYPERLINK(1)")]))
    text = content["results.csv"].decode()
    assert "\n'=cmd(),'+1,'-1,'@x,''=y," in text
    assert ",'=HYPERLINK(1)," in text


def test_a_result_is_on_one_line_with_its_controls_spelled_out() -> None:
    _, (line,) = sheet(
        files_of(report_of([row(1, message="a\r\n\x1b[31mb\u202e")]))["results.csv"]
    )
    assert line["message"] == "a\\r\\n\\x1b[31mb\\u202e"


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "\x1b" * 40_000, "=" + "\n" * 20_000]
)
def test_a_huge_result_is_cut_visibly_to_what_a_spreadsheet_holds(text: str) -> None:
    cell = safe_cell(text)
    assert len(cell) <= MAX_CELL + 1
    assert "characters" in cell[-60:]


def test_numbers_are_plain_and_missing_results_are_empty() -> None:
    content = files_of(report_of([row(1, attempts=2, duration_s=61.5, job_id=None)]))
    _, (line,) = sheet(content["results.csv"])
    assert (line["attempts"], line["duration_s"], line["job_id"]) == ("2", "61.5", "")
