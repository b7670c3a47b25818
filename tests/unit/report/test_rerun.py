"""``failure.csv`` and ``remaining.csv`` are manifests: the manifest room reads them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import PurePath

import pytest
from unit.report.reading import files_of, sheet
from unit.report.synthetic import INPUT_COLUMNS, campaign_facts, fleet, report_of

from batch_reenroll.manifest import Manifest, ManifestRow, read_all
from batch_reenroll.report import FAILURE, REMAINING, ReportInput, RowFacts
from batch_reenroll.text import undefuse


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


STORE = "0f8fad5b-d9cb-469f-a165-70867728950e"
_RESOLVABLE = """ClientMachine,StorePath,StoreType,SubjectName,Alias,x-team
web1.example.com,/etc/a.pem,PEM,CN=a,a,=cmd()
web2.example.com,"C:\\certs\\b, c.pfx",IISU,"O=""Key Example, Inc."",CN=b",b,'=1
web3.example.com,/etc/ä/ü.jks,JKS,CN=c,c,x
"""
_ODD = """x-Größe;KEYSTOREID;subjectname;jobproperties.Ü Name;Sans;alias;X-a b;RowId
=1+1;{0}1;CN=a;yes;dns:a|dns:b;a;@x;007
;{0}2;"OU=""b;c"",CN=b";;;-b;"two
lines";8
'';{0}3;CN=c;=no;;c;'';9
"""
_YAML = """version: 1
defaults: {CertificateTemplate: WebServer, JobProperties: {Provider: =evil, Size: 3}}
rows:
- {KeystoreId: K1, SubjectName: CN=a, Alias: a, SANs: {dns: [a, b]}, x-team: "=1"}
- {KeystoreId: K2, SubjectName: CN=b, Alias: b, JobProperties: {Provider: own}, Wave: w}
- {KeystoreId: K3, SubjectName: CN=c, Alias: c, Deadline: 2026-12-01T00:00:00Z}
waves: [{name: w, size: 1}, {name: rest}]
"""
_TABS = "\ufeff" + _RESOLVABLE.replace('"C:\\certs\\b, c.pfx"', "C:\\b").replace(
    '"O=""Key Example, Inc."",CN=b"', "CN=b"
).replace(",", "\t")


def _yaml() -> str:
    text = _YAML
    for n in (1, 2, 3):
        text = text.replace(f"K{n}", f"{STORE[:-1]}{n}")
    return text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("resolvable.csv", _RESOLVABLE),
        ("odd.csv", _ODD.replace("{0}", STORE[:-1])),
        ("crlf.csv", _RESOLVABLE.replace("\n", "\r\n")),
        ("bom.tsv", _TABS),
        ("rows.yaml", _yaml()),
    ],
)
def test_any_manifest_is_echoed_and_its_parts_ask_for_the_same_again(
    name: str, text: str
) -> None:
    manifest, asked = read_all(PurePath(name), lambda _: io.BytesIO(text.encode()))
    report = _ended(manifest, asked, ("failed", "not_attempted", "verified"))
    files = files_of(report)
    columns, lines = sheet(files["results.csv"])
    n_input = len(manifest.columns)
    assert tuple(map(undefuse, columns[:n_input])) == manifest.columns
    echoed = [tuple(line.values())[:n_input] for line in lines]
    assert echoed == [row.cells for row in asked]
    assert rows_again(report, "failure.csv") == [_again(asked[0], report)]
    assert rows_again(report, "remaining.csv") == [_again(asked[1], report)]


def _ended(
    manifest: Manifest, asked: list[ManifestRow], outcomes: tuple[str, ...]
) -> ReportInput:
    rows = [
        RowFacts(
            row_no=row.row_no,
            row_id=row.row_id,
            cells=row.cells,
            result={"outcome": outcome, "message": "=x", "thumbprint_before": "a" * 40},
        )
        for row, outcome in zip(asked, outcomes, strict=True)
    ]
    return report_of(
        rows,
        input_columns=manifest.columns,
        defaults=manifest.header.default_cells(),
    )


def _again(row: ManifestRow, report: ReportInput) -> ManifestRow:
    """Return what the row is in a file of its own: the same but for its place."""
    (found,) = [r for r in report.rows() if r.row_id == row.row_id]
    side = "failure.csv" if found.result["outcome"] == "failed" else "remaining.csv"
    (new,) = rows_again(report, side)
    return replace(
        row,
        row_no=1,
        line=new.line,
        cells=new.cells,
        current_thumbprint="a" * 40,
    )
