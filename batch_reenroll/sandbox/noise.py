"""Other people's reenrollments: history rows of stores outside the fleet.

They make JobHistory grow while a client pages through it. Nothing else is touched: no
store, no file, no ScheduledJobs. The rows bear the fleet's own orchestrators, so that
a list filtered by orchestrator grows as well.
"""

from __future__ import annotations

import random

from batch_reenroll.sandbox.agenda import Agenda
from batch_reenroll.sandbox.fleet import PlannedStore, draw_guid
from batch_reenroll.sandbox.policy import WEB_SERVER
from batch_reenroll.sandbox.state import REENROLLMENT, Job, Result, Status, Store
from batch_reenroll.sandbox.storetypes import Policy, StoreFormat, StoreType
from batch_reenroll.sandbox.world import World

#: How many stores outside the fleet take turns.
N_STORES = 200

#: Not one of the built-in types: the fleet has no such store, and none is laid out.
WIN_CERT = StoreType(
    number=103,
    name="Windows Certificate",
    short_name="WinCert",
    capability="WinCert",
    file_format=StoreFormat.PKCS12,
    custom_alias=Policy.FORBIDDEN,
    job_type_guids=("", "", "", ""),
)


class Noise:
    """Adds rows at ``noise_jobs_per_s``, each succeeded in the moment it appears.

    Only successes, so that no query of Reschedule or Acknowledge ever meets one.
    """

    def __init__(self, world: World, agenda: Agenda) -> None:
        self._world = world
        self._agenda = agenda
        # A generator of its own: the fleet's jobs last as long as without noise.
        seed = f"noise:{world.fleet.plan.seed}:{world.session}"
        self._rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
        agents = list(world.orchestrators.values())
        self._agents = [agent for agent in agents if agent.plan.online] or agents
        self._stores = [self._store(n) for n in range(N_STORES)]

    def begin(self) -> None:
        """Enter the first row, if there is to be any."""
        if self._world.settings.noise_jobs_per_s:
            self._next_after(self._world.started_at)

    def _next_after(self, now: float) -> None:
        pause_s = self._rng.expovariate(self._world.settings.noise_jobs_per_s)
        self._agenda.at(now + pause_s, self._add)

    def _add(self, now: float) -> None:
        world = self._world
        store = self._rng.choice(self._stores)
        job = Job(
            job_id=draw_guid(self._rng),
            kind=REENROLLMENT,
            store=store,
            requested_at=now,
            by="noise",
        )
        agent = world.orchestrators[store.plan.agent_id]
        row = world.open_row(job, agent, now, rng=self._rng)
        row.ended_at, row.result, row.status = now, Result.SUCCESS, Status.COMPLETED
        # An event of its own: the log's job_* entries are about the fleet alone.
        world.tell("noise_job", job, now, history_id=row.history_id)
        self._next_after(now)

    def _store(self, n: int) -> Store:
        machine = f"win-host-{n + 1:03d}.example.net"
        plan = PlannedStore(
            store_id=draw_guid(self._rng),
            agent_id=self._rng.choice(self._agents).agent_id,
            machine=machine,
            path=self._rng.choice(("My", "WebHosting")),
            store_type=WIN_CERT,
            container_id=0,
            container="",
            alias=f"{self._rng.getrandbits(160):040X}",
            subject=f"CN={machine}",
            sans=(machine,),
            template=WEB_SERVER,
            age_days=0,
            days_left=90,
            password="",
        )
        return Store(plan=plan, inventory_job_id=draw_guid(self._rng))
