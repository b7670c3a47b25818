"""Laws of manifests: both forms say the same, nothing is lost, nothing crashes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import PurePath
from typing import Any
from uuid import UUID

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from batch_reenroll.errors import ManifestRejected
from batch_reenroll.manifest import RULES, ManifestRow, open_manifest, read_all
from batch_reenroll.text import defuse, visible

COLUMNS = ("KeystoreId", "SubjectName", "Alias", "JobProperties", "Owner", "x-note")

# What may stand in a cell: anything that is text and no control character but line
# ends, which a quoted cell may hold; blank text means "not given".
free_text = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"])
    | st.sampled_from(list("=+-@'\",;|\n"))
).map(str.strip)
aliases = free_text.filter(
    lambda s: bool(s) and "\n" not in s and visible(s) == s and not s.isspace()
)
properties = st.dictionaries(
    st.text("abcXYZ", min_size=1, max_size=5),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])) | st.booleans(),
    max_size=3,
)
rows_of_text = st.lists(
    st.fixed_dictionaries(
        {
            "KeystoreId": st.uuids().map(str),
            "SubjectName": st.sampled_from(["CN=a", 'O="Key Example, Inc.",C=US']),
            "Alias": aliases,
            "JobProperties": properties,
            "Owner": free_text,
            "x-note": free_text,
        }
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda row: str(row["KeystoreId"]),
)


def cells_of(row: dict[str, Any]) -> list[str]:
    texts = {**row, "JobProperties": json.dumps(row["JobProperties"])}
    return [texts[column] for column in COLUMNS]


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",", end: str = "\n") -> bytes:
    # LF and CRLF both among the line ends, so that the writer quotes a lone CR or LF.
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([defuse(cell) for cell in cells_of(row)])
    return text.getvalue().encode()


def as_yaml(rows: list[dict[str, Any]]) -> bytes:
    document = {
        "version": 1,
        "rows": [{k: v for k, v in row.items() if v != ""} for row in rows],
    }
    text: str = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=True, default_style='"'
    )
    # default_style quotes numbers and truth values too, with a tag; those stay plain.
    return (
        text.replace('!!bool "true"', "true")
        .replace('!!bool "false"', "false")
        .replace('!!int "1"', "1")
        .encode()
    )


def read(name: str, data: bytes) -> list[ManifestRow]:
    return read_all(PurePath(name), lambda _: io.BytesIO(data))[1]


@given(rows_of_text, st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]))
def test_rows_written_as_csv_read_back_equal(
    rows: list[dict[str, Any]], delimiter: str, end: str
) -> None:
    found = read("a.csv", as_csv(rows, delimiter, end))
    assert [row.cells for row in found] == [tuple(cells_of(row)) for row in rows]
    assert [row.alias for row in found] == [row["Alias"] for row in rows]
    assert [row.job_properties for row in found] == [r["JobProperties"] for r in rows]


@given(rows_of_text)
def test_csv_and_yaml_of_the_same_rows_give_equal_rows(
    rows: list[dict[str, Any]],
) -> None:
    def without_place(found: list[ManifestRow]) -> list[ManifestRow]:
        return [replace(row, line=0, cells=()) for row in found]

    assert without_place(read("a.yaml", as_yaml(rows))) == without_place(
        read("a.csv", as_csv(rows))
    )


broken_cells = st.sampled_from(
    ["", "x", "CN=a", '"', "{", str(UUID(int=1)), str(UUID(int=2)), "a\nb", "\0"]
)


@given(
    st.lists(
        st.lists(broken_cells, min_size=3, max_size=3).filter(lambda r: any(r)),
        min_size=1,
        max_size=8,
    )
)
def test_no_row_is_lost_each_is_either_good_or_has_a_fault(
    table: list[list[str]],
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["KeystoreId", "SubjectName", "Alias"])
    writer.writerows(table)
    data = text.getvalue().encode()
    manifest = open_manifest(PurePath("a.csv"), lambda _: io.BytesIO(data))
    good = [row.row_id for row in manifest.rows()]
    bad = {problem.row_id for problem in manifest.problems}
    assert len(good) + len(bad) == len(table) == manifest.n_rows
    assert not bad & set(good)


def survive(name: str, data: bytes) -> None:
    try:
        manifest = open_manifest(PurePath(name), lambda _: io.BytesIO(data))
    except ManifestRejected as rejected:
        problems = list(rejected.problems)
        assert problems
    else:
        rows = list(manifest.rows())
        problems = manifest.problems
        assert rows or problems
    for problem in problems:
        assert problem.code in RULES
        assert visible(problem.message) == problem.message
        problem.message.encode()


CSV_PIECES = [
    b"KeystoreId",
    b"SubjectName,Alias",
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"CN=a",
    b"{",
    b"JobProperties.a",
    b"[" * 40_000,
    b"'=",
    str(UUID(int=1)).encode(),
]
YAML_PIECES = [
    b"version: 1\n",
    b"rows:\n",
    b"  - ",
    b"{KeystoreId: a, SubjectName: CN=a, Alias: b}\n",
    b"rows_from: a.csv\n",
    b"&a ",
    b"*a ",
    b"!!set ",
    b"<<: ",
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"? ",
    b"- ",
    b"\n",
    b'"\\0"',
    b"waves: ",
    b"defaults: ",
    b"---\n",
    b"\xff",
    b"\0",
    b"%TAG ! tag:x,2000:\n",
    b"\t",
    b"[" * 2_000,
]


def soup(pieces: list[bytes]) -> st.SearchStrategy[bytes]:
    words = st.lists(st.sampled_from(pieces) | st.binary(max_size=6), max_size=20)
    return words.map(b"".join)


@given(soup(CSV_PIECES))
@example(b",")
@example(b"Alias\r\r\n\r")
@example(b'Alias\n"')
def test_no_bytes_whatever_crash_the_csv_reader(data: bytes) -> None:
    survive("a.csv", data)


@given(soup(CSV_PIECES))
def test_no_bytes_below_a_good_header_crash_the_csv_reader(data: bytes) -> None:
    header = b"KeystoreId,SubjectName,Alias,JobProperties,SANs,JobProperties.a\n"
    survive("a.csv", header + data)


@given(soup(YAML_PIECES))
@example(b"version: 1\nrows: [{? [a] : b}]")
@example(b"? rows\n: []\nversion: 1")
def test_no_bytes_whatever_crash_the_yaml_reader(data: bytes) -> None:
    survive("a.yaml", data)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=6,
)
KEYS = [
    *("version", "campaign", "defaults", "pace", "windows", "blackouts", "waves"),
    *("budget", "rows", "rows_from", "name", "cron", "timezone", "duration", "from"),
    *("to", "size", "Alias", "JobProperties", "SANs", "KeystoreId", "SubjectName"),
    *("max_failures", "Deadline", "RowId", "x-a", "Wave", "StorePath"),
]
blocks = st.dictionaries(st.sampled_from(KEYS), json_values, max_size=5)


@given(
    st.dictionaries(
        st.sampled_from(KEYS), blocks | st.lists(blocks, max_size=3) | json_values
    )
)
def test_no_document_of_whatever_shape_crashes_the_yaml_reader(
    document: dict[str, Any],
) -> None:
    # JSON is YAML; the reader sees every type of value at every place.
    survive("a.yaml", json.dumps({"version": 1, **document}).encode())


def test_control_characters_of_a_key_never_reach_a_message() -> None:
    survive("a.yaml", b'{version: {"\\x1b[31m": 1e5}}')
