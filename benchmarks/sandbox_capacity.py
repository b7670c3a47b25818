"""What the embedded Command can serve, in a process of its own.

A rehearsal against it measures the tool only while the tool asks for less than this.
Real keys, real certificates, real files; the client is a bare aiohttp loop in another
process. Start-up is from the command to the line that says where it listens.

Run it with ``python -m benchmarks.sandbox_capacity``.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from batch_reenroll.sandbox import FleetPlan, draw_fleet
from benchmarks.harness import (
    Contender,
    Goal,
    Options,
    Sample,
    Table,
    arguments,
    measure,
    process,
    publish,
)

ORCHESTRATORS = 100
CONNECTIONS = 16
PROGRAM = (sys.executable, "-m", "batch_reenroll")
_EXPORT = re.compile(r"export (\w+)=(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One embedded Command in its own process.

    Attributes:
        start_s: From the command to its address.
        environ: What a client needs.
        pid: Of its process.
    """

    start_s: float
    environ: Mapping[str, str]
    pid: int

    @property
    def rss_bytes(self) -> int:
        """Its memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found.group(1)) * 1024 if found else 0


@contextlib.contextmanager
def serving(stores: int, heartbeat_s: float = 0.5) -> Iterator[Served]:
    """Serve so many stores until the context is left."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *PROGRAM,
            "sandbox",
            "serve",
            *("--stores", str(stores), "--orchestrators", str(ORCHESTRATORS)),
            *("--heartbeat", str(heartbeat_s), "--job-seconds", "0-0"),
            *("--dir", folder, "--management-port", "0"),
        ]
        began_s = time.perf_counter()
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            yield _announced(server, began_s)
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate()


def _announced(server: subprocess.Popen[str], began_s: float) -> Served:
    environ: dict[str, str] = {}
    start_s = 0.0
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("Listening"):
            start_s = time.perf_counter() - began_s
        if found := _EXPORT.match(line.strip()):
            environ[found.group(1)] = found.group(2).strip("'")
        if "SANDBOX_MANAGEMENT_KEY" in environ:
            break
    return Served(start_s=start_s, environ=environ, pid=server.pid)


def started(stores: int) -> Sample:
    """Return how long the start took; its memory then."""
    with serving(stores) as served:
        return Sample(served.start_s, peak_rss_bytes=served.rss_bytes)


Ask = Callable[[aiohttp.ClientSession, int], Awaitable[None]]


def per_second(served: Served, ask: Ask, n_asks: int) -> Sample:
    """Return requests per second, ``CONNECTIONS`` at a time."""
    return asyncio.run(_per_second(served, ask, n_asks))


async def _per_second(served: Served, ask: Ask, n_asks: int) -> Sample:
    async with _session(served) as session:
        numbers = iter(range(n_asks))

        async def worker() -> None:
            for number in numbers:
                await ask(session, number)

        began_s = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
        return Sample(n_asks / (time.perf_counter() - began_s))


def _session(served: Served) -> aiohttp.ClientSession:
    env = served.environ
    return aiohttp.ClientSession(
        base_url=env["KEYFACTOR_HOSTNAME"],
        headers={
            "x-keyfactor-requested-with": "APIClient",
            "Authorization": aiohttp.encode_basic_auth(
                env["KEYFACTOR_USERNAME"], env["KEYFACTOR_PASSWORD"]
            ),
        },
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
    )


def getting(paths: Sequence[str]) -> Ask:
    """Return the GETs of these paths in turn."""

    async def ask(session: aiohttp.ClientSession, number: int) -> None:
        path = f"/KeyfactorAPI{paths[number % len(paths)]}"
        async with session.get(path) as answer:
            await answer.read()
            answer.raise_for_status()

    return ask


def posting(rows: Sequence[Mapping[str, str]], first: int) -> Ask:
    """Return the POSTs of these rows, from one of them on."""
    keys = ("KeystoreId", "SubjectName", "AgentGuid", "Alias", "CertificateTemplate")

    async def ask(session: aiohttp.ClientSession, number: int) -> None:
        row = rows[(first + number) % len(rows)]
        body = {key: row[key] for key in keys}
        path = "/KeyfactorAPI/CertificateStores/Reenrollment"
        async with session.post(path, json=body) as answer:
            answer.raise_for_status()

    return ask


def jobs_per_second(
    served: Served, rows: Sequence[Mapping[str, str]], first: int, n_jobs: int
) -> Sample:
    """Return how many reenrollments end in a second: key, CSR, certificate, file."""
    began_s = time.perf_counter()
    per_second(served, posting(rows, first), n_jobs)
    asyncio.run(_all_ended(served))
    return Sample(n_jobs / (time.perf_counter() - began_s))


async def _all_ended(served: Served) -> None:
    env = served.environ
    headers = {"Authorization": f"Bearer {env['SANDBOX_MANAGEMENT_KEY']}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            url = f"{env['SANDBOX_MANAGEMENT_URL']}/summary"
            async with session.get(url) as answer:
                found = await answer.json()
            if not found["scheduled_jobs"] and not found["running_jobs"]:
                return
            await asyncio.sleep(0.05)


def planned(served: Served, manifest: Path, folder: Path) -> Sample:
    """Return how long a plan of the manifest takes, its process included."""
    return process(
        [*PROGRAM, "plan", manifest, "-o", folder / "plan.json"],
        environment={**os.environ, **served.environ},
        folder=folder,
    )


def _manifest(rows: Sequence[Mapping[str, str]], path: Path) -> Path:
    keys = ("KeystoreId", "SubjectName", "AgentGuid", "Alias", "CertificateTemplate")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, keys, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


_HISTORY = (
    "/OrchestratorJobs/JobHistory?QueryString=JobType%20-contains%20%22Reenrollment%22"
    "&SortField=JobHistoryId&SortAscending=1&ReturnLimit=100"
)


def main() -> None:
    """Measure and publish."""
    options = arguments(
        "sandbox_capacity", "The embedded Command: what it can serve", repetitions=3
    )
    sizes = [1_000, 10_000] if options.quick else [1_000, 10_000, 50_000, 100_000]
    starts = measure(
        [Contender(f"{n:,} stores", partial(started, n)) for n in sizes],
        title="Start, real keys and files (beyond 2,000 stores: when asked for)",
        unit="s",
        options=options,
    )
    stores, n_asks, n_jobs = sizes[-1 if options.quick else 2], 2000, 600
    plan = FleetPlan(stores=stores, orchestrators=ORCHESTRATORS)
    wishes = draw_fleet(plan).manifest_rows()
    with serving(stores) as served, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [starts, *_rates(options, served, wishes, n_asks, n_jobs)]
        manifest = _manifest(wishes, folder / "manifest.csv")
        plans = measure(
            [
                Contender(
                    f"plan of {len(wishes):,} rows",
                    lambda: planned(served, manifest, folder),
                )
            ],
            title=f"plan against {stores:,} stores",
            unit="s",
            options=options,
        )
    goals = [
        Goal(
            f"start of {sizes[-2]:,} stores, s",
            starts.median(f"{sizes[-2]:,} stores"),
            at_most=5.0,
        )
    ]
    publish(options, [*tables, plans], goals=goals, notes=_NOTES, libraries=["aiohttp"])


_NOTES = [
    "The server is one process of Python on one core; its client, another process, "
    "shares the machine with it. A rehearsal that submits more jobs per second than "
    "the first table of rates shows measures the server, not the tool.",
]


def _rates(
    options: Options,
    served: Served,
    rows: Sequence[Mapping[str, str]],
    n_asks: int,
    n_jobs: int,
) -> list[Table]:
    sent = 0

    def jobs() -> Sample:
        nonlocal sent
        sent += n_jobs
        return jobs_per_second(served, rows, sent - n_jobs, n_jobs)

    def posts() -> Sample:
        # No orchestrator asks for work meanwhile: a POST alone makes no key.
        with serving(len(rows), heartbeat_s=86_400.0) as idle:
            return per_second(idle, posting(rows, 0), n_asks)

    held = [f"/CertificateStores/{row['KeystoreId']}/Inventory" for row in rows[:500]]
    pages = [
        f"/CertificateStores?ReturnLimit=1000&PageReturned={n + 1}"
        for n in range(max(1, len(rows) // 1000))
    ]
    asks = [
        ("GET inventory of a store", getting(held), n_asks),
        ("GET 100 rows of JobHistory", getting([_HISTORY]), n_asks // 4),
        ("GET 1,000 stores", getting(pages), len(pages)),
    ]
    per_second(served, getting(held), len(held))  # they are made when first asked for
    made = measure(
        [Contender("reenrollments, from POST to certificate in the store", jobs)],
        title="Jobs per second",
        unit="jobs/s",
        options=options,
    )
    answered = measure(
        [
            Contender("POST reenrollment", posts),
            *(
                Contender(name, partial(per_second, served, ask, n))
                for name, ask, n in asks
            ),
        ],
        title=f"Requests per second, {CONNECTIONS} connections",
        unit="requests/s",
        options=options,
    )
    return [made, answered]


if __name__ == "__main__":
    main()
