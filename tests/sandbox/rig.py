"""Two clients of the sandbox that share no code with the product's own.

``Caller`` speaks to a core directly; ``UrlClient`` speaks HTTP through urllib.
"""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from batch_reenroll.sandbox import (
    Core,
    FleetPlan,
    Identity,
    JobFault,
    Request,
    SandboxServer,
    Settings,
    SimulatedWorks,
    draw_fleet,
)
from batch_reenroll.sandbox.works import StoreWorks

START = 1_800_000_000.0  # 2027-01-15 08:00 UTC
REENROLL = "/CertificateStores/Reenrollment"
HISTORY = "/OrchestratorJobs/JobHistory"
SCHEDULED = "/OrchestratorJobs/ScheduledJobs"
UNSCHEDULE = "/OrchestratorJobs/Unschedule"
RESCHEDULE = "/OrchestratorJobs/Reschedule"
ACKNOWLEDGE = "/OrchestratorJobs/Acknowledge"
BODY_FIELDS = (
    *("KeystoreId", "SubjectName", "AgentGuid", "Alias"),
    *("CertificateAuthority", "CertificateTemplate"),
)


def basic(user: str = "sandbox", password: str = "secret") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def total(self) -> int:
        return int(self.headers["X-Total-Count"])


@dataclass
class Caller:
    """Calls a core at a time it keeps itself."""

    core: Core
    now: float = START
    base: str = "/KeyfactorAPI"
    headers: dict[str, str] = field(
        default_factory=lambda: {
            "authorization": basic(),
            "content-type": "application/json",
            "x-keyfactor-requested-with": "APIClient",
        }
    )

    def send(self, method: str, target: str, body: bytes = b"") -> Answer:
        request = Request(
            method=method, target=self.base + target, headers=self.headers, body=body
        )
        response = self.core.handle(request, self.now)
        return Answer(response.status, dict(response.headers), response.body)

    def get(self, path: str, **params: object) -> Answer:
        return self.send("GET", path + ("?" + urlencode(params) if params else ""))

    def post(self, path: str, **body: object) -> Answer:
        return self.send("POST", path, json.dumps(body).encode())

    def query(self, path: str, text: str, **params: object) -> Answer:
        return self.get(path, QueryString=text, **params)

    def reenroll(self, row: dict[str, str], **changes: object) -> Answer:
        body: dict[str, object] = {name: row[name] for name in BODY_FIELDS}
        return self.post(REENROLL, **(body | changes))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.core.advance(self.now)

    def reenrollments(self) -> Any:
        return self.query(HISTORY, 'JobType -contains "Reenrollment"').json

    def inventory(self, row: dict[str, str]) -> Any:
        return self.get(f"/CertificateStores/{row['KeystoreId']}/Inventory").json


def caller(
    plan: FleetPlan | None = None, *, works: StoreWorks | None = None, **knobs: Any
) -> Caller:
    """Return a caller of a fresh simulated core; 20 stores on 2 orchestrators."""
    plan = plan or FleetPlan(stores=20, orchestrators=2)
    core = Core(
        draw_fleet(plan),
        works or SimulatedWorks(),
        started_at=START,
        settings=Settings(**{"nightly_inventory": False, **knobs}),
        identities=(Identity(user="sandbox", password="secret"),),
    )
    return Caller(core)


def rows_of(client: Caller) -> list[dict[str, str]]:
    return client.core.world.fleet.manifest_rows()


def scheduled_ids(client: Caller) -> list[str]:
    return [job["Id"] for job in client.get(SCHEDULED).json]


def failing(result: int = 4, **knobs: Any) -> Caller:
    """Return a client with one reenrollment that ended with ``result``."""
    client = caller(**knobs)
    client.core.job_faults.set([JobFault(result=result)])
    client.reenroll(rows_of(client)[0])
    client.wait(10.0)
    return client


class UrlClient:
    """Speaks HTTP to a served sandbox with the standard library only."""

    def __init__(
        self, server: SandboxServer, *, signed_in: tuple[str, str] | None = None
    ) -> None:
        env = server.env
        self._root = f"{env['KEYFACTOR_HOSTNAME']}/{env['KEYFACTOR_API_PATH']}"
        own = env["KEYFACTOR_USERNAME"], env["KEYFACTOR_PASSWORD"]
        user, password = signed_in or own
        self._headers = {
            "Authorization": basic(user, password),
            "Content-Type": "application/json",
            "x-keyfactor-requested-with": "APIClient",
        }

    async def send(self, method: str, target: str, body: bytes | None = None) -> Answer:
        return await asyncio.to_thread(self._send, method, target, body)

    def _send(self, method: str, target: str, body: bytes | None) -> Answer:
        request = urllib.request.Request(
            self._root + target, method=method, data=body, headers=self._headers
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as got:
                return Answer(got.status, dict(got.headers), got.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, dict(refusal.headers), refusal.read())

    async def get(self, path: str, **params: object) -> Answer:
        query = "?" + urlencode(params) if params else ""
        return await self.send("GET", path + query)

    async def reenroll(self, row: dict[str, str]) -> Answer:
        body = {name: row[name] for name in BODY_FIELDS}
        return await self.send("POST", REENROLL, json.dumps(body).encode())


async def until(check: Callable[[], Awaitable[bool]], *, tries: int = 400) -> None:
    """Ask until the answer is yes; there is no other signal from a server."""
    for _ in range(tries):
        if await check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never became true")
