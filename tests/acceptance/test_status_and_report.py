"""``status`` and ``report``: both read the ledger and never ask Command."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from acceptance.paper import Report, write_manifest
from acceptance.served import QUICK, Served
from acceptance.terminal import Terminal, finished, signalled, until


def status(terminal: Terminal) -> dict[str, Any]:
    """Return what ``status --output json`` says, or nothing before there is any."""
    done = terminal.run("status", "--output=json")
    facts: dict[str, Any] = json.loads(done.out) if done.code == 0 else {}
    return facts


def test_status_of_a_running_campaign_says_so_and_counts(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(6, offline=1)
    write_manifest(terminal.folder / "m.csv", rows)
    words = ("run", "m.csv", "--yes", "--campaign=c", "--silent-heartbeats=0", *QUICK)
    process = terminal.start(*words)
    bare = Terminal(folder=terminal.folder)
    facts = until(
        lambda: found if (found := status(bare)).get("ended") == 5 else None,
        process=process,
    )
    assert facts["campaign_id"] == "c"
    assert facts["running"] is True
    assert facts["rows"] == 6
    assert sum(facts["states"].values()) == 6
    assert facts["states"]["verified"] == 5
    assert [q["rows"] for q in facts["slowest_orchestrators"]] == [1]
    text = bare.run("status").expect(0).out
    assert "campaign c: running" in text
    assert "5 of 6 rows have ended" in text
    signalled(process, signal.SIGINT).expect(130)
    after = bare.run("status").expect(0).out
    assert "campaign c: not running" in after
    assert "go on with: batch-reenroll resume c" in after


def test_watching_ends_when_the_campaign_has(
    terminal: Terminal, command: Served
) -> None:
    write_manifest(terminal.folder / "m.csv", command.rows(3))
    process = terminal.start("run", "m.csv", "--yes", "--campaign=c", *QUICK)
    until(lambda: status(terminal), process=process)
    watched = terminal.run("status", "--watch").expect(0).out
    assert watched.rstrip().endswith("verified  3")
    finished(process).expect(0)


def test_status_of_an_ended_campaign(ended: Terminal) -> None:
    facts = status(ended)
    assert facts["running"] is False
    assert facts["resumable"] is False
    assert facts["exit_code"] == 5
    assert facts["outcomes"] == {"failed": 1, "verified": 2}
    (cause,) = facts["top_failures"]
    assert cause["rows"] == 1
    text = ended.run("status", "c").expect(0).out
    assert "campaign c: finished, exit code 5" in text
    assert "Denied by policy module" in text


@pytest.mark.parametrize("verb", [("status",), ("report", "c"), ("status", "c")])
def test_without_a_ledger_the_verbs_exit_2_and_make_none(
    bare: Terminal, verb: tuple[str, ...]
) -> None:
    done = bare.run(*verb).expect(2)
    assert "there is no ledger" in done.err
    assert "hint: " in done.err
    assert not list(bare.folder.iterdir())


def test_status_of_a_ledger_without_a_campaign_exits_2(
    terminal: Terminal, command: Served
) -> None:
    write_manifest(terminal.folder / "m.csv", command.rows(1))
    refused = terminal.run("run", "m.csv")
    assert refused.code == 2, "it asks, and nobody is there"
    done = terminal.run("status").expect(2)
    assert "no campaign" in done.err


@pytest.mark.parametrize("verb", ["status", "report"])
def test_an_unknown_campaign_exits_2_and_names_the_known(
    ended: Terminal, verb: str
) -> None:
    done = ended.run(verb, "nobody").expect(2)
    assert "'nobody'" in done.err
    assert "known: c" in done.err


def test_the_report_written_again_differs_in_its_own_time_only(
    ended: Terminal,
) -> None:
    folder = ended.folder / "reports" / "c"
    kept = ended.folder / "kept"
    shutil.copytree(folder, kept)
    shutil.rmtree(folder)
    done = ended.run("report", "c").expect(0)
    assert done.out.strip() == "reports/c/report.html"
    assert {p.name for p in folder.iterdir()} == {p.name for p in kept.iterdir()}
    for path in kept.iterdir():
        assert timeless(folder / path.name) == timeless(path), path.name


def timeless(path: Path) -> bytes:
    """Return what a file holds, without when it was written where it says so."""
    data = path.read_bytes()
    if path.name == "report.html":
        return re.sub(rb"(<dt>)?Written.*", b"", data)
    if path.name == "evidence.json":
        value = json.loads(data)
        del value["written_at"], value["files"]["report.html"], value["seal"]
        return json.dumps(value).encode()
    return data


def test_evidence_names_every_file_with_its_digest(ended: Terminal) -> None:
    report = Report(folder=ended.folder / "reports" / "c")
    evidence = json.loads(report.text("evidence.json"))
    others = {p.name for p in report.folder.iterdir()} - {"evidence.json"}
    assert set(evidence["files"]) == others
    for name, entry in evidence["files"].items():
        data = (report.folder / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest(), name
        assert entry["bytes"] == len(data)


def test_a_report_folder_that_is_a_file_exits_2(ended: Terminal) -> None:
    (ended.folder / "taken").write_text("not a folder")
    done = ended.run("report", "c", "--reports=taken").expect(2)
    assert "taken" in done.err
    assert (ended.folder / "taken").read_text() == "not a folder"
