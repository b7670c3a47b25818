"""What the database refuses by itself, whatever the code above it believes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from unit.ledger.books import LEGAL, URL, planned, rows, store_id, take, write
from unit.ledger.homes import Backdoor, Home

from batch_reenroll.campaign.lifecycle import UNRESOLVED, State
from batch_reenroll.ledger import SqliteLedger

S = State
ROW_NO = {state: number for number, state in enumerate(State, start=1)}
RIVAL_ROW_NO = {state: 100 + number for state, number in ROW_NO.items()}
RIVAL = 2
SET_STATE = "UPDATE row SET state = :state WHERE campaign = :campaign AND row_no = :no"
INSERT_ROW = (
    "INSERT INTO row (campaign, row_no, row_id, command_url, keystore_id, agent_id, "
    "request, cells, orchestrator, client_machine, store_path, store_type, "
    "capability, place_unique, state, planned_at) "
    "VALUES (:campaign, :no, 'x', 'u', 's', 'a', '{}', '[]', '', '', '', '', '', 0, "
    ":state, '2026-11-23T18:40:00.000Z')"
)


@pytest.fixture(scope="module")
def number(shared_home: Home) -> int:
    """A campaign with a row at each state, and two rivals for the store of each."""
    twins = [planned(RIVAL_ROW_NO[s], store=ROW_NO[s]) for s in State]
    with shared_home.open() as ledger:
        number = write(ledger, planned_rows=[*rows(len(State)), *twins])
        assert write(ledger, "rival", twins) == RIVAL
        for state, row_no in ROW_NO.items():
            take(ledger, number, row_no, state)
    return number


@pytest.fixture
def door(shared_home: Home, number: int) -> Iterator[Backdoor]:
    with shared_home.backdoor() as opened:
        yield opened


@pytest.mark.parametrize("origin", State)
def test_the_database_allows_the_moves_of_the_life_cycle_and_no_other(
    door: Backdoor, number: int, origin: State
) -> None:
    allowed = {
        target
        for target in State
        if not door.is_refused(
            SET_STATE, campaign=number, no=ROW_NO[origin], state=str(target)
        )
    }
    assert allowed == LEGAL[origin]


@pytest.mark.parametrize("name", ["done", "", "PENDING"])
def test_a_state_outside_the_life_cycle_is_refused(
    door: Backdoor, number: int, name: str
) -> None:
    assert door.is_refused(SET_STATE, campaign=number, no=1, state=name)


@pytest.mark.parametrize("state", State)
def test_a_row_enters_as_pending_only(
    door: Backdoor, number: int, state: State
) -> None:
    refused = door.is_refused(INSERT_ROW, campaign=number, no=999, state=str(state))
    assert refused == (state is not S.PENDING)


@pytest.mark.parametrize("state", State)
def test_no_row_is_ever_deleted(door: Backdoor, number: int, state: State) -> None:
    assert door.is_refused(
        "DELETE FROM row WHERE campaign = :campaign AND row_no = :no",
        campaign=number,
        no=ROW_NO[state],
    )


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE journal SET line = '{}' WHERE seq = 0",
        "UPDATE journal SET seq = seq + 1000",
        "DELETE FROM journal WHERE seq = 0",
        "DELETE FROM journal",
    ],
)
def test_the_journal_only_grows(door: Backdoor, sql: str) -> None:
    assert door.is_refused(sql)


def test_a_journal_line_cannot_be_replaced(door: Backdoor, number: int) -> None:
    assert door.is_refused(
        "INSERT OR REPLACE INTO journal (campaign, seq, line) "
        "VALUES (:campaign, 0, '{}')",
        campaign=number,
    )


def test_an_ended_row_cannot_be_replaced_by_a_pending_one(
    door: Backdoor, number: int
) -> None:
    assert door.is_refused(
        INSERT_ROW.replace("INSERT", "INSERT OR REPLACE"),
        campaign=number,
        no=ROW_NO[S.VERIFIED],
        state="pending",
    )


@pytest.mark.parametrize("column", ["attempts", "losses", "retries"])
def test_counts_are_never_negative(door: Backdoor, number: int, column: str) -> None:
    assert door.is_refused(f"UPDATE row SET {column} = -1")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("campaign", ["the same campaign", "another campaign"])
def test_a_store_has_one_unresolved_row_across_campaigns(
    door: Backdoor, number: int, state: State, campaign: str
) -> None:
    other = number if campaign == "the same campaign" else RIVAL
    refused = door.is_refused(
        SET_STATE, campaign=other, no=RIVAL_ROW_NO[state], state="submitting"
    )
    assert refused == (state in UNRESOLVED)


def test_one_store_id_on_two_commands_is_two_stores(
    home: Home, ledger: SqliteLedger
) -> None:
    here = write(ledger, "here", [planned(1, store=7)])
    there = write(ledger, "there", [planned(1, store=7)], url="https://other/api")
    take(ledger, here, 1, S.SUBMITTED)
    with home.backdoor() as door:
        assert not door.is_refused(SET_STATE, campaign=there, no=1, state="submitting")


def test_open_stores_are_those_with_an_unresolved_row(
    shared_home: Home, number: int
) -> None:
    with shared_home.open() as ledger:
        assert ledger.open_stores(URL) == {store_id(ROW_NO[s]) for s in UNRESOLVED}
        assert ledger.open_stores("https://other/api") == frozenset()


def test_one_job_belongs_to_one_row_of_a_campaign(door: Backdoor, number: int) -> None:
    assert not door.is_refused("UPDATE row SET job_id = 'j1' WHERE row_no = 1")
    assert door.is_refused("UPDATE row SET job_id = 'j1' WHERE row_no IN (1, 2)")
