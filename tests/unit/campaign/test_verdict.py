"""Exit codes: which of several reasons counts."""

from __future__ import annotations

import pytest

from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.verdict import Stop, exit_code


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (Stop.LEDGER, 2),
        (Stop.NOT_AUTHORISED, 8),
        (Stop.UNREACHABLE, 9),
        (Stop.BUDGET, 6),
        (Stop.OPERATOR, 10),
        (Stop.SIGINT, 130),
        (Stop.SIGTERM, 143),
    ],
)
def test_a_stop_has_a_code_of_its_own(stop: Stop, code: int) -> None:
    assert exit_code({State.VERIFIED: 1}, verify=True, stop=stop) == code


@pytest.mark.parametrize("stop", Stop)
def test_every_stop_has_a_code(stop: Stop) -> None:
    assert exit_code({}, verify=True, stop=stop) > 0


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (State.VERIFIED, 0),
        (State.SUCCEEDED, 7),
        (State.WARNING, 5),
        (State.FAILED, 5),
        (State.REJECTED, 5),
        (State.SKIPPED_ALREADY_ROTATED, 0),
        (State.SKIPPED_PREFLIGHT, 5),
        (State.SKIPPED_EXCLUDED, 0),
        (State.NOT_ATTEMPTED, 7),
        (State.STALLED, 7),
        (State.UNKNOWN, 7),
        (State.CANCELLED, 7),
    ],
)
def test_one_row_alone_decides(outcome: State, code: int) -> None:
    assert exit_code({outcome: 1}, verify=True, stop=None) == code


def test_a_success_is_enough_where_no_proof_was_asked_for() -> None:
    assert exit_code({State.SUCCEEDED: 3}, verify=False, stop=None) == 0


def test_a_row_that_is_unknown_counts_before_one_that_failed() -> None:
    counts = {State.FAILED: 9, State.UNKNOWN: 1}
    assert exit_code(counts, verify=True, stop=None) == 7


def test_an_unproven_success_counts_before_one_that_failed() -> None:
    counts = {State.FAILED: 9, State.SUCCEEDED: 1}
    assert exit_code(counts, verify=True, stop=None) == 7


def test_counts_of_zero_count_for_nothing() -> None:
    assert exit_code(dict.fromkeys(OUTCOMES, 0), verify=True, stop=None) == 0


def test_no_rows_end_well() -> None:
    assert exit_code({}, verify=True, stop=None) == 0


def test_a_code_is_never_a_count() -> None:
    assert exit_code({State.FAILED: 200}, verify=True, stop=None) == 5
