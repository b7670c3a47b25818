"""An embedded Command in a process of its own, and its log as the judge."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acceptance.terminal import Terminal, finished, until
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    load_key_and_certificates,
)

from batch_reenroll.sandbox import Fleet, FleetPlan, draw_fleet
from batch_reenroll.sandbox.fleet import PlannedStore
from batch_reenroll.sandbox.storefiles import file_path, read_store
from batch_reenroll.sandbox.storetypes import StoreFormat

#: Distinctive, so that it cannot stand in a file by chance.
PASSWORD = "Xq7-plainly-secret-9Zt"

Row = dict[str, str]

#: One rule of a fault file, see ``batch_reenroll/sandbox/faultfile.py``.
Fault = dict[str, Any]

#: Times fit for a Command whose orchestrators ask for work three times a second.
QUICK = (
    "--poll-interval=0.2",
    "--rate=100",
    "--per-orchestrator=8",
    "--settle-time=0.5",
    "--verify-timeout=20",
)


@dataclass(slots=True, kw_only=True)
class Served:
    """A running ``sandbox serve``.

    Attributes:
        fleet: What it serves, drawn again from the same plan.
        env: What it said to export, and the password.
    """

    process: subprocess.Popen[str]
    directory: Path
    fleet: Fleet
    env: dict[str, str]
    _taken: set[str] = field(default_factory=set)
    _stores: dict[str, PlannedStore] = field(init=False)
    _online: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._stores = {store.store_id: store for store in self.fleet.stores}
        self._online = {o.agent_id for o in self.fleet.orchestrators if o.online}

    # -- rows ----------------------------------------------------------------------

    def rows(self, n: int, *, broken: int = 0, offline: int = 0) -> list[Row]:
        """Return manifest rows of stores that no test had before.

        Args:
            n: Rows in all, spread over the orchestrators.
            broken: How many of them the CA refuses.
            offline: How many of them lie at an orchestrator that asks for no work.
        """
        chosen = [
            *self._take(broken, broken=True),
            *self._take(offline, online=False),
            *self._take(n - broken - offline),
        ]
        return [{"RowId": f"r{i:04d}", **row} for i, row in enumerate(chosen, 1)]

    def _take(
        self, n: int, *, broken: bool = False, online: bool = True
    ) -> Iterator[Row]:
        for row in self.fleet.manifest_rows():
            if n <= 0:
                return
            is_broken = row["CertificateTemplate"] == "Broken"
            fits = is_broken is broken and self.is_online(row) is online
            if fits and row["KeystoreId"] not in self._taken:
                self._taken.add(row["KeystoreId"])
                n -= 1
                yield row
        assert n <= 0, "the fleet has no such stores left"

    def is_online(self, row: Row) -> bool:
        """Return whether the row's orchestrator asks for work."""
        return row["AgentGuid"] in self._online

    # -- the judge -----------------------------------------------------------------

    def events(self) -> list[dict[str, Any]]:
        """Return the log so far; a line that is being written is left out."""
        text = (self.directory / "sandbox.log.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def posts(self) -> int:
        """Return how many requests other than GET have come."""
        return sum(
            entry["event"] == "request" and entry["method"] != "GET"
            for entry in self.events()
        )

    def job_events(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Return what befell the reenrollment jobs of the rows' stores, in order."""
        wanted = {row["KeystoreId"] for row in rows}
        return [
            entry
            for entry in self.events()
            if entry.get("store_id") in wanted
            and str(entry.get("job_type")).endswith("Reenrollment")
        ]

    def story(self, row: Row) -> list[str]:
        """Return what happened to the reenrollment jobs of a row's store, in words."""
        return [entry["event"] for entry in self.job_events([row])]

    def jobs(self, rows: Iterable[Row]) -> Counter[str]:
        """Return how many reenrollment jobs each store of ``rows`` was given."""
        return Counter(
            entry["store_id"]
            for entry in self.job_events(rows)
            if entry["event"] == "job_created"
        )

    def assert_one_job_each(self, rows: Sequence[Row]) -> None:
        """Fail unless every store was given exactly one job: none twice, none lost."""
        assert self.jobs(rows) == Counter(row["KeystoreId"] for row in rows)

    def posted(self) -> int:
        """Return how many POSTs have come: cheap enough to ask all the time."""
        log = (self.directory / "sandbox.log.jsonl").read_bytes()
        return log.count(b'"method":"POST"')

    def most_open_at_once(self, rows: Iterable[Row]) -> int:
        """Return the most jobs that one store ever had that had not ended."""
        wanted = {row["KeystoreId"] for row in rows}
        open_now: dict[str, set[str]] = {store_id: set() for store_id in wanted}
        most = 0
        for entry in self.events():
            store_id = entry.get("store_id")
            if store_id in wanted and entry["job_type"].endswith("Reenrollment"):
                jobs = open_now[store_id]
                if entry["event"] == "job_created":
                    jobs.add(entry["job_id"])
                elif entry["event"] in ("job_ended", "job_unscheduled"):
                    jobs.discard(entry["job_id"])
                most = max(most, len(jobs))
        return most

    # -- the disk ------------------------------------------------------------------

    def form(self, store_id: str) -> StoreFormat:
        """Return how the store lies on disk."""
        return self._stores[store_id].file_format

    def on_disk(self, store_id: str) -> tuple[PrivateKeyTypes, x509.Certificate]:
        """Return key and certificate that the store's file holds now.

        PEM and PKCS#12 are read by cryptography alone; JKS, which it cannot read, by
        the sandbox's own reader.
        """
        store = self._stores[store_id]
        path = file_path(self.directory, store)
        if store.file_format is StoreFormat.JKS:
            (entry,) = read_store(path, store)
            return entry.key, entry.chain[0]
        data = path.read_bytes()
        if store.file_format is StoreFormat.PEM:
            return load_pem_private_key(data, None), x509.load_pem_x509_certificate(
                data
            )
        key, leaf, _ = load_key_and_certificates(data, store.password.encode())
        assert key is not None
        assert leaf is not None
        return key, leaf

    def thumbprint(self, store_id: str) -> str:
        """Return the thumbprint of the certificate that the store holds now."""
        return thumbprint(self.on_disk(store_id)[1])


def thumbprint(certificate: x509.Certificate) -> str:
    """Return the thumbprint as Command writes it."""
    return certificate.fingerprint(SHA1()).hex()


def serve(
    folder: Path,
    plan: FleetPlan,
    *,
    heartbeat_s: float = 0.3,
    flags: Sequence[str] = (),
) -> Served:
    """Start ``sandbox serve`` in ``folder`` and wait until it listens."""
    terminal = Terminal(folder=folder, env={"SANDBOX_PASSWORD": PASSWORD})
    said = folder / "command.out"
    # To a file: nobody reads a pipe while it serves.
    with said.open("w", encoding="utf-8") as output:
        process = terminal.start(
            *("sandbox", "serve", "--dir", folder / "command"),
            f"--stores={plan.stores}",
            f"--orchestrators={plan.orchestrators}",
            f"--offline={plan.offline}",
            f"--broken={plan.broken_stores}",
            f"--seed={plan.seed}",
            f"--heartbeat={heartbeat_s}",
            "--job-seconds=0.01-0.05",
            "--password-env=SANDBOX_PASSWORD",
            *flags,
            output=output,
        )
    exports = until(lambda: _exports(said), process=process)
    return Served(
        process=process,
        directory=folder / "command",
        fleet=draw_fleet(plan),
        env={**exports, "KEYFACTOR_PASSWORD": PASSWORD},
    )


@contextmanager
def serving(
    folder: Path,
    plan: FleetPlan,
    *,
    requests: Sequence[Fault] = (),
    jobs: Sequence[Fault] = (),
    heartbeat_s: float = 0.3,
) -> Iterator[Served]:
    """Serve a Command of one's own, whose requests and jobs meet faults."""
    folder.mkdir()
    script = folder / "faults.json"
    script.write_text(json.dumps({"requests": list(requests), "jobs": list(jobs)}))
    flags = (f"--faults={script}",)
    served = serve(folder, plan, heartbeat_s=heartbeat_s, flags=flags)
    try:
        yield served
    finally:
        served.process.send_signal(signal.SIGTERM)
        finished(served.process)


def _exports(said: Path) -> dict[str, str]:
    """Return the variables it says to export, once it has said all."""
    words = [shlex.split(line) for line in said.read_text().splitlines()]
    found = dict(w[1].split("=", 1) for w in words if w[:1] == ["export"])
    return found if "KEYFACTOR_USERNAME" in found else {}
