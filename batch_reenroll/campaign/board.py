"""What Command's job lists have shown so far: the board that rows are matched with.

Pure memory over explicit times. A *look* reads ScheduledJobs first and JobHistory
second: a job leaves the one as it enters the other, so in this order it cannot hide
between the two reads, unless the lists lag. Absence counts only after two looks that
were complete and late enough (see ``looks.py``).

Memory: every waiting job of the last look, every job that has not ended, and ended
jobs only of places that somebody asked to :meth:`JobBoard.watch`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from batch_reenroll.campaign.ends import Ends, Place
from batch_reenroll.campaign.looks import Looks
from batch_reenroll.campaign.nouns import (
    JobRecord,
    JobResult,
    JobStatus,
    ScheduledJob,
)
from batch_reenroll.campaign.rows import Fence, Row

_FINAL = frozenset({JobStatus.COMPLETED, JobStatus.ACKNOWLEDGED})
_KIND = "reenrollment"
_TAIL = re.compile(r"[\w.-]*\Z")


def is_final(record: JobRecord) -> bool:
    """Return whether the job has ended: CompletedWillRetry has not."""
    return record.status in _FINAL


def place_of(client_machine: str, store_path: str) -> Place:
    """Return the key under which one store's jobs are found, letter case aside."""
    return client_machine.casefold(), store_path.casefold()


def kind_fits(job_type: str, capability: str) -> bool:
    """Return whether ``job_type`` is a reenrollment of this capability.

    Command sends ``WinCertReenrollment`` where the documents say ``Reenrollment``
    (keyfactor-command.md 2.4); either fits.
    """
    kind = job_type.casefold()
    if not capability:
        return _KIND in kind
    return kind in (_KIND, capability.casefold() + _KIND)


def target_fits(target: str, store_path: str) -> bool:
    """Return whether a ScheduledJobs target names this store path.

    The format is not confirmed (keyfactor-command.md 3.1): the path alone, or ending
    with the path after a character that cannot be part of a longer name.
    """
    text, path = target.casefold(), store_path.casefold()
    if not path or not text.endswith(path):
        return False
    head = text[: -len(path)]
    return not head or not (head[-1].isalnum() or head[-1] in "_-./\\")


def _tail(text: str) -> str:
    match = _TAIL.search(text.casefold())
    return match.group() if match else ""


@dataclass(slots=True)
class _Job:
    """One job: its tries so far, lowest and highest JobHistoryId, and last record."""

    first_seen_s: float
    scheduled: ScheduledJob | None = None
    lowest_id: int | None = None
    record: JobRecord | None = None


@dataclass(slots=True)
class JobBoard:
    """Jobs seen, by id and by place.

    Attributes:
        high_id: Highest JobHistoryId seen, 0 for none.
        look_began_s: When the last complete look began, monotonic seconds, or None.
        looks: All complete looks, for proofs of absence.
    """

    high_id: int = 0
    look_began_s: float | None = None
    looks: Looks = field(default_factory=Looks, compare=False)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _waiting: set[str] = field(default_factory=set)
    _by_tail: dict[str, set[str]] = field(default_factory=dict)
    _by_place: dict[Place, set[str]] = field(default_factory=dict)
    _watched: dict[Place, int] = field(default_factory=dict)
    _ends: Ends = field(default_factory=Ends)
    _gone: set[str] = field(default_factory=set)

    def watch(self, row: Row) -> None:
        """Keep ended jobs of this row's place until :meth:`unwatch`."""
        place = place_of(row.client_machine, row.store_path)
        self._watched[place] = self._watched.get(place, 0) + 1

    def unwatch(self, row: Row) -> None:
        """Forget ended jobs of the place once nobody watches it any more."""
        place = place_of(row.client_machine, row.store_path)
        self._watched[place] = self._watched.get(place, 0) - 1
        if self._watched[place] > 0:
            return
        del self._watched[place]
        for job_id in tuple(self._by_place.get(place, ())):
            record = self._jobs[job_id].record
            if record is not None and is_final(record):
                self._drop(job_id)

    def see_scheduled(self, jobs: Iterable[ScheduledJob], at_s: float) -> None:
        """Begin a look: replace the list of waiting jobs by one read at ``at_s``."""
        self._gone = set()
        self._by_tail = {}
        gone, self._waiting = self._waiting, set()
        for job in jobs:
            known = self._jobs.setdefault(job.job_id, _Job(first_seen_s=at_s))
            known.scheduled = job
            self._waiting.add(job.job_id)
            self._by_tail.setdefault(_tail(job.target), set()).add(job.job_id)
        for job_id in gone - self._waiting:
            known = self._jobs[job_id]
            known.scheduled = None
            if known.record is None:
                del self._jobs[job_id]

    def see_history(
        self,
        records: Iterable[JobRecord],
        at_s: float,
        server_time: datetime | None = None,
        read_s: float | None = None,
    ) -> None:
        """Add rows of JobHistory, seen before or not.

        In any order: of the rows of one job the one with the highest JobHistoryId
        counts. An earlier try of an ended job still reads CompletedWillRetry, so a
        look that breaks off may leave it open until the next.

        Args:
            records: Rows of one or several pages.
            at_s: When the look began, monotonic seconds.
            server_time: Command's clock as it answered, to tell what ended long ago;
                without it, ends are not remembered.
            read_s: When they were read, monotonic seconds; None = as the look began.
        """
        newest_first = sorted(records, key=lambda r: r.history_id, reverse=True)
        for record in newest_first:
            self.high_id = max(self.high_id, record.history_id)
            place = place_of(record.client_machine, record.store_path)
            seen_s = at_s if read_s is None else read_s
            self._note_end(place, record, seen_s, server_time)
            known = self._jobs.get(record.job_id)
            if known is None:
                if is_final(record) and place not in self._watched:
                    self._gone.add(record.job_id)
                if record.job_id in self._gone:
                    continue
                known = self._jobs[record.job_id] = _Job(first_seen_s=at_s)
            if known.lowest_id is None or record.history_id < known.lowest_id:
                known.lowest_id = record.history_id
            newest = known.record
            if newest is None or record.history_id >= newest.history_id:
                known.record = record
            self._by_place.setdefault(place, set()).add(record.job_id)
            if is_final(known.record or record) and place not in self._watched:
                self._gone.add(record.job_id)
                self._drop(record.job_id)

    def finish_look(self, began_s: float, between_s: float | None = None) -> None:
        """Say that both lists were read to the end in a look begun at ``began_s``.

        ``between_s`` is when the first had been read; None = at once.
        """
        self.look_began_s = began_s
        self.looks.add(began_s, began_s if between_s is None else between_s)

    def latest(self, job_id: str) -> JobRecord | None:
        """Return the job's row with the highest JobHistoryId, or None."""
        known = self._jobs.get(job_id)
        return known.record if known else None

    def is_waiting(self, job_id: str) -> bool:
        """Return whether the last look saw the job in ScheduledJobs."""
        return job_id in self._waiting

    def first_seen_s(self, job_id: str) -> float | None:
        """Return when the job was first seen, monotonic seconds, or None."""
        known = self._jobs.get(job_id)
        return known.first_seen_s if known else None

    def jobs_at(self, row: Row) -> frozenset[str]:
        """Return ids of all known jobs that could belong to the row's store."""
        found = set()
        for job_id in self._by_tail.get(_tail(row.store_path), ()):
            known = self._jobs[job_id]
            job = known.scheduled if known.record is None else None
            if job is not None and scheduled_fits(job, row):
                found.add(job_id)
        place = place_of(row.client_machine, row.store_path)
        for job_id in self._by_place.get(place, ()):
            record = self._jobs[job_id].record
            if record is not None and record_fits(record, row):
                found.add(job_id)
        return frozenset(found)

    def pending_at(self, row: Row) -> frozenset[str]:
        """Return ids of jobs at the row's store that have not ended.

        Where other stores of the orchestrator have the same path, a waiting job may be
        any of theirs: then only JobHistory, which names the machine, counts.
        """
        return frozenset(
            job_id
            for job_id in self.jobs_at(row)
            if not self._has_ended(job_id)
            and (row.place_unique or self._jobs[job_id].record is not None)
        )

    def candidates(self, row: Row) -> frozenset[str]:
        """Return ids of jobs beyond the row's fence that could be its own."""
        if row.fence is None:
            return frozenset()
        return frozenset(
            job_id
            for job_id in self.jobs_at(row)
            if job_id not in row.fence.jobs and self._beyond(job_id, row.fence)
        )

    def stranger_ended_s(self, row: Row) -> float | None:
        """Return when somebody else's job of the row's store had ended, or None.

        Monotonic seconds of the read that first showed it. Jobs that were
        :meth:`claim`-ed as ours do not count, and ends are forgotten with
        :meth:`forget_ends`.
        """
        return self._ends.latest_s(place_of(row.client_machine, row.store_path))

    def claim(self, row: Row) -> None:
        """Say that the row's job is ours: its end is no stranger's."""
        if row.job_id is not None:
            place = place_of(row.client_machine, row.store_path)
            self._ends.claim(place, row.job_id, at_s=self.look_began_s or 0.0)

    def forget_ends(self, before_s: float) -> None:
        """Forget ends of jobs before a moment: inventories have followed by then."""
        self._ends.forget(before_s)

    def _note_end(
        self,
        place: Place,
        record: JobRecord,
        seen_s: float,
        server_time: datetime | None,
    ) -> None:
        ended = record.ended_at
        if ended is None or server_time is None or not is_final(record):
            return
        # A job that failed changes no inventory.
        if record.result is not JobResult.FAILURE:
            age_s = (server_time - ended).total_seconds()
            self._ends.note(place, record.job_id, seen_s=seen_s, age_s=age_s)

    def fence_for(self, row: Row) -> Fence:
        """Return the fence for an attempt of ``row`` that is about to be made."""
        return Fence(history_id=self.high_id, jobs=self.jobs_at(row))

    def unfinished(self, below_id: int) -> list[str]:
        """Return ids of unended jobs whose last row lies at or below ``below_id``."""
        return sorted(
            job_id
            for job_id, job in self._jobs.items()
            if job.record is not None
            and not is_final(job.record)
            and job.record.history_id <= below_id
        )

    def _has_ended(self, job_id: str) -> bool:
        record = self._jobs[job_id].record
        return record is not None and is_final(record)

    def _beyond(self, job_id: str, fence: Fence) -> bool:
        lowest = self._jobs[job_id].lowest_id
        return lowest is None or lowest > fence.history_id

    def _drop(self, job_id: str) -> None:
        job = self._jobs[job_id]
        if job.record is not None:
            place = place_of(job.record.client_machine, job.record.store_path)
            self._by_place.get(place, set()).discard(job_id)
            if not self._by_place.get(place, True):
                del self._by_place[place]
        if job_id not in self._waiting:
            del self._jobs[job_id]
        else:
            job.record = None


def scheduled_fits(job: ScheduledJob, row: Row) -> bool:
    """Return whether a waiting job could be of the row's store.

    ``ClientMachine`` is taken for the orchestrator's or the store's machine: which of
    the two it is, is not confirmed (keyfactor-command.md 3.1).
    """
    machines = {row.orchestrator.casefold(), row.client_machine.casefold()}
    return (
        kind_fits(job.job_type, row.capability)
        and (not job.client_machine or job.client_machine.casefold() in machines)
        and target_fits(job.target, row.store_path)
    )


def record_fits(record: JobRecord, row: Row) -> bool:
    """Return whether a row of JobHistory is of the row's store."""
    same_agent = (
        not record.agent_machine
        or not row.orchestrator
        or record.agent_machine.casefold() == row.orchestrator.casefold()
    )
    return (
        same_agent
        and kind_fits(record.job_type, row.capability)
        and place_of(record.client_machine, record.store_path)
        == place_of(row.client_machine, row.store_path)
    )
