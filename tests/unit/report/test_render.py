"""The set of files, their digests, and what the laziness promises."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from unit.report.reading import files_of
from unit.report.synthetic import fleet, one_of_each, report_of, row

from batch_reenroll.report import FAILURE, FILES, OUTCOMES, REMAINING, SUCCESS, render


def test_the_files_come_in_order_with_the_evidence_last() -> None:
    assert tuple(files_of(fleet(3))) == FILES
    assert FILES[-1] == "evidence.json"


def test_the_sides_are_disjoint_and_hold_all_twelve_outcomes() -> None:
    assert sorted((*SUCCESS, *FAILURE, *REMAINING)) == sorted(OUTCOMES)
    assert len(set(OUTCOMES)) == 12


def test_evidence_holds_size_and_digest_of_every_other_file() -> None:
    files = files_of(fleet(25))
    evidence = json.loads(files.pop("evidence.json"))
    assert evidence["files"] == {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
    }


def test_evidence_names_what_was_carried_out_and_by_whom() -> None:
    report = fleet(1)
    evidence = json.loads(files_of(report)["evidence.json"])
    for key in (
        "campaign_id",
        "manifest_sha256",
        "plan_sha256",
        "journal_head",
        "tool_version",
        "operator",
        "approved_by",
    ):
        assert evidence[key] == getattr(report.facts, key)


def test_events_are_the_journal_verbatim_each_with_a_line_feed() -> None:
    report = report_of(one_of_each())
    expected = "".join(line + "\n" for line in report.journal()).encode()
    assert files_of(report)["events.jsonl"] == expected


def test_the_same_input_gives_the_same_bytes() -> None:
    assert files_of(fleet(60)) == files_of(fleet(60))


def test_asking_for_the_next_file_too_early_is_an_error() -> None:
    files = render(fleet(3))
    next(files)
    with pytest.raises(RuntimeError, match=r"success\.csv was asked for"):
        next(files)


def test_a_row_without_a_known_outcome_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="row 4: 'done' is not an outcome"):
        files_of(report_of([row(4, "done")]))


def test_importing_the_room_loads_neither_pandas_nor_jinja2() -> None:
    code = (
        "import sys, batch_reenroll.report;"
        "sys.exit(bool({'pandas', 'numpy', 'jinja2'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert answer.returncode == 0
