"""``demo``: a whole campaign on an embedded Command, with nothing else installed."""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.cli.carry import Errand, Outcome, carry, run_async
from batch_reenroll.cli.choice import Choice
from batch_reenroll.cli.connection import way_to
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.files import ledger_path, validated
from batch_reenroll.cli.options import (
    console_from,
    console_options,
    ledger_option,
    reports_option,
)
from batch_reenroll.cli.plan import look
from batch_reenroll.cli.planning import write_campaign
from batch_reenroll.cli.planshow import show_plan
from batch_reenroll.cli.reporting import rows_of
from batch_reenroll.cli.run import say_outcome
from batch_reenroll.cli.source import ManifestSource
from batch_reenroll.cli.standing import is_unfinished
from batch_reenroll.command import BasicAuth, Connection, Secret
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.sandbox import (
    FleetPlan,
    SandboxConfig,
    SandboxError,
    SandboxServer,
    Settings,
)
from batch_reenroll.text import defuse

_MARK = "demo.json"

#: What the demo's rows are meant to end as, besides ``verified``.
_BROKEN, _OFFLINE_STORES = 3, 2

_COLUMNS = (
    "RowId",
    "KeystoreId",
    "SubjectName",
    "AgentGuid",
    "Alias",
    "CertificateAuthority",
    "CertificateTemplate",
    "CurrentThumbprint",
    "x-expected",
)

_MANIFEST = """\
# Written by `batch-reenroll demo`: a campaign of the embedded Command's whole fleet.
version: 1
campaign:
  name: demo
  reason: Issuing CA 1 retires; every store moves to Issuing CA 2
  ticket: CHG0042
  requested_by: pki-team
  approved_by: change-advisory-board
rows_from: stores.csv
"""


@click.command()
@click.option("--stores", default=200, show_default=True, help="At least 20.")
@click.option("--orchestrators", default=8, show_default=True, help="At least 2.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same fleet.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-data"),
    show_default=True,
    help="Stores, CA, manifest; made anew each time.",
)
@click.option(
    "--resume", "resuming", is_flag=True, help="Go on with the one interrupted."
)
@ledger_option
@reports_option
@console_options
def demo(**values: Any) -> int:
    """Start an embedded Command with real certificates and rotate them all.

    A few rows are made to fail, to show what that looks like. Exits 0 when every row
    ended as the demo scripted it.
    """
    console = console_from(values)
    if values["stores"] < 20 or values["orchestrators"] < 2:
        message = "the demo needs at least 20 stores and 2 orchestrators"
        raise UsageError(message)
    stage = Stage(
        directory=values["directory"],
        ledger_url=values["ledger"],
        reports=values["reports"],
        console=console,
    )
    try:
        if values["resuming"]:
            return run_async(stage.go_on())
        script = Script(
            stores=values["stores"],
            orchestrators=values["orchestrators"],
            seed=values["seed"],
        )
        return run_async(stage.play(script))
    except SandboxError as exc:
        raise UsageError(str(exc), code="sandbox") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Which fleet the demo plays on; ``port`` 0 = any free one."""

    stores: int
    orchestrators: int
    seed: int
    port: int = 0

    def config(self, directory: Path) -> SandboxConfig:
        """Return the embedded Command's configuration."""
        return SandboxConfig(
            directory=directory / "command",
            plan=FleetPlan(
                stores=self.stores,
                orchestrators=self.orchestrators,
                broken_stores=_BROKEN,
                offline=1,
                offline_stores=_OFFLINE_STORES,
                seed=self.seed,
            ),
            settings=Settings(heartbeat_s=1.0),
            port=self.port,
        )


#: Times fit for an embedded Command whose orchestrators ask for work every second.
_SETTINGS = RunSettings(
    rate_per_s=50.0,
    per_orchestrator=8,
    poll_interval_s=0.5,
    pickup_timeout_s=15.0,
    settle_time_s=2.0,
    verify_timeout_s=30.0,
    grace_s=20.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a demo is played."""

    directory: Path
    ledger_url: str
    reports: Path
    console: Console

    @property
    def manifest(self) -> Path:
        """The manifest the demo writes; its rows stand beside it."""
        return self.directory / "manifest.yaml"

    async def play(self, script: Script) -> int:
        """Lay the fleet out and carry a whole campaign out on it."""
        self._clear()
        console = self.console
        console.info(
            f"starting an embedded Command with {script.stores} certificate stores on "
            f"{script.orchestrators} orchestrators (real keys and certificates)"
        )
        async with SandboxServer(script.config(self.directory)) as server:
            self.manifest.write_text(_MANIFEST, encoding="utf-8")
            write_rows(self.directory / "stores.csv", server)
            connection = _connection(server)
            now_utc = datetime.now(UTC)
            source = ManifestSource(
                self.manifest,
                validated(self.manifest),
                settings=_SETTINGS,
                command_url=connection.base_url,
                now_utc=now_utc,
            )
            console.info(f"manifest: {self.manifest}")
            with SqliteLedger(ledger_path(self.ledger_url)) as ledger:
                taken = ledger.open_stores(connection.base_url)
                way = way_to(connection, console)
                planner = await look(source, Choice(), way, taken=taken)
                campaign = write_campaign(
                    ledger, source, planner, campaign_id=None, now_utc=now_utc
                )
                show_plan(planner, source, console)
                port = int(server.url.rpartition(":")[2])
                self._remember(replace(script, port=port), campaign.campaign_id)
                return await self._carry(ledger, campaign.campaign_id, connection)

    async def go_on(self) -> int:
        """Start the same embedded Command again and resume the campaign."""
        script, campaign_id = self._recall()
        async with SandboxServer(script.config(self.directory)) as server:
            with SqliteLedger(ledger_path(self.ledger_url), create=False) as ledger:
                return await self._carry(ledger, campaign_id, _connection(server))

    async def _carry(
        self, ledger: SqliteLedger, campaign_id: str, connection: Connection
    ) -> int:
        errand = Errand(
            ledger=ledger,
            campaign_id=campaign_id,
            settings=_SETTINGS,
            connect=way_to(connection, self.console),
            reports=self.reports,
            console=self.console,
            resume="batch-reenroll demo --resume",
            # Its jobs end with this process: follow them while they can be followed.
            drain=True,
        )
        outcome = await carry(errand)
        say_outcome(outcome, self.console, resume=errand.resume)
        return self._judge(ledger, outcome)

    def _judge(self, ledger: SqliteLedger, outcome: Outcome) -> int:
        """Return 0 when every row ended as the demo scripted it."""
        campaign = outcome.campaign
        if is_unfinished(campaign):
            return outcome.exit_code
        strays = [
            f"row {row.row_id} ended {row.result['outcome']}, not {row.cells[-1]}"
            for row in rows_of(ledger, campaign.campaign_id)
            if row.result["outcome"] != row.cells[-1]
        ]
        for stray in strays:
            self.console.warn(stray)
        if strays:
            return outcome.exit_code or 1
        self.console.info(
            "every row ended as the demo scripted it; run by itself, this campaign "
            f"would exit with {outcome.exit_code}, because some rows did not end well"
        )
        return 0

    def _clear(self) -> None:
        """Make the folder anew; never remove one that is not a demo's."""
        if self.directory.exists():
            if any(self.directory.iterdir()) and not self._mark.exists():
                message = f"{self.directory} is not empty and not a demo's folder"
                raise UsageError(message, hint="name another folder with --dir")
            shutil.rmtree(self.directory)
        self.directory.mkdir(parents=True)
        self._mark.write_text("{}", encoding="utf-8")

    @property
    def _mark(self) -> Path:
        return self.directory / _MARK

    def _remember(self, script: Script, campaign_id: str) -> None:
        value = {
            "campaign_id": campaign_id,
            "stores": script.stores,
            "orchestrators": script.orchestrators,
            "seed": script.seed,
            "port": script.port,
        }
        self._mark.write_text(json.dumps(value), encoding="utf-8")

    def _recall(self) -> tuple[Script, str]:
        try:
            value = json.loads(self._mark.read_text(encoding="utf-8"))
            campaign_id = value.pop("campaign_id")
            return Script(**value), campaign_id
        except (OSError, ValueError, KeyError, TypeError) as exc:
            message = f"there is no interrupted demo in {self.directory}"
            raise UsageError(message, hint="start one: batch-reenroll demo") from exc


def _connection(server: SandboxServer) -> Connection:
    env = server.env
    return Connection(
        base_url=f"{env['KEYFACTOR_HOSTNAME']}/{env['KEYFACTOR_API_PATH']}",
        auth=BasicAuth(
            username=env["KEYFACTOR_USERNAME"],
            password=Secret(env["KEYFACTOR_PASSWORD"]),
        ),
    )


def write_rows(path: Path, server: SandboxServer) -> None:
    """Write a row for each store of the fleet, and what each row is meant to end as."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for row in _rows(server):
            writer.writerow({key: defuse(value) for key, value in row.items()})


def _rows(server: SandboxServer) -> Iterator[dict[str, str]]:
    offline = {o.agent_id for o in server.fleet.orchestrators if not o.online}
    broken = {s.store_id for s in server.fleet.stores if s.template.name == "Broken"}
    numbers: Counter[str] = Counter()
    rotated = False
    for row in server.fleet.manifest_rows():
        numbers["store"] += 1
        expected = State.VERIFIED
        if row["AgentGuid"] in offline:
            expected = State.STALLED
        elif row["KeystoreId"] in broken:
            expected = State.FAILED
        elif not rotated:
            # One row names a certificate that is not there any more.
            rotated, expected = True, State.SKIPPED_ALREADY_ROTATED
            row["CurrentThumbprint"] = "0" * 40
        row_id = f"store-{numbers['store']:04d}"
        yield {**row, "RowId": row_id, "x-expected": str(expected)}
    yield {
        **row,
        "RowId": "unknown-store",
        "KeystoreId": str(uuid.UUID(int=server.config.plan.seed, version=4)),
        "AgentGuid": "",
        "x-expected": str(State.SKIPPED_PREFLIGHT),
    }
