"""A ledger of an earlier version is brought up to this one, whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from unit.ledger.books import NOW, URL, assert_sound, campaign, move, rows, take

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.record import PlannedRow
from batch_reenroll.errors import LedgerError
from batch_reenroll.ledger import SqliteLedger, opening
from batch_reenroll.ledger.codec import request_text
from batch_reenroll.ledger.intake import genesis, insert_campaign
from batch_reenroll.ledger.journal import JournalTail
from batch_reenroll.ledger.schema import SCHEMA_VERSION

S = State

#: The tables of every earlier version, as that version made them.
_SCHEMAS = Path(__file__).parents[2] / "data" / "ledger"


def pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


EARLIER = pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))


@EARLIER
def test_a_campaign_in_progress_goes_on_after_an_upgrade(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "first.db"
    _earlier_schema(path, version)
    with SqliteLedger(path) as ledger:
        number = ledger.number("q4")
        take(ledger, number, 1, S.QUEUED)
        assert ledger.stop_requested(number) is None
        for origin, target in ((S.QUEUED, S.WITHDRAWING), (S.WITHDRAWING, S.CANCELLED)):
            assert ledger.apply(number, [move(1, origin, target)]) == [None]
        assert_sound(ledger)
    assert pragma(path, "user_version") == SCHEMA_VERSION


@EARLIER
def test_a_row_in_progress_can_be_verified_after_an_upgrade(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "first.db"
    _earlier_schema(path, version)
    with SqliteLedger(path) as ledger:
        number = ledger.number("q4")
        take(ledger, number, 1, S.VERIFYING)
        row = ledger.row(number, 1)
        assert (row.endpoint, row.inventory_scheduled) == ("", None)
        found = {"verification": {"level": 3, "finding": "san_lost"}}
        wrong = move(1, S.VERIFYING, S.WARNING, changes=found)
        again = move(1, S.WARNING, S.VERIFYING)
        assert ledger.apply(number, [wrong, again]) == [None, None]
        assert ledger.row(number, 1).verification == found["verification"]
        assert_sound(ledger)


@EARLIER
def test_an_upgraded_ledger_is_as_a_new_one(tmp_path: Path, version: int) -> None:
    _earlier_schema(tmp_path / "first.db", version)
    for name in ("first.db", "new.db"):
        SqliteLedger(tmp_path / name).close()
    assert _shape(tmp_path / "first.db") == _shape(tmp_path / "new.db")


def test_the_tables_of_this_version_are_written_down(tmp_path: Path) -> None:
    """Whoever changes them takes the next version, and writes an upgrade."""
    script = _SCHEMAS.joinpath(f"schema-{SCHEMA_VERSION}.sql")
    with closing(sqlite3.connect(tmp_path / "written.db")) as connection:
        connection.executescript(script.read_text(encoding="utf-8"))
    SqliteLedger(tmp_path / "new.db").close()
    assert _shape(tmp_path / "written.db") == _shape(tmp_path / "new.db")


def test_nothing_is_upgraded_by_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "first.db"
    _earlier_schema(path, 1)
    before = _shape(path)
    broken = {1: "ALTER TABLE campaign ADD COLUMN more TEXT;\nDROP TABLE nowhere;\n"}
    monkeypatch.setattr(opening, "UPGRADES", broken)
    with pytest.raises(LedgerError):
        SqliteLedger(path)
    assert _shape(path) == before
    assert pragma(path, "user_version") == 1


def _earlier_schema(path: Path, version: int) -> None:
    """Make a ledger as a version made it, with a campaign of two rows."""
    script = _SCHEMAS.joinpath(f"schema-{version}.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
        begun = replace(campaign(), manifest_sha256="a" * 64, plan_sha256="b" * 64)
        number = insert_campaign(connection, begun)
        connection.executemany(_FIRST_ROW, [_first_row(number, row) for row in rows(2)])
        connection.executemany(
            "INSERT INTO tally VALUES (?, ?, ?)",
            [(number, str(s), 2 if s is S.PENDING else 0) for s in State],
        )
        tail = JournalTail(connection, number)
        tail.add_event("campaign_created", NOW, genesis(begun, 2))
        tail.save()
        connection.commit()


#: A row as the first version wrote it.
_FIRST_ROW = (
    "INSERT INTO row (campaign, row_no, row_id, command_url, keystore_id, agent_id, "
    "request, cells, orchestrator, client_machine, store_path, store_type, "
    "capability, place_unique, state, planned_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, '[]', 'orch', 'web1', '/web.pem', 'PEM', 'PEM', 1, "
    "'pending', '2026-11-23T18:40:00.000Z')"
)


def _first_row(number: int, row: PlannedRow) -> tuple[object, ...]:
    request = row.request
    return (
        *(number, row.row_no, row.row_id, URL),
        *(request.keystore_id, request.agent_guid, request_text(request)),
    )


def _shape(path: Path) -> set[tuple[str, ...]]:
    """Return every table's columns, every index and trigger, and the life cycle."""
    with closing(sqlite3.connect(path)) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
        ]
        columns = {
            ("column", name, *map(str, column[1:]))
            for name in names
            for column in connection.execute(f"PRAGMA table_info({name})")
        }
        others = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type <> 'table'"
        )
        moves = connection.execute("SELECT 'move', origin, target FROM legal_move")
        return columns | {tuple(map(str, row)) for row in (*others, *moves)}
