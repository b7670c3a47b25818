"""Files that are missing, huge, hostile, or change under our hands."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import PurePath
from typing import BinaryIO

import pytest

from batch_reenroll.errors import ManifestRejected
from batch_reenroll.manifest import Manifest, OutsideFolder, open_manifest, read_all

STORE = "0f8fad5b-d9cb-469f-a165-70867728950e"
HEADER = b"KeystoreId,SubjectName,Alias\n"
GOOD = f"{STORE},CN=a,web\n".encode()
YAML_ROW = f"{{KeystoreId: {STORE}, SubjectName: CN=a, Alias: web}}"


def from_memory(files: dict[str, bytes]) -> Callable[[PurePath], BinaryIO]:
    def opener(path: PurePath) -> BinaryIO:
        if str(path) not in files:
            raise FileNotFoundError(str(path))
        return io.BytesIO(files[str(path)])

    return opener


def codes(name: str, files: dict[str, bytes]) -> list[tuple[str, int | None]]:
    with pytest.raises(ManifestRejected) as rejected:
        read_all(PurePath(name), from_memory(files))
    return [(problem.code, problem.line) for problem in rejected.value.problems]


class Trickle(io.BytesIO):
    """A stream that hands out a few bytes at a time, as a pipe may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(3, size or 3) if size != -1 else 3)


class Breaking(io.BytesIO):
    """A stream whose medium fails after the first chunk."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read(40)


def test_a_missing_file_is_named() -> None:
    assert codes("a.csv", {}) == [("file_missing", None)]


@pytest.mark.parametrize(
    "failure", [PermissionError(13, "Permission denied"), IsADirectoryError(21, "x")]
)
def test_a_file_that_may_not_be_read_is_rejected(failure: OSError) -> None:
    def opener(path: PurePath) -> BinaryIO:
        raise failure

    with pytest.raises(ManifestRejected) as rejected:
        open_manifest(PurePath("a.csv"), opener)
    assert [p.code for p in rejected.value.problems] == ["file_unreadable"]


@pytest.mark.parametrize("name", ["a.csv", "a.yaml"])
def test_a_medium_that_fails_halfway_is_a_fault(name: str) -> None:
    content = HEADER + GOOD * 9 if name == "a.csv" else b"version: 1\nrows:\n" * 9
    with pytest.raises(ManifestRejected) as rejected:
        read_all(PurePath(name), lambda _: Breaking(content))
    assert "file_unreadable" in {problem.code for problem in rejected.value.problems}


def test_a_symbolic_link_out_of_the_folder_is_the_openers_to_refuse() -> None:
    def opener(path: PurePath) -> BinaryIO:
        if path.suffix == ".csv":
            raise OutsideFolder(str(path))
        return io.BytesIO(b"version: 1\nrows_from: link.csv\n")

    with pytest.raises(ManifestRejected) as rejected:
        open_manifest(PurePath("dir/a.yaml"), opener)
    (problem,) = rejected.value.problems
    assert (problem.code, problem.file, problem.line) == (
        "rows_from_outside",
        "dir/a.yaml",
        2,
    )


def test_a_cell_of_10_mb_costs_its_row_only() -> None:
    content = HEADER + GOOD + b"x" * 10_000_000 + b",CN=a,b\n" + GOOD
    assert codes("a.csv", {"a.csv": content}) == [
        ("cell_too_long", 3),
        ("store_alias_duplicate", 4),
    ]


def test_byte_offsets_stay_right_below_a_line_that_was_cut() -> None:
    content = HEADER + b"x" * 5_000_000 + b"\n" + f"{STORE},CN=".encode()
    at = len(content)
    content += b"\xff,web\n"
    with pytest.raises(ManifestRejected) as rejected:
        read_all(PurePath("a.csv"), from_memory({"a.csv": content}))
    assert f"byte {at}:" in rejected.value.problems[-1].message


def test_a_cell_just_above_the_limit_is_a_fault_of_its_column() -> None:
    content = HEADER + f"{STORE},CN=a,{'x' * 65_537}\n".encode()
    with pytest.raises(ManifestRejected) as rejected:
        read_all(PurePath("a.csv"), from_memory({"a.csv": content}))
    assert [(p.code, p.column) for p in rejected.value.problems] == [
        ("cell_too_long", "Alias")
    ]


def test_a_cell_at_the_limit_passes() -> None:
    content = HEADER + f"{STORE},CN=a,{'x' * 65_536}\n".encode()
    _, rows = read_all(PurePath("a.csv"), from_memory({"a.csv": content}))
    assert len(rows[0].alias) == 65_536


def test_an_unclosed_quote_hides_no_row_below_it() -> None:
    rows = b"".join(f"{STORE},CN=,{n}\n".encode() for n in range(5_000))
    content = HEADER + f'{STORE},"CN=a,web\n'.encode() + rows
    found = codes("a.csv", {"a.csv": content})
    assert found[0] == ("cell_too_long", 2)
    assert found[1:] == [("subject_invalid", line) for line in range(3, 5_003)]


def test_a_yaml_value_of_10_mb_is_a_fault() -> None:
    content = f"version: 1\ncampaign: {{reason: {'x' * 10_000_000}}}\n".encode()
    assert [code for code, _ in codes("a.yaml", {"a.yaml": content})] == [
        "cell_too_long"
    ]


def test_a_yaml_value_above_the_limit_is_a_fault_of_its_line() -> None:
    row = YAML_ROW.replace("web", "x" * 65_537)
    content = f"version: 1\nrows:\n  - {row}\n".encode()
    assert codes("a.yaml", {"a.yaml": content}) == [("cell_too_long", 3)]


def test_a_yaml_block_of_many_values_cannot_fill_the_memory() -> None:
    content = b"version: 1\nwaves: [" + b"a," * 300_000 + b"]\n"
    assert [code for code, _ in codes("a.yaml", {"a.yaml": content})] == [
        "yaml_too_large"
    ]


@pytest.mark.parametrize(
    "content",
    [b"x: " + b"[" * 200_000, b"rows: " + b"[" * 200_000, b"rows:\n" + b"- " * 200_000],
)
def test_bottomless_nesting_is_refused_at_once(content: bytes) -> None:
    found = codes("a.yaml", {"a.yaml": b"version: 1\n" + content})
    assert "yaml_too_deep" in [code for code, _ in found]


def test_too_many_columns_are_refused() -> None:
    content = ",".join(["Alias", *(f"x-{n}" for n in range(1_000))]).encode()
    assert codes("a.csv", {"a.csv": content}) == [("columns_too_many", 1)]


def test_too_many_columns_in_yaml_rows_are_refused() -> None:
    keys = ", ".join(f"x-{n}: 1" for n in range(1_001))
    content = f"version: 1\nrows:\n  - {{{keys}}}\n".encode()
    assert ("columns_too_many", None) in codes("a.yaml", {"a.yaml": content})


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.csv", HEADER + GOOD, b"Alias," + HEADER + GOOD),
        (
            "a.yaml",
            f"version: 1\nrows:\n  - {YAML_ROW}\n".encode(),
            f"version: 1\nrows:\n  - {YAML_ROW} \n".encode(),
        ),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_rejected(
    name: str, before: bytes, after: bytes
) -> None:
    versions = iter([before, after])
    with pytest.raises(ManifestRejected) as rejected:
        read_all(PurePath(name), lambda _: io.BytesIO(next(versions)))
    assert [p.code for p in rejected.value.problems] == ["file_changed"]


@pytest.mark.parametrize("name", ["a.csv", "a.yaml"])
def test_rows_do_not_depend_on_how_the_bytes_arrive(name: str) -> None:
    content = "\ufeffKeystoreId,SubjectName,Alias\r\n" + f"{STORE},CN=Müller,ä\r\n"
    if name == "a.yaml":
        content = f"\ufeffversion: 1\r\nrows:\r\n  - {YAML_ROW.replace('web', 'ä')}\r\n"
    data = content.encode()
    _, whole = read_all(PurePath(name), lambda _: io.BytesIO(data))
    _, trickled = read_all(PurePath(name), lambda _: Trickle(data))
    assert trickled == whole


def test_every_file_is_closed_even_when_rows_are_abandoned() -> None:
    streams: list[io.BytesIO] = []

    def opener(path: PurePath) -> BinaryIO:
        streams.append(io.BytesIO(HEADER + GOOD * 3))
        return streams[-1]

    rows = open_manifest(PurePath("a.csv"), opener).rows()
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert [stream.closed for stream in streams] == [True, True]


def opened(files: dict[str, bytes], name: str) -> Manifest:
    return open_manifest(PurePath(name), from_memory(files))


def test_sha256_is_that_of_the_file() -> None:
    content = b"\xef\xbb\xbf" + HEADER + GOOD
    manifest = opened({"a.csv": content}, "a.csv")
    list(manifest.rows())
    assert manifest.sha256 == hashlib.sha256(content).hexdigest()


def test_sha256_with_rows_from_is_that_of_both_digests() -> None:
    files = {
        "d/a.yaml": b"version: 1\nrows_from: b.csv\n",
        "d/b.csv": HEADER + GOOD,
    }
    manifest = opened(files, "d/a.yaml")
    list(manifest.rows())
    lines = "".join(hashlib.sha256(data).hexdigest() + "\n" for data in files.values())
    assert manifest.sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_sha256_is_not_to_be_had_before_the_rows_are_read() -> None:
    with pytest.raises(RuntimeError):
        _ = opened({"a.csv": HEADER + GOOD}, "a.csv").sha256


def test_rows_can_be_read_once() -> None:
    manifest = opened({"a.csv": HEADER + GOOD}, "a.csv")
    list(manifest.rows())
    with pytest.raises(RuntimeError):
        manifest.rows()


def test_columns_are_the_users_own_names() -> None:
    header = b" keystoreid ,SubjectName,ALIAS\n"
    manifest = opened({"a.csv": header + GOOD}, "a.csv")
    assert manifest.columns == ("keystoreid", "SubjectName", "ALIAS")


def test_no_secret_sized_value_is_repeated_in_full_in_a_message() -> None:
    content = HEADER + f"{'z' * 5_000},CN=a,web\n".encode()
    with pytest.raises(ManifestRejected) as rejected:
        read_all(PurePath("a.csv"), from_memory({"a.csv": content}))
    assert all(len(problem.message) < 400 for problem in rejected.value.problems)
