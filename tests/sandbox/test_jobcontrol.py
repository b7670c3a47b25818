"""Unschedule, Reschedule and Acknowledge: what they take and what becomes of jobs."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.rig import (
    ACKNOWLEDGE,
    HISTORY,
    RESCHEDULE,
    SCHEDULED,
    UNSCHEDULE,
    Caller,
    caller,
    failing,
    rows_of,
    scheduled_ids,
)

from batch_reenroll.sandbox import FleetPlan, JobFault

ONE_AGENT = FleetPlan(stores=10, orchestrators=1)


def events(client: Caller) -> list[dict[str, Any]]:
    """Return the list that the sandbox's log goes to from now on."""
    entries: list[dict[str, Any]] = []
    client.core.world.log = entries.append
    return entries


def named(entries: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["event"] == event]


# --- Unschedule


def test_a_job_that_nobody_took_is_withdrawn_and_never_runs() -> None:
    client = caller()
    for row in rows_of(client)[:3]:
        client.reenroll(row)
    first, second, third = scheduled_ids(client)
    answer = client.post(UNSCHEDULE, JobIds=[first.upper(), third])

    assert (answer.status, answer.body) == (204, b"")
    assert scheduled_ids(client) == [second]
    client.wait(60.0)
    assert {job["JobId"] for job in client.reenrollments()} == {second}


def test_jobs_are_withdrawn_by_query() -> None:
    client = caller()
    rows = rows_of(client)
    for row in rows:
        client.reenroll(row)
    agent = rows[0]["AgentGuid"]
    text = f'AgentId -eq "{agent}" AND JobType -contains "Reenrollment"'

    assert client.post(UNSCHEDULE, Query=text).status == 204
    assert client.query(SCHEDULED, text).total == 0
    others = [row for row in rows if row["AgentGuid"] != agent]
    assert len(scheduled_ids(client)) == len(others)


def test_a_job_that_waits_at_a_busy_orchestrator_is_cancelled_at_its_turn() -> None:
    client = caller(ONE_AGENT, job_min_s=10.0, job_max_s=10.0)
    log = events(client)
    for row in rows_of(client)[:3]:
        client.reenroll(row)
    client.wait(5.0)
    (running,) = client.reenrollments()
    second, third = scheduled_ids(client)
    client.post(UNSCHEDULE, JobIds=[second])

    assert scheduled_ids(client) == [third]
    assert named(log, "job_cancelled") == []
    client.wait(60.0)
    ran = [job["JobId"] for job in client.reenrollments()]
    assert ran == [running["JobId"], third]
    (withdrawn,), (cancelled,) = (
        named(log, "job_unscheduled"),
        named(log, "job_cancelled"),
    )
    assert withdrawn["handed_out"] is True
    assert cancelled["job_id"] == withdrawn["job_id"] == second


def test_a_cancelled_job_makes_the_orchestrator_ask_for_work_at_once() -> None:
    client = caller(ONE_AGENT, heartbeat_s=1000.0, job_min_s=30.0, job_max_s=30.0)
    rows = rows_of(client)
    for row in rows[:2]:
        client.reenroll(row)
    beat = client.core.next_event_at()
    assert beat is not None
    client.wait(beat - client.now)
    (waiting,) = scheduled_ids(client)
    client.reenroll(rows[2])
    client.post(UNSCHEDULE, JobIds=[waiting])
    client.wait(40.0)

    assert len(client.reenrollments()) == 2


def test_a_running_job_goes_on_and_the_answer_is_204_all_the_same() -> None:
    client = caller(job_min_s=30.0, job_max_s=30.0)
    client.reenroll(rows_of(client)[0])
    client.wait(5.0)
    (job,) = client.reenrollments()

    assert client.post(UNSCHEDULE, JobIds=[job["JobId"]]).status == 204
    client.wait(60.0)
    assert client.reenrollments()[0]["Result"] == 2


def test_an_unknown_id_does_not_keep_the_others_from_being_withdrawn() -> None:
    client = caller()
    client.reenroll(rows_of(client)[0])

    ids = ["00000000-0000-4000-8000-000000000000", *scheduled_ids(client)]
    assert client.post(UNSCHEDULE, JobIds=ids).status == 204
    assert scheduled_ids(client) == []


def test_the_daily_inventories_cannot_be_withdrawn() -> None:
    client = caller(FleetPlan(stores=3), nightly_inventory=True)
    before = scheduled_ids(client)
    client.post(UNSCHEDULE, JobIds=before)
    client.post(UNSCHEDULE, Query='JobType -contains "Inventory"')

    assert scheduled_ids(client) == before != []


def test_a_job_that_waits_for_its_next_try_can_be_withdrawn() -> None:
    client = failing(job_retry_count=3, job_retry_delay_s=100.0)
    client.post(UNSCHEDULE, JobIds=scheduled_ids(client))
    client.wait(300.0)

    assert [job["Status"] for job in client.reenrollments()] == [5]
    assert scheduled_ids(client) == []


# --- Reschedule


def test_a_failed_job_is_rescheduled_as_a_new_job_with_the_same_wish() -> None:
    client = failing()
    log = events(client)
    (failed,) = client.reenrollments()
    answer = client.post(RESCHEDULE, JobAuditIds=[failed["JobHistoryId"]])

    assert (answer.status, answer.body) == (204, b"")
    (new,) = scheduled_ids(client)
    assert new != failed["JobId"]
    assert client.reenrollments() == [failed]
    client.wait(30.0)
    again = client.reenrollments()[-1]
    assert (again["JobId"], again["Result"]) == (new, 2)
    (told,) = named(log, "job_rescheduled")
    assert told["job_id"] == failed["JobId"]
    assert told["history_id"] == failed["JobHistoryId"]
    assert told["new_job_id"] == named(log, "job_created")[0]["job_id"] == new
    assert told["by"] == r"EXAMPLE\sandbox"


def test_a_server_may_keep_the_job_id() -> None:
    client = failing(reschedule_keeps_job_id=True)
    (failed,) = client.reenrollments()
    client.post(RESCHEDULE, JobAuditIds=[failed["JobHistoryId"]])

    assert scheduled_ids(client) == [failed["JobId"]]
    client.wait(30.0)
    assert [(job["JobId"], job["Result"]) for job in client.reenrollments()] == [
        (failed["JobId"], 4),
        (failed["JobId"], 2),
    ]


@pytest.mark.parametrize("wait_s", [0.0, 3.0])
def test_under_a_kept_id_a_job_is_not_scheduled_or_running_twice(wait_s: float) -> None:
    client = failing(reschedule_keeps_job_id=True, job_min_s=4.0, job_max_s=4.0)
    (failed,) = client.reenrollments()
    for _ in range(2):
        client.post(RESCHEDULE, JobAuditIds=[failed["JobHistoryId"]])
        client.wait(wait_s)
    client.wait(30.0)

    assert len(client.reenrollments()) == 2


def test_a_withdrawn_job_can_be_rescheduled_under_its_id_while_it_is_in_a_queue() -> (
    None
):
    client = caller(
        ONE_AGENT, reschedule_keeps_job_id=True, job_min_s=20.0, job_max_s=20.0
    )
    first, second = rows_of(client)[:2]
    client.core.job_faults.set([JobFault(store_id=first["KeystoreId"], result=4)])
    client.reenroll(first)
    client.wait(25.0)
    (failed,) = client.reenrollments()
    client.reenroll(second)
    client.wait(5.0)
    for _ in range(2):  # the second time it is withdrawn but still queued
        client.post(RESCHEDULE, JobAuditIds=[failed["JobHistoryId"]])
        client.wait(3.0)
        assert scheduled_ids(client) == [failed["JobId"]]
        client.post(UNSCHEDULE, JobIds=[failed["JobId"]])
    client.post(RESCHEDULE, JobAuditIds=[failed["JobHistoryId"]])
    client.wait(200.0)

    ran = [job["JobId"] for job in client.reenrollments()]
    assert ran.count(failed["JobId"]) == 2


def test_under_a_kept_id_a_job_is_not_queued_twice() -> None:
    client = caller(
        ONE_AGENT, reschedule_keeps_job_id=True, job_min_s=20.0, job_max_s=20.0
    )
    client.core.job_faults.set([JobFault()])
    client.reenroll(rows_of(client)[0])
    client.wait(25.0)
    (failed,) = client.reenrollments()
    client.reenroll(rows_of(client)[1])
    for _ in range(3):  # while the orchestrator is busy with the other store
        client.wait(3.0)
        client.post(RESCHEDULE, JobAuditIds=[failed["JobHistoryId"]])
    client.wait(200.0)

    ran = [job["JobId"] for job in client.reenrollments()]
    assert ran.count(failed["JobId"]) == 2


def test_a_job_withdrawn_between_its_tries_runs_once_it_is_rescheduled() -> None:
    client = failing(
        reschedule_keeps_job_id=True, job_retry_count=1, job_retry_delay_s=100.0
    )
    (failed,) = client.reenrollments()
    client.post(UNSCHEDULE, JobIds=[failed["JobId"]])
    client.post(ACKNOWLEDGE, JobAuditIds=[failed["JobHistoryId"]])
    client.post(RESCHEDULE, JobAuditIds=[failed["JobHistoryId"]])
    client.wait(30.0)

    found = [(job["JobId"], job["Result"]) for job in client.reenrollments()]
    assert found == [(failed["JobId"], 4), (failed["JobId"], 2)]


def test_the_documented_query_reschedules_each_failed_reenrollment() -> None:
    client = caller()
    client.core.job_faults.set([JobFault(times=3), JobFault(kind="Inventory")])
    for row in rows_of(client)[:6]:
        client.reenroll(row)
    client.wait(60.0)
    text = 'JobType -ne "Inventory" AND Result -eq "4"'
    text += ' AND (Status -eq "4" OR Status -eq "3")'
    failed = client.query(HISTORY, text).json
    assert sorted(job["JobType"].endswith("Inventory") for job in failed) == [
        *(False, False, False),
        True,
    ]
    client.post(RESCHEDULE, Query=text)

    assert len(scheduled_ids(client)) == 3


@pytest.mark.parametrize(
    ("result", "knobs"), [(2, {}), (3, {}), (0, {}), (4, {"job_retry_count": 1})]
)
def test_what_did_not_fail_for_good_is_not_rescheduled(
    result: int, knobs: dict[str, Any]
) -> None:
    client = failing(result, job_retry_delay_s=1000.0, **knobs)
    before = scheduled_ids(client)
    (row,) = client.reenrollments()

    audit_ids = [row["JobHistoryId"]]
    assert client.post(RESCHEDULE, JobAuditIds=audit_ids).status == 204
    assert scheduled_ids(client) == before


def test_a_row_that_cannot_be_seen_yet_cannot_be_rescheduled() -> None:
    client = failing(history_lag_s=10_000.0)
    assert client.reenrollments() == []
    client.post(RESCHEDULE, JobAuditIds=[1])

    assert scheduled_ids(client) == []


# --- Acknowledge


@pytest.mark.parametrize("result", [3, 4])
@pytest.mark.parametrize("retries", [0, 1])
def test_failures_and_warnings_are_acknowledged(result: int, retries: int) -> None:
    client = failing(result, job_retry_count=retries, job_retry_delay_s=1000.0)
    log = events(client)
    (row,) = client.reenrollments()
    answer = client.post(ACKNOWLEDGE, JobAuditIds=[row["JobHistoryId"]])

    assert (answer.status, answer.body) == (204, b"")
    assert client.reenrollments() == [{**row, "Status": 4}]
    (told,) = named(log, "job_acknowledged")
    assert told["history_id"] == row["JobHistoryId"]


def test_the_documented_query_acknowledges_what_is_eligible() -> None:
    client = caller()
    client.core.job_faults.set([JobFault(result=4), JobFault(result=3)])
    for row in rows_of(client)[:4]:
        client.reenroll(row)
    client.wait(60.0)
    text = '(Result -eq "4" OR Result -eq "3") AND (Status -eq "3" OR Status -eq "5")'
    client.post(ACKNOWLEDGE, Query=text)

    found = {(job["Result"], job["Status"]) for job in client.reenrollments()}
    assert found == {(2, 3), (3, 4), (4, 4)}


@pytest.mark.parametrize("result", [0, 2])
def test_other_results_cannot_be_acknowledged(result: int) -> None:
    client = failing(result)
    (row,) = client.reenrollments()
    client.post(ACKNOWLEDGE, JobAuditIds=[row["JobHistoryId"]])

    assert client.reenrollments() == [row]


def test_a_running_job_cannot_be_acknowledged() -> None:
    client = caller(job_min_s=60.0, job_max_s=60.0)
    client.reenroll(rows_of(client)[0])
    client.wait(5.0)
    client.post(ACKNOWLEDGE, Query="Result -eq 0")

    assert client.reenrollments()[0]["Status"] == 2


def test_an_acknowledged_failure_can_be_rescheduled() -> None:
    client = failing()
    (row,) = client.reenrollments()
    client.post(ACKNOWLEDGE, JobAuditIds=[row["JobHistoryId"]])
    client.post(RESCHEDULE, JobAuditIds=[row["JobHistoryId"]])

    assert len(scheduled_ids(client)) == 1


def test_a_job_that_is_acknowledged_between_its_tries_is_tried_again() -> None:
    client = failing(job_retry_count=1, job_retry_delay_s=100.0)
    client.post(ACKNOWLEDGE, Query="Result -eq 4")
    client.wait(200.0)

    found = [(job["Result"], job["Status"]) for job in client.reenrollments()]
    assert found == [(4, 4), (2, 3)]


# --- What the portal counts


@pytest.mark.parametrize(("days", "n_open"), [(1, 0), (0, 1), (3, 1)])
def test_a_failure_ages_out_of_the_portals_count_and_of_nothing_else(
    days: int, n_open: int
) -> None:
    client = failing(failures_age_out_days=days)
    world = client.core.world
    assert len(world.open_failures()) == 1
    client.wait(2 * 86_400.0)
    assert len(world.open_failures()) == n_open
    (row,) = client.reenrollments()

    assert (row["Result"], row["Status"]) == (4, 3)
    assert client.post(RESCHEDULE, JobAuditIds=[row["JobHistoryId"]]).status == 204
    assert len(scheduled_ids(client)) == 1


def test_an_acknowledged_failure_is_not_counted() -> None:
    client = failing(result=3)
    client.post(ACKNOWLEDGE, Query="Result -eq 3")

    assert client.core.world.open_failures() == []
