"""Whatever is asked in whatever dialect: a documented answer, and a world in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from sandbox.rig import (
    ACKNOWLEDGE,
    HISTORY,
    REENROLL,
    RESCHEDULE,
    SCHEDULED,
    UNSCHEDULE,
    Answer,
    Caller,
    UrlClient,
    caller,
    rows_of,
    scheduled_ids,
)

from batch_reenroll.sandbox import (
    FleetPlan,
    JobFault,
    SandboxConfig,
    SandboxServer,
    Settings,
)
from batch_reenroll.sandbox.dialects import DIALECTS

PLAN = FleetPlan(
    stores=6, iis_stores=2, unsupported_stores=1, discovered_stores=1, orchestrators=2
)
DIALECT = st.sampled_from(list(DIALECTS))
CHECKS = st.sampled_from(["strict", "lax"])
PATHS = [
    *("/CertificateStores", "/CertificateStores/{id}", HISTORY, SCHEDULED, "/Agents"),
    *("/CertificateStores/{id}/Inventory", "/Agents/{id}", "/CertificateStoreTypes"),
    *("/CertificateStoreTypes/{id}", "/CertificateStoreTypes/Name/{id}"),
    *(REENROLL, UNSCHEDULE, RESCHEDULE, ACKNOWLEDGE, "/Status/Endpoints", "/{id}"),
]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "X"]
FIELDS = [
    *("KeystoreId", "AgentGuid", "SubjectName", "Alias", "JobProperties", "SANs"),
    *("EnrollmentPatternId", "Metadata", "OwnerRoleId", "Overwrite", "JobIds"),
    *("JobAuditIds", "Query", "CertificateTemplate", "CertificateAuthority"),
]
TEXT = st.text(max_size=20) | st.sampled_from(
    ["%TODAY%", "NULL", "' OR 1=1 --", "../../etc/passwd", "\x00", "\ud800", "a" * 5000]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner),
    max_leaves=6,
)


def in_order(answer: Answer) -> None:
    """Check what holds of every answer."""
    assert answer.status < 500
    if answer.status >= 400:
        body = answer.json
        assert set(body) == {"ErrorCode", "Message"}
        assert body["ErrorCode"].startswith("0x")
        assert body["Message"]
        assert "Traceback" not in body["Message"]


@given(
    st.sampled_from(METHODS), st.sampled_from(PATHS), TEXT, TEXT, st.binary(max_size=30)
)
@settings(max_examples=150)
def test_any_request_has_a_documented_answer(
    method: str, path: str, argument: str, query: str, body: bytes
) -> None:
    client = CLIENTS["25"]
    where = path.replace("{id}", quote(argument, safe="", errors="surrogatepass"))
    target = f"{where}?QueryString={quote(query, safe='', errors='surrogatepass')}"

    in_order(client.send(method, target, body))


CLIENTS = {name: caller(PLAN, dialect=name) for name in DIALECTS}


@given(DIALECT, st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
@settings(max_examples=150)
def test_any_body_in_any_dialect_has_a_documented_answer(
    dialect: str, body: dict[str, Any]
) -> None:
    client = CLIENTS[dialect]
    good = {n: v for n, v in rows_of(client)[0].items() if n in FIELDS}
    for path in (REENROLL, UNSCHEDULE, RESCHEDULE, ACKNOWLEDGE):
        in_order(client.send("POST", path, json.dumps(body).encode()))
    in_order(client.send("POST", REENROLL, json.dumps(good | body).encode()))


QUERY = st.lists(
    st.sampled_from(
        [
            *("AgentId", "JobId", "Result", "Status", "OperationStart", "Message"),
            *("-eq", "-ne", "-contains", "-lt", "-ge", "-startswith", "AND", "OR"),
            *(
                "(",
                ")",
                "NULL",
                '"4"',
                "4",
                '"%TODAY-1%"',
                "%ME%",
                '"x y"',
                '"',
                "true",
            ),
        ]
    ),
    max_size=14,
).map(" ".join)


@given(DIALECT, st.sampled_from(["", "pq."]), QUERY)
@settings(max_examples=200)
def test_any_sentence_of_the_query_language_is_read_or_refused(
    dialect: str, prefix: str, query: str
) -> None:
    answer = CLIENTS[dialect].get(HISTORY, **{f"{prefix}queryString": query})

    assert answer.status in (200, 400)
    in_order(answer)


@pytest.mark.parametrize("path", [REENROLL, UNSCHEDULE, RESCHEDULE, ACKNOWLEDGE])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_body_of_two_megabytes_is_too_large(path: str, dialect: str) -> None:
    body = json.dumps({"Alias": "x" * 2_000_000, "Query": "y"}).encode()
    answer = CLIENTS[dialect].send("POST", path, body)

    assert answer.status == 413
    in_order(answer)


class ManyClients(RuleBasedStateMachine):
    """Several clients who know nothing of each other change the same jobs."""

    client: Caller

    @initialize(dialect=DIALECT, checks=CHECKS, keeps=st.booleans(), lag=st.booleans())
    def open(self, dialect: str, checks: str, keeps: bool, lag: bool) -> None:
        self.client = caller(
            PLAN,
            dialect=dialect,
            post_checks=checks,
            reschedule_keeps_job_id=keeps,
            history_lag_s=3.0 if lag else 0.0,
            job_retry_count=1,
            job_min_s=1.0,
            job_max_s=9.0,
        )
        self.ended: dict[int, tuple[object, ...]] = {}

    @rule(store=st.integers(0, 5), alias=st.sampled_from(["", "other"]))
    def reenroll(self, store: int, alias: str) -> None:
        row = self.client.core.world.manifest_rows()[store % 5]
        given = {"SiteName": "S", "Protocol": "https", "IPAddress": "*"}
        changes: dict[str, Any] = {"Alias": alias} if alias else {}
        if row["StoreType"] == "IISU":
            changes["JobProperties"] = given
        in_order(self.client.reenroll(row, **changes))

    @rule(result=st.sampled_from([2, 3, 4]), times=st.integers(1, 3))
    def let_jobs_end_with(self, result: int, times: int) -> None:
        fault = JobFault(result=result, times=times, message="scripted")
        self.client.core.job_faults.set([fault])

    @rule(seconds=st.sampled_from([0.5, 4.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.client.wait(seconds)

    @rule(which=st.integers(0, 3))
    def unschedule(self, which: int) -> None:
        ids = scheduled_ids(self.client)[which : which + 2]
        answer = self.client.post(UNSCHEDULE, JobIds=ids)
        assert answer.status == (204 if ids else 400)
        assert not {*ids} & {*scheduled_ids(self.client)}

    @rule(path=st.sampled_from([RESCHEDULE, ACKNOWLEDGE]))
    def control_by_query(self, path: str) -> None:
        query = '(Status -eq "3" OR Status -eq "4" OR Status -eq "5") AND Result -ge 3'
        assert self.client.post(path, Query=query).status == 204

    @invariant()
    def a_job_is_scheduled_or_begun(self) -> None:
        if not hasattr(self, "client"):
            return
        world = self.client.core.world
        running = [row.job.job_id for row in world.history if row.ended_at is None]
        assert len(running) == len({*running})
        assert not {*running} & {*world.scheduled}

    @invariant()
    def what_ended_stays_as_it_was(self) -> None:
        if not hasattr(self, "client"):
            return
        for row in self.client.core.world.history:
            if row.ended_at is not None:
                end = (row.ended_at, row.result, row.message, row.started_at)
                assert self.ended.setdefault(row.history_id, end) == end

    @invariant()
    def one_orchestrator_runs_one_job(self) -> None:
        if not hasattr(self, "client"):
            return
        world = self.client.core.world
        busy = [row.agent.agent_id for row in world.history if row.ended_at is None]
        assert len(busy) == len({*busy})


ManyClients.TestCase.settings = settings(max_examples=30, stateful_step_count=25)
test_many_clients_leave_the_jobs_in_order = ManyClients.TestCase


@pytest.mark.asyncio
async def test_requests_that_overlap_on_the_wire_lose_no_job_and_make_none(
    tmp_path: Path,
) -> None:
    plan = FleetPlan(stores=12, orchestrators=3, rsa_pct=0)
    slow = Settings(heartbeat_s=600.0, nightly_inventory=False)
    config = SandboxConfig(directory=tmp_path, plan=plan, settings=slow)
    async with SandboxServer(config) as server:
        client = UrlClient(server)
        rows = server.fleet.manifest_rows()
        posts = [client.reenroll(row) for row in rows for _ in range(3)]
        reads = [client.get(path) for path in (HISTORY, SCHEDULED, "/Agents") * 4]
        answers = await asyncio.gather(*posts, *reads)
        jobs = (await client.get(SCHEDULED, ReturnLimit=100)).json
        # Two clients withdraw the same jobs.
        both = withdrawals(client, jobs[:20]) + withdrawals(client, jobs[:20])
        answers += await asyncio.gather(*both)
        left = (await client.get(SCHEDULED, ReturnLimit=100)).json

    assert {answer.status for answer in answers} == {200, 204}
    assert len({job["Id"] for job in jobs}) == len(jobs) == 3 * len(rows)
    assert {job["Id"] for job in left} == {job["Id"] for job in jobs[20:]}


def withdrawals(
    client: UrlClient, jobs: list[dict[str, Any]]
) -> list[Coroutine[Any, Any, Answer]]:
    return [
        client.send("POST", UNSCHEDULE, json.dumps({"JobIds": [job["Id"]]}).encode())
        for job in jobs
    ]
