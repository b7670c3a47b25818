"""``validate``: every kind of bad input is named with its place, code and hint."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from acceptance.terminal import Terminal

MANIFESTS = Path(__file__).parents[2] / "manifests"
EXAMPLES = sorted(p for p in MANIFESTS.iterdir() if p.suffix in {".csv", ".yaml"})

HEADER = "KeystoreId,SubjectName,AgentGuid,Alias\n"
ROW = (
    "0f8fad5b-d9cb-469f-a165-70867728950e,CN=a.example.com,"
    "7c9e6679-7425-40de-944b-e07fc1f90ae7,web\n"
)
YAML_ROW = (
    "  - KeystoreId: 0f8fad5b-d9cb-469f-a165-70867728950e\n"
    "    SubjectName: CN=a.example.com\n"
    "    AgentGuid: 7c9e6679-7425-40de-944b-e07fc1f90ae7\n"
    "    Alias: web\n"
)


def _bomb() -> str:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 10):
        levels.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")
    return "\n".join([*levels, "version: 1", "rows:", YAML_ROW])


#: Name of the file, what it holds, code and line of the problem.
BAD: dict[str, tuple[str, bytes, str, int | None]] = {
    "latin-1": (
        "m.csv",
        (HEADER + ROW).encode().replace(b"web", b"w\xe9b"),
        "not_utf8",
        2,
    ),
    "utf-16": ("m.csv", (HEADER + ROW).encode("utf-16"), "not_utf8", 1),
    "spreadsheet": ("m.csv", b"PK\x03\x04" + bytes(200), "not_utf8", 1),
    "NUL byte": (
        "m.csv",
        (HEADER + ROW.replace("web", "w\0b")).encode(),
        "nul_byte",
        2,
    ),
    "10 MB cell": (
        "m.csv",
        (HEADER + ROW.replace("web", "w" * 10_000_000)).encode(),
        "cell_too_long",
        2,
    ),
    "10 MB YAML value": (
        "m.yaml",
        ("version: 1\nrows:\n" + YAML_ROW.replace("web", "w" * 10_000_000)).encode(),
        "cell_too_long",
        6,
    ),
    "unknown column": (
        "m.csv",
        (HEADER.strip() + ",Colour\n" + ROW.strip() + ",red\n").encode(),
        "column_unknown",
        1,
    ),
    "no file content": ("m.csv", b"", "file_empty", None),
    "header only": ("m.csv", HEADER.encode(), "no_rows", 1),
    "empty YAML": ("m.yaml", b"", "file_empty", None),
    "empty rows": ("m.yaml", b"version: 1\nrows: []\n", "no_rows", 2),
    "alias bomb": ("m.yaml", _bomb().encode(), "yaml_alias", 1),
    "duplicate keys": (
        "m.yaml",
        b"version: 1\nversion: 1\nrows:\n" + YAML_ROW.encode(),
        "yaml_duplicate_key",
        2,
    ),
    "duplicate keys in a row": (
        "m.yaml",
        b"version: 1\nrows:\n" + YAML_ROW.encode() + b"    Alias: other\n",
        "yaml_duplicate_key",
        None,
    ),
    "rows_from above": (
        "m.yaml",
        b"version: 1\nrows_from: ../stores.csv\n",
        "rows_from_outside",
        2,
    ),
    "rows_from absolute": (
        "m.yaml",
        b"version: 1\nrows_from: /etc/stores.csv\n",
        "rows_from_outside",
        2,
    ),
    "python tag": (
        "m.yaml",
        b"version: 1\nrows: !!python/object/apply:os.system ['true']\n",
        "type_wrong",
        2,
    ),
    "another ending": ("m.xlsx", b"PK\x03\x04", "file_type_unknown", None),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_exits_3_and_names_code_place_and_hint(
    bare: Terminal, kind: str
) -> None:
    name, data, code, line = BAD[kind]
    (bare.folder / name).write_bytes(data)
    done = bare.run("validate", name).expect(3)
    first, hint = next(
        (text, following)
        for text, following in zip(
            done.err.splitlines(), done.err.splitlines()[1:], strict=False
        )
        if text.endswith(f"[{code}]")
    )
    assert first.startswith(f"{name}:{line}: " if line else name)
    assert hint.strip().startswith("hint: ")
    assert len(done.err) < 20_000, "a huge value is cut"
    assert done.out == ""


def _missing(folder: Path) -> None:
    (folder / "m.csv").unlink(missing_ok=True)


def _folder(folder: Path) -> None:
    (folder / "m.csv").mkdir()


def _loop(folder: Path) -> None:
    (folder / "m.csv").symlink_to("m.csv")


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_missing, "file_missing"),
        (_folder, "file_unreadable"),
        (_loop, "file_unreadable"),
    ],
)
def test_a_file_that_cannot_be_read_exits_3(
    bare: Terminal, make: Callable[[Path], None], code: str
) -> None:
    make(bare.folder)
    done = bare.run("validate", "m.csv").expect(3)
    assert f"[{code}]" in done.err
    assert "hint: " in done.err


def test_an_overlong_cell_of_many_lines_is_not_one_problem_for_each_line(
    bare: Terminal,
) -> None:
    cell = '"' + "w\n" * 70_000 + '"'
    (bare.folder / "m.csv").write_text(HEADER + ROW.replace("web", cell))
    done = bare.run("validate", "m.csv").expect(3)
    assert "m.csv:2: row 1: " in done.err
    assert done.err.count("\n") < 100


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_exits_3(bare: Terminal) -> None:
    (bare.folder / "m.csv").write_text(HEADER + ROW)
    (bare.folder / "m.csv").chmod(0)
    assert "[file_unreadable]" in bare.run("validate", "m.csv").expect(3).err


def test_rows_from_may_not_follow_a_symbolic_link_out_of_its_folder(
    bare: Terminal,
) -> None:
    outside = bare.folder / "outside"
    inside = bare.folder / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "rows.csv").write_text(HEADER + ROW)
    (inside / "rows.csv").symlink_to(outside / "rows.csv")
    (inside / "m.yaml").write_text("version: 1\nrows_from: rows.csv\n")
    done = bare.run("validate", inside / "m.yaml").expect(3)
    assert "[rows_from_outside]" in done.err


def test_all_problems_are_reported(bare: Terminal) -> None:
    bad = [
        ROW.replace("0f8fad5b", "not-a-guid"),
        ROW.replace("CN=a", "no subject"),
        *[ROW.replace("web", f"web{n},extra") for n in range(150)],
    ]
    (bare.folder / "m.csv").write_text(HEADER + "".join(bad))
    done = bare.run("validate", "m.csv").expect(3)
    assert "[guid_invalid]" in done.err
    assert "[subject_invalid]" in done.err
    assert done.err.count("[row_too_long]") == 150
    assert "the manifest has 152 problems" in done.err


def test_output_json_holds_every_problem_with_its_place(bare: Terminal) -> None:
    (bare.folder / "m.csv").write_text(
        HEADER + ROW.replace("0f8fad5b", "no") + ROW.replace("CN=a", "no subject")
    )
    done = bare.run("validate", "m.csv", "--output=json").expect(3)
    found = json.loads(done.out)
    assert found["ok"] is False
    assert [(p["file"], p["line"], p["column"]) for p in found["problems"]] == [
        ("m.csv", 2, "KeystoreId"),
        ("m.csv", 3, "SubjectName"),
    ]
    assert all(p["code"] and p["hint"] and p["row_id"] for p in found["problems"])


def test_control_characters_in_a_value_do_not_reach_the_terminal(
    bare: Terminal,
) -> None:
    (bare.folder / "m.csv").write_text(
        HEADER + ROW.replace("0f8fad5b", "\x1b[31mred\x07")
    )
    done = bare.run("validate", "m.csv").expect(3)
    assert "\x1b" not in done.err
    assert "\x07" not in done.err


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_valid(bare: Terminal, path: Path) -> None:
    done = bare.run("validate", path).expect(0)
    assert "no problems" in done.out
    assert done.err == ""


def test_a_valid_manifest_as_json(bare: Terminal) -> None:
    (bare.folder / "m.csv").write_text(HEADER + ROW)
    done = bare.run("validate", "m.csv", "--output=json").expect(0)
    found = json.loads(done.out)
    assert (found["ok"], found["rows"], found["problems"]) == (True, 1, [])
    assert len(found["manifest_sha256"]) == 64


def test_run_refuses_a_bad_manifest_like_validate_and_writes_nothing(
    bare: Terminal,
) -> None:
    (bare.folder / "m.csv").write_text(HEADER + ROW.replace("web", "w\0b"))
    done = bare.run("run", "m.csv", "--yes").expect(3)
    assert "m.csv:2:" in done.err
    assert [path.name for path in bare.folder.iterdir()] == ["m.csv"]
