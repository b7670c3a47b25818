"""The life cycle of a row: what the table promises as a whole."""

from __future__ import annotations

import pytest

from batch_reenroll.campaign.lifecycle import (
    MOVES,
    OPEN,
    OUTCOMES,
    UNRESOLVED,
    WITH_COMMAND,
    State,
    is_legal,
    reported_outcome,
)
from batch_reenroll.report import sets

EVERY_MOVE = [(origin, target) for origin in MOVES for target in sorted(MOVES[origin])]


def reachable(origin: State) -> set[State]:
    seen: set[State] = set()
    ahead = [origin]
    while ahead:
        state = ahead.pop()
        if state not in seen:
            seen.add(state)
            ahead.extend(MOVES[state])
    return seen


def test_the_table_has_a_line_for_every_state() -> None:
    assert set(MOVES) == set(State)


@pytest.mark.parametrize(("origin", "target"), EVERY_MOVE)
def test_every_move_of_the_table_is_legal(origin: State, target: State) -> None:
    assert is_legal(origin, target)


def test_every_move_outside_the_table_is_illegal_but_for_a_retry() -> None:
    outside = {(a, b) for a in State for b in State} - set(EVERY_MOVE)
    legal = {(origin, target) for origin, target in outside if is_legal(origin, target)}
    assert {origin for origin, _ in legal} <= set(OUTCOMES)
    sent_again = {move for move in legal if move[1] is not State.VERIFYING}
    assert {target for _, target in sent_again} <= {State.PENDING, State.IN_DOUBT}
    assert legal - sent_again == {(State.WARNING, State.VERIFYING)}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_nothing_but_a_retry_leads_out_of_an_outcome(outcome: State) -> None:
    assert not MOVES[outcome]


@pytest.mark.parametrize("state", State)
def test_no_state_leads_to_itself(state: State) -> None:
    assert not is_legal(state, state)


def test_every_state_can_be_reached_from_pending() -> None:
    assert reachable(State.PENDING) == set(State)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_every_open_state_has_a_way_to_an_outcome(state: State) -> None:
    assert reachable(state) & set(OUTCOMES)


@pytest.mark.parametrize("outcome", [State.STALLED, State.UNKNOWN])
def test_a_retry_can_look_where_a_job_may_still_be_with_command(
    outcome: State,
) -> None:
    assert is_legal(outcome, State.IN_DOUBT)


@pytest.mark.parametrize("outcome", [State.FAILED, State.REJECTED, State.NOT_ATTEMPTED])
def test_a_retry_sends_what_is_surely_not_with_command_again(outcome: State) -> None:
    assert is_legal(outcome, State.PENDING)


@pytest.mark.parametrize("outcome", [State.VERIFIED, State.SKIPPED_ALREADY_ROTATED])
def test_what_has_been_rotated_is_not_retried(outcome: State) -> None:
    assert not any(is_legal(outcome, target) for target in State)


def test_only_an_intent_leads_to_a_request() -> None:
    into = {origin for origin in State if is_legal(origin, State.SUBMITTING)}
    assert into == {State.PENDING}


def test_a_row_whose_job_is_known_is_never_sent_again() -> None:
    assert State.PENDING not in MOVES[State.QUEUED]
    assert State.PENDING not in MOVES[State.RUNNING]
    assert State.PENDING not in MOVES[State.VERIFYING]


def test_an_accepted_request_is_never_sent_again() -> None:
    assert State.PENDING not in MOVES[State.SUBMITTED]


def test_a_request_without_an_answer_is_never_cancelled_or_called_unsent() -> None:
    for state in (State.SUBMITTING, State.IN_DOUBT):
        assert not MOVES[state] & {State.NOT_ATTEMPTED, State.CANCELLED}


def test_what_waits_for_its_proof_is_no_longer_with_command() -> None:
    assert frozenset({State.VERIFYING}) == UNRESOLVED - WITH_COMMAND


def test_open_states_and_outcomes_are_all_states_and_disjoint() -> None:
    assert set(OUTCOMES) | OPEN == set(State)
    assert not set(OUTCOMES) & OPEN


def test_the_outcomes_are_the_twelve_of_the_reports_in_the_same_order() -> None:
    assert tuple(map(str, OUTCOMES)) == sets.OUTCOMES
    assert len(OUTCOMES) == 12


@pytest.mark.parametrize("state", State)
def test_a_report_shows_one_of_the_twelve_for_every_state(state: State) -> None:
    assert reported_outcome(state) in OUTCOMES


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_is_reported_as_itself(outcome: State) -> None:
    assert reported_outcome(outcome) is outcome


def test_a_row_that_was_never_sent_is_reported_as_not_attempted() -> None:
    assert reported_outcome(State.PENDING) is State.NOT_ATTEMPTED


@pytest.mark.parametrize("state", sorted(UNRESOLVED))
def test_a_row_in_flight_is_reported_as_unknown(state: State) -> None:
    assert reported_outcome(state) is State.UNKNOWN
