"""``failure.csv`` and ``remaining.csv`` are manifests: the manifest room reads them."""

from __future__ import annotations

import csv
import io
from pathlib import PurePath

import pytest
from unit.report.reading import files_of
from unit.report.synthetic import INPUT_COLUMNS, campaign_facts, fleet, report_of

from batch_reenroll.manifest import ManifestRow, read_all
from batch_reenroll.report import FAILURE, REMAINING, ReportInput, RowFacts


def rows_again(report: ReportInput, name: str) -> list[ManifestRow]:
    content = files_of(report)[name]
    _, rows = read_all(PurePath(name), lambda _: io.BytesIO(content))
    return rows


@pytest.mark.parametrize(
    ("name", "side"), [("failure.csv", FAILURE), ("remaining.csv", REMAINING)]
)
def test_the_file_is_a_manifest_of_the_same_rows(
    name: str, side: tuple[str, ...]
) -> None:
    report = fleet(400)
    expected = [row for row in report.rows() if row.result["outcome"] in side]
    again = rows_again(report, name)
    assert [row.row_id for row in again] == [row.row_id for row in expected]
    assert [row.current_thumbprint for row in again] == [
        row.result["thumbprint_before"] for row in expected
    ]
    assert [row.certificate_authority for row in again] == [
        campaign_facts().defaults["CertificateAuthority"]
    ] * len(expected)


def test_a_second_failure_runs_again_and_has_the_newest_reason_once() -> None:
    first = fleet(200)
    header, *lines = csv.reader(
        io.StringIO(files_of(first)["failure.csv"].decode(), newline="")
    )
    second = report_of(
        [
            RowFacts(
                row_no=n,
                row_id=line[header.index("RowId")],
                cells=tuple(line),
                result={"outcome": "stalled", "reason_code": "pickup_timeout"},
            )
            for n, line in enumerate(lines, start=1)
        ],
        input_columns=tuple(header),
        defaults={},
    )
    content = files_of(second)["failure.csv"].decode()
    again_header, *again = csv.reader(io.StringIO(content, newline=""))
    assert again_header == header
    assert again_header[: len(INPUT_COLUMNS)] == list(INPUT_COLUMNS)
    assert {line[header.index("x-outcome")] for line in again} == {"stalled"}
    assert len(rows_again(second, "failure.csv")) == len(lines) > 0
