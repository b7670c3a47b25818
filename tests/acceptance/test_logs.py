"""The log of a campaign: every event once, one object a line, and never in the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from functools import partial
from typing import Any

import pytest
from acceptance.paper import write_manifest
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Terminal, finished, until
from acceptance.test_streams import full, needs_dev_full

JSON = ("--log-format=json", "--log-level=debug")

Entries = list[dict[str, Any]]


def entries(text: str) -> Entries:
    """Return the lines of a log; fail where one is no object of our form."""
    found: Entries = [json.loads(line) for line in text.splitlines()]
    for entry in found:
        assert list(entry)[:4] == ["at", "level", "event", "message"]
        assert entry["at"].endswith("Z")
    return found


def journal(terminal: Terminal) -> Entries:
    text = (terminal.folder / "reports/c/events.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def logged(
    command: Served, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Terminal, list[Row], Entries]:
    """A campaign of which everything was logged."""
    terminal = Terminal(folder=tmp_path_factory.mktemp("logged"), env=command.env)
    rows = command.rows(6, broken=2)
    write_manifest(terminal.folder / "m.csv", rows)
    words = ("run", "m.csv", "--yes", "--campaign=c", *JSON, *QUICK)
    done = terminal.run(*words).expect(5)
    return terminal, rows, entries(done.err)


def test_every_move_of_the_journal_is_in_the_log_once(
    logged: tuple[Terminal, list[Row], Entries],
) -> None:
    terminal, _, log = logged
    moves = Counter(
        (entry["row_id"], entry["from"], entry["to"])
        for entry in journal(terminal)
        if entry["event"] == "move"
    )
    told = Counter(
        (entry["row"], entry["from"], entry["to"])
        for entry in log
        if entry["event"] in ("row_moved", "row_ended")
    )
    assert told == moves


def test_a_line_about_a_row_names_all_that_it_is_of(
    logged: tuple[Terminal, list[Row], Entries],
) -> None:
    _, rows, log = logged
    stores = {row["RowId"]: row["KeystoreId"] for row in rows}
    ends = [entry for entry in log if entry["event"] == "row_ended"]
    assert len(ends) == 6
    for entry in ends:
        assert entry["campaign"] == "c"
        assert entry["store"] == stores[entry["row"]]
        assert entry["orchestrator"]
        assert len(entry["job"]) == len(entry["agent_id"]) == 36
        failed = entry["to"] == "failed"
        assert entry["level"] == ("warning" if failed else "info")


def test_every_request_is_in_the_log_as_the_summary_counts_them(
    logged: tuple[Terminal, list[Row], Entries],
) -> None:
    terminal, _, log = logged
    said = Counter(entry["kind"] for entry in log if entry["event"] == "request")
    text = (terminal.folder / "reports/c/summary.json").read_text()
    counted = {kind: n for kind, n in json.loads(text)["requests"].items() if n}
    for kind in ("submit", "inventory"):
        assert said[kind] == counted[kind]
    # The others are the plan's as well, which is made before there is a campaign.
    assert said.keys() == counted.keys()
    assert all(said[kind] <= counted[kind] for kind in counted)


def test_a_log_begins_and_ends_with_the_run(
    logged: tuple[Terminal, list[Row], Entries],
) -> None:
    names = [entry["event"] for entry in logged[2] if entry["event"] != "message"]
    assert names[0] == "run_started"
    assert names[-1] == "run_ended"
    (ended,) = (entry for entry in logged[2] if entry["event"] == "run_ended")
    assert ended["exit_code"] == 5
    assert ended["outcomes"] == {"failed": 2, "verified": 4}


def test_a_terminals_text_has_no_details_unless_they_are_asked_for(
    terminal: Terminal, command: Served
) -> None:
    write_manifest(terminal.folder / "m.csv", command.rows(3, broken=1))
    words = ("run", "m.csv", "--yes", *QUICK)
    plain = terminal.run(*words).expect(5).err
    assert "row_ended" not in plain
    assert "→" not in plain
    write_manifest(terminal.folder / "m.csv", command.rows(3, broken=1))
    asked = terminal.run(*words, "--log-level=info").expect(5).err
    (line,) = (x for x in asked.splitlines() if "→ failed" in x)
    assert " warning row_ended: row r0001: " in line
    write_manifest(terminal.folder / "m.csv", command.rows(3, broken=1))
    quiet = terminal.run(*words, "--quiet", *JSON).expect(5).err
    assert {entry["level"] for entry in entries(quiet)} == {"warning"}


@needs_dev_full
def test_a_log_on_a_full_disk_does_not_change_how_a_campaign_ends(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    write_manifest(terminal.folder / "m.csv", rows)
    words = ("run", "m.csv", "--yes", *JSON, *QUICK)
    terminal.run(*words, before=partial(full, 2)).expect(0)
    command.assert_one_job_each(rows)


def test_a_log_that_nobody_reads_keeps_no_campaign_waiting(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(40)
    write_manifest(terminal.folder / "m.csv", rows)
    words = ("run", "m.csv", "--yes", "--campaign=c", *JSON, *QUICK)
    process = terminal.start(*words)
    bare = Terminal(folder=terminal.folder)

    def ended() -> bool:
        done = bare.run("status", "--output=json")
        return done.code == 0 and json.loads(done.out)["exit_code"] == 0

    until(ended, process=process)
    command.assert_one_job_each(rows)
    log = entries(finished(process).expect(0).err)
    # It did have to wait for a reader: a pipe holds 64 KiB.
    assert sum(len(json.dumps(entry)) for entry in log) > 100_000


def test_our_own_bug_is_a_line_of_a_json_log_too(bare: Terminal) -> None:
    code = (
        "import sys; from batch_reenroll.cli import validate, main\n"
        "validate.validated = lambda path: 1 // 0\n"
        "sys.argv[1:] = ['validate', 'm.csv', '--log-format=json']\n"
        "sys.exit(main.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=bare.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (entry,) = entries(done.stderr)
    assert (entry["level"], entry["code"]) == ("error", "bug")
    assert "ZeroDivisionError" in entry["trace"]
