"""The quick way through a manifest says what the slow one says, about any file."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batch_reenroll.campaign.waves import WavePlan
from batch_reenroll.errors import ManifestRejected, Problem
from batch_reenroll.manifest import (
    COLUMNS,
    ManifestRow,
    csv_file,
    csv_records,
    open_manifest,
)
from batch_reenroll.manifest.header import EMPTY, Header
from batch_reenroll.manifest.plain import Gate
from batch_reenroll.manifest.rows import Judge, RawRow
from batch_reenroll.manifest.subject import SubjectInvalid, parse, parses
from batch_reenroll.text import visible

STORES = [
    "0f8fad5b-d9cb-469f-a165-70867728950e",
    "1B4E28BA-2FA1-41D2-883F-0016D3CCA427",
]
AGENTS = [
    "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "a3bb189e-8bf9-4c6a-9c2a-0d1f5d9f2b11",
]

SHORT = 250

# What stands in a cell, good and bad, by column; any of it may stand in any other.
CELLS: dict[str, list[str]] = {
    "KeystoreId": [*STORES, f"{{{STORES[0]}}}", STORES[0].replace("-", ""), "x"],
    "SubjectName": [
        "CN=a",
        'CN=a,O="Key Example, Inc.",C=US',
        "CN=a ,OU=",
        "CN=a,C=USA",
        "cn=*.b,O=é,",
        "C=US,CN=a",
        "CN=a\\,b",
        " CN=a b ",
        "CN=a;O=b",
        "CN=#",
    ],
    "AgentGuid": [*AGENTS, AGENTS[0].upper(), "y"],
    "Alias": ["web", " web", "wéb", "w b", "a\x1fb", "\x1c", "'=a", "'", "\u200eweb"],
    "CertificateAuthority": ["ca\\Corp", "ca\x07", " ca "],
    "JobProperties": ['{"A": "b"}', '[{"A": 1}]', "{", '{"": 1}', '{"A": 1, "A": 2}'],
    "JobProperties.A": ["b", "c"],
    "SANs": ["dns:a|dns:b", '{"dns": ["a"]}', '{"dns": []}', "dns", '{"": ["a"]}'],
    "EnrollmentPatternId": ["7", "0", "007", "2147483648", "7.0", "٣"],
    "Metadata": ['{"a": "b"}', '{"a": 1}', '{"a": [1]}'],
    "Metadata.a": ["b"],
    "RowId": ["1", "2", "3", "r", " r ", "r" * 201],
    "Wave": ["canary", "rest", "canary ", "x\ty"],
    "Deadline": ["2026-12-01T00:00:00Z", "2026-12-01", "2026-12-01T00:00:60Z"],
    "Owner": ["me", "m\te", "=1+1", "'=1+1"],
    "CurrentThumbprint": ["5F" * 20, ":".join(["5f"] * 20), "5F" * 32, "g" * 40],
    "ClientMachine": ["m1", "M1", " m1", "m\u00a01"],
    "StorePath": ["/p", "/p "],
    "StoreType": ["PEM", "pem"],
    "x-note": ["anything", "any\nthing"],
}
NASTY = ["", " ", "\t", "x" * (SHORT + 1), '"', "'=1", "a,b", "\r", "\n", "\ufeff"]

headers = st.permutations(sorted(CELLS)).flatmap(
    lambda names: st.integers(1, len(names)).map(
        lambda n: list(dict.fromkeys([*names[:n], "SubjectName", "Alias"]))
    )
)


def cell(column: str) -> st.SearchStrategy[str]:
    good = CELLS[column][0]
    return st.one_of(
        *[st.just(good)] * 12,
        st.sampled_from(CELLS[column]),
        st.sampled_from(["", "", "", *NASTY]),
        st.text(max_size=3),
    )


@st.composite
def files(draw: st.DrawFn) -> bytes:
    columns = draw(headers)
    unique = draw(st.booleans())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerow(columns)
    for n in range(draw(st.integers(0, 12))):
        row = [draw(cell(column)) for column in columns]
        if unique and "KeystoreId" in columns:
            row[columns.index("KeystoreId")] = f"00000000-0000-0000-0000-{n:012d}"
        writer.writerow(row)
    data = text.getvalue().encode("utf-8", "surrogatepass")
    at = draw(st.integers(0, len(data)))
    harm = draw(st.sampled_from([b""] * 8 + [b'"', b"\n", b"\xff", b"\0", b",", b"\r"]))
    return data[:at] + harm + data[at:]


STRUCTURES: list[Any] = [
    *(
        {"A": "b"},
        {"": "b"},
        {"A": 1},
        {"A": None},
        {"A": ["b"]},
        {"A": []},
        {"A": [""]},
    ),
    *({}, [], [{"A": 1}], [{"A": 1}, {"A": 2}], 2**31, 2**31 - 1, -1, 1.5),
]


class Trickle(io.BytesIO):
    """Hands out little at a time, so that rows lie across the joints."""

    step = 1 << 20

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.step if size is None else min(size, self.step))


HEADS = [
    b"",
    b"defaults: {JobProperties: {A: b}}\n",
    b"defaults: {Wave: canary, StoreType: PEM, AgentGuid: %s}\n" % AGENTS[0].encode(),
    b"defaults: {Alias: web, SubjectName: CN=}\n",
    b"defaults: {KeystoreId: nope}\nwaves: [{name: canary, size: 1}, {name: rest}]\n",
    b"waves: [{name: canary, size: 1}, {name: rest}]\n",
]


def look_closer(text: Any, *_: object) -> None:
    text.sound_text()


@contextmanager
def slow_judge() -> Iterator[None]:
    """Read every record on its own, judge every row by the schema."""
    with (
        patch.object(csv_records, "_plain", look_closer),
        patch.object(Gate, "clears", lambda *_: False),
    ):
        yield


def outcome(head: bytes, data: bytes, step: int, *, quick: bool) -> dict[str, Any]:
    def opener(path: PurePath) -> Trickle:
        stream = Trickle(manifest_bytes if path.suffix == ".yaml" else data)
        stream.step = step
        return stream

    manifest_bytes = b"version: 1\nrows_from: a.csv\n" + head
    name = PurePath("a.yaml" if head else "a.csv")
    rows: list[ManifestRow] = []
    n_rows, problems = 0, list[Problem]()
    try:
        manifest = open_manifest(name, opener)
        if quick:
            manifest.check()
        else:
            rows = list(manifest.rows())
        problems, n_rows = manifest.problems, manifest.n_rows
    except ManifestRejected as rejected:
        problems = list(rejected.problems)
    return {"problems": problems, "n_rows": n_rows, "rows": rows}


# A file is many small draws: slow to make on a machine that is busy.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(files(), st.sampled_from(HEADS), st.sampled_from([7, 100, 1 << 20]))
@example(f"KeystoreId,SubjectName,Alias\n, ,\n{STORES[0]},CN=,w\n".encode(), b"", 99)
def test_the_quick_check_finds_what_the_slow_judge_finds(
    data: bytes, head: bytes, step: int
) -> None:
    with (
        patch.object(csv_file, "MAX_CELL", SHORT),
        patch.object(csv_records, "MAX_CELL", SHORT),
    ):
        with slow_judge():
            expected = outcome(head, data, step, quick=False)
        assert outcome(head, data, step, quick=False) == expected
        assert outcome(head, data, step, quick=True) == {**expected, "rows": []}


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([*CELLS, "bad"]),
            st.one_of(
                st.sampled_from([cell for cells in CELLS.values() for cell in cells]),
                st.none(),
                st.integers(0, 3),
                st.booleans(),
                st.sampled_from(STRUCTURES),
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_yaml_rows_are_found_as_the_slow_judge_finds_them(
    rows: list[dict[str, Any]],
) -> None:
    data = yaml.safe_dump({"version": 1, "rows": rows}, allow_unicode=True).encode()

    def found(*, quick: bool) -> list[Problem]:
        try:
            manifest = open_manifest(PurePath("a.yaml"), lambda _: io.BytesIO(data))
        except ManifestRejected as rejected:
            return list(rejected.problems)
        if quick:
            manifest.check()
        else:
            list(manifest.rows())
        return manifest.problems

    with slow_judge():
        expected = found(quick=False)
    assert found(quick=True) == found(quick=False) == expected


any_cell = st.one_of(
    st.sampled_from([cell for cells in CELLS.values() for cell in cells]),
    st.text(max_size=6),
    st.text(st.sampled_from(" \t\x1f\x85\xa0\"\\,=+#;<>CN'{}[]:|x1é"), max_size=12),
    st.builds("CN=a{}".format, st.text(st.sampled_from(' ,+="\\#;COU12é'), max_size=8)),
    st.builds(
        '{{"a": {}}}'.format, st.sampled_from(["1", '"b"', "[]", "null", "1e999"])
    ),
)
HEADER_WITH_WAVES = Header(waves=(WavePlan(name="canary"), WavePlan(name="x y")))


@given(st.sampled_from(COLUMNS), any_cell, st.sampled_from([EMPTY, HEADER_WITH_WAVES]))
def test_a_value_that_is_cleared_has_no_fault(
    column: str, text: str, header: Header
) -> None:
    values = {"KeystoreId": STORES[0], "SubjectName": "CN=a", "Alias": "web"}
    raw = RawRow(row_no=1, line=1, values={**values, column: text})
    judge = Judge(header=header)
    if judge.gate is not None and judge.gate.clears(raw.values, raw.named):
        with slow_judge():
            assert judge.judged(raw)[1] == []


odd_subjects = st.text(st.sampled_from('CNcn=abO,+"\\# ;.<>US é\x1f'), max_size=16)


@given(st.sampled_from(["CN=", "cn=a", "O=b,", ""]), odd_subjects)
def test_the_quick_look_at_a_subject_says_what_the_parser_says(
    start: str, rest: str
) -> None:
    text = start + rest
    try:
        parse(text.strip())
    except SubjectInvalid:
        assert not parses(text)
    else:
        assert parses(text)


def test_no_printable_character_is_one_that_must_be_escaped() -> None:
    printable = [c for c in map(chr, range(sys.maxunicode + 1)) if c.isprintable()]
    assert [c for c in printable if visible(c) != c] == []
    assert [c for c in printable if c.isspace()] == [" "]


@pytest.mark.parametrize("column", sorted(set(CELLS) & set(COLUMNS)))
def test_an_everyday_value_is_cleared(column: str) -> None:
    values = {"KeystoreId": STORES[0], "SubjectName": "CN=a", "Alias": "web"}
    assert Gate(EMPTY, ()).clears({**values, column: CELLS[column][0]}, {})
