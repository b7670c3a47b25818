"""Users, clients and the management port of a served sandbox, over real HTTP.

Every request is made by hand with the standard library.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sandbox.accounts import NEEDED, account, enrolling_on, grant_to, holding
from sandbox.rig import BODY_FIELDS, HISTORY, REENROLL, Answer, basic, until

from batch_reenroll.sandbox import (
    FleetPlan,
    Right,
    SandboxConfig,
    SandboxServer,
    Settings,
    export_lines,
)

PLAN = FleetPlan(stores=8, orchestrators=1, rsa_pct=0, seed=3)
QUICK = {
    "heartbeat_s": 0.05,
    "job_min_s": 0.01,
    "job_max_s": 0.02,
    "inventory_delay_s": 0.01,
    "nightly_inventory": False,
}


@dataclass(frozen=True)
class Client:
    """Sends what it is told to send."""

    root: str
    authorization: str

    async def send(self, method: str, path: str, body: object = None) -> Answer:
        return await asyncio.to_thread(self._send, method, path, body)

    def _send(self, method: str, path: str, body: object) -> Answer:
        headers = {
            "Authorization": self.authorization,
            "Content-Type": "application/json",
            "x-keyfactor-requested-with": "APIClient",
        }
        data = None if body is None else json.dumps(body).encode()
        if isinstance(body, dict) and "grant_type" in body:
            data = urlencode(body).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            del headers["Authorization"]
        request = urllib.request.Request(
            self.root + path, method=method, data=data, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as got:
                return Answer(got.status, dict(got.headers), got.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, dict(refusal.headers), refusal.read())


def as_user(server: SandboxServer, name: str) -> Client:
    return Client(f"{server.url}/KeyfactorAPI", basic(name, f"{name}-secret"))


def manager(server: SandboxServer) -> Client:
    env = server.management_env
    key = env["SANDBOX_MANAGEMENT_KEY"]
    return Client(env["SANDBOX_MANAGEMENT_URL"], f"Bearer {key}")


@asynccontextmanager
async def serving(folder: Path, **changes: Any) -> AsyncIterator[SandboxServer]:
    knobs = changes.pop("knobs", {})
    config = SandboxConfig(
        directory=folder, plan=PLAN, settings=Settings(**(QUICK | knobs)), **changes
    )
    async with SandboxServer(config) as server:
        yield server


async def reenroll(client: Client, row: dict[str, str]) -> str:
    """Do a whole reenrollment; return where it ended: a call, or the job's message."""
    store, params = row["KeystoreId"], quote(f'AgentId -eq "{row["AgentGuid"]}"')
    inventory = f"/CertificateStores/{store}/Inventory"
    for path in ("/CertificateStores?ReturnLimit=100", inventory, "/Agents"):
        answer = await client.send("GET", path)
        if answer.status != 200:
            return f"GET {path.partition('?')[0]} {answer.status}"
    before = (await client.send("GET", inventory)).json[0]["Certificates"][0]
    body = {name: row[name] for name in BODY_FIELDS}
    answer = await client.send("POST", REENROLL, body)
    if answer.status != 204:
        return f"POST {answer.status}"
    history = f"{HISTORY}?pq.queryString={params}&QueryString={params}"
    jobs: list[dict[str, Any]] = []

    async def ended() -> bool:
        listed = (await client.send("GET", history)).json
        jobs[:] = [job for job in listed if job["StorePath"] == row["StorePath"]]
        done = {3, "Completed"}
        return any(
            job["Status"] in done and "Reenrollment" in job["JobType"] for job in jobs
        )

    await until(ended)
    job = next(job for job in jobs if "Reenrollment" in job["JobType"])
    if job["Result"] not in (2, "Success"):
        return str(job["Message"])

    async def rotated() -> bool:
        held = (await client.send("GET", inventory)).json[0]["Certificates"][0]
        return bool(held["Thumbprint"] != before["Thumbprint"])

    await until(rotated)
    return "rotated"


#: Who lacks what, and where that ends.
LACKING = {
    "reader": (Right.READ_STORES, "GET /CertificateStores 403"),
    "watcher": (Right.READ_AGENTS, "GET /Agents 403"),
    "enroller": (Right.ENROLL_CSR, "POST 403"),
    "modifier": (Right.MODIFY_STORES, "POST 403"),
}


@pytest.mark.parametrize("dialect", ["10", "11", "24", "25"])
@pytest.mark.asyncio
async def test_exactly_the_needed_rights_carry_a_reenrollment_and_each_is_needed(
    tmp_path: Path, dialect: str
) -> None:
    users = [
        account(name, holding(*(NEEDED - {right})))
        for name, (right, _) in LACKING.items()
    ]
    exact = holding(*NEEDED)
    identities = (
        *users,
        account("exact", exact),
        account("no-ca", exact, enrollment=enrolling_on([], None)),
        account("no-template", exact, enrollment=enrolling_on(None, [])),
    )
    async with serving(
        tmp_path, identities=identities, knobs={"dialect": dialect}
    ) as server:
        rows = server.fleet.manifest_rows()
        for name, (_, place) in LACKING.items():
            assert await reenroll(as_user(server, name), rows[0]) == place
        no_ca = await reenroll(as_user(server, "no-ca"), rows[0])
        no_template = await reenroll(as_user(server, "no-template"), rows[1])
        assert await reenroll(as_user(server, "exact"), rows[2]) == "rotated"

    assert "certification authority" in no_ca
    assert "certificate template" in no_template


@pytest.mark.asyncio
async def test_rights_for_one_container_rotate_its_stores_and_no_others(
    tmp_path: Path,
) -> None:
    contained = {Right.READ_STORES: {2}, Right.MODIFY_STORES: {2}}
    rights = holding(Right.ENROLL_CSR, Right.READ_AGENTS, containers=contained)
    async with serving(tmp_path, identities=(account("two", rights),)) as server:
        client = as_user(server, "two")
        rows = {
            store.container_id: row
            for store, row in zip(
                server.fleet.stores, server.fleet.manifest_rows(), strict=True
            )
        }
        assert await reenroll(client, rows.pop(2)) == "rotated"
        for row in rows.values():
            assert "404" in await reenroll(client, row)


@pytest.mark.asyncio
async def test_an_oauth_server_exports_a_client_that_works(tmp_path: Path) -> None:
    async with serving(
        tmp_path, auth="oauth", scopes=("command",), audience="aud"
    ) as server:
        env = server.env
        form = {
            "grant_type": "client_credentials",
            "client_id": env["KEYFACTOR_AUTH_CLIENT_ID"],
            "client_secret": env["KEYFACTOR_AUTH_CLIENT_SECRET"],
            "scope": env["KEYFACTOR_AUTH_SCOPES"],
            "audience": env["KEYFACTOR_AUTH_AUDIENCE"],
        }
        endpoint = Client(env["KEYFACTOR_AUTH_TOKEN_URL"], "")
        token = (await endpoint.send("POST", "", form)).json["access_token"]
        refusal = await endpoint.send("POST", "", form | {"client_secret": "x"})
        client = Client(f"{server.url}/KeyfactorAPI", f"Bearer {token}")
        assert await reenroll(client, server.fleet.manifest_rows()[0]) == "rotated"
        nobody = Client(client.root, basic("sandbox", "sandbox-secret"))
        unknown = await nobody.send("GET", "/Agents")
        text = server.log_path.read_text()

    assert (refusal.status, refusal.json["error"]) == (401, "invalid_client")
    assert unknown.headers["WWW-Authenticate"] == 'Bearer realm="Keyfactor"'
    assert "KEYFACTOR_USERNAME" not in env
    assert form["client_secret"] not in text
    assert token not in text


@pytest.mark.asyncio
async def test_nobody_can_guess_the_tokens_of_a_served_sandbox(tmp_path: Path) -> None:
    tokens = []
    for name in ("one", "two"):
        async with serving(tmp_path / name, auth="oauth", client_secret="s") as server:
            endpoint = Client(server.env["KEYFACTOR_AUTH_TOKEN_URL"], "")
            answer = await endpoint.send("POST", "", grant_to("sandbox-client", "s"))
            tokens.append(answer.json["access_token"])
    assert tokens[0] != tokens[1]


@pytest.mark.asyncio
async def test_the_management_port_works_on_a_running_server(tmp_path: Path) -> None:
    async with serving(tmp_path, management_port=0) as server:
        desk = manager(server)
        entry = {"user": "late", "password": "late-secret", "rights": ["all"]}
        assert (await desk.send("POST", "/identities", entry)).status == 201
        client = as_user(server, "late")
        row = server.fleet.manifest_rows()[0]
        agent = f"/orchestrators/{row['AgentGuid']}"
        assert (await desk.send("PATCH", agent, {"online": False})).status == 200
        body = {name: row[name] for name in BODY_FIELDS}
        assert (await client.send("POST", REENROLL, body)).status == 204
        assert (await desk.send("GET", "/summary")).json["scheduled_jobs"] == 1
        assert (await desk.send("PATCH", agent, {"online": True})).status == 200

        async def ended() -> bool:
            jobs = (await client.send("GET", HISTORY)).json
            return bool(jobs) and jobs[0]["Status"] == 3

        await until(ended)
        date = (await client.send("GET", "/Agents")).headers["Date"]
        answer = await desk.send("POST", "/time", {"advance_s": 7200})
        later = (await client.send("GET", "/Agents")).headers["Date"]
        assert (await desk.send("POST", "/faults", {"requests": [{}]})).status == 400
        wrong = Client(desk.root, "Bearer wrong")
        assert (await wrong.send("GET", "/settings")).status == 401
        too_much = await desk.send("PATCH", "/settings", {"x": "y" * 1_100_000})
        assert too_much.status == 413

    assert answer.json["advanced_s"] == 7200
    assert date != later
    assert "late-secret" not in server.log_path.read_text()


@pytest.mark.asyncio
async def test_without_being_asked_there_is_no_management_port(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        assert server.management_env == {}
        client = as_user(server, "sandbox")
        answer = await Client(server.url, client.authorization).send("GET", "/settings")
        assert answer.status == 401


@pytest.mark.asyncio
async def test_secrets_that_were_given_are_not_printed(tmp_path: Path) -> None:
    given = {"client_secret": "given-secret", "management_key": "given-key"}
    async with serving(tmp_path, auth="oauth", management_port=0, **given) as server:
        lines = "\n".join(export_lines(server))
    assert "given-" not in lines
    assert "KEYFACTOR_AUTH_TOKEN_URL" in lines
    assert "SANDBOX_MANAGEMENT_URL" in lines
    assert "given-" not in repr(server.config)


IDENTITIES = {
    "identities": [
        {
            "user": "viewer",
            "password_env": "VIEWER",
            "rights": ["AgentManagement: Read"],
        }
    ],
    "ca_accounts": {"ca01.example.com\\Corp Issuing CA 2": "viewer"},
}


@pytest.mark.parametrize("auth", ["basic", "oauth"])
def test_the_command_line_serves_all_of_it(tmp_path: Path, auth: str) -> None:
    file = tmp_path / "identities.json"
    file.write_text(json.dumps(IDENTITIES))
    flags = [
        *("--dir", str(tmp_path / "site"), "--stores", "2", "--orchestrators", "1"),
        *("--auth", auth, "--identities", str(file), "--management-port", "0"),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "batch_reenroll", "sandbox", "serve", *flags],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "VIEWER": "viewer-secret"},
    ) as process:
        assert process.stdout is not None
        env: dict[str, str] = {}
        while "SANDBOX_MANAGEMENT_KEY" not in env:
            found = re.fullmatch(r"export (\w+)=(\S+)\n", process.stdout.readline())
            if found:
                env[found[1]] = found[2]
        root = f"{env['KEYFACTOR_HOSTNAME']}/KeyfactorAPI"
        viewer = Client(root, basic("viewer", "viewer-secret"))
        desk = Client(
            env["SANDBOX_MANAGEMENT_URL"], f"Bearer {env['SANDBOX_MANAGEMENT_KEY']}"
        )
        statuses = [
            viewer._send("GET", "/Agents", None).status,
            viewer._send("GET", "/CertificateStores", None).status,
            desk._send("GET", "/summary", None).status,
        ]
        process.send_signal(signal.SIGTERM)
        process.stdout.read()

    assert statuses == [200, 403, 200]
    assert process.returncode == 0
    assert ("KEYFACTOR_AUTH_CLIENT_SECRET" in env) is (auth == "oauth")
    assert ("KEYFACTOR_PASSWORD" in env) is (auth == "basic")


def test_an_account_that_nobody_is_cannot_be_the_one_of_a_ca(tmp_path: Path) -> None:
    file = tmp_path / "identities.json"
    file.write_text(json.dumps({"ca_accounts": {"x": "nobody"}}))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "batch_reenroll", "sandbox", "serve"),
            *("--dir", str(tmp_path / "site"), "--identities", str(file)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "nobody" in done.stderr
