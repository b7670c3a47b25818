"""Command's jobs say what they like; terminal, log and every report file stay sound."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from acceptance.paper import Report, write_manifest
from acceptance.served import QUICK, Row, serving
from acceptance.terminal import Done, Terminal
from openpyxl.utils.escape import (  # type: ignore[import-untyped]
    unescape,
)
from unit.report.hostile import PAYLOADS, assert_quiet, read_csv
from unit.report.reading import Outline

from batch_reenroll.sandbox import FleetPlan, draw_fleet
from batch_reenroll.text import undefuse, visible

_PLAN = FleetPlan(stores=len(PAYLOADS), orchestrators=5, seed=11)
# The embedded Command writes well-formed UTF-8 only.
_MESSAGES = [text.replace("\ud800", "\ufffd") for text in PAYLOADS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A campaign whose rows all failed, each with a hostile message."""

    terminal: Terminal
    rows: list[Row]
    done: Done

    @property
    def folder(self) -> Path:
        return self.terminal.folder / "reports" / "c"

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """The campaign, run on a Command of its own, with every form of its report."""
    folder = tmp_path_factory.mktemp("hostile")
    fleet = draw_fleet(_PLAN)
    rows = [{"RowId": f"r{n}", **row} for n, row in enumerate(fleet.manifest_rows())]
    jobs = [
        {"store_id": row["KeystoreId"], "times": None, "result": 4, "message": message}
        for row, message in zip(rows, _MESSAGES, strict=True)
    ]
    write_manifest(folder / "m.csv", rows)
    with serving(folder / "command", _PLAN, jobs=jobs) as command:
        terminal = Terminal(folder=folder, env=command.env)
        words = ("run", "m.csv", "--yes", "--campaign=c", "--log-format=json", *QUICK)
        done = terminal.run(*words)
        terminal.run("report", "c", "--format=parquet,xlsx").expect(0)
        yield Ended(terminal=Terminal(folder=folder), rows=rows, done=done)


def assert_legible(said: str, message: str) -> None:
    """Fail unless ``said`` is what is seen of ``message``, cut visibly or whole."""
    whole = visible(message)
    if said == whole:
        return
    kept, _, note = said.rpartition("… (+")
    assert note.endswith("characters)")
    assert len(kept) > 200
    assert whole.startswith(kept)


def test_every_row_ended_with_its_message_as_it_is_seen(ended: Ended) -> None:
    ended.done.expect(5)
    report = Report(folder=ended.folder)
    report.assert_accounts_for(ended.rows)
    report.assert_holds()
    for line, message in zip(report.results, _MESSAGES, strict=True):
        assert line["outcome"] == "failed"
        assert_legible(undefuse(line["message"]), message)


def test_no_cell_is_run_and_no_character_acts(ended: Ended) -> None:
    for path in ended.folder.glob("*.csv"):
        for line in read_csv(path.read_bytes()):
            assert_quiet("".join(line), ends="")
    for name in ("events.jsonl", "summary.json", "junit.xml", "report.md"):
        assert_quiet(ended.read(name).decode())
    assert_quiet(ended.read("report.html").decode())


def test_analysts_read_the_same_messages(ended: Ended) -> None:
    expected = [
        undefuse(line["message"]) for line in Report(folder=ended.folder).results
    ]
    table = pq.read_table(io.BytesIO(ended.read("results.parquet")))
    assert table["message"].to_pylist() == expected
    found = pd.read_excel(io.BytesIO(ended.read("results.xlsx")), dtype=object)
    for cell, text in zip(found["message"], expected, strict=True):
        # XML cannot hold a noncharacter: it is spelled out there.
        assert unescape(cell) == text.replace("\ufffe", "\\ufffe")


def test_machines_read_the_same_rows(ended: Ended) -> None:
    suite = ElementTree.fromstring(ended.read("junit.xml"))[0]
    assert len(suite.findall("testcase/failure")) == len(_MESSAGES)
    outline = Outline(ended.read("report.html").decode())
    assert not {"img", "iframe"} & set(outline.tags)
    assert outline.tags.count("script") == 3
    assert len(json.loads(outline.scripts[1])) == len(_MESSAGES)


def test_terminal_and_log_stay_quiet(ended: Ended) -> None:
    for line in ended.done.err.splitlines():
        assert_quiet(line, ends="")
        json.loads(line)
    assert_quiet(ended.done.out)
    for words in ((), ("--output=json",)):
        said = ended.terminal.run("status", "c", *words).expect(0).out
        assert_quiet(said)
        assert len(said) < 20_000


def test_the_failures_run_again_as_they_are(ended: Ended) -> None:
    path = ended.folder / "failure.csv"
    again = ended.terminal.run("validate", path).expect(0)
    assert f"{len(_MESSAGES)} rows" in again.out + again.err
    lines = list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
    assert [line["KeystoreId"] for line in lines] == [
        row["KeystoreId"] for row in ended.rows
    ]
