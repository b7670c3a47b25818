"""The core: how a job lives, what the lists show meanwhile, and determinism."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.rig import (
    HISTORY,
    RESCHEDULE,
    SCHEDULED,
    START,
    UNSCHEDULE,
    Caller,
    caller,
    rows_of,
)

from batch_reenroll.sandbox import FleetPlan, JobFault


def first_row(client: Caller) -> dict[str, str]:
    return rows_of(client)[0]


def test_a_submission_is_204_without_a_body_and_shows_as_scheduled() -> None:
    client = caller()
    row = first_row(client)
    answer = client.reenroll(row)
    (job,) = client.get(SCHEDULED).json

    assert (answer.status, answer.body) == (204, b"")
    assert job["Target"] == row["StorePath"]
    assert job["JobType"] == f"{row['StoreType']}Reenrollment"
    assert job["Schedule"] == {"Immediate": True}
    assert client.get(HISTORY).json == []


def test_a_job_leaves_the_scheduled_list_in_the_moment_its_history_row_appears() -> (
    None
):
    client = caller(job_min_s=10.0, job_max_s=10.0)
    for row in rows_of(client)[:6]:
        client.reenroll(row)
    for _ in range(40):
        client.wait(1.0)
        scheduled = {job["Id"] for job in client.get(SCHEDULED).json}
        begun = {job["JobId"] for job in client.reenrollments()}

        assert not scheduled & begun
        assert len(scheduled | begun) == 6


def test_a_running_job_is_in_process_without_an_end() -> None:
    client = caller(job_min_s=10.0, job_max_s=10.0)
    client.reenroll(first_row(client))
    client.wait(3.0)
    (row,) = client.get(HISTORY).json

    assert (row["Status"], row["Result"]) == (2, 0)
    assert "OperationEnd" not in row


def test_a_finished_job_is_completed_in_place() -> None:
    client = caller(job_min_s=10.0, job_max_s=10.0)
    client.reenroll(first_row(client))
    client.wait(3.0)
    (running,) = client.reenrollments()
    client.wait(30.0)
    (ended,) = client.reenrollments()

    assert ended["JobHistoryId"] == running["JobHistoryId"]
    assert (ended["Status"], ended["Result"]) == (3, 2)
    assert ended["OperationEnd"] > ended["OperationStart"]


def test_inventory_shows_the_new_certificate_only_after_the_inventory_job() -> None:
    client = caller(inventory_delay_s=60.0)
    row = first_row(client)
    before = client.inventory(row)
    client.reenroll(row)
    client.wait(30.0)

    assert client.reenrollments()[0]["Status"] == 3
    assert client.inventory(row) == before
    client.wait(60.0)
    (after,) = client.inventory(row)
    assert after["Name"] == row["Alias"]
    (old,), (new,) = before[0]["Certificates"], after["Certificates"]
    assert new["Thumbprint"] != old["Thumbprint"]
    assert new["NotBefore"] > old["NotBefore"]


def test_the_chained_inventory_is_a_job_of_its_own_in_the_history() -> None:
    client = caller()
    client.reenroll(first_row(client))
    client.wait(30.0)
    kinds = [job["JobType"] for job in client.get(HISTORY).json]

    prefix = rows_of(client)[0]["StoreType"]
    assert kinds == [f"{prefix}Reenrollment", f"{prefix}Inventory"]


def test_an_orchestrator_runs_its_jobs_one_after_another() -> None:
    client = caller(FleetPlan(stores=8, orchestrators=1), job_min_s=1.0, job_max_s=3.0)
    for row in rows_of(client):
        client.reenroll(row)
    client.wait(120.0)
    spans = [
        (row["OperationStart"], row["OperationEnd"]) for row in client_rows(client)
    ]

    assert len(spans) == 16
    assert all(one[1] <= two[0] for one, two in pairwise(spans))


def client_rows(client: Caller) -> list[dict[str, str]]:
    return list(client.get(HISTORY, ReturnLimit=1000).json)


def test_an_offline_orchestrator_takes_nothing_and_is_not_seen() -> None:
    client = caller(FleetPlan(stores=4, orchestrators=2, offline=1))
    agents = {a["AgentId"]: a["LastSeen"] for a in client.get("/Agents").json}
    offline = client.core.world.fleet.orchestrators[1].agent_id
    row = next(row for row in rows_of(client) if row["AgentGuid"] == offline)
    client.reenroll(row)
    client.wait(7200.0)

    assert len(client.get(SCHEDULED).json) == 1
    assert client.get(HISTORY).json == []
    assert client.get(f"/Agents/{offline}").json["LastSeen"] == agents[offline]


def test_a_heartbeat_updates_last_seen() -> None:
    client = caller()
    agent = first_row(client)["AgentGuid"]
    before = client.get(f"/Agents/{agent}").json["LastSeen"]
    client.wait(100.0)

    assert client.get(f"/Agents/{agent}").json["LastSeen"] > before


def test_a_second_submission_for_a_store_is_a_second_job() -> None:
    client = caller()
    row = first_row(client)
    client.reenroll(row)
    client.reenroll(row)
    client.wait(30.0)

    assert len({job["JobId"] for job in client.reenrollments()}) == 2


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"CertificateTemplate": "Broken"}, "Broken"),
        ({"CertificateTemplate": "NoSuch"}, "NoSuch"),
        ({"CertificateAuthority": r"ca01.example.com\Nobody"}, "Nobody"),
        ({"SubjectName": "nonsense"}, "CSR"),
    ],
)
def test_what_the_ca_refuses_fails_in_the_job_and_not_in_the_post(
    change: dict[str, object], word: str
) -> None:
    client = caller()
    row = first_row(client)
    before = client.inventory(row)
    answer = client.reenroll(row, **change)
    client.wait(30.0)
    (job,) = client.get(HISTORY).json

    assert answer.status == 204
    assert (job["Result"], job["Status"]) == (4, 3)
    assert word in job["Message"]
    assert client.inventory(row) == before


def test_without_ca_and_template_the_settings_decide() -> None:
    client = caller()
    row = first_row(client)
    client.reenroll(row, CertificateAuthority=None, CertificateTemplate="")
    client.wait(30.0)

    assert client.reenrollments()[0]["Result"] == 2
    assert (
        "Corp Issuing CA 2" in client.inventory(row)[0]["Certificates"][0]["IssuerDN"]
    )


def test_a_failed_job_is_put_back_with_the_same_job_id_and_a_new_row() -> None:
    client = caller(job_retry_count=2, job_retry_delay_s=30.0)
    row = first_row(client)
    client.core.job_faults.set([JobFault(store_id=row["KeystoreId"], times=2)])
    client.reenroll(row)
    client.wait(20.0)

    assert [job["Status"] for job in client.reenrollments()] == [5]
    assert len(client.get(SCHEDULED).json) == 1
    client.wait(120.0)
    tries = client.reenrollments()
    assert [job["Status"] for job in tries] == [5, 5, 3]
    assert [job["Result"] for job in tries] == [4, 4, 2]
    assert len({job["JobId"] for job in tries}) == 1


def test_a_job_that_always_fails_ends_after_its_retries() -> None:
    client = caller(job_retry_count=1, job_retry_delay_s=1.0)
    row = first_row(client)
    client.reenroll(row, CertificateTemplate="Broken")
    client.wait(60.0)

    assert [job["Status"] for job in client.reenrollments()] == [5, 3]


def test_a_scripted_job_can_claim_success_and_change_nothing() -> None:
    client = caller()
    row = first_row(client)
    before = client.inventory(row)
    client.core.job_faults.set([JobFault(result=2)])
    client.reenroll(row)
    client.wait(30.0)

    assert client.reenrollments()[0]["Result"] == 2
    assert client.inventory(row) == before


def test_every_store_is_inventoried_nightly_under_a_job_id_that_stays() -> None:
    client = caller(FleetPlan(stores=5, orchestrators=1), nightly_inventory=True)
    scheduled = {job["Id"] for job in client.get(SCHEDULED).json}
    client.wait(2 * 86_400.0)
    jobs = client.get(HISTORY).json

    assert len(jobs) == 10
    assert {job["JobId"] for job in jobs} == scheduled
    assert all("Daily" in job["Schedule"] for job in jobs)
    assert {job["Id"] for job in client.get(SCHEDULED).json} == scheduled


def test_slow_orchestrators_take_three_times_as_long() -> None:
    plan = FleetPlan(stores=8, orchestrators=4, slow=1)
    client = caller(plan, job_min_s=10.0, job_max_s=10.0)
    for row in rows_of(client):
        client.reenroll(row)
    client.wait(600.0)
    world = client.core.world
    spans = {
        round((row.ended_at or 0) - row.started_at)
        for row in world.history
        if row.job.kind == "Reenrollment" and row.agent.plan.slowness == 3.0
    }
    assert spans == {30}


def test_the_log_tells_every_job_from_its_creation_to_its_end() -> None:
    entries: list[dict[str, object]] = []
    client = caller()
    client.core.world.log = entries.append
    row = first_row(client)
    client.reenroll(row)
    client.wait(30.0)
    told = [e for e in entries if str(e["job_type"]).endswith("Reenrollment")]

    events = ["job_created", "job_started", "job_ended"]
    assert [entry["event"] for entry in told] == events
    assert {entry["store_id"] for entry in told} == {row["KeystoreId"]}
    assert told[0]["by"] == r"EXAMPLE\sandbox"


def test_time_never_goes_back() -> None:
    client = caller()
    client.wait(100.0)
    date = client.get("/Status/Endpoints").headers["Date"]
    client.now -= 50.0

    assert client.get("/Status/Endpoints").headers["Date"] == date


def test_next_event_at_is_the_next_thing_to_happen() -> None:
    core = caller().core
    for _ in range(50):
        due = core.next_event_at()
        assert due is not None
        assert due > core.world.now
        core.advance(due)
        assert core.world.now == due


STEPS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.floats(0, 7),
        st.sampled_from(("post", "history", "jobs", "withdraw", "again")),
    ),
    max_size=20,
)


def transcript(seed: int, steps: list[tuple[int, float, str]], cut: int = 1) -> bytes:
    """Return everything a client sees; each wait is made in ``cut`` parts."""
    plan = FleetPlan(stores=10, orchestrators=3, broken_stores=3, seed=seed)
    client = caller(plan, history_lag_s=2.0, noise_jobs_per_s=0.5)
    said = []
    for n, pause_s, what in steps:
        for part in range(cut):
            client.core.advance(client.now + pause_s * (part + 1) / cut)
        client.now += pause_s
        match what:
            case "post":
                answer = client.reenroll(rows_of(client)[n])
            case "history":
                answer = client.get(HISTORY)
            case "withdraw":
                answer = client.post(UNSCHEDULE, Query=f'TargetPath -contains "{n}"')
            case "again":
                answer = client.post(RESCHEDULE, Query="Result -eq 4")
            case _:
                answer = client.get(SCHEDULED)
        said.append([answer.status, answer.headers, answer.body.decode()])
    return json.dumps(said).encode()


@given(st.integers(0, 5), STEPS)
@settings(max_examples=40)
def test_the_same_requests_at_the_same_times_get_the_same_answers(
    seed: int, steps: list[tuple[int, float, str]]
) -> None:
    assert transcript(seed, steps) == transcript(seed, steps)


@given(STEPS, st.integers(2, 5))
@settings(max_examples=40)
def test_it_does_not_matter_in_how_many_steps_time_advances(
    steps: list[tuple[int, float, str]], cut: int
) -> None:
    assert transcript(1, steps) == transcript(1, steps, cut)


@given(STEPS)
@settings(max_examples=40)
def test_every_accepted_post_makes_exactly_one_job_and_each_ends(
    steps: list[tuple[int, float, str]],
) -> None:
    client = caller(FleetPlan(stores=10, orchestrators=3))
    posted = 0
    for n, pause_s, what in steps:
        client.wait(pause_s)
        if what == "post":
            posted += client.reenroll(rows_of(client)[n]).status == 204
    client.wait(600.0)
    jobs = client.query(HISTORY, "JobType -contains Reenrollment", ReturnLimit=99).json

    assert len({job["JobId"] for job in jobs}) == len(jobs) == posted
    assert all((job["Status"], job["Result"]) == (3, 2) for job in jobs)
    assert client.get(SCHEDULED).json == []
    assert client.core.world.started_at == START
