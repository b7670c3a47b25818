"""How far back a first look has to read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from batch_reenroll.campaign.ends import reaches_back
from batch_reenroll.campaign.nouns import JobRecord, JobResult, JobStatus

BEFORE = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RECORD = JobRecord(
    history_id=1,
    job_id="j1",
    agent_machine="orch1",
    client_machine="web1",
    store_path="/web.pem",
    job_type="PEMReenrollment",
    started_at=BEFORE,
    ended_at=None,
    message="",
    result=JobResult.SUCCESS,
    status=JobStatus.COMPLETED,
)


def started(*minutes_after: float) -> list[JobRecord]:
    """Return records with ascending ids, started so long after the moment."""
    return [
        replace(RECORD, history_id=n, started_at=BEFORE + timedelta(minutes=minutes))
        for n, minutes in enumerate(minutes_after, start=1)
    ]


def test_ten_old_rows_reach_back() -> None:
    assert reaches_back(started(*[-1] * 10, 5, 6), BEFORE)


def test_nine_do_not() -> None:
    assert not reaches_back(started(*[-1] * 9), BEFORE)


def test_one_young_row_among_the_oldest_says_that_more_is_to_be_read() -> None:
    assert not reaches_back(started(*[-1] * 9, 0), BEFORE)


def test_a_row_without_a_time_proves_nothing() -> None:
    records = started(*[-1] * 10)
    records[3] = replace(records[3], started_at=None)
    assert not reaches_back(records, BEFORE)


def test_the_oldest_are_those_with_the_lowest_ids_in_any_order() -> None:
    assert reaches_back(reversed(started(*[-1] * 10, *[5] * 10)), BEFORE)
