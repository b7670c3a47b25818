"""How a campaign enters the ledger: whole, once, and the same after reopening."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from unit.ledger.books import (
    DIGESTS,
    NOW,
    assert_sound,
    campaign,
    lines,
    move,
    planned,
    rows,
    states,
    write,
)
from unit.ledger.homes import Home

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.record import PlannedRow
from batch_reenroll.errors import ReenrollError, UsageError
from batch_reenroll.ledger import SqliteLedger

S = State
TABLES = ("campaign", "row", "tally", "journal")


def contents(home: Home) -> dict[str, list[tuple[object, ...]]]:
    with home.backdoor() as door:
        return {
            table: [tuple(record) for record in door.run(f"SELECT * FROM {table}")]
            for table in TABLES
        }


def test_a_new_ledger_holds_no_campaign(ledger: SqliteLedger) -> None:
    assert ledger.campaign_ids() == []


def test_a_campaign_reads_back_as_it_was_given(ledger: SqliteLedger) -> None:
    write(ledger)
    kept = ledger.campaign("q4")
    assert kept == replace(
        campaign(),
        manifest_sha256=DIGESTS[0],
        plan_sha256=DIGESTS[1],
        rows={S.PENDING: 3},
        journal_length=1,
        journal_head=kept.journal_head,
    )


def test_a_row_reads_back_as_it_was_planned(ledger: SqliteLedger) -> None:
    number = write(ledger)
    row = ledger.row(number, 2)
    plan = planned(2)
    assert (row.row_no, row.row_id, row.state) == (2, "r2", S.PENDING)
    assert row.request == plan.request
    assert (row.client_machine, row.store_path) == (
        "web01.example.com",
        "/etc/ssl/2.pem",
    )
    assert (row.orchestrator, row.store_type, row.capability) == (
        "orch01",
        "PEM",
        "PEM",
    )
    assert row.place_unique
    assert row.current_thumbprint == "ab" * 20
    assert (row.wave, ledger.row(number, 1).wave) == (None, "canary")


def test_the_users_own_cells_are_kept_for_the_report(ledger: SqliteLedger) -> None:
    number = write(ledger)
    kept = [json.loads(record["cells"]) for record in ledger.records(number)]
    assert kept == [list(row.cells) for row in rows(3)]


def test_everything_survives_closing_and_opening(home: Home) -> None:
    with home.open() as ledger:
        number = write(ledger)
        ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING)], {"submit": 1})
    before = contents(home)
    with home.open() as ledger:
        assert contents(home) == before
        assert ledger.campaign("q4").requests == {"submit": 1}
        assert ledger.row(number, 1).state is S.SUBMITTING
        assert_sound(ledger)


def test_two_openings_see_one_ledger(home: Home) -> None:
    with home.open() as one, home.open() as other:
        number = write(one)
        assert other.campaign("q4") == one.campaign("q4")
        assert other.apply(number, [move(1, S.PENDING, S.SUBMITTING)]) == [None]
        assert one.row(number, 1).state is S.SUBMITTING


def test_campaigns_are_listed_newest_first(ledger: SqliteLedger) -> None:
    for campaign_id in ("b", "a", "c"):
        write(ledger, campaign_id)
    assert ledger.campaign_ids() == ["c", "a", "b"]


def test_a_campaign_may_have_no_rows(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=[])
    assert ledger.campaign("q4").n_rows == 0
    assert list(ledger.waiting(number)) == []


def test_an_unknown_campaign_is_a_usage_error_that_names_the_known(
    ledger: SqliteLedger,
) -> None:
    write(ledger, "spring")
    with pytest.raises(UsageError) as caught:
        ledger.campaign("autumn")
    assert "autumn" in caught.value.message
    assert "spring" in caught.value.hint


def test_a_number_is_known_only_for_campaigns_of_the_ledger(
    ledger: SqliteLedger,
) -> None:
    with pytest.raises(UsageError):
        ledger.number("autumn")


def test_a_campaign_id_is_taken_once(home: Home, ledger: SqliteLedger) -> None:
    write(ledger)
    before = contents(home)
    with pytest.raises(UsageError, match="q4"):
        write(ledger, "q4", rows(1))
    assert contents(home) == before


def test_skipped_rows_end_at_once_with_their_reason(ledger: SqliteLedger) -> None:
    number = write(
        ledger,
        planned_rows=[
            planned(1),
            planned(
                2, skipped=S.SKIPPED_PREFLIGHT, reason=Reason.REENROLLMENT_UNSUPPORTED
            ),
            planned(3, skipped=S.SKIPPED_EXCLUDED, reason=Reason.EXCLUDED_BY_LIMIT),
        ],
    )
    assert states(ledger, number) == {
        1: S.PENDING,
        2: S.SKIPPED_PREFLIGHT,
        3: S.SKIPPED_EXCLUDED,
    }
    # What was left out on purpose is no failure.
    causes = ledger.failure_causes(number)
    assert causes == [("reenrollment_unsupported", "said why", 1)]
    assert_sound(ledger)


def test_a_skip_that_cannot_be_written_stops_the_campaign(ledger: SqliteLedger) -> None:
    with pytest.raises(ReenrollError):
        write(ledger, planned_rows=[planned(1, skipped=S.VERIFIED)])


def broken(at: int, exc: Exception) -> Iterator[PlannedRow]:
    for row_no in range(1, at):
        yield planned(row_no)
    raise exc


@pytest.mark.parametrize("at", [1, 2, 5000], ids=["first", "second", "5000th"])
def test_rows_that_break_off_leave_the_ledger_as_it_was(
    home: Home, ledger: SqliteLedger, at: int
) -> None:
    write(ledger, "before")
    before = contents(home)
    with pytest.raises(UnicodeError):
        write(ledger, "q4", broken(at, UnicodeError("the file ends here")))
    assert contents(home) == before


@pytest.mark.parametrize("where", ["confirm", "digests"])
def test_a_refusal_before_the_end_leaves_the_ledger_as_it_was(
    home: Home, ledger: SqliteLedger, where: str
) -> None:
    before = contents(home)

    def refuse(*_: object) -> tuple[str, str]:
        raise UsageError("the manifest changed")

    steps = {"digests": lambda: DIGESTS, "confirm": lambda _: None, where: refuse}
    with pytest.raises(UsageError, match="changed"):
        ledger.create(campaign(), rows(3), at=NOW, **steps)  # type: ignore[arg-type]
    assert contents(home) == before


def test_a_ledger_whose_creation_failed_takes_the_next(ledger: SqliteLedger) -> None:
    with pytest.raises(UnicodeError):
        write(ledger, "q4", broken(2, UnicodeError("the file ends here")))
    write(ledger, "q4")
    assert_sound(ledger)


def test_no_two_rows_have_one_number(home: Home, ledger: SqliteLedger) -> None:
    before = contents(home)
    with pytest.raises(ReenrollError):
        write(ledger, planned_rows=[planned(1), planned(1, store=2)])
    assert contents(home) == before


def test_confirm_hears_the_number_of_rows_after_the_last(ledger: SqliteLedger) -> None:
    heard: list[int] = []
    ledger.create(
        campaign(), rows(4), at=NOW, digests=lambda: DIGESTS, confirm=heard.append
    )
    assert heard == [4]


def test_rows_are_read_while_others_are_being_written(ledger: SqliteLedger) -> None:
    """A plan may ask the ledger what is in flight while its rows stream in."""
    number = write(ledger, "before")
    ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING)])
    seen: list[frozenset[str]] = []

    def stream() -> Iterator[PlannedRow]:
        seen.append(ledger.open_stores(campaign().command_url))
        yield planned(1, store=9)

    write(ledger, "q4", stream())
    assert seen == [frozenset({planned(1).request.keystore_id})]


def test_a_snapshot_is_of_one_moment_whatever_is_written_meanwhile(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger)
    with ledger.snapshot():
        before = ledger.campaign("q4")
        ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING)])
        assert ledger.campaign("q4") == before
        assert len(list(ledger.journal(number))) == before.journal_length == 1
        assert states(ledger, number)[1] is S.PENDING
    assert ledger.campaign("q4").journal_length == 2
    assert states(ledger, number)[1] is S.SUBMITTING


def test_a_snapshot_ends_with_its_block_whatever_ends_it(ledger: SqliteLedger) -> None:
    number = write(ledger)

    def failing() -> None:
        with ledger.snapshot():
            next(ledger.records(number))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    with ledger.snapshot():
        assert states(ledger, number)[1] is S.PENDING


def test_genesis_binds_the_journal_to_manifest_plan_and_settings(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger)
    first = lines(ledger, number)[0]
    assert first["event"] == "campaign_created"
    assert (first["manifest_sha256"], first["plan_sha256"]) == DIGESTS
    assert (first["rows"], first["campaign"]) == (3, "q4")
    assert (first["operator"], first["host"], first["tool_version"]) == (
        "pki",
        "jump01",
        "0.1.0",
    )
    assert first["purpose"] == {"name": "Q4 rotation", "ticket": "CHG0042"}


def test_other_settings_give_another_genesis(ledger: SqliteLedger) -> None:
    one = lines(ledger, write(ledger, "one"))[0]["configuration_sha256"]
    other = campaign("two")
    faster = replace(other, settings=replace(other.settings, rate_per_s=13.0))
    ledger.create(faster, rows(1), at=NOW, digests=lambda: DIGESTS)
    two = lines(ledger, ledger.number("two"))[0]["configuration_sha256"]
    assert one != two
