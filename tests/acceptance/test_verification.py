"""How far rotations are verified, on real certificates and real TLS services."""

from __future__ import annotations

import csv
import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import QUICK, Row, Served, serve
from acceptance.terminal import Terminal, finished

from batch_reenroll.sandbox import FleetPlan, Right

_SOON = (*QUICK, "--verify-timeout=4")


@contextmanager
def served(
    folder: Path, plan: FleetPlan, *flags: str
) -> Iterator[tuple[Served, Terminal]]:
    """Serve a Command of one's own; give a terminal beside it."""
    home = folder / "served"
    home.mkdir()
    command = serve(home, plan, heartbeat_s=0.2, flags=flags)
    (folder / "mine").mkdir()
    try:
        yield command, Terminal(folder=folder / "mine", env=command.env)
    finally:
        command.process.send_signal(signal.SIGTERM)
        finished(command.process)


def discovered(terminal: Terminal) -> list[Row]:
    """Return a row for each store, as ``discover`` writes it, to be rotated."""
    terminal.run("discover", "-o", "found.csv").expect(0)
    with (terminal.folder / "found.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{**row, "RowId": f"r{n:04d}"} for n, row in enumerate(rows, 1)]


def run(terminal: Terminal, rows: Sequence[Row], code: int, *flags: str) -> Report:
    """Run a campaign ``c`` of ``rows`` that exits with ``code``."""
    write_manifest(terminal.folder / "m.csv", rows)
    words = ("run", "m.csv", "--yes", "--campaign=c", *_SOON, *flags)
    report = report_of(terminal.run(*words).expect(code).err, terminal.folder)
    report.assert_accounts_for(rows)
    return report


def standings(report: Report) -> dict[str, tuple[str, str, str]]:
    """Return outcome, level and why it is no higher of each row."""
    return {
        line["row_id"]: (line["outcome"], line["level_name"], line["why_not_higher"])
        for line in report.lines("verification.csv")
    }


# -- what is served ------------------------------------------------------------------

_TLS, _STALE = 14, 2
_FLEET = FleetPlan(stores=22, orchestrators=3, iis_stores=4, seed=74)


@pytest.fixture(scope="module")
def rotated(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Served, list[Row], Report]]:
    """A campaign over stores of every type, most of them served over TLS."""
    flags = ("--iis=4", f"--tls={_TLS}", f"--tls-stale={_STALE}")
    folder = tmp_path_factory.mktemp("tls")
    with served(folder, _FLEET, *flags) as (command, terminal):
        with (command.directory / "endpoints.csv").open(encoding="utf-8") as file:
            endpoints = {r["KeystoreId"]: r["Endpoint"] for r in csv.DictReader(file)}
        rows = [
            {**row, "Endpoint": endpoints.get(row["KeystoreId"], "")}
            for row in discovered(terminal)
        ]
        # Nobody listens there any more than at any other low port.
        rows[-1]["Endpoint"] = "127.0.0.1:1"
        yield command, rows, run(terminal, rows, 5)


def _places(command: Served, rows: Sequence[Row]) -> tuple[set[str], set[str]]:
    """Return the ids of the rows that are served, and of those that stay stale."""
    served_ids = [store.store_id for store in command.fleet.stores[:_TLS]]
    by_store = {row["KeystoreId"]: row["RowId"] for row in rows}
    fresh = {by_store[one] for one in served_ids[:-_STALE]}
    return fresh, {by_store[one] for one in served_ids[-_STALE:]}


def test_a_row_whose_endpoint_serves_the_new_certificate_is_verified_to_the_top(
    rotated: tuple[Served, list[Row], Report],
) -> None:
    command, rows, report = rotated
    fresh, _ = _places(command, rows)
    found = standings(report)
    assert {found[row_id] for row_id in fresh} == {("verified", "served", "")}
    lines = [line for line in report.results if line["RowId"] in fresh]
    kinds = {line["store_type"] for line in lines}
    assert {"PEM", "JKS", "IISU"} <= kinds


def test_an_endpoint_that_keeps_the_old_certificate_is_a_warning(
    rotated: tuple[Served, list[Row], Report],
) -> None:
    command, rows, report = rotated
    _, stale = _places(command, rows)
    lines = {line["row_id"]: line for line in report.lines("verification.csv")}
    for row_id in stale:
        line = lines[row_id]
        assert (line["outcome"], line["reason_code"]) == (
            "warning",
            "endpoint_serves_old",
        )
        assert line["endpoint_thumbprint"] == line["thumbprint_before"]
        assert line["level_name"] == "equivalent"


def test_a_row_without_an_endpoint_says_what_it_was_compared_by(
    rotated: tuple[Served, list[Row], Report],
) -> None:
    command, rows, report = rotated
    fresh, stale = _places(command, rows)
    for line in report.lines("verification.csv")[:-1]:
        if line["row_id"] in fresh | stale:
            continue
        assert (line["outcome"], line["level_name"]) == ("verified", "equivalent")
        assert line["why_not_higher"] == "no_endpoint"
        assert line["sans_after"] == line["sans_before"] != ""
        assert line["authority_after"] == r"ca01.example.com\Corp Issuing CA 2"
        assert line["authority_before"] == r"ca01.example.com\Corp Issuing CA 1"
        assert line["key_after"] in ("EC 256", "RSA 2048")


def test_nobody_at_the_endpoint_is_told_and_fails_no_row(
    rotated: tuple[Served, list[Row], Report],
) -> None:
    _, rows, report = rotated
    found = standings(report)[rows[-1]["RowId"]]
    assert found == ("verified", "equivalent", "endpoint_refused")


def test_the_summary_counts_levels_and_what_kept_rows_from_higher_ones(
    rotated: tuple[Served, list[Row], Report],
) -> None:
    _, rows, report = rotated
    found = standings(report).values()
    said = report.summary["verification"]
    levels = Counter(level for _, level, _ in found)
    assert {name: n for name, n in said["levels"].items() if n} == levels
    assert said["why_not_higher"] == Counter(why for *_, why in found if why)
    assert sum(said["levels"].values()) == len(rows)


def test_the_journal_says_how_far_each_row_was_verified(
    rotated: tuple[Served, list[Row], Report],
) -> None:
    *_, report = rotated
    levels = {
        line["row_id"]: int(line["level"]) for line in report.lines("verification.csv")
    }
    moves = [json.loads(line) for line in report.text("events.jsonl").splitlines()]
    told = {
        move["row_id"]: move["note"]["level"]
        for move in moves
        if move.get("to") in ("verified", "warning")
    }
    assert told == levels


def test_certificates_are_read_in_batches(
    rotated: tuple[Served, list[Row], Report],
) -> None:
    command, rows, _ = rotated
    asked = _reads(command)
    assert 1 <= len(asked) <= len(rows) // 2
    assert all(event["status"] == 200 for event in asked)


# -- what is lost --------------------------------------------------------------------

_NAMED = FleetPlan(stores=30, orchestrators=3, more_names=True, seed=75)

_WAVES = """\
version: 1
budget: {max_failures: 100%, min_rows: 50}
waves:
  - {name: canary, size: 2, soak: 0s, max_failures: 0}
  - {name: rest}
rows_from: stores.csv
"""


def test_a_lost_name_stops_the_campaign_at_the_canary_and_a_retry_is_no_excuse(
    tmp_path: Path,
) -> None:
    with served(tmp_path, _NAMED, "--more-names") as (command, terminal):
        two = {s.store_id for s in command.fleet.stores if len(s.sans) == 2}
        rows = [row for row in command.rows(30) if row["KeystoreId"] in two][:8]
        write_manifest(terminal.folder / "stores.csv", rows)
        (terminal.folder / "m.yaml").write_text(_WAVES)
        words = ("run", "m.yaml", "--yes", "--campaign=c", *_SOON)
        report = report_of(terminal.run(*words).expect(6).err, terminal.folder)
        report.assert_accounts_for(rows)
        assert report.outcomes == {"warning": 2, "not_attempted": 6}
        lost = report.lines("failure.csv")
        for line, result in zip(lost, _wrong(report), strict=True):
            name = f"dns:{result['Alias']}.internal.example.com"
            assert result["reason_code"] == "san_lost"
            assert name in result["message"]
            # A later run must replace the wrong one, not pass it over.
            assert line["CurrentThumbprint"] == result["thumbprint_after"]
        again = ("retry", "c", "--only=warning", *_SOON)
        report = report_of(terminal.run(*again).expect(6).err, terminal.folder)
        assert {r["reason_code"] for r in _wrong(report)} == {"san_lost"}
        stores = [row for row in rows if command.jobs([row])]
        assert set(command.jobs(stores).values()) == {2}


def _wrong(report: Report) -> list[Row]:
    return [line for line in report.results if line["outcome"] == "warning"]


def test_names_that_were_asked_for_count_and_not_those_of_the_old_certificate(
    tmp_path: Path,
) -> None:
    plan = FleetPlan(stores=6, orchestrators=1, seed=76)
    with served(tmp_path, plan) as (command, terminal):
        rows = command.rows(3)
        for row, template in zip(
            rows, ("WebServer", "WebServerCnOnly", "WebServer"), strict=True
        ):
            row["CertificateTemplate"] = template
            name = f"{row['Alias']}.example.com"
            row["SANs"] = f"dns:{name.upper()}|ip4:10.0.0.7"
        rows[2]["SANs"] = ""
        report = run(terminal, rows, 5)
        found = standings(report)
        assert found["r0001"] == ("verified", "equivalent", "no_endpoint")
        assert found["r0002"] == ("warning", "intended", "san_lost")
        assert "ip:10.0.0.7" in _wrong(report)[0]["message"]
        assert found["r0003"] == ("verified", "equivalent", "no_endpoint")


# -- what cannot be known ------------------------------------------------------------


def test_a_store_that_nobody_inventories_says_so(tmp_path: Path) -> None:
    plan = FleetPlan(stores=6, orchestrators=1, seed=77)
    with served(tmp_path, plan, "--no-inventory") as (command, terminal):
        rows = command.rows(2)
        report = run(terminal, rows, 7, "--verify-timeout=1")
        assert set(standings(report).values()) == {
            ("succeeded", "job", "no_inventory_schedule")
        }


def test_an_account_that_may_not_read_certificates_verifies_by_the_inventory(
    tmp_path: Path,
) -> None:
    rights = sorted(set(Right) - {Right.READ_CERTIFICATES})
    password = "guarded-by-nobody"
    entry = {"user": "pki", "password": password, "rights": rights}
    identities = tmp_path / "identities.json"
    identities.write_text(json.dumps({"identities": [entry]}), encoding="utf-8")
    plan = FleetPlan(stores=8, orchestrators=2, seed=78)
    with served(tmp_path, plan, f"--identities={identities}") as (command, anybody):
        user = {"KEYFACTOR_USERNAME": "pki", "KEYFACTOR_PASSWORD": password}
        terminal = Terminal(folder=anybody.folder, env={**command.env, **user})
        report = run(terminal, command.rows(5), 0)
        assert set(standings(report).values()) == {
            ("verified", "present", "certificates_unreadable")
        }
        assert [event["status"] for event in _reads(command)] == [403]
        assert "/certificates/collections/read/" in report.text("events.jsonl")


def _reads(command: Served) -> list[dict[str, Any]]:
    """Return the requests for certificates."""
    return [
        event
        for event in command.events()
        if event["event"] == "request" and event["path"].endswith("/Certificates")
    ]
