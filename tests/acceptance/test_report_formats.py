"""``report --format``: further forms of the results, covered by the evidence."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from acceptance.terminal import Terminal


def forms_in(terminal: Terminal) -> set[str]:
    folder = terminal.folder / "reports" / "c"
    return {path.name for path in folder.iterdir()} & {
        "results.parquet",
        "results.xlsx",
    }


@pytest.mark.parametrize(
    "words",
    [("--format=parquet,xlsx",), ("--format", "xlsx", "--format", "Parquet,xlsx")],
)
def test_the_forms_are_written_and_the_folder_verifies(
    ended: Terminal, words: tuple[str, ...]
) -> None:
    ended.run("report", "c", *words).expect(0)
    assert forms_in(ended) == {"results.parquet", "results.xlsx"}
    folder = ended.folder / "reports" / "c"
    found = pd.read_parquet(folder / "results.parquet")
    assert sorted(found["outcome"]) == ["failed", "verified", "verified"]
    assert len(pd.read_excel(folder / "results.xlsx")) == 3
    ended.run("evidence", "verify", folder).expect(0)


def test_a_report_without_the_forms_takes_them_away_and_says_so(
    ended: Terminal,
) -> None:
    ended.run("report", "c", "--format=parquet").expect(0)
    done = ended.run("report", "c").expect(0)
    assert forms_in(ended) == set()
    assert "warning: results.parquet was of the earlier report" in done.err
    ended.run("evidence", "verify", Path("reports", "c")).expect(0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("c", "--format=csv"), "expected parquet or xlsx"),
        (("c", "--format="), "is no format"),
        (("--all", "--format=xlsx"), "not with --all"),
    ],
)
def test_a_format_that_cannot_be_meant_exits_2(
    ended: Terminal, words: tuple[str, ...], said: str
) -> None:
    assert said in ended.run("report", *words).expect(2).err
