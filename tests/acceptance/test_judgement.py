"""What the program makes of refusals, of being slowed down, and of a Command away."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from acceptance.book import Book
from acceptance.paper import Report, report_of, write_manifest
from acceptance.proxy import Proxy
from acceptance.served import QUICK, Fault, Row, Served, serving
from acceptance.terminal import Done, Terminal, finished, signalled, until

from batch_reenroll.sandbox import FleetPlan

_PLAN = FleetPlan(stores=60, orchestrators=4, seed=51)
_POST = {"method": "POST", "path": "/Reenrollment"}

_V10 = "CertificateStoreManagement: Modify (v10)"
_V11 = "/certificate_stores/modify/ (11+)"


@contextmanager
def faulty(tmp_path: Path, *requests: Fault) -> Iterator[tuple[Served, Terminal]]:
    """Serve a Command whose requests meet faults; give a terminal beside it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    served = tmp_path / "served"
    with serving(served, _PLAN, requests=requests, heartbeat_s=0.2) as command:
        yield command, Terminal(folder=folder, env=command.env)


def run(terminal: Terminal, rows: Sequence[Row], *flags: str) -> Done:
    """Run a campaign ``c`` of ``rows``."""
    write_manifest(terminal.folder / "m.csv", rows)
    return terminal.run("run", "m.csv", "--yes", "--campaign=c", *QUICK, *flags)


def submissions(command: Served) -> list[tuple[float, dict[str, Any]]]:
    """Return the POSTs in order, each with its moment in seconds."""
    return [
        (datetime.fromisoformat(entry["at"]).timestamp(), entry)
        for entry in command.events()
        if entry["event"] == "request" and entry["method"] == "POST"
    ]


# -- Command pushes back -------------------------------------------------------------


def test_retry_after_in_seconds_and_as_a_date_silences_every_worker(
    tmp_path: Path,
) -> None:
    busy = {"status": 429, "retry_after_s": 2}
    # A date has whole seconds only: this one lies two to three seconds away.
    down = {"status": 503, "retry_after_date_s": 3}
    faults = (
        {"match": _POST, "nth": 12, "action": busy},
        {"match": _POST, "nth": 25, "action": down},
    )
    with faulty(tmp_path, *faults) as (command, terminal):
        rows = command.rows(40)
        report = report_of(run(terminal, rows).expect(0).err, terminal.folder)
        report.assert_accounts_for(rows)
        command.assert_one_job_each(rows)
        posts = submissions(command)
    told = [(at, entry["status"]) for at, entry in posts if "fault" in entry]
    assert [status for _, status in told] == [429, 503]
    for at, _ in told:
        late = [other for other, _ in posts if at + 0.5 < other < at + 1.9]
        assert not late, f"asked for silence at {at}, but POSTs at {late}"
    # Else the silence would say nothing: there are many workers, and they are quick.
    gaps = sorted(b - a for (a, _), (b, _) in pairwise(posts))
    assert gaps[len(gaps) // 2] < 0.2


def test_a_post_that_command_refuses_ends_its_row_with_commands_own_words(
    tmp_path: Path,
) -> None:
    refused = {"match": _POST, "nth": 2, "action": {"status": 400}}
    with faulty(tmp_path, refused) as (command, terminal):
        rows = command.rows(4)
        report = report_of(run(terminal, rows).expect(5).err, terminal.folder)
        report.assert_accounts_for(rows)
        assert report.outcomes == {"rejected": 1, "verified": 3}
        (line,) = [line for line in report.results if line["outcome"] == "rejected"]
        assert (line["http_status"], line["attempts"]) == ("400", "1")
        assert "0xA0110500" in line["message"]
        assert "A scripted fault." in line["message"]
        assert len(submissions(command)) == 4


# -- permissions ---------------------------------------------------------------------


def test_posts_that_are_all_forbidden_end_the_run_and_name_both_families_of_rights(
    tmp_path: Path,
) -> None:
    forbidden = {"match": _POST, "times": None, "action": {"status": 403}}
    with faulty(tmp_path, forbidden) as (command, terminal):
        rows = command.rows(12)
        done = run(terminal, rows, "--max-in-flight=2").expect(8)
        report = report_of(done.err, terminal.folder)
        report.assert_accounts_for(rows)
        assert len(submissions(command)) < len(rows)
    rejected = [line for line in report.results if line["outcome"] == "rejected"]
    for text in (done.err, *(line["message"] for line in rejected)):
        assert _V10 in text
        assert _V11 in text


def test_a_read_that_is_forbidden_ends_the_run_and_names_both_families_of_rights(
    tmp_path: Path,
) -> None:
    jobs = {"method": "GET", "path": "/JobHistory"}
    # The first is the plan's.
    forbidden = {"match": jobs, "nth": 4, "times": None, "action": {"status": 403}}
    with faulty(tmp_path, forbidden) as (command, terminal):
        rows = command.rows(12)
        done = run(terminal, rows).expect(8)
        report_of(done.err, terminal.folder).assert_accounts_for(rows)
        assert "AgentManagement: Read (v10)" in done.err
        assert "/agents/management/read/ (11+)" in done.err


def test_credentials_refused_amid_a_campaign_end_it_and_resume_loses_nothing(
    tmp_path: Path,
) -> None:
    refused = {"match": _POST, "nth": 4, "action": {"status": 401}}
    with faulty(tmp_path, refused) as (command, terminal):
        rows = command.rows(10)
        done = run(terminal, rows, "--max-in-flight=1").expect(8)
        assert "401" in done.err
        assert "go on with: batch-reenroll resume c" in done.err
        done = terminal.run("resume", "c", *QUICK, "--max-in-flight=9").expect(0)
        report_of(done.err, terminal.folder).assert_accounts_for(rows)
        command.assert_one_job_each(rows)


# -- Command away --------------------------------------------------------------------


def _passing(command: Served, *, listening: int = 0) -> Proxy:
    port = urlsplit(command.env["KEYFACTOR_HOSTNAME"]).port
    assert port is not None
    return Proxy(port=port, script=lambda _: None, hold_s=0, listening=listening)


def test_a_command_that_stays_away_is_waited_for_and_then_left_with_9(
    tmp_path: Path,
) -> None:
    with faulty(tmp_path) as (command, terminal):
        rows = command.rows(12)
        write_manifest(terminal.folder / "m.csv", rows)
        with _passing(command) as proxy:
            host = {"KEYFACTOR_HOSTNAME": f"http://127.0.0.1:{proxy.listening}"}
            process = terminal.start(
                *("run", "m.csv", "--yes", "--campaign=c", *QUICK),
                *("--max-in-flight=4", "--unreachable-timeout=3"),
                env=host,
            )
            until(lambda: len(command.jobs(rows)) >= 4, process=process)
        done = finished(process).expect(9)
        assert "WAITING, Command does not answer" in done.err
        assert "go on with: batch-reenroll resume c" in done.err
        report = Report(folder=terminal.folder / "reports" / "c")
        report.assert_accounts_for(rows)
        # Only the tracker asks while Command is away, at growing distances.
        assert report.summary["requests"]["submit"] <= len(command.jobs(rows)) + 4
        assert report.summary["exit_code"] == 9
        with _passing(command, listening=proxy.listening):
            done = terminal.run("resume", "c", *QUICK, env=host).expect(0)
        report_of(done.err, terminal.folder).assert_accounts_for(rows)
        command.assert_one_job_each(rows)


# -- interrupted or not --------------------------------------------------------------

_N_FAIR, _N_BROKEN, _N_OFFLINE = 14, 2, 1
_MIXED = FleetPlan(
    stores=60, orchestrators=5, offline=1, broken_stores=_N_BROKEN + 1, seed=61
)


def _mixed_rows(command: Served) -> list[Row]:
    """Return rows that end in different ways, the same for every Command of a seed."""
    n_rows = _N_FAIR + _N_BROKEN + _N_OFFLINE
    rows = command.rows(n_rows, broken=_N_BROKEN, offline=_N_OFFLINE)
    rows = [{**row, "CurrentThumbprint": ""} for row in rows]
    rows[-1]["CurrentThumbprint"] = "0" * 40
    unknown = {"KeystoreId": "0f8fad5b-d9cb-469f-a165-70867728950e", "AgentGuid": ""}
    return [*rows, {**rows[-2], **unknown, "RowId": "r9999"}]


def _refusing(row: Row) -> Fault:
    match = {**_POST, "contains": row["KeystoreId"]}
    return {"match": match, "times": None, "action": {"status": 400}}


def _losing(row: Row) -> Fault:
    match = {**_POST, "contains": row["KeystoreId"]}
    return {"match": match, "times": 1, "action": {"drop": "after"}}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The rows that any Command of the mixed plan gives, to write faults with."""
    with serving(tmp_path_factory.mktemp("drawn") / "served", _MIXED) as command:
        return _mixed_rows(command)


def test_an_interrupted_campaign_ends_row_by_row_as_an_uninterrupted_one(
    tmp_path: Path, drawn: list[Row]
) -> None:
    fair = drawn[_N_BROKEN + _N_OFFLINE :]
    faults = (_refusing(fair[3]), _losing(fair[5]), _losing(fair[9]))
    flags = (*QUICK, "--pickup-timeout=3", "--max-in-flight=8", "--settle-time=1")
    ends = []
    for name, interrupted in (("straight", False), ("stopped", True)):
        folder = tmp_path / name
        folder.mkdir()
        with serving(
            folder / "served", _MIXED, requests=faults, heartbeat_s=0.2
        ) as command:
            rows = _mixed_rows(command)
            assert rows == drawn
            terminal = Terminal(folder=folder, env=command.env)
            write_manifest(folder / "m.csv", rows)
            words: tuple[str, ...] = ("run", "m.csv", "--yes", "--campaign=c", *flags)
            if interrupted:
                _interrupt(terminal, command, rows, words, flags)
                words = ("resume", "c", *flags)
            done = terminal.run(*words).expect(7)
            report = report_of(done.err, folder)
            report.assert_accounts_for(rows)
            lines = report.results
            ends.append({r["RowId"]: (r["outcome"], r["reason_code"]) for r in lines})
            assert max(command.jobs(rows).values()) == 1
    straight, stopped = ends
    assert stopped == straight
    assert {outcome for outcome, _ in straight.values()} == {
        *("verified", "failed", "rejected", "stalled"),
        *("skipped_already_rotated", "skipped_preflight"),
    }


def _interrupt(
    terminal: Terminal,
    command: Served,
    rows: list[Row],
    words: tuple[str, ...],
    flags: tuple[str, ...],
) -> None:
    """Begin a campaign and stop it in two ways, one after the other."""
    book = Book(path=terminal.folder / "batch-reenroll.db")
    for way in (signal.SIGTERM, signal.SIGKILL):
        process = terminal.start(*words)
        seen = book.length
        wanted = seen + 18
        until(lambda n=wanted: book.length >= n, process=process)  # type: ignore[misc]
        done = signalled(process, way)
        assert done.code == {signal.SIGTERM: 143, signal.SIGKILL: -9}[way], done.err
        assert re.search("resume c", done.err) or way is signal.SIGKILL
        words = ("resume", "c", *flags)
