"""Every file of the corpus, and of the examples, against what it must come to."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import pytest

from batch_reenroll.errors import ManifestRejected, Problem
from batch_reenroll.manifest import RULES, open_manifest, read_all

ROOT = Path(__file__).parents[3]
INVALID = ROOT / "tests" / "data" / "invalid"
VALID = ROOT / "tests" / "data" / "valid"
EXAMPLES = ROOT / "manifests"

# These need a file too large to keep, or one that misbehaves: test_files.py.
NOT_IN_CORPUS = {
    "file_missing",
    "file_unreadable",
    "file_changed",
    "cell_too_long",
    "columns_too_many",
    "yaml_too_large",
}


def opener_in(folder: Path) -> Any:
    def opener(path: PurePath) -> BinaryIO:
        return (folder / path).open("rb")

    return opener


def expected_files(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix(".expect") for path in folder.glob("*.expect"))


def as_expected(problem: Problem, name: str) -> dict[str, Any]:
    found = {
        "code": problem.code,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "row_id": problem.row_id,
    }
    if problem.file == name:
        del found["file"]
    return found


@pytest.mark.parametrize("name", expected_files(INVALID))
def test_each_invalid_file_has_exactly_the_faults_beside_it(name: str) -> None:
    expected = json.loads((INVALID / f"{name}.expect").read_text())
    good_rows = 0
    opens = True
    try:
        manifest = open_manifest(PurePath(name), opener_in(INVALID))
        good_rows = sum(1 for _ in manifest.rows())
        problems = list(manifest.problems)
    except ManifestRejected as rejected:
        opens = False
        problems = list(rejected.problems)
    assert {
        "opens": opens,
        "good_rows": good_rows,
        "problems": [as_expected(problem, name) for problem in problems],
    } == expected


@pytest.mark.parametrize("name", expected_files(INVALID))
def test_read_all_rejects_each_invalid_file_with_the_same_faults(name: str) -> None:
    expected = json.loads((INVALID / f"{name}.expect").read_text())
    with pytest.raises(ManifestRejected) as rejected:
        read_all(PurePath(name), opener_in(INVALID))
    found = [as_expected(problem, name) for problem in rejected.value.problems]
    assert found == expected["problems"]


@pytest.mark.parametrize("name", expected_files(VALID))
def test_each_valid_file_gives_exactly_the_rows_beside_it(name: str) -> None:
    expected = json.loads((VALID / f"{name}.expect").read_text())
    manifest, rows = read_all(PurePath(name), opener_in(VALID))
    assert list(manifest.columns) == expected["columns"]
    found = []
    for row in rows:
        fields = {field: getattr(row, field) for field in row.__dataclass_fields__}
        found.append(
            {
                field: str(value) if field == "deadline" else value
                for field, value in fields.items()
                if value not in (None, {})
            }
        )
    assert json.loads(json.dumps(found)) == expected["rows"]


def test_the_corpus_shows_every_code() -> None:
    shown = {
        problem["code"]
        for path in INVALID.glob("*.expect")
        for problem in json.loads(path.read_text())["problems"]
    }
    assert shown == set(RULES) - NOT_IN_CORPUS


@pytest.mark.parametrize("folder", [VALID, INVALID], ids=["valid", "invalid"])
def test_every_file_of_the_corpus_is_tested(folder: Path) -> None:
    manifests = {
        path.name
        for path in folder.iterdir()
        if path.is_file() and ".part." not in path.name
    }
    named = set(expected_files(folder))
    assert manifests == named | {f"{name}.expect" for name in named}


def test_every_rule_says_what_it_means_and_what_helps() -> None:
    assert [code for code, rule in RULES.items() if not (rule.what and rule.hint)] == []


@pytest.mark.parametrize(
    ("name", "n_rows"),
    [
        ("minimal.csv", 2),
        ("full.csv", 2),
        ("semicolon.csv", 2),
        ("stores.csv", 2),
        ("campaign.yaml", 2),
        ("rows-from.yaml", 2),
        ("ca-distrust.yaml", 2),
    ],
)
def test_each_example_is_valid(name: str, n_rows: int) -> None:
    _, rows = read_all(PurePath(name), opener_in(EXAMPLES))
    assert len(rows) == n_rows


def test_every_example_is_tested_and_described() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    names = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert {name for name in names if f"`{name}`" not in readme} == set()
