"""The journal: one chained line per move, written with it, and no secret in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from unit.ledger.books import (
    NOW,
    assert_chained,
    assert_sound,
    lines,
    move,
    planned,
    replayed,
    rows,
    states,
    store_id,
    take,
    way_to,
    write,
)
from unit.ledger.homes import Home

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Fence
from batch_reenroll.errors import LedgerWriteFailed
from batch_reenroll.ledger import SqliteLedger

S = State
SECRET = "hunter2-never-in-a-journal"


def test_each_move_adds_one_line_that_says_what_happened(ledger: SqliteLedger) -> None:
    number = write(ledger)
    ledger.apply(
        number,
        [
            move(
                2,
                S.PENDING,
                S.REJECTED,
                at=datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC),
                reason=Reason.REFUSED,
                message="no such template",
                changes={"http_status": 400},
                note={"error_code": "0xA0110002"},
            )
        ],
    )
    _, line = lines(ledger, number)
    assert {key: line[key] for key in line if key != "prev"} == {
        "at": "2026-11-24T01:02:03.456Z",
        "event": "move",
        "from": "pending",
        "to": "rejected",
        "row": 2,
        "row_id": "r2",
        "store": store_id(2),
        "seq": 1,
        "reason": "refused",
        "message": "no such template",
        "set": {"http_status": 400},
        "note": {"error_code": "0xA0110002"},
    }


def test_times_of_a_line_are_utc_whatever_their_zone(ledger: SqliteLedger) -> None:
    number = write(ledger)
    chicago = timezone(timedelta(hours=-6))
    at = datetime(2026, 11, 23, 18, 0, tzinfo=chicago)
    ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING, at=at)])
    assert lines(ledger, number)[-1]["at"] == "2026-11-24T00:00:00.000Z"


def test_the_chain_holds_over_batches_events_and_campaigns(
    ledger: SqliteLedger,
) -> None:
    one, two = (
        write(ledger, "one", rows(5)),
        write(ledger, "two", [planned(1, store=9)]),
    )
    for row_no, state in ((1, S.VERIFIED), (2, S.STALLED), (3, S.IN_DOUBT)):
        take(ledger, one, row_no, state)
        ledger.record_event(two, "run_started", NOW, detail={"pid": 1}, columns={})
    take(ledger, two, 1, S.QUEUED)
    assert_sound(ledger)


def test_the_chain_goes_on_after_reopening(home: Home) -> None:
    with home.open() as ledger:
        take(ledger, write(ledger), 1, S.QUEUED)
    with home.open() as ledger:
        number = ledger.number("q4")
        ledger.apply(number, [move(1, S.QUEUED, S.RUNNING)])
        assert_sound(ledger)


def test_lines_are_canonical_json(ledger: SqliteLedger) -> None:
    number = write(ledger)
    take(ledger, number, 1, S.VERIFIED)
    note = {"z": [1, None, True], "a": {"é": "ü \u2028 \x07 \U0001f511"}}
    ledger.apply(number, [move(2, S.PENDING, S.CANCELLED, note=note, message="mañana")])
    for text in ledger.journal(number):
        again = json.dumps(
            json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        assert text == again


def test_every_line_is_one_line(ledger: SqliteLedger) -> None:
    number = write(ledger)
    ledger.apply(number, [move(1, S.PENDING, S.FAILED, message="a\nb\r\nc\x1b[2J")])
    (_, text) = ledger.journal(number)
    assert "\n" not in text
    assert "\x1b" not in text
    assert json.loads(text)["message"] == r"a\nb\r\nc\x1b[2J"


def test_a_very_long_message_is_cut_in_the_journal(ledger: SqliteLedger) -> None:
    number = write(ledger)
    ledger.apply(number, [move(1, S.PENDING, S.FAILED, message="x" * 100_000)])
    message = lines(ledger, number)[-1]["message"]
    assert len(message) < 2100
    assert message.endswith("characters)")


def test_a_refused_move_leaves_no_line(ledger: SqliteLedger) -> None:
    number = write(ledger)
    ledger.apply(number, [move(1, S.PENDING, S.VERIFIED)])
    assert len(lines(ledger, number)) == 1


def test_line_and_row_are_written_together_or_not_at_all(
    home: Home, ledger: SqliteLedger
) -> None:
    number = write(ledger, planned_rows=rows(300))
    home.fill_up(ledger)
    batch = [
        move(n, S.PENDING, S.SUBMITTING, message="x" * 2000) for n in range(1, 301)
    ]
    with pytest.raises(LedgerWriteFailed):
        ledger.apply(number, batch)
    journal = list(ledger.journal(number))
    assert len(journal) == 1
    assert replayed(journal, states(ledger, number)) == states(ledger, number)


def test_the_journal_says_every_change_but_the_inventory(ledger: SqliteLedger) -> None:
    number = write(ledger)
    fence = Fence(history_id=41, jobs=frozenset({"b", "a"}))
    changes = {"fence": fence, "before": {"web": "ab" * 20}, "submitted_at": NOW}
    ledger.apply(number, [move(1, S.PENDING, S.SUBMITTING, changes=changes)])
    assert lines(ledger, number)[-1]["set"] == {
        "fence": {"history_id": 41, "jobs": ["a", "b"]},
        "submitted_at": "2026-11-23T18:40:00.000Z",
    }


def test_changed_lines_are_seen(ledger: SqliteLedger) -> None:
    """The check these tests rest on can fail."""
    number = write(ledger)
    take(ledger, number, 1, S.QUEUED)
    kept = ledger.campaign("q4")
    journal = list(ledger.journal(number))
    forged = [
        [*journal[:-1], journal[-1].replace("queued", "failed")],
        journal[:-1],
        [*journal[:1], *journal[2:]],
        [journal[0], journal[2], journal[1], *journal[3:]],
    ]
    for lines_ in forged:
        with pytest.raises(AssertionError):
            assert_chained(lines_, kept.journal_head, kept.journal_length)


@pytest.mark.parametrize("end", [S.VERIFIED, S.REJECTED, S.UNKNOWN, S.STALLED])
def test_no_line_holds_what_the_request_says(ledger: SqliteLedger, end: State) -> None:
    """Entry parameters may be sensitive: the journal goes to auditors and tickets."""
    secretive = ReenrollmentRequest(
        keystore_id=store_id(1),
        subject_name=f"CN={SECRET}",
        agent_guid="a",
        alias="web",
        job_properties={"Password": SECRET, SECRET: True},
        certificate_authority=SECRET,
        sans={"dns": [SECRET]},
    )
    number = write(ledger, planned_rows=[planned(1, request=secretive)])
    take(ledger, number, 1, end)
    assert len(lines(ledger, number)) == len(way_to(end))
    assert not any(SECRET in text for text in ledger.journal(number))


def test_no_refusal_repeats_what_the_request_says(ledger: SqliteLedger) -> None:
    secretive = ReenrollmentRequest(
        keystore_id=store_id(7),
        subject_name=f"CN={SECRET}",
        agent_guid="a",
        alias="web",
        job_properties={"Password": SECRET},
    )
    number = write(
        ledger,
        planned_rows=[planned(1, request=secretive), planned(2, request=secretive)],
    )
    take(ledger, number, 1, S.SUBMITTED)
    refusals = ledger.apply(
        number, [move(2, S.PENDING, S.SUBMITTING), move(2, S.PENDING, S.VERIFIED)]
    )
    assert all(refusals)
    assert not any(SECRET in str(refusal) for refusal in refusals)


@pytest.mark.parametrize("control", ["\x9b2J", "\u202e", "\x7f"])
def test_no_control_character_of_command_reaches_a_line_raw(
    ledger: SqliteLedger, control: str
) -> None:
    number = write(ledger)
    take(ledger, number, 1, S.SUBMITTED)
    step = move(
        1,
        S.SUBMITTED,
        S.QUEUED,
        changes={"job_id": f"j{control}"},
        note={"job_ids": [f"j{control}"]},
    )
    assert ledger.apply(number, [step]) == [None]
    assert not any(control in text for text in ledger.journal(number))


def test_an_event_cannot_pass_itself_off_as_another_line(ledger: SqliteLedger) -> None:
    number = write(ledger)
    claims = {"seq": 99, "prev": "0" * 64, "event": "move", "at": "1999"}
    ledger.record_event(number, "run_started", NOW, detail=claims, columns={})
    last = lines(ledger, number)[-1]
    assert (last["seq"], last["event"]) == (1, "run_started")
    assert last["at"] == "2026-11-23T18:40:00.000Z"
    assert_sound(ledger)
