"""The client against the embedded Command over HTTP, in both dialects.

They share no code, so what they agree on was read twice from the documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from batch_reenroll.campaign.nouns import (
    JobRecord,
    JobResult,
    JobStatus,
    ReenrollmentRequest,
)
from batch_reenroll.command import CommandClient, Secret, connect, resolve
from batch_reenroll.command.connection import BasicAuth
from batch_reenroll.command.dialect import Family
from batch_reenroll.errors import NotAuthorised
from batch_reenroll.sandbox import FleetPlan, SandboxConfig, SandboxServer, Settings

pytestmark = pytest.mark.asyncio

DIALECTS = {
    Family.PLAIN: Settings(heartbeat_s=0.05, product_version="25.4.1+ab"),
    Family.PREFIXED: Settings(
        heartbeat_s=0.05,
        product_version="10.3.0",
        result_enums="string",
        zone_suffix=False,
        return_limit_max=2,
    ),
}


@pytest_asyncio.fixture(params=list(DIALECTS), ids=str)
async def sandbox(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[SandboxServer]:
    config = SandboxConfig(
        directory=tmp_path / "fleet",
        plan=FleetPlan(stores=3, orchestrators=1, rsa_pct=0),
        settings=DIALECTS[request.param],
    )
    async with SandboxServer(config) as server:
        yield server


@pytest_asyncio.fixture
async def client(sandbox: SandboxServer) -> AsyncIterator[CommandClient]:
    connection = resolve(sandbox.env, None)
    assert connection is not None
    async with connect(connection) as connected:
        yield connected


async def finished(client: CommandClient) -> JobRecord:
    """Return the newest job record once its job has ended, asking again and again."""
    async with asyncio.timeout(20):
        while True:
            page = await client.job_history(limit=1).read()
            assert page is not None
            if page.items and page.items[0].status is JobStatus.COMPLETED:
                return page.items[0]


async def test_the_dialect_is_found_out(
    client: CommandClient, sandbox: SandboxServer
) -> None:
    version = sandbox.config.settings.product_version
    assert await client.product_version() == version
    assert client.family is next(
        family for family, s in DIALECTS.items() if s.product_version == version
    )


async def test_what_the_fleet_holds_is_read(
    client: CommandClient, sandbox: SandboxServer
) -> None:
    planned = {store.store_id.lower(): store for store in sandbox.fleet.stores}
    pages = [await client.stores(page=page, limit=2) for page in (1, 2, 3)]
    stores = [store for page in pages for store in page.items]
    assert {store.store_id for store in stores} == set(planned)
    for store in stores:
        plan = planned[store.store_id]
        assert store.store_path == plan.path
        assert store.client_machine == plan.machine
        assert store.agent_id == plan.agent_id.lower()
        assert store.reenrollable is True
        assert await client.store(store.store_id) == store
    kinds = {kind.store_type for kind in await client.store_types()}
    assert {store.store_type for store in stores} <= kinds
    [orchestrator] = (await client.orchestrators(page=1, limit=10)).items
    assert (orchestrator.agent_id, orchestrator.status) == (stores[0].agent_id, 2)


async def test_what_its_cas_issue_is_read(
    client: CommandClient, sandbox: SandboxServer
) -> None:
    policy = sandbox.config.policy
    found = await client.enrollment()
    assert found.authorities == policy.authorities
    assert found.templates is not None
    needs = {item.names[0]: item.needs_approval for item in found.templates}
    assert needs == {
        item.name: item.requires_approval for item in policy.templates.values()
    }


async def test_a_store_that_is_not_there_is_none(client: CommandClient) -> None:
    assert await client.store("00000000-0000-4000-8000-000000000000") is None


async def test_a_reenrollment_is_submitted_followed_and_seen_in_the_inventory(
    client: CommandClient, sandbox: SandboxServer
) -> None:
    plan = sandbox.fleet.stores[0]
    [before] = await client.inventory(plan.store_id)
    status = await client.submit(
        ReenrollmentRequest(
            keystore_id=plan.store_id,
            subject_name=plan.subject,
            agent_guid=plan.agent_id,
            alias=plan.alias,
        )
    )
    assert status == 204
    record = await finished(client)
    assert (record.result, record.store_path) == (JobResult.SUCCESS, plan.path)
    assert "reenrollment" in record.job_type.lower()
    same = await client.job_history(
        limit=5, agent_id=plan.agent_id, job_ids=[record.job_id]
    ).read()
    assert same is not None
    assert same.items[0] == record
    assert (await client.scheduled_jobs(page=1, limit=10)).items == ()
    async with asyncio.timeout(20):
        while True:
            [after] = await client.inventory(plan.store_id)
            if after.thumbprint != before.thumbprint:
                break
    assert before.not_before is not None
    assert after.not_before is not None
    assert after.not_before > before.not_before


async def test_a_wrong_password_is_not_authorised(sandbox: SandboxServer) -> None:
    connection = resolve(sandbox.env, None)
    assert connection is not None
    wrong = BasicAuth(username="sandbox", password=Secret("wrong-password"))
    async with connect(replace(connection, auth=wrong)) as client:
        with pytest.raises(NotAuthorised) as caught:
            await client.product_version()
    assert caught.value.status == 401
