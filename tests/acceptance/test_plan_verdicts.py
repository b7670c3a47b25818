"""Verdicts that need the inventory or earlier campaigns, and how people read them."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from acceptance.paper import write_manifest
from acceptance.served import QUICK, Row, Served, serve
from acceptance.terminal import Terminal, finished

from batch_reenroll.sandbox import FleetPlan
from batch_reenroll.text import parse_time

_PLAN = FleetPlan(stores=12, orchestrators=2, iis_stores=4, slow=0, seed=11)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A Command some of whose stores have the thumbprint for an alias."""
    folder = tmp_path_factory.mktemp("boxes")
    served = serve(folder, _PLAN, heartbeat_s=0.2, flags=["--iis=4"])
    yield served
    served.process.send_signal(signal.SIGTERM)
    finished(served.process)


def _rows_of_iis(terminal: Terminal) -> list[Row]:
    found = terminal.folder / "found.csv"
    terminal.run("discover", "-o", found, "--store-type=IISU").expect(0)
    with found.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _planned(terminal: Terminal, *flags: str) -> dict[str, Any]:
    done = terminal.run("plan", "m.csv", "--output=json", *flags)
    said: dict[str, Any] = json.loads(done.out)
    return said


def test_an_alias_of_ones_own_is_pointed_out_and_the_inventory_makes_it_sure(
    boxes: Served, tmp_path: Path
) -> None:
    terminal = Terminal(folder=tmp_path, env=boxes.env)
    rows = _rows_of_iis(terminal)
    rows[0] |= {"Alias": "web", "CurrentThumbprint": ""}
    write_manifest(tmp_path / "m.csv", rows)
    guessed = _planned(terminal)
    assert (guessed["rows"], guessed["cautions"]["alias_rule"]) == ({"pending": 4}, 1)
    sure = _planned(terminal, "--inventory")
    assert sure["rows"] == {"pending": 3, "skipped_preflight": 1}
    assert sure["reasons"] == {"alias_rule": 1}
    assert "alias_rule" not in sure["cautions"]
    ignored = _planned(terminal, "--inventory", "--ignore=alias_rule")
    assert (ignored["rows"], ignored["cautions"]["alias_rule"]) == ({"pending": 4}, 1)


def test_the_first_row_of_each_reason_is_named_with_what_is_wrong(
    boxes: Served, tmp_path: Path
) -> None:
    terminal = Terminal(folder=tmp_path, env=boxes.env)
    rows = _rows_of_iis(terminal)
    rows[1]["JobProperties"] = '{"SiteNam": "x"}'
    write_manifest(tmp_path / "m.csv", rows)
    said = terminal.run("plan", "m.csv", "--ignore=parameter_missing").expect(0).out
    assert "1 skipped, property_unknown" in said
    assert "row 2: JobProperties.SiteNam is not known" in said
    assert "did you mean SiteName?" in said


def test_earlier_campaigns_make_the_forecast_surer(
    boxes: Served, tmp_path: Path
) -> None:
    terminal = Terminal(folder=tmp_path, env=boxes.env)
    write_manifest(tmp_path / "m.csv", boxes.rows(6))
    for campaign in ("a", "b"):
        words = ("run", "m.csv", "--yes", f"--campaign={campaign}", "--verify=none")
        terminal.run(*words, *QUICK).expect(0)

    def spread_s(*flags: str) -> float:
        found = _planned(terminal, *flags)["forecast"]
        return (_time(found["p95"]) - _time(found["p50"])).total_seconds()

    elsewhere = spread_s("--ledger=sqlite:///none.db")
    assert not (tmp_path / "none.db").exists()
    assert spread_s() < elsewhere / 2


def _time(text: str) -> datetime:
    found = parse_time(text)
    assert found is not None
    return found
