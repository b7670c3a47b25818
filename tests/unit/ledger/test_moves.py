"""Moves through the ledger's own door: what is written, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from unit.ledger.books import (
    LEGAL,
    NOW,
    assert_sound,
    lines,
    move,
    planned,
    rows,
    states,
    take,
    way_to,
    write,
)
from unit.ledger.homes import Home

from batch_reenroll.campaign.lifecycle import OPEN, UNRESOLVED, State
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.record import PlannedRow
from batch_reenroll.campaign.rows import Fence, Move, Note, Waiting
from batch_reenroll.errors import (
    IllegalMove,
    LedgerError,
    LedgerWriteFailed,
    StoreInFlight,
)
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.ledger.codec import SETTABLE

S = State
MOMENT = datetime(2026, 11, 23, 20, 15, 30, 123000, tzinfo=UTC)


def test_apply_writes_the_moves_of_the_life_cycle_and_no_other(
    ledger: SqliteLedger,
) -> None:
    written = {}
    for i, origin in enumerate(State):
        plans = [planned(n, store=100 * i + n) for n in range(1, len(State) + 1)]
        number = write(ledger, str(origin), plans)
        way = list(pairwise(way_to(origin)))
        ledger.apply(number, [move(p.row_no, a, b) for p in plans for a, b in way])
        moves = [move(n, origin, target) for n, target in enumerate(State, start=1)]
        results = ledger.apply(number, moves)
        pairs = list(zip(moves, results, strict=True))
        written[origin] = {step.target for step, refusal in pairs if refusal is None}
        assert {type(refusal) for _, refusal in pairs if refusal} == {IllegalMove}
    assert written == LEGAL
    assert_sound(ledger)


def test_a_move_from_where_the_row_does_not_stand_is_refused(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger)
    (refusal,) = ledger.apply(number, [move(1, S.SUBMITTING, S.SUBMITTED)])
    assert isinstance(refusal, IllegalMove)
    assert "submitting" in refusal.message
    assert states(ledger, number)[1] is S.PENDING


def test_a_move_of_a_row_that_is_not_there_is_refused(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(1))
    (refusal,) = ledger.apply(number, [move(2, S.PENDING, S.SUBMITTING)])
    assert isinstance(refusal, IllegalMove)


def test_a_move_reaches_its_own_campaign_only(ledger: SqliteLedger) -> None:
    one, two = write(ledger, "one"), write(ledger, "two")
    ledger.apply(one, [move(1, S.PENDING, S.SUBMITTING)])
    assert states(ledger, two) == dict.fromkeys((1, 2, 3), S.PENDING)


def test_one_illegal_move_stops_no_other_of_its_batch(ledger: SqliteLedger) -> None:
    number = write(ledger)
    results = ledger.apply(
        number,
        [
            move(1, S.PENDING, S.SUBMITTING),
            move(2, S.PENDING, S.VERIFIED, changes={"job_id": "lost"}),
            move(3, S.PENDING, S.SUBMITTING),
        ],
    )
    assert [type(result) for result in results] == [
        type(None),
        IllegalMove,
        type(None),
    ]
    assert states(ledger, number) == {1: S.SUBMITTING, 2: S.PENDING, 3: S.SUBMITTING}
    assert ledger.row(number, 2).job_id is None
    assert [line["row"] for line in lines(ledger, number)[1:]] == [1, 3]
    assert_sound(ledger)


def test_moves_of_one_row_are_applied_in_order(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(1))
    steps = [(S.PENDING, S.SUBMITTING), (S.SUBMITTING, S.PENDING)] * 3
    results = ledger.apply(number, [move(1, a, b) for a, b in steps])
    assert results == [None] * 6
    assert [(x["from"], x["to"]) for x in lines(ledger, number)[1:]] == steps


def test_an_empty_batch_keeps_the_request_counts(ledger: SqliteLedger) -> None:
    number = write(ledger)
    assert ledger.apply(number, [], {"submit": 7, "other": 2}) == []
    assert ledger.campaign("q4").requests == {"submit": 7, "other": 2}


def test_a_batch_without_counts_keeps_the_old_ones(ledger: SqliteLedger) -> None:
    number = write(ledger)
    ledger.apply(number, [], {"submit": 7})
    ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING)])
    assert ledger.campaign("q4").requests == {"submit": 7}


@pytest.mark.parametrize("held", sorted(UNRESOLVED))
def test_a_store_in_flight_elsewhere_is_named_as_such(
    ledger: SqliteLedger, held: State
) -> None:
    first = write(ledger, "first", [planned(1, store=7)])
    second = write(ledger, "second", [planned(1, store=7), planned(2)])
    take(ledger, first, 1, held)
    results = ledger.apply(
        second, [move(1, S.PENDING, S.SUBMITTING), move(2, S.PENDING, S.SUBMITTING)]
    )
    assert [type(result) for result in results] == [StoreInFlight, type(None)]
    assert states(ledger, second) == {1: S.PENDING, 2: S.SUBMITTING}
    assert_sound(ledger)


def test_a_store_may_start_once_it_has_been_let_go(ledger: SqliteLedger) -> None:
    first = write(ledger, "first", [planned(1, store=7)])
    second = write(ledger, "second", [planned(1, store=7)])
    take(ledger, first, 1, S.VERIFIED)
    assert ledger.apply(second, [move(1, S.PENDING, S.SUBMITTING)]) == [None]


def test_two_aliases_of_one_store_are_never_in_flight_together(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger, planned_rows=[planned(1, store=7), planned(2, store=7)])
    results = ledger.apply(
        number, [move(1, S.PENDING, S.SUBMITTING), move(2, S.PENDING, S.SUBMITTING)]
    )
    assert [type(result) for result in results] == [type(None), StoreInFlight]


def test_a_store_held_by_its_own_campaign_is_not_blamed_on_another(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger, planned_rows=[planned(1, store=7), planned(2, store=7)])
    take(ledger, number, 1, S.SUBMITTED)
    (refusal,) = ledger.apply(number, [move(2, S.PENDING, S.SUBMITTING)])
    assert isinstance(refusal, StoreInFlight)
    assert "another campaign" not in refusal.message


def test_a_job_is_adopted_once(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(2))
    for row_no in (1, 2):
        take(ledger, number, row_no, S.SUBMITTED)
    adopt = {"job_id": "j1"}
    results = ledger.apply(
        number, [move(n, S.SUBMITTED, S.QUEUED, changes=adopt) for n in (1, 2)]
    )
    assert [type(result) for result in results] == [type(None), IllegalMove]
    assert ledger.row(number, 2).state is S.SUBMITTED


def test_job_ids_of_two_campaigns_may_be_the_same(ledger: SqliteLedger) -> None:
    """Two Commands number their jobs apart from each other."""
    one = write(ledger, "one", [planned(1)])
    two = write(ledger, "two", [planned(1)], url="https://other/api")
    for number in (one, two):
        take(ledger, number, 1, S.SUBMITTED)
        adopt = move(1, S.SUBMITTED, S.QUEUED, changes={"job_id": "j1"})
        assert ledger.apply(number, [adopt]) == [None]


CHANGES = {
    "http_status": 204,
    "attempts": 2,
    "losses": 1,
    "retries": 3,
    "fence": Fence(history_id=41, jobs=frozenset({"b", "a"})),
    "before": {"wëb": "ab" * 20},
    "submitted_at": MOMENT,
    "picked_up_at": MOMENT + timedelta(seconds=1),
    "finished_at": MOMENT + timedelta(seconds=2),
    "verified_at": MOMENT + timedelta(seconds=3),
    "job_id": "j-1",
    "job_history_id": 42,
    "job_result": 2,
    "alias_after": "web",
    "thumbprint_before": "ab" * 20,
    "not_before_before": MOMENT - timedelta(days=90),
    "not_after_before": MOMENT + timedelta(days=1),
    "thumbprint_after": "cd" * 20,
    "not_after_after": MOMENT + timedelta(days=47),
    "verification": {"level": 4, "why": "no_endpoint"},
}


def test_every_settable_column_is_tried_here() -> None:
    assert CHANGES.keys() == SETTABLE


def test_the_row_in_the_ledger_is_the_row_in_memory(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(1))
    step = move(1, S.PENDING, S.SUBMITTING, changes=CHANGES)
    in_memory = ledger.row(number, 1).moved(step)
    ledger.apply(number, [step])
    assert ledger.row(number, 1) == in_memory


def test_result_columns_are_kept_for_the_report(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(1))
    step = move(1, S.PENDING, S.SUBMITTING, changes=CHANGES)
    ledger.apply(number, [step])
    (record,) = ledger.records(number)
    kept = {key: record[key] for key in ("alias_after", "thumbprint_after")}
    assert kept == {"alias_after": "web", "thumbprint_after": "cd" * 20}
    assert record["verified_at"] == "2026-11-23T20:15:33.123Z"
    assert record["not_after_after"] == "2027-01-09T20:15:30.123Z"
    assert record["http_status"] == 204


def test_a_move_can_clear_what_an_attempt_had_set(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(1))
    cleared = dict.fromkeys(("fence", "job_id", "submitted_at", "before"))
    ledger.apply(
        number,
        [
            move(1, S.PENDING, S.SUBMITTING, changes=CHANGES),
            move(1, S.SUBMITTING, S.PENDING, changes=cleared),
        ],
    )
    row = ledger.row(number, 1)
    assert (row.fence, row.job_id, row.submitted_at, row.before) == (None,) * 4


@pytest.mark.parametrize(
    "changes", [{"before": {"\ud800": "ab" * 20}}, {"job_id": "\ud800"}], ids=repr
)
def test_text_that_has_no_utf8_is_kept_all_the_same(
    ledger: SqliteLedger, changes: dict[str, object]
) -> None:
    """One odd alias in an inventory must not end the campaign at every resume."""
    number = write(ledger)
    assert ledger.apply(
        number, [move(1, S.PENDING, S.SUBMITTING, changes=changes)]
    ) == [None]
    assert_sound(ledger)


@pytest.mark.parametrize("column", ["state", "row_id", "request", "journal", "x = 1;"])
def test_a_move_sets_no_other_column(ledger: SqliteLedger, column: str) -> None:
    number = write(ledger)
    step = move(1, S.PENDING, S.SUBMITTING, changes={column: "x"})
    (refusal,) = ledger.apply(number, [step])
    assert isinstance(refusal, IllegalMove)
    assert states(ledger, number)[1] is S.PENDING


def test_reason_and_message_are_those_of_the_last_move(ledger: SqliteLedger) -> None:
    number = write(ledger)
    ledger.apply(
        number,
        [
            move(1, S.PENDING, S.SUBMITTING, message="first"),
            move(1, S.SUBMITTING, S.IN_DOUBT, reason=Reason.ANSWER_LOST),
        ],
    )
    (record, *_) = ledger.records(number)
    assert (record["reason_code"], record["message"]) == ("answer_lost", "first")


def test_waiting_names_the_pending_rows_in_manifest_order(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=reversed(rows(4)))
    take(ledger, number, 2, S.SUBMITTED)
    take(ledger, number, 3, S.CANCELLED)
    agent = planned(1).request.agent_guid
    assert list(ledger.waiting(number)) == [
        Waiting(1, agent, "web01.example.com", "/etc/ssl/1.pem"),
        Waiting(4, agent, "web01.example.com", "/etc/ssl/4.pem"),
    ]


def test_a_row_that_waits_names_its_ca(ledger: SqliteLedger) -> None:
    half_a_pair = "ca01\\Corp \ud83d"
    planned_rows = [_at_ca(1, r"ca01\Corp ü"), planned(2), _at_ca(3, half_a_pair)]
    number = write(ledger, planned_rows=planned_rows)
    found = [row.authority for row in ledger.waiting(number)]
    assert found[:2] == [r"ca01\Corp ü", ""]
    assert found[2].startswith("ca01\\Corp ")


def test_what_was_sent_to_each_ca_since_a_moment(ledger: SqliteLedger) -> None:
    rows_at_ca = [_at_ca(n, f"ca{n}") for n in (1, 2, 3, 4)]
    number = write(ledger, planned_rows=rows_at_ca)
    other = write(ledger, "other", [replace(_at_ca(5, "ca5"), row_no=1)])
    elsewhere = write(ledger, "elsewhere", [_at_ca(1, "ca1")], url="https://else")
    ledger.apply(number, _sent(1, MOMENT))
    ledger.apply(number, _sent(2, MOMENT + timedelta(hours=1)))
    ledger.apply(number, _sent(3, MOMENT, S.IN_DOUBT))
    ledger.apply(number, _sent(4, MOMENT, S.PENDING))
    ledger.apply(other, _sent(1, MOMENT + timedelta(hours=2)))
    ledger.apply(elsewhere, _sent(1, MOMENT))
    assert set(ledger.sent_since(number, MOMENT)) == {
        ("ca1", MOMENT),
        ("ca2", MOMENT + timedelta(hours=1)),
        ("ca3", MOMENT),
        ("ca5", MOMENT + timedelta(hours=2)),
    }


def test_what_was_sent_before_the_moment_is_left_out(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=[_at_ca(1, "ca1"), _at_ca(2, "ca2")])
    ledger.apply(number, _sent(1, MOMENT))
    ledger.apply(number, _sent(2, MOMENT + timedelta(seconds=2)))
    found = ledger.sent_since(number, MOMENT + timedelta(seconds=1))
    assert [authority for authority, _ in found] == ["ca2"]


def test_breakers_that_opened_and_did_not_close_since_the_run_began(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger)
    assert ledger.breakers(number) == []
    ledger.apply(number, [_breaker("opened", "before")])
    ledger.record_event(number, "run_started", MOMENT, detail={}, columns={})
    names = ("mended", "broken", "mended")
    events = zip(("opened", "opened", "closed"), names, strict=True)
    ledger.apply(number, [_breaker(event, name) for event, name in events])
    assert ledger.breakers(number) == [
        {"kind": "authority", "name": "BROKEN", "cause": "why"}
    ]


def _breaker(event: str, key: str) -> Note:
    detail = {"id": key, "kind": "authority", "name": key.upper(), "cause": "why"}
    return Note(event=f"breaker_{event}", at=MOMENT, detail=detail)


def _at_ca(row_no: int, authority: str) -> PlannedRow:
    request = replace(planned(row_no).request, certificate_authority=authority)
    return planned(row_no, request=request)


def _sent(row_no: int, at: datetime, to: State = S.SUBMITTED) -> list[Move]:
    return [
        move(row_no, S.PENDING, S.SUBMITTING, at=at),
        move(row_no, S.SUBMITTING, to, at=at),
    ]


def test_the_earliest_deadline_waits_first(ledger: SqliteLedger) -> None:
    late, early = "2026-12-02T00:00:00.000Z", "2026-12-01T00:00:00.000Z"
    deadlines = (None, late, early)
    planned_rows = [
        replace(row, deadline=at) for row, at in zip(rows(3), deadlines, strict=True)
    ]
    number = write(ledger, planned_rows=planned_rows)
    waiting = list(ledger.waiting(number))
    assert [row.row_no for row in waiting] == [3, 2, 1]
    assert waiting[0].deadline == datetime(2026, 12, 1, tzinfo=UTC)


def test_of_a_wave_only_its_own_rows_wait(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(3))
    assert [row.row_no for row in ledger.waiting(number, "canary")] == [1]


def test_a_note_adds_its_line_to_the_chain(ledger: SqliteLedger) -> None:
    number = write(ledger)
    note = Note(event="wave_opened", at=NOW, detail={"wave": "rest"})
    assert ledger.apply(number, [note]) == [None]
    last = lines(ledger, number)[-1]
    assert (last["event"], last["wave"]) == ("wave_opened", "rest")
    assert_sound(ledger)


def test_the_last_end_is_that_of_the_row_that_ended_last(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(3))
    assert ledger.last_end(number) is None
    first, last = NOW + timedelta(seconds=5), NOW + timedelta(seconds=9)
    cancelled = [
        move(n, S.PENDING, S.CANCELLED, at=at) for n, at in ((1, first), (2, last))
    ]
    ledger.apply(number, cancelled)
    ledger.apply(number, [move(3, S.PENDING, S.SUBMITTING, at=last + timedelta(1))])
    assert ledger.last_end(number) == last


def test_rows_are_found_by_state_in_manifest_order(ledger: SqliteLedger) -> None:
    number = write(ledger, planned_rows=rows(5))
    for row_no, state in ((4, S.QUEUED), (2, S.IN_DOUBT), (5, S.FAILED)):
        take(ledger, number, row_no, state)
    found = list(ledger.rows_in(number, UNRESOLVED))
    assert [(row.row_no, row.state) for row in found] == [
        (2, S.IN_DOUBT),
        (4, S.QUEUED),
    ]


def test_the_tally_is_the_count_of_rows_after_every_move(
    home: Home, ledger: SqliteLedger
) -> None:
    number = write(ledger, planned_rows=rows(len(State)))
    counted = "SELECT state, count(*) FROM row WHERE campaign = :campaign GROUP BY 1"
    with home.backdoor() as door:
        for row_no, state in enumerate(State, start=1):
            take(ledger, number, row_no, state)
            by_hand = {S(s): n for s, n in door.run(counted, campaign=number)}
            assert ledger.campaign("q4").rows == by_hand


def test_a_full_disk_writes_nothing_of_the_batch(
    home: Home, ledger: SqliteLedger
) -> None:
    number = write(ledger, planned_rows=rows(400))
    home.fill_up(ledger)
    long = "x" * 2000
    batch = [move(n, S.PENDING, S.SUBMITTING, message=long) for n in range(1, 401)]
    with pytest.raises(LedgerWriteFailed) as caught:
        ledger.apply(number, batch, {"submit": 400})
    assert caught.value.hint
    assert states(ledger, number) == dict.fromkeys(range(1, 401), S.PENDING)
    assert ledger.campaign("q4").requests == {}
    assert_sound(ledger)


def test_a_disk_with_room_again_takes_the_batch(
    home: Home, ledger: SqliteLedger
) -> None:
    number = write(ledger, planned_rows=rows(400))
    home.fill_up(ledger)
    batch = [
        move(n, S.PENDING, S.SUBMITTING, message="x" * 2000) for n in range(1, 401)
    ]
    with pytest.raises(LedgerWriteFailed):
        ledger.apply(number, batch)
    home.make_room(ledger)
    assert ledger.apply(number, batch) == [None] * 400
    assert_sound(ledger)


def test_a_full_disk_takes_no_half_campaign(home: Home, ledger: SqliteLedger) -> None:
    home.fill_up(ledger)
    with pytest.raises(LedgerWriteFailed):
        write(ledger, planned_rows=rows(2000))
    assert ledger.campaign_ids() == []


def test_a_closed_ledger_refuses_writes_as_ours(home: Home) -> None:
    ledger = home.open()
    number = write(ledger)
    ledger.close()
    with pytest.raises(LedgerError):
        ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING)])


def test_events_set_columns_of_the_campaign_with_their_line(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger)
    ledger.record_event(
        number,
        "run_ended",
        NOW,
        detail={"exit_code": 7},
        columns={"exit_code": 7, "stop_reason": "", "finished_at": "2026-11-23"},
    )
    kept = ledger.campaign("q4")
    assert (kept.exit_code, kept.finished_at) == (7, "2026-11-23")
    last = lines(ledger, number)[-1]
    assert (last["event"], last["exit_code"]) == ("run_ended", 7)
    assert_sound(ledger)


def test_an_event_that_cannot_be_kept_leaves_no_line(ledger: SqliteLedger) -> None:
    number = write(ledger)
    with pytest.raises(LedgerWriteFailed):
        ledger.record_event(number, "x", NOW, detail={}, columns={"no_such": 1})
    assert len(lines(ledger, number)) == 1
    assert_sound(ledger)


def test_ended_since_counts_rows_that_ended_inside_the_window(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger)
    now = datetime.now(UTC)
    for row_no, age_s in ((1, 5), (2, 7200), (3, 5)):
        at = now - timedelta(seconds=age_s)
        target = S.SUBMITTING if row_no == 3 else S.CANCELLED
        ledger.apply(number, [move(row_no, S.PENDING, target, at=at)])
    hour, day = now - timedelta(hours=1), now - timedelta(days=1)
    assert ledger.ended_since(number, hour) == (1, hour)
    assert ledger.ended_since(number, day) == (2, day)


def test_the_longest_queues_count_rows_that_have_not_ended(
    ledger: SqliteLedger,
) -> None:
    number = write(ledger, planned_rows=rows(len(State)))
    for row_no, state in enumerate(State, start=1):
        take(ledger, number, row_no, state)
    queues = ledger.longest_queues(number, 5)
    assert queues == [{"orchestrator": "orch01", "rows": len(OPEN)}]


def test_causes_count_rows_by_reason_and_message(ledger: SqliteLedger) -> None:
    number = write(ledger)
    for n in (1, 2):
        step = move(n, S.PENDING, S.REJECTED, reason=Reason.REFUSED, message="no right")
        ledger.apply(number, [step])
    assert ledger.failure_causes(number) == [("refused", "no right", 2)]
