"""Waves, blackouts and the end of a window, judged by the embedded Command's log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from acceptance.paper import Report, ended_as, write_manifest
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Terminal

from batch_reenroll.text import parse_time, rfc3339


def _campaign(terminal: Terminal, rows: list[Row], *blocks: str) -> Path:
    """Write a YAML manifest of the rows with further blocks; return it."""
    write_manifest(terminal.folder / "rows.csv", rows)
    path = terminal.folder / "m.yaml"
    lines = ("version: 1", *blocks, "rows_from: rows.csv", "")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _times(command: Served, rows: Iterable[Row], event: str) -> list[datetime]:
    """Return when the reenrollment jobs of the rows' stores met an event."""
    found = [entry for entry in command.job_events(rows) if entry["event"] == event]
    times = [parse_time(entry["at"]) for entry in found]
    return [at for at in times if at is not None]


def test_a_wave_goes_once_the_one_before_it_has_ended_and_soaked(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(8)
    waves = "waves: [{name: canary, size: 3, soak: 2s, max_failures: 0}, {name: rest}]"
    manifest = _campaign(terminal, rows, waves)
    planned = terminal.run("plan", manifest).expect(0)
    assert "wave canary: 3 rows (0 named, 3 drawn)" in planned.out
    terminal.run("run", manifest, "--yes", "--campaign=c", *QUICK).expect(0)
    results = Report(folder=terminal.folder / "reports" / "c").results
    waves_of = {line["RowId"]: line["wave"] for line in results}
    canary = [row for row in rows if waves_of[row["RowId"]] == "canary"]
    rest = [row for row in rows if waves_of[row["RowId"]] == "rest"]
    assert (len(canary), len(rest)) == (3, 5)
    soaked = max(_times(command, canary, "job_ended")) + timedelta(seconds=2)
    assert min(_times(command, rest, "job_created")) >= soaked


def test_inventories_are_read_of_a_drawn_wave_alone(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(6)
    manifest = _campaign(
        terminal, rows, "waves: [{name: canary, size: 2}, {name: rest}]"
    )
    words = ("--inventory", "--only-wave=canary", "--output=json")
    said = json.loads(terminal.run("plan", manifest, *words).expect(0).out)
    assert said["rows"] == {"pending": 2, "skipped_excluded": 4}
    assert said["requests"]["inventory"] == 2


def test_a_canary_that_fails_stops_the_campaign(
    terminal: Terminal, command: Served
) -> None:
    broken = command.rows(5, broken=1)
    for row in broken:
        row["Wave"] = "canary" if row["CertificateTemplate"] == "Broken" else "rest"
    waves = "waves: [{name: canary, max_failures: 0}, {name: rest}]"
    manifest = _campaign(terminal, broken, waves)
    stopped = terminal.run("run", manifest, "--yes", "--campaign=c", *QUICK).expect(6)
    assert "wave canary: 1 of 1 rows failed; its limit is 0" in stopped.err
    assert ended_as(terminal.folder) == {"failed": 1, "not_attempted": 4}
    again = terminal.run("resume", "c", *QUICK).expect(6)
    assert "wave canary" in again.err
    assert sum(command.jobs(broken).values()) == 1


def test_a_person_opens_each_wave(terminal: Terminal, command: Served) -> None:
    rows = command.rows(4)
    waves = "waves: [{name: one, size: 1}, {name: two, size: 1}, {name: rest}]"
    manifest = _campaign(terminal, rows, waves)
    words = ("--yes", "--campaign=c", "--confirm-waves", *QUICK)
    stopped = terminal.run("run", manifest, *words).expect(10)
    assert "wave one is done" in stopped.err
    assert ended_as(terminal.folder) == {"verified": 1, "not_attempted": 3}
    terminal.run("resume", "c", *QUICK).expect(10)
    assert ended_as(terminal.folder) == {"verified": 2, "not_attempted": 2}
    terminal.run("resume", "c", *QUICK).expect(0)
    assert ended_as(terminal.folder) == {"verified": 4}
    command.assert_one_job_each(rows)


def test_nothing_is_sent_in_a_blackout(terminal: Terminal, command: Served) -> None:
    rows = command.rows(3)
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(seconds=6)
    blackout = f"blackouts: [{{from: '{rfc3339(start)}', to: '{rfc3339(end)}'}}]"
    manifest = _campaign(terminal, rows, blackout)
    done = terminal.run("run", manifest, "--yes", "--campaign=c", *QUICK).expect(0)
    assert "waiting for the window" in done.err
    assert min(_times(command, rows, "job_created")) >= end


def test_the_end_of_a_window_ends_a_run_that_is_told_so(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(40)
    now = datetime.now(UTC)
    start, end = now + timedelta(seconds=8), now + timedelta(hours=1)
    blackout = f"blackouts: [{{from: '{rfc3339(start)}', to: '{rfc3339(end)}'}}]"
    manifest = _campaign(terminal, rows, blackout)
    words = ("--yes", "--campaign=c", "--until-window-end", *QUICK, "--rate=3")
    stopped = terminal.run("run", manifest, *words).expect(10)
    assert "the window has ended" in stopped.err
    sent = _times(command, rows, "job_created")
    assert 0 < len(sent) < len(rows)
    assert max(sent) < start
    assert ended_as(terminal.folder)["not_attempted"] == len(rows) - len(sent)
