"""Plays a scenario: the real runner, ledger and client against the sandbox's core."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulation.ceilings import DAY_S
from simulation.life import LIFE, Died, Life, mortal_tasks
from simulation.network import OPERATOR, PASSWORD, STRANGER, Dice, Net, Wire, basic
from simulation.plan import CAMPAIGN, campaign_of, planned, without_budgets
from simulation.played import Ended, Played
from simulation.scenario import Crash, Halt, Hand, Moment, Retry, Scenario, Weather
from simulation.tokens import Office, authenticator, within
from simulation.virtual import VirtualLoop
from simulation.watch import Watch

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.verdict import Stop, StopRequest
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.retry import taken_back
from batch_reenroll.command import BasicAuth, CommandClient, Secret
from batch_reenroll.command.auth import Authenticator, FixedAuth, TokenAuth
from batch_reenroll.errors import LedgerError, LedgerWriteFailed
from batch_reenroll.ledger import CampaignLedger, SqliteLedger
from batch_reenroll.runner import Run, RunEnd, read_directory
from batch_reenroll.sandbox import (
    Core,
    Identity,
    Request,
    SimulatedWorks,
    draw_fleet,
)
from batch_reenroll.text import rfc3339

#: No life of our process may take longer than this, in virtual seconds.
HORIZON_S = 40_000.0

#: No campaign may need more lives and runs than this.
MAX_LIVES = 60

#: Windows whose end a person lets end the run; then runs wait for the next.
MAX_WINDOWS = 8


@dataclass(slots=True)
class _Clock:
    loop: asyncio.AbstractEventLoop
    start: datetime

    def now_utc(self) -> datetime:
        return self.start + timedelta(seconds=self.loop.time())

    def monotonic(self) -> float:
        return self.loop.time()


class _Mute(Console):
    """Nobody listens."""

    def warn(self, message: str, event: str = "", **fields: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # The order of writes is what is simulated, not the disk: memory is quicker.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def play(scenario: Scenario) -> Played:
    """Play a scenario to its end; return what it left behind."""
    with _folder() as folder, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.get_loop().set_task_factory(mortal_tasks)
        return runner.run(_Stage(scenario, folder / "ledger.db").play())


class _Stage:
    """One campaign, and everybody who has to do with it."""

    def __init__(self, scenario: Scenario, path: Path) -> None:
        self._scenario = scenario
        self._settings = scenario.settings
        self._path = path
        self._fleet = draw_fleet(scenario.fleet)
        self._n_lives = 0
        self._ends: list[Ended] = []
        self._halted: list[Halt] = []
        self._run: Run | None = None

    async def play(self) -> Played:
        """Lay everything out, run the campaign to its end, look at what is left."""
        self._set_up()
        await self._lay_out()
        self._watch.open(self._path)
        try:
            await self._to_the_end()
            return self._left_behind()
        finally:
            self._watch.close()

    def _set_up(self) -> None:
        scenario = self._scenario
        self._time = asyncio.get_running_loop()
        self._time.set_exception_handler(self._unhandled)
        start = datetime.fromtimestamp(scenario.start_s, UTC)
        self._clock = _Clock(self._time, start)
        # A POST leaves when its intent is durable: up to two commits after its permit.
        slack_s = 2 * scenario.commit_s
        self._watch = Watch(
            self._time.time, scenario.settings, slack_s, scenario.start_s
        )
        self._core = Core(
            self._fleet,
            SimulatedWorks(),
            started_at=scenario.start_s + scenario.skew_s,
            settings=scenario.command,
            identities=(
                Identity(user=OPERATOR, password=PASSWORD),
                Identity(user=STRANGER, password=PASSWORD),
            ),
            log=self._watch.told,
        )
        self._net = Net(
            scenario=scenario,
            core=self._core,
            dice=Dice(scenario.seed),
            watch=self._watch,
            command_now=self._command_now,
            office=self._office(),
        )

    def _unhandled(
        self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]
    ) -> None:
        """Nobody handled an exception: that of a dead process matters to nobody."""
        exc = context.get("exception")
        if not isinstance(exc, Died):
            self._watch.blame(f"{context['message']}: {exc!r}")

    def _office(self) -> Office | None:
        tokens = self._scenario.tokens
        return Office(tokens, self._time.time) if tokens else None

    def _command_now(self) -> float:
        scenario = self._scenario
        return scenario.start_s + scenario.skew_s + self._time.time()

    # -- persons ---------------------------------------------------------------------

    async def _to_the_end(self) -> None:
        """Start runs until the campaign has ended and nobody wants to retry it."""
        for at_s, store in self._scenario.strangers:
            self._time.call_later(at_s, self._stranger, store)
        for halt in self._scenario.halts:
            self._time.call_later(halt.at_s, self._halt, halt)
        crashes, retries = deque(self._scenario.crashes), deque(self._scenario.retries)
        while self._n_lives < MAX_LIVES:
            crash = crashes.popleft() if crashes else None
            began_s = self._time.time()
            async with asyncio.timeout(self._horizon_s()):
                end = await self._live(crash)
            if end is None:
                await asyncio.sleep(crash.down_s if crash else 0.0)
                continue
            self._ends.append(self._ended(began_s, end))
            if end.stop is not None:
                await self._mended(end.stop)
            elif not await self._retried(retries):
                return
        self._watch.blame(f"did not end in {MAX_LIVES} runs")

    def _horizon_s(self) -> float:
        """Return how long one life may take: whole days may have to be waited for."""
        limits = self._settings.authorities.values()
        n_rows = self._fleet.plan.stores + len(self._scenario.second_aliases)
        days = sum(n_rows * 4 // limit.per_day for limit in limits if limit.per_day)
        days += 15 * bool(self._settings.windows)
        return HORIZON_S + days * DAY_S

    def _ended(self, began_s: float, end: RunEnd) -> Ended:
        ended_s, office = self._time.time(), self._net.office
        refused = office is not None and office.excuses(began_s, ended_s)
        return Ended(began_s=began_s, ended_s=ended_s, end=end, refused=refused)

    async def _mended(self, stop: Stop) -> None:
        """A person looks at the reason of the stop, mends it, and resumes."""
        halt = self._halted[-1] if self._halted else Halt(at_s=0.0)
        if stop is Stop.BUDGET:
            self._settings = without_budgets(self._settings)
        elif len([e for e in self._ends if e.end.stop is Stop.WINDOW]) > MAX_WINDOWS:
            self._settings = replace(self._settings, until_window_end=False)
        self._watch.settings = self._watch.order.settings = self._settings
        pause_s = 60.0 if stop in _TROUBLES else halt.resume_after_s
        await asyncio.sleep(pause_s)

    async def _retried(self, retries: deque[Retry]) -> bool:
        """Take rows back as the next retries say; return whether there are any."""
        while retries:
            retry = retries.popleft()
            await asyncio.sleep(retry.after_s)
            with SqliteLedger(self._path) as ledger:
                now = self._clock.now_utc()
                n_rows = taken_back(ledger, CAMPAIGN, retry.only, _Mute(), now=now)
            self._watch.committed()
            if n_rows:
                return True
        return False

    def _halt(self, halt: Halt) -> None:
        """Stop the run that is under way, if there is one."""
        if self._run is None:
            return
        self._halted.append(halt)
        if halt.hand in _SIGNALS:
            self._run.stop(_SIGNALS[halt.hand], "by a signal")
            return
        wish = (
            StopRequest.WITHDRAW if halt.hand is Hand.WITHDRAW else StopRequest.SETTLE
        )
        self._record("stop_requested", stop_requested=str(wish))

    def _record(self, event: str, *, stop_requested: str | None) -> None:
        """Write an event as the command line does, from a process of its own."""
        now = self._clock.now_utc()
        with SqliteLedger(self._path) as ledger:
            ledger.record_event(
                ledger.number(CAMPAIGN),
                event,
                now,
                detail={},
                columns={
                    "stop_requested_at": rfc3339(now) if stop_requested else None,
                    "stop_request": stop_requested,
                },
            )
        self._watch.committed()

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

    # -- our process -------------------------------------------------------------------

    async def _live(self, crash: Crash | None) -> RunEnd | None:
        """Live one life; return how the run ended, or None where the process died."""
        self._n_lives += 1
        self._record("run_started", stop_requested=None)
        self._watch.run_began()
        life = Life(crash)
        with SqliteLedger(self._path) as ledger:
            token = LIFE.set(life)
            work = asyncio.create_task(self._work(life, ledger))
            LIFE.reset(token)
            death = asyncio.create_task(life.over.wait())
            try:
                await asyncio.wait((work, death), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._run = None
                death.cancel()
            if not life.dead:
                return work.result()
            await life.bury()
        return None

    async def _work(self, life: Life, ledger: SqliteLedger) -> RunEnd:
        """What our process does: the counterpart of ``cli/carry.py``."""

        async def commit(
            work: Callable[[], Sequence[LedgerError | None]],
        ) -> Sequence[LedgerError | None]:
            await asyncio.sleep(self._scenario.commit_s)
            life.reach(Moment.BEFORE_COMMIT)
            if within(self._scenario.full_disk, self._time.time()):
                raise LedgerWriteFailed("the disk is full")
            results = work()
            self._watch.committed()
            life.reach(Moment.AFTER_COMMIT)
            return results

        standing = ledger.campaign(CAMPAIGN).rows
        auth = self._authenticator()
        async with CampaignLedger(ledger, CAMPAIGN, requests=dict, run=commit) as book:
            run = self._run = Run(
                settings=self._settings,
                command=self._client(Wire(self._net, life, self._n_lives), auth),
                ledger=book,
                clock=self._clock,
                roll=self._net.dice.of("rolls").random,
                standing=standing,
            )
            try:
                end = await run.run()
            except LedgerWriteFailed as exc:
                end = RunEnd(stop=Stop.LEDGER, message=exc.message)
        if isinstance(auth, TokenAuth):
            await auth.close()
        return end

    def _authenticator(self) -> Authenticator:
        if self._net.office is None:
            account = BasicAuth(username=OPERATOR, password=Secret(PASSWORD))
            return FixedAuth.basic(account)
        return authenticator(
            self._net.office,
            owner=self._n_lives,
            rng=self._net.dice.of("tokens"),
            latency_s=self._scenario.weather.latency_s,
            now_utc=self._clock.now_utc,
        )

    def _client(self, wire: Wire, auth: Authenticator) -> CommandClient:
        return CommandClient(wire, auth, now_utc=self._clock.now_utc)

    # -- the beginning and the end -----------------------------------------------------

    async def _lay_out(self) -> None:
        """Plan the campaign, in fair weather, and write it to the ledger."""
        fair = replace(
            self._net,
            scenario=replace(self._scenario, weather=Weather(latency_s=0.0)),
            office=None,
        )
        account = BasicAuth(username=OPERATOR, password=Secret(PASSWORD))
        wire = Wire(fair, Life(None), 0)
        client = self._client(wire, FixedAuth.basic(account))
        directory = await read_directory(client)
        with SqliteLedger(self._path) as ledger:
            ledger.create(
                campaign_of(self._settings),
                planned(self._wishes(), directory, self._settings.waves),
                at=self._clock.start,
                digests=lambda: ("0" * 64, "0" * 64),
            )

    def _wishes(self) -> list[dict[str, str]]:
        wishes = list(self._fleet.manifest_rows())
        names = self._scenario.authorities
        if names:
            for n, wish in enumerate(wishes):
                wish["CertificateAuthority"] = names[n % len(names)]
        more = [wishes[n] for n in self._scenario.second_aliases]
        return wishes + [{**row, "Alias": f"{row['Alias']}-b"} for row in more]

    def _left_behind(self) -> Played:
        self._core.advance(self._command_now())
        with SqliteLedger(self._path) as ledger:
            number = ledger.number(CAMPAIGN)
            lines = list(ledger.journal(number))
            return Played(
                scenario=self._scenario,
                log=self._watch.log,
                ends=self._ends,
                halted=self._halted,
                rows=list(ledger.rows_in(number, State)),
                records={r["row_no"]: dict(r) for r in ledger.records(number)},
                journal=[json.loads(line) for line in lines],
                lines=lines,
                campaign=ledger.campaign(CAMPAIGN),
                posts=self._watch.posts,
                n_lives=self._n_lives,
                elapsed_s=self._time.time(),
                broken=[
                    *self._watch.broken,
                    *(self._net.office.needless if self._net.office else ()),
                ],
            )


_SIGNALS: Mapping[Hand, Stop] = {Hand.SIGINT: Stop.SIGINT, Hand.SIGTERM: Stop.SIGTERM}

_TROUBLES = frozenset({Stop.BUDGET, Stop.UNREACHABLE, Stop.NOT_AUTHORISED, Stop.LEDGER})


__all__ = ["CAMPAIGN", "Ended", "Played", "play"]
