"""What it costs to learn the ends of jobs, with many rows in flight.

The runner, the client and the ledger are the product's, Command is the embedded one
without keys, on virtual time. A hundred orchestrators run their jobs one after another,
each with a speed of its own, and ask for work every two minutes; other people's jobs
run on Command as well. The two other ways of polling are computed for the same jobs at
the same times: what a poll of each would have asked, and what Command would have
answered.

Run it with ``PYTHONPATH=tests python -m benchmarks.tracking``; ``--rows 100000`` for
the largest size alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from simulation.plan import CAMPAIGN, campaign_of, planned
from simulation.virtual import VirtualLoop

from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.query import Params
from batch_reenroll.ledger import CampaignLedger, SqliteLedger
from batch_reenroll.runner import Run, read_directory
from batch_reenroll.sandbox import (
    Core,
    Fleet,
    FleetPlan,
    Settings,
    draw_fleet,
)
from benchmarks.harness import Goal, Options, Sample, Table, arguments, publish
from benchmarks.real_campaign import Clock, Wire, at_once, client_over, core_of

ORCHESTRATORS = 100
SIZES = (1_000, 10_000, 100_000)
POLL_S = 10.0

#: The product's way, and the two that scripts take.
SWEEPS, BY_JOB, BY_ORCHESTRATOR = "sweeps", "poll per job", "poll per orchestrator"

#: Rows of a page that a poll per orchestrator reads: the documented default.
_PAGE = 50

_TRACKING = {
    "/OrchestratorJobs/JobHistory": "history",
    "/OrchestratorJobs/ScheduledJobs": "scheduled",
}


@dataclass(slots=True)
class Meter(Wire):
    """The wire, with what went over it."""

    n_gets: Counter[str] = field(default_factory=Counter)
    n_bytes: Counter[str] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)
    tracking: Callable[[], str] = lambda: ""

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
        # Not super(): dataclasses with slots are made anew.
        answer = await Wire.send(
            self, method, path, params=params, json_body=json_body, headers=headers
        )
        kind = _TRACKING.get(path, "inventory" if "/Inventory" in path else "other")
        if method == "GET":
            self.n_gets[kind] += 1
            self.n_bytes[kind] += len(answer.body)
        if kind == "history":
            told = self.tracking().partition(";")[0]
            self.looks[re.sub(r" of \d+ rows", "", told) or "first look"] += 1
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One finished job; moments in seconds since the epoch."""

    agent_id: str
    submitted: float
    started: float
    ended: float
    known: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one campaign took."""

    jobs: Sequence[Job]
    meter: Meter
    row_bytes: float
    cpu_s: float
    most_in_flight: int

    def gets(self) -> dict[str, float]:
        """Return GETs per finished job, by way of polling."""
        sweeps = self.meter.n_gets["history"] + self.meter.n_gets["scheduled"]
        by_job = sum(_polls(job.submitted, job.ended) for job in self.jobs)
        by_agent = sum(_polls(*span) for span in self._spans())
        n = len(self.jobs)
        return {
            SWEEPS: sweeps / n,
            BY_JOB: by_job / n,
            BY_ORCHESTRATOR: by_agent / n,
        }

    def bytes(self) -> dict[str, float]:
        """Return bytes of answers (without headers) per finished job, the same."""
        sweeps = self.meter.n_bytes["history"] + self.meter.n_bytes["scheduled"]
        # Nothing is there before a job begins, one row from then on.
        by_job = sum(
            2 * _polls(job.submitted, job.started)
            + self.row_bytes * _polls(job.started, job.ended)
            for job in self.jobs
        )
        by_agent = sum(_polls(*span) for span in self._spans())
        n = len(self.jobs)
        return {
            SWEEPS: sweeps / n,
            BY_JOB: by_job / n,
            BY_ORCHESTRATOR: by_agent * self.row_bytes * _PAGE / n,
        }

    def delays(self) -> list[float]:
        """Return from a job's end to its row's next state, in poll intervals."""
        return sorted((job.known - job.ended) / POLL_S for job in self.jobs)

    def _spans(self) -> Iterable[tuple[float, float]]:
        """Yield from when to when each orchestrator has rows in flight."""
        mine: dict[str, list[Job]] = defaultdict(list)
        for job in self.jobs:
            mine[job.agent_id].append(job)
        for jobs in mine.values():
            yield min(job.submitted for job in jobs), max(job.ended for job in jobs)


def _polls(since: float, until: float) -> int:
    return max(1, math.ceil((until - since) / POLL_S))


def fleet_of(rows: int, seed: int) -> Fleet:
    """Return a fleet of so many stores, evenly spread over unequal orchestrators."""
    rng = random.Random(f"speeds:{seed}")
    plan = FleetPlan(stores=rows, orchestrators=ORCHESTRATORS, slow=0, seed=seed)
    fleet = draw_fleet(plan)
    agents = tuple(
        replace(agent, slowness=rng.lognormvariate(0.0, 0.25))
        for agent in fleet.orchestrators
    )
    return replace(fleet, orchestrators=agents)


#: Jobs of 15 s on average and a heartbeat of two minutes: what the plan believes of a
#: Command that it does not know (``campaign/durations.py``).
COMMAND = Settings(
    heartbeat_s=120.0,
    job_min_s=5.0,
    job_max_s=25.0,
    inventory_min_s=0.5,
    inventory_max_s=2.0,
    inventory_delay_s=1.0,
    noise_jobs_per_s=0.5,
    nightly_inventory=False,
)


#: With more rows success is not proven: that takes several times as long as tracking,
#: which is the same with it.
_VERIFIED_ROWS = 5_000


def settings_of(rows: int, rate_per_s: float) -> RunSettings:
    """Return settings that have all rows in flight at one time."""
    return RunSettings(
        verify=rows <= _VERIFIED_ROWS,
        rate_per_s=rate_per_s,
        max_in_flight=rows,
        per_orchestrator=rows,
        poll_interval_s=POLL_S,
        pickup_timeout_s=10 * 86_400.0,
        job_timeout_s=3600.0,
        budget_limit="100%",
        breaker_failures=1000,
    )


async def carried_out(rows: int, rate_per_s: float, path: Path, seed: int) -> Outcome:
    """Run the campaign; return what it took."""
    began_s = time.process_time()
    fleet, settings = fleet_of(rows, seed), settings_of(rows, rate_per_s)
    core = core_of(fleet, COMMAND)
    meter = Meter(core=core, rng=random.Random(f"wire:{seed}"), lost_share=0.0)
    client = client_over(meter)
    directory = await read_directory(client)
    meter.n_gets.clear()
    meter.n_bytes.clear()

    with SqliteLedger(path) as ledger:
        ledger.create(
            campaign_of(settings),
            planned(fleet.manifest_rows(), directory),
            at=Clock().now_utc(),
            digests=lambda: ("0" * 64, "0" * 64),
        )
        standing = ledger.campaign(CAMPAIGN).rows
        async with CampaignLedger(ledger, CAMPAIGN, requests=dict, run=at_once) as book:
            run = Run(
                settings=settings,
                command=client,
                ledger=book,
                clock=Clock(),
                roll=random.Random(f"roll:{seed}").random,
                standing=standing,
            )
            meter.tracking = lambda: str(run.snapshot()["tracking"])
            end = await run.run()
            if end.stop is not None:
                raise RuntimeError(end.message)
        journal = [json.loads(line) for line in ledger.journal(ledger.number(CAMPAIGN))]
    jobs, most = finished(core, journal)
    return Outcome(
        jobs=jobs,
        meter=meter,
        row_bytes=_row_bytes(meter),
        cpu_s=time.process_time() - began_s,
        most_in_flight=most,
    )


#: Bytes of one JobHistory row as the embedded Command writes it, about.
def _row_bytes(meter: Meter) -> float:
    row = meter.core.world.history[-1]
    from batch_reenroll.sandbox.wire import history_json

    return float(len(json.dumps(history_json(meter.core.world, row))) + 1)


_OPEN = frozenset({"submitted", "queued", "running"})
_ENDED = frozenset({"verifying", "succeeded", "failed", "unknown"})


def finished(core: Core, journal: Iterable[dict[str, Any]]) -> tuple[list[Job], int]:
    """Return the jobs of the campaign's rows, and the most rows in flight at a time."""
    sent: dict[str, float] = {}
    known: dict[str, float] = {}
    in_flight = most = 0
    for event in journal:
        if event["event"] != "move":
            continue
        at = datetime.fromisoformat(event["at"]).timestamp()
        if event["to"] == "submitted":
            sent[event["store"]] = at
            in_flight += 1
            most = max(most, in_flight)
        elif event["from"] in _OPEN and event["to"] in _ENDED:
            known[event["store"]] = at
            in_flight -= 1
    ours = (row for row in core.world.history if row.job.wish is not None)
    jobs = [
        Job(
            agent_id=row.agent.agent_id,
            submitted=sent[row.job.store.store_id],
            started=row.started_at,
            ended=row.ended_at or 0.0,
            known=known[row.job.store.store_id],
        )
        for row in ours
        if row.job.store.store_id in known
    ]
    return jobs, most


def measured(rows: int, rate_per_s: float, seed: int) -> Outcome:
    """Run one campaign in a folder and a loop of its own."""
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        path = Path(folder) / "ledger.db"
        return runner.run(carried_out(rows, rate_per_s, path, seed))


def tables_of(rows: int, outcomes: Sequence[Outcome]) -> list[Table]:
    """Return the tables of one size."""

    def table(title: str, unit: str, figures: Sequence[Mapping[str, float]]) -> Table:
        samples = {
            name: [Sample(found[name]) for found in figures] for name in figures[0]
        }
        title = f"{title}, {rows:,} rows in flight"
        return Table(title=title, unit=unit, baseline=BY_JOB, samples=samples)

    return [
        table("GETs per finished job", "GETs", [o.gets() for o in outcomes]),
        table("Bytes per finished job", "bytes", [o.bytes() for o in outcomes]),
    ]


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile of sorted values."""
    return values[min(len(values) - 1, int(0.99 * len(values)))]


def told(rows: int, outcomes: Sequence[Outcome]) -> str:
    """Return what the tables do not say of one size."""
    last = outcomes[-1]
    n, gets = len(last.jobs), last.meter.n_gets
    delays = last.delays()
    looks = sum(last.meter.looks.values())
    choices = "; ".join(
        f"{name}: {100 * count / looks:.0f} %"
        for name, count in last.meter.looks.most_common(5)
    )
    return (
        f"{rows:,} rows: {n:,} jobs finished, {last.most_in_flight:,} in flight at "
        f"most; GETs of JobHistory {gets['history']:,}, of ScheduledJobs "
        f"{gets['scheduled']:,}; besides them {gets['inventory'] / n:.2f} inventory "
        f"GETs per job (one before the POST, the others for the proof; with "
        f"more than {_VERIFIED_ROWS:,} rows success was not proven). Detection delay "
        f"{statistics.median(delays):.2f} poll intervals (P50), "
        f"{p99(delays):.2f} (P99). "
        f"CPU of everything, Command included: {1000 * last.cpu_s / n:.2f} ms a row. "
        f"The planner's choices, by page of history: {choices}."
    )


def main() -> None:
    """Run the campaigns and publish the tables."""
    asked = argparse.Namespace()

    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--rows", type=int, action="append", metavar="N")
        parser.add_argument("--rate", type=float, default=200.0, help="submissions/s")
        asked.__dict__.update(vars(parser.parse_args()))

    options: Options = arguments(
        "tracking",
        "Tracking: what it costs to learn of a job's end",
        more=more,
        repetitions=3,
    )
    sizes = asked.rows or ([1_000] if options.quick else list(SIZES))
    tables: list[Table] = []
    notes: list[str] = []
    goals: list[Goal] = []
    cheapest = math.inf
    for rows in sizes:
        # The largest takes minutes, and its figures hardly differ from seed to seed.
        rounds = 1 if rows > 20_000 else options.repetitions
        outcomes = [measured(rows, asked.rate, seed) for seed in range(1, rounds + 1)]
        tables += tables_of(rows, outcomes)
        notes.append(told(rows, outcomes))
        per_job = statistics.median(o.gets()[SWEEPS] for o in outcomes)
        if rows == 10_000:
            goals.append(Goal("GETs per job at 10,000", per_job, at_most=0.05))
        if cheapest < math.inf:
            what = f"GETs per job at {rows:,} to the size before"
            goals.append(Goal(what, per_job / cheapest, at_most=1.0))
        cheapest = per_job
        late = statistics.median(p99(o.delays()) for o in outcomes)
        what = f"detection delay at {rows:,}, P99 in poll intervals"
        goals.append(Goal(what, late, at_most=2.0))
    publish(options, tables, goals=goals, notes=notes, libraries=["aiohttp"])


if __name__ == "__main__":
    main()
