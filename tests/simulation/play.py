"""Plays a scenario: the real runner, ledger and client against the sandbox's core."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulation.network import OPERATOR, PASSWORD, STRANGER, Died, Life, Wire, basic
from simulation.scenario import Scenario, Weather
from simulation.virtual import VirtualLoop

from batch_reenroll.campaign.lifecycle import RETRIES, WITH_COMMAND, State
from batch_reenroll.campaign.plan import Wish, resolve
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.rows import Move, Row
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.retry import taken_back
from batch_reenroll.command import CommandClient
from batch_reenroll.command.auth import FixedAuth
from batch_reenroll.command.connection import BasicAuth
from batch_reenroll.command.secret import Secret
from batch_reenroll.errors import LedgerError
from batch_reenroll.ledger import CampaignLedger, SqliteLedger
from batch_reenroll.runner import Run, RunEnd, read_directory
from batch_reenroll.sandbox import (
    Core,
    Identity,
    Request,
    SimulatedWorks,
    draw_fleet,
)

#: 2027-01-15 08:00 UTC.
START = 1_800_000_000.0

CAMPAIGN = "simulated"

#: No campaign of the simulation may take longer than this, in virtual seconds.
HORIZON_S = 200_000.0


@dataclass(slots=True)
class Played:
    """What a played scenario left behind.

    Attributes:
        log: The sandbox's own log: the judge.
        rows: As the ledger has them.
        records: The same as database records, by row number.
        journal: Its lines, parsed.
        lines: Its lines, raw.
        posts: Times at which POSTs left, one list per life.
        n_lives: Processes that worked on it.
        broken: Invariants seen broken while it ran.
    """

    scenario: Scenario
    log: list[dict[str, Any]]
    end: RunEnd
    rows: list[Row] = field(default_factory=list)
    records: dict[int, dict[str, Any]] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    campaign: Campaign | None = None
    posts: list[list[float]] = field(default_factory=list)
    n_lives: int = 0
    elapsed_s: float = 0.0
    broken: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Clock:
    loop: asyncio.AbstractEventLoop

    def now_utc(self) -> datetime:
        return datetime.fromtimestamp(START, UTC) + timedelta(seconds=self.loop.time())

    def monotonic(self) -> float:
        return self.loop.time()


class _MortalLedger:
    """The campaign's ledger, as long as its process lives."""

    def __init__(self, book: CampaignLedger, life: Life) -> None:
        self._book = book
        self._life = life

    async def move(self, move: Move) -> None:
        self._life.step()
        await self._book.move(move)
        self._life.step()

    async def row(self, row_no: int) -> Row:
        self._life.step()
        return await self._book.row(row_no)

    async def waiting(self) -> Sequence[tuple[int, str, str, str]]:
        self._life.step()
        return await self._book.waiting()

    async def unresolved(self) -> Sequence[Row]:
        self._life.step()
        return await self._book.unresolved()

    async def stop_requested(self) -> bool:
        return await self._book.stop_requested()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # The order of writes is what is simulated, not the disk: memory is quicker.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def play(scenario: Scenario, *, wrap: Callable[[Run], None] | None = None) -> Played:
    """Play a scenario to its end; return what it left behind.

    Args:
        scenario: What to play.
        wrap: May change a run before it starts (mutation tests).
    """
    with _folder() as folder, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_Stage(scenario, folder, wrap).play())


class _Stage:
    def __init__(
        self, scenario: Scenario, folder: Path, wrap: Callable[[Run], None] | None
    ) -> None:
        self._scenario = scenario
        self._path = folder / "ledger.db"
        self._wrap = wrap
        self._rng = random.Random(f"play:{scenario.seed}")
        self._log: list[dict[str, Any]] = []
        self._fleet = draw_fleet(scenario.fleet)
        self._core = Core(
            self._fleet,
            SimulatedWorks(),
            started_at=START + scenario.skew_s,
            settings=scenario.command,
            identities=(
                Identity(user=OPERATOR, password=PASSWORD),
                Identity(user=STRANGER, password=PASSWORD),
            ),
            log=self._log.append,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._posts: list[list[float]] = []
        self._broken: list[str] = []
        self._retrying = False

    def _command_now(self) -> float:
        assert self._loop is not None
        return START + self._scenario.skew_s + self._loop.time()

    async def play(self) -> Played:
        self._loop = asyncio.get_running_loop()
        await self._lay_out()
        for at_s, store in self._scenario.strangers:
            self._loop.call_later(at_s, self._stranger, store)
        lives: list[int | None] = [*self._scenario.crashes, None]
        end: RunEnd | None = None
        n_lives = 0
        for steps in lives:
            n_lives += 1
            async with asyncio.timeout(HORIZON_S):
                end = await self._live(steps)
            if end is not None:
                break
            await asyncio.sleep(self._rng.choice((0.0, 1.0, 120.0)))
        for _ in range(self._scenario.retries):
            # A person mends what can be mended and tries again, a while later.
            await asyncio.sleep(self._rng.choice((5.0, 2000.0)))
            if end is None or end.stop is not None or not self._take_back():
                break
            self._retrying = True
            end = await self._live(None)
        assert end is not None
        return self._left_behind(end, n_lives)

    def _take_back(self) -> int:
        assert self._loop is not None
        with SqliteLedger(self._path) as ledger:
            console = Console(quiet=True)
            now = _Clock(self._loop).now_utc()
            return taken_back(ledger, CAMPAIGN, RETRIES, console, now=now)

    async def _lay_out(self) -> None:
        wire = Wire(
            core=self._core,
            weather=Weather(latency_s=0.0),
            rng=self._rng,
            command_now=self._command_now,
            life=Life(None),
        )
        directory = await read_directory(self._client(wire))
        wishes = list(self._fleet.manifest_rows())
        wishes += [
            {**wishes[n], "Alias": wishes[n]["Alias"] + "-b"}
            for n in self._scenario.second_aliases
        ]
        rows = [
            PlannedRow(
                row_no=number,
                row_id=f"r{number}",
                cells=(),
                verdict=resolve(_wish(wish), directory),
            )
            for number, wish in enumerate(wishes, 1)
        ]
        campaign = Campaign(
            campaign_id=CAMPAIGN,
            command_url="sim://command",
            purpose={},
            columns=(),
            defaults={},
            manifest_name="m.csv",
            manifest_path="m.csv",
            settings=self._scenario.settings,
            operator="simulation",
            host="simulation",
            tool_version="0",
            created_at="2027-01-15T08:00:00.000Z",
        )
        with SqliteLedger(self._path) as ledger:
            ledger.create(
                campaign,
                rows,
                at=datetime.fromtimestamp(START, UTC),
                digests=lambda: ("0" * 64, "0" * 64),
            )

    def _client(self, wire: Wire) -> CommandClient:
        return CommandClient(
            wire,
            FixedAuth.basic(BasicAuth(username=OPERATOR, password=Secret(PASSWORD))),
            now_utc=lambda: datetime.fromtimestamp(self._command_now(), UTC),
        )

    def _stranger(self, store: int) -> None:
        row = self._fleet.manifest_rows()[store]
        keys = ("KeystoreId", "SubjectName", "AgentGuid", "Alias")
        body = {key: row[key] for key in keys}
        self._core.handle(
            Request(
                method="POST",
                target="/KeyfactorAPI/CertificateStores/Reenrollment",
                headers={
                    "authorization": basic(STRANGER)["Authorization"],
                    "content-type": "application/json",
                    "x-keyfactor-requested-with": "APIClient",
                },
                body=json.dumps(body).encode(),
            ),
            self._command_now(),
        )

    async def _live(self, steps: int | None) -> RunEnd | None:
        """Live one life; return how the run ended, or None where the process died."""
        life = Life(steps)
        with SqliteLedger(self._path) as ledger:
            work = asyncio.create_task(self._work(life, ledger))
            death = asyncio.create_task(life.over.wait())
            await asyncio.wait((work, death), return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
            if not life.dead:
                return work.result()
            work.cancel()
            done, _ = await asyncio.wait((work,), timeout=60.0)
            assert done, "a dead process goes on"
            with contextlib.suppress(BaseException):
                work.result()
        return None

    async def _work(self, life: Life, ledger: SqliteLedger) -> RunEnd:
        assert self._loop is not None
        wire = Wire(
            core=self._core,
            weather=self._scenario.weather,
            rng=self._rng,
            command_now=self._command_now,
            life=life,
        )
        self._posts.append(wire.posts)

        async def commit(
            work: Callable[[], Sequence[LedgerError | None]],
        ) -> Sequence[LedgerError | None]:
            life.step()
            await asyncio.sleep(self._scenario.commit_s)
            life.step()
            results = work()
            self._look(ledger)
            life.step()
            return results

        standing = ledger.campaign(CAMPAIGN).rows
        async with CampaignLedger(ledger, CAMPAIGN, requests=dict, run=commit) as book:
            run = Run(
                settings=self._scenario.settings,
                command=self._client(wire),
                ledger=_MortalLedger(book, life),
                clock=_Clock(self._loop),
                roll=self._rng.random,
                standing=standing,
            )
            if self._wrap is not None:
                self._wrap(run)
            return await run.run()

    def _look(self, ledger: SqliteLedger) -> None:
        """Check what must hold after every commit."""
        settings = self._scenario.settings
        number = ledger.number(CAMPAIGN)
        counts: dict[str, int] = {}
        stores: list[str] = []
        for row in ledger.rows_in(number, WITH_COMMAND):
            counts[row.agent_id] = counts.get(row.agent_id, 0) + 1
            stores.append(row.store_id)
        if len(stores) != len(set(stores)):
            self._broken.append("two rows of one store in flight")
        if self._retrying:
            # Rows taken back are looked for, all at once; nothing new is sent.
            return
        if sum(counts.values()) > settings.max_in_flight:
            self._broken.append("more in flight than allowed")
        if max(counts.values(), default=0) > settings.per_orchestrator:
            self._broken.append("more in flight at one orchestrator than allowed")

    def _left_behind(self, end: RunEnd, n_lives: int) -> Played:
        assert self._loop is not None
        with SqliteLedger(self._path) as ledger:
            number = ledger.number(CAMPAIGN)
            lines = list(ledger.journal(number))
            return Played(
                scenario=self._scenario,
                log=self._log,
                end=end,
                rows=list(ledger.rows_in(number, State)),
                records={r["row_no"]: dict(r) for r in ledger.records(number)},
                journal=[json.loads(line) for line in lines],
                lines=lines,
                campaign=ledger.campaign(CAMPAIGN),
                posts=self._posts,
                n_lives=n_lives,
                elapsed_s=self._loop.time(),
                broken=self._broken,
            )


def _wish(row: Mapping[str, str]) -> Wish:
    return Wish(
        keystore_id=row["KeystoreId"],
        agent_guid=row["AgentGuid"],
        client_machine=None,
        store_path=None,
        store_type=None,
        subject_name=row["SubjectName"],
        alias=row["Alias"],
        certificate_authority=row["CertificateAuthority"],
        certificate_template=row["CertificateTemplate"],
        job_properties={},
        sans=None,
        enrollment_pattern_id=None,
    )


__all__ = ["CAMPAIGN", "START", "Died", "Played", "play"]
