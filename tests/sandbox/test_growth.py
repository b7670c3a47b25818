"""How JobHistory grows: rows that appear late, out of order, and from elsewhere."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.rig import HISTORY, SCHEDULED, START, Caller, caller, rows_of

from batch_reenroll.sandbox import FleetPlan
from batch_reenroll.sandbox.eventlog import EventLog, read_past


def seen_first(client: Caller, seconds: int) -> dict[int, int]:
    """Return at which second each row was first seen, by JobHistoryId."""
    found: dict[int, int] = {}
    for second in range(seconds):
        client.wait(1.0)
        for row in client.get(HISTORY, ReturnLimit=1000).json:
            found.setdefault(row["JobHistoryId"], second)
    return found


def submitted(**knobs: Any) -> Caller:
    client = caller(FleetPlan(stores=20, orchestrators=10), **knobs)
    for row in rows_of(client):
        client.reenroll(row)
    return client


def test_a_row_may_appear_after_one_with_a_higher_id() -> None:
    found = seen_first(submitted(history_lag_s=30.0), 60)
    seconds = [found[number] for number in sorted(found)]

    assert any(one > two for one, two in pairwise(seconds))


def test_without_a_lag_rows_appear_in_the_order_of_their_ids() -> None:
    found = seen_first(submitted(), 60)
    seconds = [found[number] for number in sorted(found)]

    assert seconds == sorted(seconds)


@given(st.floats(0.1, 100.0), st.integers(0, 3))
@settings(max_examples=20)
def test_no_row_lags_longer_than_the_setting(lag_s: float, seed: int) -> None:
    plan = FleetPlan(stores=10, orchestrators=5, seed=seed)
    client = caller(plan, history_lag_s=lag_s, noise_jobs_per_s=1.0)
    for row in rows_of(client):
        client.reenroll(row)
    client.wait(50.0)
    lags = [row.visible_at - row.started_at for row in client.core.world.history]

    assert len(lags) > 20
    assert 0 <= min(lags) < max(lags) <= lag_s + 1e-6
    assert len(set(lags)) > len(lags) // 2


def test_a_job_whose_row_lags_is_in_neither_list() -> None:
    client = submitted(history_lag_s=30.0)
    client.wait(3.0)
    listed = {job["Id"] for job in client.get(SCHEDULED).json}
    listed |= {job["JobId"] for job in client.reenrollments()}

    assert len(listed) < 20
    client.wait(60.0)
    assert len(client.reenrollments()) == 20


def test_a_row_that_appears_late_shows_what_became_of_the_job_meanwhile() -> None:
    client = submitted(history_lag_s=1000.0)
    client.wait(1000.0)

    assert {row["Status"] for row in client.reenrollments()} == {3}


NOISE = 'JobType -eq "WinCertReenrollment"'


def test_rows_of_stores_outside_the_fleet_appear_at_the_given_rate() -> None:
    client = caller(noise_jobs_per_s=5.0)
    client.wait(200.0)
    rows = client.query(HISTORY, NOISE, ReturnLimit=5000).json

    assert 800 <= len(rows) <= 1200
    assert {(row["Result"], row["Status"]) for row in rows} == {(2, 3)}
    assert all(row["OperationStart"] == row["OperationEnd"] for row in rows)
    assert len({row["JobId"] for row in rows}) == len(rows)
    fleet = {row["ClientMachine"] for row in rows_of(client)}
    assert not {row["ClientMachine"] for row in rows} & fleet


def test_there_is_no_noise_unless_it_is_asked_for() -> None:
    client = caller()
    client.wait(3600.0)

    assert client.get(HISTORY).total == 0


def test_noise_is_among_the_rows_of_each_orchestrator_of_the_fleet() -> None:
    client = caller(noise_jobs_per_s=5.0)
    client.wait(60.0)
    agents = [agent["AgentId"] for agent in client.get("/Agents").json]

    for agent in agents:
        text = f'AgentId -eq "{agent}" AND JobType -contains "Reenrollment"'
        assert client.query(HISTORY, text).total > 0


def test_the_table_grows_while_a_client_pages_through_it() -> None:
    client = caller(noise_jobs_per_s=2.0)
    client.wait(60.0)
    ids: list[int] = []
    for page in range(1, 4):
        params = {"SortField": "JobHistoryId", "SortAscending": 1, "ReturnLimit": 20}
        rows = client.get(HISTORY, PageReturned=page, **params).json
        ids += [row["JobHistoryId"] for row in rows]
        client.wait(5.0)

    assert len(set(ids)) < len(ids)


def test_noise_changes_nothing_about_the_fleets_own_jobs() -> None:
    def spans(client: Caller) -> list[tuple[str, float, float | None]]:
        for row in rows_of(client):
            client.reenroll(row)
        client.wait(120.0)
        rows = client.core.world.history
        ours = [row for row in rows if row.job.by != "noise"]
        return [(row.job.job_id, row.started_at, row.ended_at) for row in ours]

    knobs: dict[str, Any] = {"history_lag_s": 3.0}
    quiet = spans(caller(**knobs))
    assert spans(caller(**knobs, noise_jobs_per_s=7.0)) == quiet
    assert len(quiet) == 40


def test_noise_shows_in_no_other_list() -> None:
    quiet, noisy = caller(), caller(noise_jobs_per_s=50.0)
    noisy.wait(10.0)
    quiet.wait(10.0)

    for path in ("/CertificateStores", SCHEDULED, "/Agents", "/CertificateStoreTypes"):
        assert noisy.get(path).json == quiet.get(path).json


def test_the_log_keeps_noise_apart_from_the_jobs_of_the_fleet(tmp_path: Path) -> None:
    with EventLog(tmp_path / "log") as log:
        client = caller(noise_jobs_per_s=5.0)
        client.core.world.log = log.write
        client.wait(10.0)
    text = (tmp_path / "log").read_text()

    assert '"noise_job"' in text
    assert '"job_' not in text.replace('"job_id"', "").replace('"job_type"', "")
    highest = client.core.world.history[-1].history_id
    assert read_past(tmp_path / "log").last_history_id == highest


@pytest.mark.parametrize("online", [0, 1])
def test_noise_comes_from_orchestrators_that_are_online_if_there_are_any(
    online: int,
) -> None:
    plan = FleetPlan(stores=3, orchestrators=3, offline=3 - online)
    client = caller(plan, noise_jobs_per_s=5.0)
    client.wait(60.0)
    machines = {row["AgentMachine"] for row in client.get(HISTORY).json}

    assert len(machines) == (1 if online else 3)
    assert client.core.world.started_at == START
