"""What a retry takes back, and what it must not forget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batch_reenroll.campaign.lifecycle import OPEN, RETRIES, State, is_legal
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.retry import retried
from batch_reenroll.campaign.rows import Fence, Row

_ROW = Row(
    row_no=1,
    row_id="r1",
    state=State.FAILED,
    request=ReenrollmentRequest(
        keystore_id="k", subject_name="CN=a", agent_guid="g", alias="a"
    ),
    attempts=1,
    fence=Fence(history_id=7),
    thumbprint_before="ab" * 20,
    job_id="job",
    job_history_id=9,
    job_result=4,
)


@pytest.mark.parametrize("state", sorted(RETRIES))
def test_every_retry_is_a_move_the_life_cycle_allows(state: State) -> None:
    decision = retried(replace(_ROW, state=state))
    assert decision is not None
    assert is_legal(state, decision.target)


@pytest.mark.parametrize(
    "state", sorted(OPEN | {State.VERIFIED, State.SUCCEEDED, State.SKIPPED_PREFLIGHT})
)
def test_what_has_not_ended_or_ended_well_is_left_alone(state: State) -> None:
    assert retried(replace(_ROW, state=state)) is None


@pytest.mark.parametrize("state", [State.STALLED, State.UNKNOWN])
def test_a_job_that_may_still_be_there_keeps_its_fence_and_id(state: State) -> None:
    decision = retried(replace(_ROW, state=state))
    assert decision is not None
    assert decision.target is State.IN_DOUBT
    assert not {"job_id", "fence"} & set(decision.changes)


def test_a_job_without_a_result_has_ended_so_the_row_may_go_on() -> None:
    decision = retried(replace(_ROW, state=State.UNKNOWN, job_result=0))
    assert decision is not None
    assert decision.target is State.PENDING


def test_a_new_attempt_forgets_the_old_job_but_not_what_the_store_held() -> None:
    decision = retried(_ROW)
    assert decision is not None
    assert decision.changes["job_id"] is None
    assert decision.changes["fence"] is None
    assert "thumbprint_before" not in decision.changes
    assert decision.changes["retries"] == 1


def test_jobs_that_other_rows_of_the_store_took_are_not_looked_for() -> None:
    row = replace(_ROW, state=State.UNKNOWN, fence=Fence(history_id=7))
    decision = retried(row, taken=frozenset({"job", "of-another-alias"}))
    assert decision is not None
    assert decision.changes["fence"] == Fence(
        history_id=7, jobs=frozenset({"of-another-alias"})
    )
