"""Ways to send N reenrollments: the product, and what people do without it.

Each is a process: ``python -m benchmarks.submitters WAY URL ROWS CONNECTIONS`` sends
the rows and prints JSON: ``rows_per_s`` and the CPU seconds of the process.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.plan import Verdict
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.cli.carry import SystemClock, run_async
from batch_reenroll.command.connect import connect
from batch_reenroll.command.connection import BasicAuth, Connection
from batch_reenroll.command.decode import reenrollment_body
from batch_reenroll.command.secret import Secret
from batch_reenroll.command.transport import COMMAND_HEADERS
from batch_reenroll.ledger import CampaignLedger, SqliteLedger
from batch_reenroll.runner import Run

CAMPAIGN = "bench"
_ORCHESTRATORS = 100
_USER, _PASSWORD = "CORP\\svc-rotation", "not-a-secret"
_POST = "/CertificateStores/Reenrollment"


def planned_rows(n_rows: int) -> Iterator[PlannedRow]:
    """Yield rows as a plan has them: 100 orchestrators, two CAs, ordinary texts."""
    for number in range(1, n_rows + 1):
        agent = number % _ORCHESTRATORS
        request = ReenrollmentRequest(
            keystore_id=f"{number:08x}-5d3f-4a7b-9c1e-2f6a8b0d4c3e",
            subject_name=f"CN=host{number}.example.com,OU=Web,O=Example,C=US",
            agent_guid=f"{agent:08x}-7777-4a7b-9c1e-2f6a8b0d4c3e",
            alias="web",
            job_properties={"Exportable": "false"} if number % 3 == 0 else {},
            certificate_authority=rf"ca{number % 2}.example.com\Corp Issuing CA 2",
            certificate_template="WebServer",
        )
        verdict = Verdict(
            request=request,
            client_machine=f"host{number}.example.com",
            store_path=f"/etc/pki/tls/store{number}.pem",
            orchestrator=f"orchestrator-{agent:03d}",
            store_type="RFPEM",
            capability="RFPEM",
            place_unique=True,
        )
        cells = (request.keystore_id, request.subject_name, request.agent_guid, "web")
        row_id = str(number)
        yield PlannedRow(row_no=number, row_id=row_id, cells=cells, verdict=verdict)


def campaign_of(url: str, settings: RunSettings) -> Campaign:
    """Return the campaign of all rows."""
    return Campaign(
        campaign_id=CAMPAIGN,
        command_url=url,
        purpose={},
        columns=("KeystoreId", "SubjectName", "AgentGuid", "Alias"),
        defaults={},
        manifest_name="m.csv",
        manifest_path="m.csv",
        settings=settings,
        operator="bench",
        host="bench",
        tool_version="0",
        created_at="2026-11-24T08:00:00.000Z",
    )


def settings_for(n_rows: int, *, look: bool) -> RunSettings:
    """Return the defaults, with limits that do not bind."""
    return RunSettings(
        rate_per_s=1e6,
        burst=1000,
        max_in_flight=n_rows + 1,
        per_orchestrator=n_rows + 1,
        verify=look,
    )


def fill(ledger: SqliteLedger, url: str, settings: RunSettings, n_rows: int) -> None:
    """Write the campaign with all its rows."""
    ledger.create(
        campaign_of(url, settings),
        planned_rows(n_rows),
        at=datetime.now(UTC),
        digests=lambda: ("0" * 64, "0" * 64),
    )


async def product(url: str, n_rows: int, *, look: bool) -> float:
    """Carry a campaign out until every answer is durable; return the seconds."""
    settings = settings_for(n_rows, look=look)
    account = BasicAuth(username=_USER, password=Secret(_PASSWORD))
    connection = Connection(base_url=url, auth=account)
    with (
        tempfile.TemporaryDirectory() as folder,
        SqliteLedger(Path(folder) / "ledger.db") as ledger,
    ):
        fill(ledger, url, settings, n_rows)
        async with connect(connection) as client:
            began_s = time.perf_counter()
            book = CampaignLedger(ledger, CAMPAIGN, requests=lambda: client.requests)
            async with book:
                run = Run(
                    settings=settings,
                    command=client,
                    ledger=book,
                    clock=SystemClock(),
                    roll=random.Random(1).random,
                    standing=ledger.campaign(CAMPAIGN).rows,
                )
                running = asyncio.create_task(run.run())
                while run.snapshot()["states"].get(State.SUBMITTED, 0) < n_rows:
                    if running.done():
                        raise RuntimeError(running.result().message)
                    await asyncio.sleep(0.01)
                took_s = time.perf_counter() - began_s
                run.stop(Stop.OPERATOR)
                await running
        assert ledger.campaign(CAMPAIGN).rows == {State.SUBMITTED: n_rows}
    return took_s


def _bodies(n_rows: int) -> Iterator[dict[str, Any]]:
    for row in planned_rows(n_rows):
        yield reenrollment_body(row.request, properties_as_array=False)


@asynccontextmanager
async def _session(connections: int) -> Any:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        headers={
            **COMMAND_HEADERS,
            "Content-Type": "application/json",
            "Authorization": aiohttp.encode_basic_auth(_USER, _PASSWORD),
        },
        timeout=aiohttp.ClientTimeout(total=60),
    ) as session:
        yield session


async def bare_loop(url: str, n_rows: int, connections: int, *, look: bool) -> float:
    """Send the same bodies by plain aiohttp: no ledger, no pace; return seconds."""
    bodies = list(_bodies(n_rows))
    async with _session(connections) as session:
        rest = iter(bodies)

        async def worker() -> None:
            for body in rest:
                if look:
                    store = f"{url}/CertificateStores/{body['KeystoreId']}/Inventory"
                    async with session.get(store) as found:
                        assert len(await found.json()) == 1
                text = json.dumps(body).encode()
                async with session.post(url + _POST, data=text) as answer:
                    await answer.read()
                    assert answer.status == 204

        began_s = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(connections):
                tasks.create_task(worker())
        return time.perf_counter() - began_s


def threads(url: str, n_rows: int, n_threads: int) -> float:
    """Send by ``requests``, a session for each thread; return the seconds."""
    import requests

    def worker(rest: Iterator[dict[str, Any]]) -> None:
        with requests.Session() as session:
            session.headers.update(COMMAND_HEADERS)
            session.auth = (_USER, _PASSWORD)
            session.trust_env = False
            for body in rest:
                answer = session.post(url + _POST, json=body, timeout=60)
                assert answer.status_code == 204

    bodies = list(_bodies(n_rows))
    shares = [iter(bodies[at::n_threads]) for at in range(n_threads)]
    began_s = time.perf_counter()
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(worker, shares))
    return time.perf_counter() - began_s


def main() -> None:
    """Send, and print what it took."""
    way, url, rows, connections = sys.argv[1:]
    n_rows, n_connections = int(rows), int(connections)
    ways: dict[str, Callable[[], float]] = {
        "product": lambda: run_async(product(url, n_rows, look=False)),
        "product-look": lambda: run_async(product(url, n_rows, look=True)),
        "bare": lambda: uvloop.run(bare_loop(url, n_rows, n_connections, look=False)),
        "bare-look": lambda: uvloop.run(
            bare_loop(url, n_rows, n_connections, look=True)
        ),
        "threads": lambda: threads(url, n_rows, n_connections),
    }
    took_s = ways[way]()
    print(json.dumps({"rows_per_s": n_rows / took_s}))


if __name__ == "__main__":
    main()
