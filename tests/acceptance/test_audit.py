"""``report --all``: the ledger's campaigns on one sheet."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from acceptance.terminal import Done, Terminal
from unit.ledger.books import DIGESTS, campaign, planned, take

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.ledger import SqliteLedger

_MADE = {"old": "2026-06-30T23:59:59.000Z", "new": "2026-07-01T00:00:00.000Z"}


@pytest.fixture
def quarter(bare: Terminal) -> Terminal:
    """A folder whose ledger holds two campaigns, made a second apart."""
    with SqliteLedger(bare.folder / "batch-reenroll.db") as ledger:
        for number, (name, created_at) in enumerate(_MADE.items()):
            rows = [planned(n, store=10 * number + n) for n in (1, 2, 3)]
            ledger.create(
                replace(campaign(name), created_at=created_at),
                rows,
                at=datetime(2026, 7, 1, tzinfo=UTC),
                digests=lambda: DIGESTS,
            )
            take(ledger, ledger.number(name), 1, State.VERIFIED)
            take(ledger, ledger.number(name), 2, State.FAILED)
    return bare


def rows_of(done: Done) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.out)))


def test_all_campaigns_stand_on_one_sheet_oldest_first(quarter: Terminal) -> None:
    rows = rows_of(quarter.run("report", "--all").expect(0))
    assert [row["campaign_id"] for row in rows] == ["old", "new"]
    (said,) = {
        (r["rows"], r["certificates_rotated"], r["failure"], r["remaining"])
        for r in rows
    }
    assert said == ("3", "1", "1", "1")
    assert not (quarter.folder / "reports").exists()


def test_a_span_has_its_first_moment_and_not_its_last(quarter: Terminal) -> None:
    def ids(*words: str) -> list[str]:
        found = rows_of(quarter.run("report", "--all", *words).expect(0))
        return [row["campaign_id"] for row in found]

    assert ids("--since=2026-07-01") == ["new"]
    assert ids("--until=2026-07-01") == ["old"]
    assert ids("--since=2026-06-30T23:59:59Z") == ["old", "new"]
    assert ids("--since=2026-08-01") == []


def test_the_sheet_is_written_whole_to_a_file_of_either_form(
    quarter: Terminal,
) -> None:
    said = quarter.run("report", "--all", "--output-file=q3.csv").expect(0)
    assert (said.out, said.err) == ("", "2 campaigns: q3.csv\n")
    kept = (quarter.folder / "q3.csv").read_text(encoding="utf-8")
    assert kept == quarter.run("report", "--all").expect(0).out
    quarter.run("report", "--all", "--output-file=q3.html").expect(0)
    page = (quarter.folder / "q3.html").read_text(encoding="utf-8")
    assert "2 campaigns, 2 certificates rotated" in page


def test_scripts_read_it_as_json(quarter: Terminal) -> None:
    said = json.loads(quarter.run("report", "--all", "--output=json").expect(0).out)
    assert said["totals"]["campaigns"] == len(said["campaigns"]) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--all", "old"),
        (),
        ("old", "--since=2026-07-01"),
        ("old", "--output-file=a.csv"),
        ("--all", "--since=yesterday"),
        ("--all", "--output-file=a.pdf"),
        ("--all", "--output-file=nowhere/a.csv"),
        ("--all", "--ledger=sqlite:///none.db"),
    ],
)
def test_what_cannot_be_meant_exits_2(
    quarter: Terminal, words: tuple[str, ...]
) -> None:
    quarter.run("report", *words).expect(2)
