"""``retry`` of rows of which nobody knows, of rows never sent, and after a SIGKILL."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from acceptance.paper import Report, report_of, write_manifest
from acceptance.proxy import Cut, Proxy, Seen
from acceptance.served import QUICK, Row, Served, serving
from acceptance.terminal import Terminal, finished, signalled, until

from batch_reenroll.sandbox import FleetPlan


def begun(
    terminal: Terminal, command: Served, rows: list[Row], *flags: str
) -> tuple[str, ...]:
    """Write the manifest of a campaign ``c``; return the words that run it."""
    write_manifest(terminal.folder / "m.csv", rows)
    return ("run", "m.csv", "--yes", "--campaign=c", *QUICK, *flags)


def outcomes(terminal: Terminal) -> dict[str, str]:
    """Return each row's outcome as the report has it."""
    report = Report(folder=terminal.folder / "reports" / "c")
    return {line["RowId"]: line["outcome"] for line in report.results}


# -- unknown -------------------------------------------------------------------------


@contextmanager
def first_post(cut: Cut, tmp_path: Path) -> Iterator[tuple[Served, Proxy, Terminal]]:
    """Serve a Command the first POST to which is spoiled; the others pass."""
    spoiled = False

    def script(seen: Seen) -> Cut | None:
        nonlocal spoiled
        if seen.method != "POST" or spoiled:
            return None
        spoiled = True
        return cut

    folder = tmp_path / "mine"
    folder.mkdir()
    plan = FleetPlan(stores=6, orchestrators=1, seed=71)
    with serving(tmp_path / "served", plan, heartbeat_s=0.2) as command:
        port = urlsplit(command.env["KEYFACTOR_HOSTNAME"]).port
        assert port is not None
        with Proxy(port=port, script=script, hold_s=60) as proxy:
            here = {
                "KEYFACTOR_HOSTNAME": f"http://127.0.0.1:{proxy.listening}",
                "KEYFACTOR_CLIENT_TIMEOUT": "1",
            }
            yield command, proxy, Terminal(folder=folder, env={**command.env, **here})


#: A lost answer is given up, as unknown, before its absence could be confirmed.
_IMPATIENT = ("--settle-time=60", "--pickup-timeout=1")

_PATIENT = ("--settle-time=0.5", "--pickup-timeout=20")


def test_an_unknown_row_whose_job_was_made_after_all_adopts_it(tmp_path: Path) -> None:
    with first_post(Cut.LATE_REQUEST, tmp_path) as (command, proxy, terminal):
        rows = command.rows(1)
        words = begun(terminal, command, rows, *_IMPATIENT)
        terminal.run(*words).expect(7)
        assert outcomes(terminal) == {"r0001": "unknown"}
        assert not command.jobs(rows), "the request was to arrive only later"
        proxy.release()
        until(lambda: command.jobs(rows))
        retry = ("retry", "c", "--only=unknown", *QUICK, *_PATIENT)
        done = terminal.run(*retry).expect(0)
        report_of(done.err, terminal.folder).assert_accounts_for(rows)
        assert outcomes(terminal) == {"r0001": "verified"}
        command.assert_one_job_each(rows)


def test_an_unknown_row_without_a_job_is_sent_again_once_that_is_certain(
    tmp_path: Path,
) -> None:
    with first_post(Cut.DROP_BEFORE, tmp_path) as (command, _, terminal):
        rows = command.rows(1)
        words = begun(terminal, command, rows, *_IMPATIENT)
        terminal.run(*words).expect(7)
        assert outcomes(terminal) == {"r0001": "unknown"}
        retry = ("retry", "c", "--only=unknown", *QUICK, *_PATIENT)
        terminal.run(*retry).expect(0)
        assert outcomes(terminal) == {"r0001": "verified"}
        command.assert_one_job_each(rows)


# -- never sent ----------------------------------------------------------------------


def test_rows_that_a_breaker_kept_back_are_sent_by_retry_and_no_others(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    plan = FleetPlan(stores=16, orchestrators=1, seed=72)
    failing = {"nth": 1, "times": 10, "result": 4}
    with serving(
        tmp_path / "served", plan, jobs=(failing,), heartbeat_s=0.1
    ) as command:
        rows = command.rows(16)
        terminal = Terminal(folder=folder, env=command.env)
        words = begun(terminal, command, rows, "--per-orchestrator=3")
        done = terminal.run(*words).expect(7)
        before = outcomes(terminal)
        assert list(before.values()).count("failed") == 10
        kept_back = [r for r in rows if before[r["RowId"]] == "not_attempted"]
        assert kept_back, done.err
        assert not command.jobs(kept_back)
        retry = ("retry", "c", "--only=not_attempted", *QUICK)
        terminal.run(*retry).expect(5)
        after = outcomes(terminal)
        assert {after[row["RowId"]] for row in kept_back} == {"verified"}
        others = [r for r in rows if r not in kept_back]
        assert all(after[r["RowId"]] == before[r["RowId"]] for r in others)
        command.assert_one_job_each(rows)


def test_rows_beyond_the_limit_are_sent_by_retry_and_no_others(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(4)
    terminal.run(*begun(terminal, command, rows, "--limit=1")).expect(0)
    done = terminal.run("retry", "c", "--only=skipped_excluded", *QUICK).expect(0)
    report_of(done.err, terminal.folder).assert_accounts_for(rows)
    assert set(outcomes(terminal).values()) == {"verified"}
    command.assert_one_job_each(rows)


# -- a dead process holds nothing ----------------------------------------------------


def test_the_lock_of_a_killed_process_is_nobodys(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(6)
    words = begun(terminal, command, rows, "--max-in-flight=2")
    process = terminal.start(*words)
    until(lambda: len(command.jobs(rows)) >= 2, process=process)
    signalled(process, signal.SIGKILL)
    assert list(terminal.folder.glob("*.lock-c")), "the lock's file stays"
    assert "not running" in terminal.run("status", "c").expect(0).out
    assert "not running" in terminal.run("stop", "c").expect(2).err
    done = terminal.run("resume", "c", *QUICK, "--settle-time=1").expect(0)
    report_of(done.err, terminal.folder).assert_accounts_for(rows)
    command.assert_one_job_each(rows)


def test_a_retry_beside_a_running_campaign_is_refused_and_changes_nothing(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(12)
    words = begun(terminal, command, rows, "--max-in-flight=2")
    process = terminal.start(*words)
    until(lambda: len(command.jobs(rows)) >= 2, process=process)
    second = terminal.run("retry", "c", "--only=failed", *QUICK).expect(2)
    assert str(process.pid) in second.err
    finished(process).expect(0)
    command.assert_one_job_each(rows)
