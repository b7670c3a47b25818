"""What orchestrators do in time: ask for work, run jobs one after another, report.

The life of a job: created (ScheduledJobs) → handed out at a heartbeat → started (out
of ScheduledJobs, a JobHistory row appears) → ended in place → perhaps put back.

undocumented: a job that an orchestrator was given but has not begun stays in
ScheduledJobs. The agent protocol has the orchestrator fetch each job's configuration
when its turn comes, and only then is there a JobHistoryId; until then the job can be
withdrawn (``JobCancelled``: it does not run and has no row), so it counts as scheduled.
``history_lag_s`` opens a gap.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

from batch_reenroll.sandbox.agenda import Agenda
from batch_reenroll.sandbox.checks import store_fault, wish_fault
from batch_reenroll.sandbox.faults import JobFaults
from batch_reenroll.sandbox.state import (
    APPROVED,
    INVENTORY,
    REENROLLMENT,
    HistoryRow,
    Job,
    Orchestrator,
    Result,
    Status,
    Store,
    Wish,
)
from batch_reenroll.sandbox.works import (
    Enrolled,
    Hands,
    Inventoried,
    InventoryOrder,
    Order,
    ReenrollOrder,
    WorkFailed,
    WorkResult,
)
from batch_reenroll.sandbox.world import World

#: When the daily inventory of every store runs, hours UTC.
NIGHTLY_HOUR = 2


class Orchestration:
    """Moves the jobs of one world along."""

    def __init__(
        self, world: World, agenda: Agenda, hands: Hands, faults: JobFaults
    ) -> None:
        self._world = world
        self._agenda = agenda
        self._hands = hands
        self._faults = faults
        self._order_ids = count(1)
        self._open: dict[int, HistoryRow] = {}

    def begin(self) -> None:
        """Enter the first heartbeats and the first nightly inventory."""
        world = self._world
        for agent in world.orchestrators.values():
            if agent.online:
                first = agent.plan.phase * world.settings.heartbeat_s
                self._enter_beat(agent, world.started_at + first)
        if world.settings.nightly_inventory:
            self._agenda.at(next_nightly_at(world.started_at), self._nightly)

    def heartbeat(self, agent: Orchestrator, now: float) -> None:
        """Let ``agent`` show itself and take all its scheduled jobs."""
        agent.beating = False
        if not agent.online:
            return
        agent.last_seen = now
        self._world.hand_out(agent, now)
        self._start_next(agent, now)
        self._enter_beat(agent, now + self._world.settings.heartbeat_s)

    def _enter_beat(self, agent: Orchestrator, at: float) -> None:
        agent.beating = True
        self._agenda.at(at, partial(self.heartbeat, agent))

    def set_online(self, agent: Orchestrator, online: bool, now: float) -> None:
        """Let ``agent`` come or go.

        One that goes finishes the job in hand and begins no other; one that comes back
        asks for work at once, or at the heartbeat that was entered before it went.
        """
        agent.online = online
        if online and not agent.beating:
            self._enter_beat(agent, now)

    def schedule(self, store: Store, wish: Wish, by: str, now: float) -> Job:
        """Create a reenrollment job.

        undocumented: a second one for a store that has one pending is a second job;
        the choice that shows a client's duplicates.
        """
        job = Job(
            job_id=self._world.new_job_id(),
            kind=REENROLLMENT,
            store=store,
            requested_at=now,
            by=by,
            wish=wish,
        )
        self._world.put_scheduled(job)
        self._log_created(job, now)
        return job

    def _nightly(self, now: float) -> None:
        world = self._world
        for job in world.recurring:
            agent = world.orchestrators[job.store.plan.agent_id]
            if agent.online and agent.status == APPROVED:
                agent.queue.append(job)
        for agent in world.orchestrators.values():
            self._start_next(agent, now)
        self._agenda.at(next_nightly_at(now), self._nightly)

    def _start_next(self, agent: Orchestrator, now: float) -> None:
        idle = agent.online and not agent.busy
        job = self._next_job(agent, now) if idle else None
        if job is None:
            return
        self._world.drop_scheduled(job)
        agent.busy = True
        job.tries += 1
        row = self._world.open_row(job, agent, now)
        self._world.tell(
            "job_started",
            job,
            now,
            history_id=row.history_id,
            agent=agent.plan.machine,
            attempt=job.tries,
        )
        self._agenda.at(now + self._duration_s(row), partial(self._work, row))

    def _next_job(self, agent: Orchestrator, now: float) -> Job | None:
        """Take the next job off the queue; what was withdrawn is not run."""
        while agent.queue:
            job = agent.queue.popleft()
            if not job.withdrawn:
                return job
            self._world.tell("job_cancelled", job, now, agent=agent.plan.machine)
            # After JobCancelled an agent registers a new session, and that brings it
            # all jobs that are due (keyfactor-command.md 10).
            agent.last_seen = now
            self._world.hand_out(agent, now)
        return None

    def _duration_s(self, row: HistoryRow) -> float:
        settings, rng = self._world.settings, self._world.rng
        if row.job.kind == INVENTORY:
            span_s = rng.uniform(settings.inventory_min_s, settings.inventory_max_s)
        else:
            span_s = rng.uniform(settings.job_min_s, settings.job_max_s)
            span_s += settings.enroll_latency_s
        return span_s * row.agent.plan.slowness

    def _work(self, row: HistoryRow, now: float) -> None:
        """Do what the job is for, at the end of its time."""
        scripted = self._faults.next_for(row.job.store.store_id, row.job.kind)
        if scripted is not None:
            self._end(row, Result(scripted.result), scripted.message, now)
            return
        order = self._order(row, now)
        if isinstance(order, str):
            self._end(row, Result.FAILURE, order, now)
            return
        self._open[order.order_id] = row
        result = self._hands.take(order)
        if result is not None:
            self.deliver(order.order_id, result, now)

    def _order(self, row: HistoryRow, now: float) -> Order | str:
        """Return the order for the job, or why Command refuses the CSR."""
        store, wish = row.job.store, row.job.wish
        self._world.inventory_of(store)  # a store is laid out before it is worked on
        if wish is None:
            return InventoryOrder(order_id=next(self._order_ids), store=store.plan)
        if fault := self._unfit(store, wish):
            return fault
        template = wish.template or self._pattern(wish.pattern)
        chosen = self._world.issuer_for(wish.authority, template, row.job.by)
        if isinstance(chosen, str):
            return chosen
        return ReenrollOrder(
            order_id=next(self._order_ids),
            store=store.plan,
            alias=wish.alias,
            subject=wish.subject,
            sans=wish.sans,
            authority=chosen[0],
            template=chosen[1],
            at=now,
            later_than=store.held_not_before,
        )

    def _unfit(self, store: Store, wish: Wish) -> str:
        """Return why the job cannot be done at all, where no POST has looked at it."""
        world = self._world
        if world.settings.post_checks == "strict":
            return ""
        agent = world.orchestrators[store.plan.agent_id]
        aliases = [entry.alias for entry in world.inventory_of(store)]
        return store_fault(store, agent) or wish_fault(
            store.plan.store_type, wish, aliases
        )

    def _pattern(self, number: int | None) -> str | None:
        """Return the template of an enrollment pattern.

        undocumented: the numbers; here the patterns are the templates, counted from 1.
        An unknown one fails in the job, as an unknown template does.
        """
        if number is None:
            return None
        names = [item.name for item in self._world.policy.templates.values()]
        known = 1 <= number <= len(names)
        return names[number - 1] if known else f"enrollment pattern {number}"

    def deliver(self, order_id: int, result: WorkResult, now: float) -> None:
        """Take the result of an order; an unknown order is ignored."""
        row = self._open.pop(order_id, None)
        if row is None:
            return
        match result:
            case Enrolled(certificate=leaf, alias=alias):
                store, wish = row.job.store, row.job.wish
                store.held_not_before = leaf.not_before
                self._world.see([leaf])
                store.parameters[alias] = wish.properties if wish else {}
                self._end(row, Result.SUCCESS, "", now, thumbprint=leaf.thumbprint)
            case Inventoried(entries=entries):
                row.job.store.inventory = entries
                self._world.see(entry.certificates[0] for entry in entries)
                self._end(row, Result.SUCCESS, "", now)
            case WorkFailed(message=message):
                self._end(row, Result.FAILURE, message, now)

    def _end(
        self,
        row: HistoryRow,
        result: Result,
        message: str,
        now: float,
        thumbprint: str | None = None,
    ) -> None:
        job, settings = row.job, self._world.settings
        failed = result is Result.FAILURE and job.kind == REENROLLMENT
        again = failed and job.tries <= settings.job_retry_count
        row.ended_at = now
        row.result = result
        row.message = message
        row.status = Status.COMPLETED_WILL_RETRY if again else Status.COMPLETED
        self._world.tell(
            "job_ended",
            job,
            now,
            history_id=row.history_id,
            result=int(result),
            status=int(row.status),
            message=message,
            **({"thumbprint": thumbprint} if thumbprint else {}),
        )
        if again:
            job.not_before = now + settings.job_retry_delay_s
            self._world.put_scheduled(job)
        is_new = result is Result.SUCCESS and job.kind == REENROLLMENT
        if is_new and settings.inventory_follows:
            self._chain_inventory(row, now)
        row.agent.busy = False
        self._start_next(row.agent, now)

    def _chain_inventory(self, row: HistoryRow, now: float) -> None:
        """Hand the follow-up inventory out with the completion, as Command does."""
        job = Job(
            job_id=self._world.new_job_id(),
            kind=INVENTORY,
            store=row.job.store,
            requested_at=now,
            by="completion",
        )
        self._log_created(job, now)

        def queue(at: float) -> None:
            row.agent.queue.append(job)
            self._start_next(row.agent, at)

        self._agenda.at(now + self._world.settings.inventory_delay_s, queue)

    def _log_created(self, job: Job, now: float) -> None:
        wish = job.wish
        extra = {"alias": wish.alias, "subject": wish.subject} if wish else {}
        self._world.tell("job_created", job, now, by=job.by, **extra)


def next_nightly_at(now: float) -> float:
    """Return the first 02:00 UTC after ``now``; both in seconds since the epoch."""
    moment = datetime.fromtimestamp(now, UTC)
    night = moment.replace(hour=NIGHTLY_HOUR, minute=0, second=0, microsecond=0)
    if night <= moment:
        night += timedelta(days=1)
    return night.timestamp()
