"""Clients that are not ours work unchanged against the served sandbox.

``keyfactor-command-sdk`` is Keyfactor's own, generated from the API of Command 11: it
sends field names in camelCase, raises on nulls, and wants numbers where other versions
send names.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from command_v11_client import AuthenticatedClient
from command_v11_client.api.agent import get_agents
from command_v11_client.api.certificate_authority import get_certificate_authority
from command_v11_client.api.certificate_store import (
    get_certificate_stores,
    get_certificate_stores_id_inventory,
)
from command_v11_client.api.certificate_store import (
    post_certificate_stores_reenrollment as reenrollment,
)
from command_v11_client.api.certificate_store_type import (
    get_certificate_store_types,
)
from command_v11_client.api.orchestrator_job import (
    get_orchestrator_jobs_job_history,
    get_orchestrator_jobs_scheduled_jobs,
)
from command_v11_client.api.security import get_security_my
from command_v11_client.api.template import get_templates
from command_v11_client.models import (
    KeyfactorCommonQueryableExtensionsSortOrder as SortOrder,
)
from command_v11_client.models import (
    KeyfactorWebKeyfactorApiModelsCertificateStoresReenrollmentRequest as Reenrollment,
)
from sandbox.hosting import hosted
from sandbox.rig import UrlClient

from batch_reenroll.sandbox import (
    FaultScript,
    FleetPlan,
    JobFault,
    SandboxConfig,
    SandboxServer,
    Settings,
)

QUICK: dict[str, Any] = {
    "heartbeat_s": 0.05,
    "job_min_s": 0.01,
    "job_max_s": 0.05,
    "inventory_delay_s": 0.02,
}


def config(folder: Path, dialect: str, **changes: Any) -> SandboxConfig:
    given: dict[str, Any] = {
        "plan": FleetPlan(stores=8, iis_stores=2, orchestrators=2, rsa_pct=0),
        "settings": Settings(dialect=dialect, **QUICK),
        **changes,
    }
    return SandboxConfig(directory=folder / "sandbox", **given)


def sdk(server: SandboxServer, **options: Any) -> AuthenticatedClient:
    env = server.env
    pair = f"{env.get('KEYFACTOR_USERNAME')}:{env.get('KEYFACTOR_PASSWORD')}"
    return AuthenticatedClient(
        base_url=f"{server.url}/KeyfactorAPI",
        prefix="Basic",
        token=base64.b64encode(pair.encode()).decode(),
        raise_on_unexpected_status=True,
        **options,
    )


def listed_stores(client: AuthenticatedClient, **asked: Any) -> list[Any]:
    stores = get_certificate_stores.sync(client=client, **asked)
    assert isinstance(stores, list)
    return stores


def thumbprint(client: AuthenticatedClient, store: Any) -> str:
    entries: Any = get_certificate_stores_id_inventory.sync(client=client, id=store.id)
    return str(entries[0].certificates[0].thumbprint)


def submit(client: AuthenticatedClient, server: SandboxServer, store: Any) -> int:
    """Submit the reenrollment of ``store`` as it is; return the status."""
    rows = {row["KeystoreId"]: row for row in server.fleet.manifest_rows()}
    row = rows[str(store.id)]
    body = Reenrollment(
        keystore_id=str(store.id),
        agent_guid=str(store.agent_id),
        alias=row["Alias"],
        subject_name=row["SubjectName"],
        certificate_template=row["CertificateTemplate"],
    )
    answer = reenrollment.sync_detailed(client=client, json_body=body)
    return int(answer.status_code)


def history(client: AuthenticatedClient, store: Any) -> list[Any]:
    rows = get_orchestrator_jobs_job_history.sync(
        client=client,
        query_string=f'AgentId -eq "{store.agent_id}" AND JobType -contains '
        f'"Reenrollment" AND TargetPath -eq "{store.storepath}"',
        sort_field="JobHistoryId",
        sort_ascending=SortOrder.VALUE_1,
        return_limit=10,
    )
    assert isinstance(rows, list)
    return rows


def ended(client: AuthenticatedClient, store: Any) -> Any:
    """Follow the newest reenrollment of ``store`` in JobHistory until it has ended."""
    for _ in range(400):
        rows = history(client, store)
        if rows and rows[0].status == 3:
            return rows[0]
        time.sleep(0.02)  # there is no other signal from a server
    raise AssertionError("it never ended")


def reenrollable(client: AuthenticatedClient) -> Any:
    return next(
        store
        for store in listed_stores(client, query_string="Approved -eq true")
        if store.reenrollment_status.data
        and store.reenrollment_status.custom_alias_allowed != 0
    )


@pytest.fixture
def command(tmp_path: Path) -> Iterator[SandboxServer]:
    with hosted(config(tmp_path, "11")) as server:
        yield server


def test_keyfactors_sdk_rotates_a_store_and_follows_the_job(
    command: SandboxServer,
) -> None:
    with sdk(command) as client:
        store = reenrollable(client)
        before = thumbprint(client, store)
        assert submit(client, command, store) == 204
        row = ended(client, store)
        for _ in range(400):
            if thumbprint(client, store) != before:
                break
            time.sleep(0.02)

        assert (row.result, row.status) == (2, 3)
        assert row.client_machine == store.client_machine
        assert row.operation_end >= row.operation_start
        assert thumbprint(client, store) != before


def test_keyfactors_sdk_sees_why_a_job_failed(tmp_path: Path) -> None:
    faults = FaultScript(jobs=(JobFault(kind="Reenrollment", result=4),))
    with hosted(config(tmp_path, "11", faults=faults)) as server, sdk(server) as client:
        store = reenrollable(client)
        assert submit(client, server, store) == 204
        row = ended(client, store)

    assert row.result == 4
    assert row.message


def test_keyfactors_sdk_reads_every_list(command: SandboxServer) -> None:
    with sdk(command) as client:
        stores = listed_stores(client, return_limit=4, page_returned=2)
        types = get_certificate_store_types.sync(client=client)
        agents = get_agents.sync(client=client)
        jobs = get_orchestrator_jobs_scheduled_jobs.sync(client=client)

    assert isinstance(types, list)
    assert isinstance(agents, list)
    assert isinstance(jobs, list)
    known = {kind.store_type for kind in types}, {agent.agent_id for agent in agents}
    assert len(stores) == 4
    assert {store.cert_store_type for store in stores} <= known[0]
    assert {store.agent_id for store in stores} <= known[1]
    assert {job.job_type for job in jobs} >= {"PEMInventory", "IISUInventory"}


def test_keyfactors_sdk_reads_cas_and_templates(command: SandboxServer) -> None:
    with sdk(command) as client:
        cas = get_certificate_authority.sync(client=client)
        templates = get_templates.sync(client=client, sort_field="CommonName")

    assert isinstance(cas, list)
    assert isinstance(templates, list)
    policy = command.config.policy
    names = tuple(f"{ca.host_name}\\{ca.logical_name}" for ca in cas)
    assert names == policy.authorities
    assert {ca.allowed_enrollment_types for ca in cas} == {2}
    needs = {item.common_name: item.requires_approval for item in templates}
    assert needs == {
        item.name: item.requires_approval for item in policy.templates.values()
    }


def test_keyfactors_sdk_reads_what_the_account_may_do(command: SandboxServer) -> None:
    with sdk(command) as client:
        own = get_security_my.sync(client=client)

    held: Any = own.global_permissions if own else []
    assert own
    assert own.roles
    assert len({(item.area, item.permission) for item in held}) == len(held) > 1


def test_keyfactors_sdk_reads_stores_that_lack_what_a_store_can_lack(
    tmp_path: Path,
) -> None:
    bare = Settings(dialect="11", nightly_inventory=False, **QUICK)
    with hosted(config(tmp_path, "11", settings=bare)) as server, sdk(server) as client:
        stores = listed_stores(client)

    assert {type(store.inventory_schedule).__name__ for store in stores} == {"Unset"}


def test_keyfactors_sdk_signs_in_with_client_credentials(tmp_path: Path) -> None:
    with hosted(config(tmp_path, "11", auth="oauth")) as server:
        env = server.env
        idp = {
            "tokenURL": env["KEYFACTOR_AUTH_TOKEN_URL"],
            "clientId": env["KEYFACTOR_AUTH_CLIENT_ID"],
            "clientSecret": env["KEYFACTOR_AUTH_CLIENT_SECRET"],
        }
        with sdk(server, idp_args=idp) as client:
            assert len(listed_stores(client)) == 8


NAMES = {
    "plain": ("QueryString", "ReturnLimit", "SortField", "SortAscending"),
    "own": (
        "certificateStoreQuery.queryString",
        "certificateStoreQuery.returnLimit",
        "certificateStoreQuery.sortField",
        "certificateStoreQuery.sortAscending",
    ),
}
ASKED = ("Approved -eq true", 3, "StorePath", 1)


@pytest.mark.parametrize(
    ("dialect", "family", "taken"),
    [
        ("10", "own", True),
        ("10", "plain", False),
        ("11", "own", True),
        ("11", "plain", True),
        ("25", "own", True),
        ("25", "plain", True),
    ],
)
def test_raw_requests_in_either_family_of_query_names(
    tmp_path: Path, dialect: str, family: str, taken: bool
) -> None:
    query = urlencode(dict(zip(NAMES[family], ASKED, strict=True)))
    with hosted(config(tmp_path, dialect)) as server:
        answer = UrlClient(server)._send("GET", f"/CertificateStores?{query}", None)
    paths = [store["Storepath"] for store in answer.json]

    assert answer.status == 200
    assert (len(paths) == 3) == taken
    assert (paths == sorted(paths, key=str.casefold, reverse=True)) == taken
