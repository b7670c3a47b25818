"""The served sandbox, over real HTTP with a client that is not ours."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.verification import PolicyBuilder, Store
from sandbox.rig import HISTORY, REENROLL, UrlClient, until

from batch_reenroll.sandbox import (
    Action,
    FaultScript,
    FleetPlan,
    Match,
    RequestFault,
    SandboxConfig,
    SandboxError,
    SandboxServer,
    Settings,
)
from batch_reenroll.sandbox.fleet import PlannedStore
from batch_reenroll.sandbox.storefiles import StoreEntry, file_path, read_store
from batch_reenroll.sandbox.storetypes import StoreFormat

QUICK = Settings(
    heartbeat_s=0.05,
    job_min_s=0.01,
    job_max_s=0.05,
    inventory_delay_s=0.02,
    nightly_inventory=False,
)
PLAN = FleetPlan(stores=12, orchestrators=2, rsa_pct=0)


def config(folder: Path, **changes: Any) -> SandboxConfig:
    given: dict[str, Any] = {"plan": PLAN, "settings": QUICK, **changes}
    return SandboxConfig(directory=folder, **given)


@asynccontextmanager
async def serving(
    folder: Path, **changes: Any
) -> AsyncIterator[tuple[SandboxServer, UrlClient]]:
    async with SandboxServer(config(folder, **changes)) as server:
        yield server, UrlClient(server)


def log_of(server: SandboxServer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log_path.read_text().splitlines()]


def store_of(server: SandboxServer, form: StoreFormat) -> PlannedStore:
    return next(item for item in server.fleet.stores if item.file_format is form)


def row_of(server: SandboxServer, store: PlannedStore) -> dict[str, str]:
    rows = {row["KeystoreId"]: row for row in server.fleet.manifest_rows()}
    return rows[store.store_id]


def held(server: SandboxServer, store: PlannedStore) -> StoreEntry:
    folder = server.config.directory
    (entry,) = read_store(file_path(folder, store), store)
    return entry


async def thumbprint(client: UrlClient, store: PlannedStore) -> str:
    answer = await client.get(f"/CertificateStores/{store.store_id}/Inventory")
    return str(answer.json[0]["Certificates"][0]["Thumbprint"])


async def rotated(client: UrlClient, server: SandboxServer, store: PlannedStore) -> str:
    """Reenroll ``store``; return its new thumbprint once inventory shows it."""
    before = await thumbprint(client, store)
    assert (await client.reenroll(row_of(server, store))).status == 204

    async def changed() -> bool:
        return await thumbprint(client, store) != before

    await until(changed)
    return await thumbprint(client, store)


@pytest.mark.parametrize("form", list(StoreFormat))
@pytest.mark.asyncio
async def test_a_reenrollment_puts_a_new_key_and_a_chain_that_verifies_into_the_store(
    tmp_path: Path, form: StoreFormat
) -> None:
    async with serving(tmp_path) as (server, client):
        store = store_of(server, form)
        before = held(server, store)
        shown = await rotated(client, server, store)
        after = held(server, store)

    leaf, issuing = after.chain
    assert leaf.public_key() == after.key.public_key()
    assert after.key.public_key() != before.key.public_key()
    assert leaf.fingerprint(hashes.SHA1()).hex().upper() == shown
    assert after.alias == store.alias
    root = x509.load_pem_x509_certificate(
        (tmp_path / "ca" / "corp-root-ca.pem").read_bytes()
    )
    name = x509.DNSName(f"{store.alias}.example.com")
    verifier = PolicyBuilder().store(Store([root])).build_server_verifier(name)
    assert verifier.verify(leaf, [issuing])[0] == leaf


def keytool(*arguments: str) -> str:
    return subprocess.run(
        ["keytool", *arguments], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(not shutil.which("keytool"), reason="needs a Java runtime")
@pytest.mark.parametrize("form", [StoreFormat.JKS, StoreFormat.PKCS12])
@pytest.mark.asyncio
async def test_java_reads_the_keystore(tmp_path: Path, form: StoreFormat) -> None:
    async with serving(tmp_path) as (server, client):
        store = store_of(server, form)
        shown = await rotated(client, server, store)
    path = str(file_path(tmp_path, store))
    listing = keytool("-list", "-v", "-keystore", path, "-storepass", store.password)

    assert f"Alias name: {store.alias}" in listing
    assert "Entry type: PrivateKeyEntry" in listing
    assert "Certificate chain length: 2" in listing
    assert shown in listing.replace(":", "")


@pytest.mark.skipif(not shutil.which("keytool"), reason="needs a Java runtime")
@pytest.mark.asyncio
async def test_java_unlocks_the_key_of_a_jks(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, _client):
        store = store_of(server, StoreFormat.JKS)
        key = held(server, store).key
    target = tmp_path / "out.p12"
    secret = store.password
    keytool(
        *("-importkeystore", "-noprompt", "-srcalias", store.alias),
        *("-srckeystore", str(file_path(tmp_path, store)), "-srcstoretype", "JKS"),
        *("-srcstorepass", secret, "-srckeypass", secret),
        *("-destkeystore", str(target), "-deststoretype", "PKCS12"),
        *("-deststorepass", secret),
    )
    bag = pkcs12.load_pkcs12(target.read_bytes(), secret.encode())
    assert bag.key is not None
    assert bag.key.public_key() == key.public_key()


@pytest.mark.asyncio
async def test_every_store_is_rotated_once_and_the_log_proves_it(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as (server, client):
        rows = server.fleet.manifest_rows()
        answers = await asyncio.gather(*(client.reenroll(row) for row in rows))
        assert {answer.status for answer in answers} == {204}

        async def all_ended() -> bool:
            text = 'JobType -contains "Inventory" AND Status -eq "3"'
            ended = await client.get(HISTORY, QueryString=text)
            return ended.total == len(rows)

        await until(all_ended)
        created = [e for e in log_of(server) if e["event"] == "job_created"]
        ended = [e for e in log_of(server) if e["event"] == "job_ended"]
    asked = [e["store_id"] for e in created if e["job_type"].endswith("Reenrollment")]

    assert sorted(asked) == sorted(row["KeystoreId"] for row in rows)
    assert {entry["result"] for entry in ended} == {2}
    prints = [
        held(server, store).chain[0].serial_number for store in server.fleet.stores
    ]
    assert len(set(prints)) == len(rows)


@pytest.mark.asyncio
async def test_a_folder_is_opened_again_with_its_stores_and_ids_go_on(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as (server, client):
        store = store_of(server, StoreFormat.JKS)
        shown = await rotated(client, server, store)
        old = (await client.get(HISTORY)).json
    async with serving(tmp_path) as (server, client):
        assert await thumbprint(client, store) == shown
        assert (await client.get(HISTORY)).json == []
        await rotated(client, server, store)
        new = (await client.get(HISTORY)).json

    assert min(row["JobHistoryId"] for row in new) > max(
        row["JobHistoryId"] for row in old
    )
    assert not {row["JobId"] for row in old} & {row["JobId"] for row in new}


@pytest.mark.asyncio
async def test_a_folder_of_another_fleet_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path):
        pass
    with pytest.raises(SandboxError, match="other options"):
        await SandboxServer(config(tmp_path, plan=FleetPlan(stores=5))).start()


@pytest.mark.asyncio
async def test_a_folder_is_served_by_one_process_at_a_time(tmp_path: Path) -> None:
    async with serving(tmp_path):
        with pytest.raises(SandboxError, match="another process"):
            await SandboxServer(config(tmp_path)).start()


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match="cannot start"):
            await SandboxServer(config(tmp_path, port=port)).start()
    async with serving(tmp_path, port=port) as (server, _client):
        assert server.url == f"http://127.0.0.1:{port}"


@pytest.mark.asyncio
async def test_stores_beyond_the_eager_ones_are_made_when_they_are_asked_for(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, eager_stores=0) as (server, client):
        store = store_of(server, StoreFormat.PEM)
        assert not file_path(tmp_path, store).exists()
        await rotated(client, server, store)
        assert file_path(tmp_path, store).exists()


@pytest.mark.asyncio
async def test_scripted_faults_reach_a_real_client(tmp_path: Path) -> None:
    match = Match(method="POST")
    script = FaultScript(
        requests=tuple(
            RequestFault(match=match, action=action)
            for action in (
                Action(drop="before"),
                Action(drop="after"),
                Action(status=503, retry_after_s=1),
                Action(status=500, processed=True),
            )
        )
    )
    async with serving(tmp_path, faults=script) as (server, client):
        row = server.fleet.manifest_rows()[0]
        for _ in range(2):
            with pytest.raises(
                (urllib.error.URLError, http.client.HTTPException, OSError)
            ):
                await client.reenroll(row)
        refused = await client.reenroll(row)
        failed = await client.reenroll(row)
        jobs = [e for e in log_of(server) if e["event"] == "job_created"]

    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert failed.status == 500
    asked = [job for job in jobs if job["job_type"].endswith("Reenrollment")]
    assert len(asked) == 2


@pytest.mark.asyncio
async def test_a_truncated_answer_is_noticed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, client):
        server.faults.set([RequestFault(action=Action(truncate_bytes=10))])
        with pytest.raises(http.client.IncompleteRead) as caught:
            await client.get("/CertificateStores")

    assert caught.value.partial == b'[{"Id":"' + caught.value.partial[8:]
    assert len(caught.value.partial) == 10


@pytest.mark.asyncio
async def test_two_megabytes_are_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_server, client):
        answer = await client.send("POST", REENROLL, b"x" * 1_500_000)
        assert answer.status == 413
        assert (await client.get("/Status/Endpoints")).status == 200


@pytest.mark.asyncio
async def test_wrong_credentials_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, password="right") as (server, client):
        assert (await client.get("/Agents")).status == 200
        async with serving(tmp_path / "other", password="wrong") as (other, _client):
            stranger = UrlClient(other)
            stranger._root = f"{server.url}/KeyfactorAPI"
            assert (await stranger.get("/Agents")).status == 401


@pytest.mark.asyncio
async def test_no_password_and_no_header_reaches_the_log(tmp_path: Path) -> None:
    async with serving(tmp_path, password="hunter2-secret") as (server, client):
        await client.get("/Agents")
        text = server.log_path.read_text() + repr(server.config)

    assert "hunter2-secret" not in text
    assert "Basic" not in text


PROGRAM = """
import sys
from pathlib import Path
from batch_reenroll.sandbox import FleetPlan, SandboxConfig, serve_forever
plan = FleetPlan(stores=3, orchestrators=1)
folder, password = Path(sys.argv[1]), sys.argv[2] or None
config = SandboxConfig(directory=folder, plan=plan, password=password)
serve_forever(config, lambda line: print(line, flush=True))
print("bye", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("password", ["", "given"])
def test_serve_forever_says_what_it_is_and_stops_in_order(
    tmp_path: Path, number: signal.Signals, password: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path), password],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdout is not None
        n_lines = 6 if not password else 5
        head = [process.stdout.readline() for _ in range(n_lines)]
        process.send_signal(number)
        rest = process.stdout.read()

    assert "not for production" in head[0]
    assert any(
        line.startswith("export KEYFACTOR_HOSTNAME=http://127.") for line in head
    )
    assert any("KEYFACTOR_PASSWORD" in line for line in head) is not bool(password)
    assert (rest, process.returncode) == ("bye\n", 0)


@pytest.mark.asyncio
async def test_a_damaged_store_fails_its_job_and_not_the_server(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, client):
        store = store_of(server, StoreFormat.JKS)
        file_path(tmp_path, store).write_bytes(b"damaged")
        assert (await client.reenroll(row_of(server, store))).status == 204

        async def ended() -> bool:
            jobs = (await client.get(HISTORY)).json
            return bool(jobs) and jobs[0]["Status"] == 3

        await until(ended)
        (job,) = (await client.get(HISTORY)).json
    assert job["Result"] == 4
    assert f"{store.path} is no valid store" in job["Message"]

    async with serving(tmp_path, eager_stores=0) as (_server, client):
        inventory = await client.get(f"/CertificateStores/{store.store_id}/Inventory")
        assert (inventory.status, inventory.json) == (200, [])


@pytest.mark.asyncio
async def test_scripted_delays_hold_an_answer_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, client):
        server.faults.set([RequestFault(action=Action(delay_s=0.1, delay_after_s=0.1))])
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert (await client.get("/Agents")).status == 200

        assert loop.time() - begun >= 0.2
