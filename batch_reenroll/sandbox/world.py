"""All that the embedded Command knows at one moment, and how it is looked up.

Nothing happens here by itself; what happens in time is ``orchestration``'s. Times are
seconds since the epoch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

from batch_reenroll.sandbox.builtintypes import merged
from batch_reenroll.sandbox.exchange import SandboxError, iso_time
from batch_reenroll.sandbox.fleet import Fleet, draw_guid, manifest_row
from batch_reenroll.sandbox.identity import Identities
from batch_reenroll.sandbox.policy import CaPolicy, Template, enrollment_denial
from batch_reenroll.sandbox.query import Scalar
from batch_reenroll.sandbox.settings import Settings
from batch_reenroll.sandbox.state import (
    APPROVED,
    INVENTORY,
    NEW,
    REENROLLMENT,
    HistoryRow,
    Job,
    Orchestrator,
    Result,
    Status,
    Store,
)
from batch_reenroll.sandbox.storetypes import StoreType
from batch_reenroll.sandbox.works import Certificate, Entry, StoreWorks

#: Takes one entry of the sandbox's own log.
LogSink = Callable[[dict[str, object]], None]


class World:
    """Everything Command knows, with the one generator all chance comes from.

    Args:
        fleet: What there is.
        settings: How it behaves.
        policy: What the CA issues.
        works: Lays stores out when they are first looked at.
        started_at: The beginning, seconds since the epoch.
        session: How often this fleet was opened before, so that a reopened sandbox
            draws new job ids.
        last_history_id: Highest JobHistoryId that was ever given out.
        log: Takes the entries of the sandbox's own log.
        identities: Whose rights at the CA count; None = nobody has any.

    Attributes:
        all_stores: Those of ``stores``; there will be no others.
        scheduled: Jobs that no orchestrator has begun, by id, oldest first.
        recurring: The daily inventory job of each store; empty without a schedule.
        history: All rows, by ascending JobHistoryId.
    """

    def __init__(
        self,
        fleet: Fleet,
        settings: Settings,
        policy: CaPolicy,
        works: StoreWorks,
        *,
        started_at: float,
        session: int = 0,
        last_history_id: int = 0,
        log: LogSink = lambda _entry: None,
        identities: Identities | None = None,
    ) -> None:
        self.fleet = fleet
        self.settings = settings
        self.policy = policy
        self.identities = identities or Identities()
        self.session = session
        self.log = log
        self.now = self.started_at = started_at
        seed = f"world:{fleet.plan.seed}:{session}"
        self.rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
        kinds = merged(fleet.plan.store_types)
        self.store_types = {kind.number: kind for kind in kinds}
        self.orchestrators = self._orchestrators()
        self.stores = self._stores()
        self.all_stores = tuple(self.stores.values())
        self.recurring = tuple(
            self._nightly_job(store)
            for store in self.stores.values()
            if settings.nightly_inventory
        )
        self._recurring_of: dict[str, list[Job]] = {}
        for job in self.recurring:
            self._recurring_of.setdefault(job.store.plan.agent_id, []).append(job)
        self.scheduled: dict[str, Job] = {}
        self._by_agent: dict[str, dict[str, Job]] = {
            agent_id: {} for agent_id in self.orchestrators
        }
        self.history: list[HistoryRow] = []
        self._tries: dict[str, list[HistoryRow]] = {}
        self._works = works
        self._last_history_id = last_history_id
        self._certificate_ids: dict[str, int] = {}
        #: Every certificate that Command ever saw, by thumbprint.
        self.certificates: dict[str, Certificate] = {}

    def _orchestrators(self) -> dict[str, Orchestrator]:
        # Types may share a capability.
        capabilities = tuple(dict.fromkeys(_capabilities(self.store_types.values())))
        away_s, beat_s = 3 * 86_400.0, self.settings.heartbeat_s
        return {
            plan.agent_id: Orchestrator(
                plan=plan,
                capabilities=capabilities,
                status=APPROVED if plan.approved else NEW,
                online=plan.online,
                last_seen=self.started_at
                - (beat_s * (1 - plan.phase) if plan.online else away_s),
            )
            for plan in self.fleet.orchestrators
        }

    def _stores(self) -> dict[str, Store]:
        # A generator of its own: recurring job ids outlive a session.
        rng = random.Random(f"inventory:{self.fleet.plan.seed}")  # noqa: S311
        return {
            plan.store_id: Store(
                plan=plan, inventory_job_id=draw_guid(rng), approved=plan.approved
            )
            for plan in self.fleet.stores
        }

    def lay_out(self, store: Store) -> tuple[Entry, ...]:
        """Make the store's file unless it is there; return what it holds.

        Raises:
            SandboxError: It cannot be made or read.
        """
        entries = self._works.lay_out(store.plan, at=self.started_at)
        leaves = [entry.certificates[0] for entry in entries]
        store.held_not_before = max((c.not_before for c in leaves), default=0.0)
        store.inventory = entries
        self.see(leaves)
        return entries

    def see(self, certificates: Iterable[Certificate]) -> None:
        """Keep certificates: Command forgets none that it issued or inventoried."""
        for item in certificates:
            self.certificates.setdefault(item.thumbprint, item)

    def inventory_of(self, store: Store) -> tuple[Entry, ...]:
        """Return what Command knows the store to hold, laying it out if need be.

        Of a store that cannot be read it knows nothing.
        """
        if store.inventory is not None:
            return store.inventory
        try:
            return self.lay_out(store)
        except SandboxError:
            return ()

    def manifest_rows(self) -> list[dict[str, str]]:
        """Return one row for each entry of a store that can be reenrolled.

        Unlike ``Fleet.manifest_rows`` it has stores whose alias is a thumbprint, too;
        all stores are laid out.
        """
        return [
            manifest_row(store.plan, entry.alias)
            for store in self.stores.values()
            if store.plan.store_type.reenrollable
            for entry in self.inventory_of(store)
        ]

    def job_type(self, job: Job) -> str:
        """Return the type of a job as this dialect shows it."""
        return job.job_type if self.settings.speech.job_type_prefix else job.kind

    def issuer_for(
        self, authority: str | None, template: str | None, by: str
    ) -> tuple[str, Template] | str:
        """Return the CA and template of a job, or why there will be no certificate.

        What counts are the rights that the scheduling user ``by``, or the account
        configured for the CA, has at the CA now (keyfactor-command.md 1.6).
        """
        chosen = self.policy.choose(authority, template)
        if isinstance(chosen, str):
            return chosen
        account = self.identities.named(self.policy.account_for(chosen[0], by))
        held = account.enrollment if account else None
        return enrollment_denial(*chosen, held) or chosen

    def new_job_id(self) -> str:
        """Return a fresh job GUID."""
        return draw_guid(self.rng)

    def put_scheduled(self, job: Job) -> None:
        """Add ``job`` to ScheduledJobs."""
        job.handed_out = False
        self.scheduled[job.job_id] = job
        self._by_agent[job.store.plan.agent_id][job.job_id] = job

    def drop_scheduled(self, job: Job) -> None:
        """Take ``job`` out of ScheduledJobs, if it is there."""
        self.scheduled.pop(job.job_id, None)
        self._by_agent[job.store.plan.agent_id].pop(job.job_id, None)

    def hand_out(self, agent: Orchestrator, now: float) -> None:
        """Put every due job of ``agent`` that it does not have yet into its queue.

        An orchestrator that is not approved is given nothing.
        """
        if agent.status != APPROVED:
            return
        for job in self._by_agent[agent.agent_id].values():
            if not job.handed_out and job.not_before <= now:
                job.handed_out = True
                agent.queue.append(job)

    def pending_job_ids(self) -> set[str]:
        """Return the ids of all jobs that are scheduled or running."""
        running = (row.job.job_id for row in self.history if row.ended_at is None)
        return {*self.scheduled, *running}

    def open_row(
        self,
        job: Job,
        agent: Orchestrator,
        now: float,
        *,
        rng: random.Random | None = None,
    ) -> HistoryRow:
        """Add the history row of a try that begins now.

        When it can be seen is drawn from ``rng``, or else from the world's own.
        """
        longest_s = self.settings.history_lag_s
        lag_s = (rng or self.rng).uniform(0, longest_s) if longest_s else 0.0
        self._last_history_id += 1
        row = HistoryRow(
            history_id=self._last_history_id,
            job=job,
            agent=agent,
            started_at=now,
            visible_at=now + lag_s,
        )
        self.history.append(row)
        self._tries.setdefault(job.job_id, []).append(row)
        return row

    def tries_of(self, job_ids: frozenset[Scalar]) -> list[HistoryRow]:
        """Return the rows of these jobs that can be seen now, oldest first."""
        rows = [row for one in job_ids for row in self._tries.get(str(one), ())]
        rows.sort(key=lambda row: row.history_id)
        return [row for row in rows if row.visible_at <= self.now]

    def jobs_of(self, agent_ids: frozenset[Scalar]) -> list[Job]:
        """Return the scheduled jobs of these orchestrators, in the list's order."""
        known = [str(one) for one in agent_ids if one in self._by_agent]
        own = [job for one in known for job in self._by_agent[one].values()]
        if len(known) > 1:
            own = [j for j in self.scheduled.values() if j.store.plan.agent_id in known]
        return [*own, *(j for one in known for j in self._recurring_of.get(one, ()))]

    def certificate_id(self, thumbprint: str) -> int:
        """Return the number Command gave to a certificate, stable in a session."""
        known = self._certificate_ids
        return known.setdefault(thumbprint, len(known) + 1)

    def open_failures(self) -> list[HistoryRow]:
        """Return what the portal counts as failed: not acknowledged, not aged out.

        Only the portal's counters age out (keyfactor-command.md 2.7): the rows stay in
        JobHistory and can be acknowledged and rescheduled as before.
        """
        days = self.settings.failures_age_out_days
        oldest = self.now - days * 86_400.0 if days else 0.0
        return [
            row
            for row in self.visible_history()
            if row.result in (Result.FAILURE, Result.WARNING)
            and row.status is not Status.ACKNOWLEDGED
            and (row.ended_at or 0.0) >= oldest
        ]

    def visible_history(self) -> list[HistoryRow]:
        """Return the rows that can be seen now, oldest first."""
        if not self.settings.history_lag_s:
            return self.history
        return [row for row in self.history if row.visible_at <= self.now]

    def tell(self, event: str, job: Job, now: float, **more: object) -> None:
        """Enter ``event`` of ``job`` into the sandbox's own log."""
        self.log(
            {
                "at": iso_time(now),
                "event": event,
                "job_id": job.job_id,
                "job_type": job.job_type,
                "store_id": job.store.store_id,
                **more,
            }
        )

    def _nightly_job(self, store: Store) -> Job:
        return Job(
            job_id=store.inventory_job_id,
            kind=INVENTORY,
            store=store,
            requested_at=self.started_at,
            by="schedule",
            immediate=False,
        )


def _capabilities(kinds: Iterable[StoreType]) -> Iterator[str]:
    """Yield names such as ``CertStores.PEM.Reenrollment`` (keyfactor-command.md 10)."""
    for kind in kinds:
        yield f"CertStores.{kind.capability}.{INVENTORY}"
        yield f"CertStores.{kind.capability}.Management"
        if kind.reenrollable:
            yield f"CertStores.{kind.capability}.{REENROLLMENT}"
