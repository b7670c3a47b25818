"""Predicted against actual finish of the real runner, in virtual time.

The runner, the client and the SQLite ledger are the product's; Command is the embedded
one without keys; time jumps. Stores are skewed as in ``feasibility.py``, 2 % of them
have a template that the authority refuses, 1 % of submissions lose their answer.

Run it with ``PYTHONPATH=tests python -m benchmarks.real_campaign --stores 5000``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulation.plan import CAMPAIGN, campaign_of, planned
from simulation.virtual import VirtualLoop

from batch_reenroll.campaign.durations import JobSample
from batch_reenroll.campaign.feasibility import predict
from batch_reenroll.campaign.forecast import Forecast, Limits, Question, Queue
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.luck import History
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.command import CommandClient
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.auth import FixedAuth
from batch_reenroll.command.connection import BasicAuth
from batch_reenroll.command.query import Params, encode
from batch_reenroll.command.secret import Secret
from batch_reenroll.command.transport import COMMAND_HEADERS, Transport
from batch_reenroll.errors import LedgerError, OutcomeUnknown
from batch_reenroll.ledger import CampaignLedger, SqliteLedger
from batch_reenroll.runner import Run, read_directory
from batch_reenroll.sandbox import (
    Core,
    Fleet,
    FleetPlan,
    Identity,
    Request,
    Settings,
    SimulatedWorks,
    draw_fleet,
)
from benchmarks.feasibility import HOUR_S, zipf_rows

START = 1_800_000_000.0
USER, PASSWORD = "operator", "secret"
JOB_TYPE = "Reenrollment"


@dataclass(slots=True)
class Wire:
    """Our side's transport: a way of 0.1 s, and now and then a lost answer."""

    core: Core
    rng: random.Random
    lost_share: float
    way_s: float = 0.1

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json_body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """See :class:`batch_reenroll.command.transport.Transport`."""
        lost = method == "POST" and self.rng.random() < self.lost_share
        arrives = not lost or self.rng.random() < 0.5
        await asyncio.sleep(self.way_s)
        query = encode(params)
        sent = {
            "content-type": "application/json",
            **COMMAND_HEADERS,
            **(headers or {}),
        }
        request = Request(
            method=method,
            target=f"/KeyfactorAPI{path}{'?' + query if query else ''}",
            headers={name.lower(): value for name, value in sent.items()},
            body=json.dumps(json_body).encode() if json_body is not None else b"",
        )
        now = START + asyncio.get_running_loop().time()
        response = self.core.handle(request, now) if arrives else None
        await asyncio.sleep(self.way_s)
        if lost or response is None:
            raise OutcomeUnknown("no answer in time")
        found = {name.lower(): value for name, value in response.headers}
        return Answer(status=response.status, headers=found, body=response.body)


class Clock:
    """The loop's time."""

    def now_utc(self) -> datetime:
        """Return now."""
        return datetime.fromtimestamp(START + self.monotonic(), UTC)

    def monotonic(self) -> float:
        """Return the seconds since the loop began."""
        return asyncio.get_running_loop().time()


def skewed(stores: int, orchestrators: int, seed: int) -> Fleet:
    """Return a fleet with a tenth of the stores on one orchestrator, Zipf below."""
    rng = random.Random(f"skew:{seed}")
    fleet = draw_fleet(
        FleetPlan(
            stores=stores,
            orchestrators=orchestrators,
            broken_stores=stores // 50,
            slow=0,
            seed=seed,
        )
    )
    agents = tuple(
        replace(agent, slowness=rng.lognormvariate(0.0, 0.25))
        for agent in fleet.orchestrators
    )
    rows = zipf_rows(stores, orchestrators, stores // 10)
    owners = [a.agent_id for a, n in zip(agents, rows, strict=True) for _ in range(n)]
    rng.shuffle(owners)
    held = tuple(
        replace(store, agent_id=owner)
        for store, owner in zip(fleet.stores, owners, strict=True)
    )
    return replace(fleet, orchestrators=agents, stores=held)


def foretold(
    fleet: Fleet, command: Settings, settings: RunSettings, *, known: int, seed: int
) -> Forecast:
    """Return the prediction from up to ``known`` past jobs of each orchestrator."""
    rng = random.Random(f"history:{seed}")
    rows = Counter(store.agent_id for store in fleet.stores)
    samples = [
        JobSample(
            orchestrator=agent.agent_id,
            job_type=JOB_TYPE,
            duration_s=agent.slowness
            * rng.uniform(command.job_min_s, command.job_max_s),
            pickup_s=rng.uniform(0.0, command.heartbeat_s),
        )
        for agent in fleet.orchestrators
        for _ in range(rng.randint(0, known))
    ]
    queues = [
        Queue(orchestrator=name, job_type=JOB_TYPE, rows=n) for name, n in rows.items()
    ]
    question = Question(
        queues=tuple(queues), limits=Limits.of(settings), start=START, seed=seed
    )
    return predict(question, History.of(samples))


def core_of(fleet: Fleet, command: Settings) -> Core:
    """Return an embedded Command of a fleet, its works simulated."""
    return Core(
        fleet,
        SimulatedWorks(),
        started_at=START,
        settings=command,
        identities=(Identity(user=USER, password=PASSWORD),),
    )


def client_over(wire: Transport) -> CommandClient:
    """Return a client that may do everything."""
    account = FixedAuth.basic(BasicAuth(username=USER, password=Secret(PASSWORD)))
    return CommandClient(wire, account, now_utc=Clock().now_utc)


async def at_once(
    work: Callable[[], Sequence[LedgerError | None]],
) -> Sequence[LedgerError | None]:
    """Run a batch of the ledger in place; a commit takes 2 ms of virtual time."""
    await asyncio.sleep(0.002)
    return work()


async def carried_out(
    fleet: Fleet, command: Settings, settings: RunSettings, path: Path, seed: int
) -> tuple[dict[str, float], Counter[State]]:
    """Run the campaign; return each orchestrator's finish, and rows by outcome."""
    core = core_of(fleet, command)
    wire = Wire(core=core, rng=random.Random(f"wire:{seed}"), lost_share=0.0)
    client = client_over(wire)
    directory = await read_directory(client)
    rows = list(planned(fleet.manifest_rows(), directory))

    wire.lost_share = 0.01
    with SqliteLedger(path) as ledger:
        ledger.create(
            campaign_of(settings),
            rows,
            at=Clock().now_utc(),
            digests=lambda: ("0" * 64, "0" * 64),
        )
        standing = ledger.campaign(CAMPAIGN).rows
        async with CampaignLedger(ledger, CAMPAIGN, requests=dict, run=at_once) as book:
            await Run(
                settings=settings,
                command=client,
                ledger=book,
                clock=Clock(),
                roll=random.Random(f"roll:{seed}").random,
                standing=standing,
            ).run()
        ended: dict[str, float] = {}
        outcomes: Counter[State] = Counter()
        for row in ledger.rows_in(ledger.number(CAMPAIGN), State):
            outcomes[row.state] += 1
        for line in ledger.journal(ledger.number(CAMPAIGN)):
            event = json.loads(line)
            if event["event"] == "move":
                agent = rows[event["row"] - 1].verdict.request.agent_guid
                at = datetime.fromisoformat(event["at"]).timestamp()
                ended[agent] = max(ended.get(agent, 0.0), at)
    return ended, outcomes


def main() -> None:
    """Predict, run, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=5_000)
    parser.add_argument("--orchestrators", type=int, default=100)
    parser.add_argument("--look", type=float, default=30.0, help="poll interval, s")
    parser.add_argument("--job", type=float, default=12.0, help="mean job, s")
    parser.add_argument("--heartbeat", type=float, default=30.0)
    parser.add_argument("--per-orchestrator", type=int, default=8)
    parser.add_argument("--history", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    fleet = skewed(asked.stores, asked.orchestrators, asked.seed)
    command = Settings(
        heartbeat_s=asked.heartbeat,
        job_min_s=asked.job * 0.5,
        job_max_s=asked.job * 1.5,
        nightly_inventory=False,
    )
    settings = RunSettings(
        max_in_flight=1000,
        per_orchestrator=asked.per_orchestrator,
        poll_interval_s=asked.look,
        breaker_failures=1000,
    )
    forecast = foretold(fleet, command, settings, known=asked.history, seed=asked.seed)
    began_s = time.process_time()
    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        path = Path(folder) / "ledger.db"
        ended, outcomes = runner.run(
            carried_out(fleet, command, settings, path, asked.seed)
        )
    actual = max(ended.values()) - START
    errors = sorted(
        abs((ended[o.orchestrator] - START) / (o.p50 - START) - 1)
        for o in forecast.orchestrators
    )
    figures = {
        "stores": asked.stores,
        "outcomes": {state.value: n for state, n in sorted(outcomes.items()) if n},
        "predicted_p50_h": round((forecast.p50 - START) / HOUR_S, 3),
        "predicted_p95_h": round((forecast.p95 - START) / HOUR_S, 3),
        "actual_h": round(actual / HOUR_S, 3),
        "error_of_p50": round(actual / (forecast.p50 - START) - 1, 4),
        "orchestrator_error_median": round(errors[len(errors) // 2], 4),
        "orchestrator_error_p95": round(errors[int(0.95 * len(errors))], 4),
        "orchestrators_ended_by_p95": sum(
            ended[o.orchestrator] <= o.p95 for o in forecast.orchestrators
        )
        / len(errors),
        "cpu_s": round(time.process_time() - began_s, 1),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
