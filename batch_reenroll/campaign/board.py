"""What Command's job lists have shown so far: the board that rows are matched with.

Pure memory over explicit times. A *look* reads ScheduledJobs first and JobHistory
second: a job leaves the one as it enters the other, so in this order it cannot hide
between the two reads, unless the lists lag. Absence counts only after two looks that
were complete and late enough (see ``looks.py``).

Memory: every waiting job of the last look, every job that has not ended, and ended
jobs only of places that somebody asked to :meth:`JobBoard.watch`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from batch_reenroll.campaign.ends import Ends, Place
from batch_reenroll.campaign.looks import Looks
from batch_reenroll.campaign.matching import (
    Corner,
    corner_of,
    corners_of,
    place_of,
    record_fits,
    scheduled_fits,
)
from batch_reenroll.campaign.nouns import (
    JobRecord,
    JobResult,
    JobStatus,
    ScheduledJob,
)
from batch_reenroll.campaign.rows import Fence, Row

_FINAL = frozenset({JobStatus.COMPLETED, JobStatus.ACKNOWLEDGED})


def is_final(record: JobRecord) -> bool:
    """Return whether the job has ended: CompletedWillRetry has not."""
    return record.status in _FINAL


@dataclass(slots=True)
class _Job:
    """One job: its tries so far, lowest and highest JobHistoryId, and last record.

    ``read_s`` is when the look began that read the record last. ``gone_s``: it waited,
    and the list of a look begun then did not show it any more, ``sure`` as it may be.
    """

    first_seen_s: float
    read_s: float = 0.0
    gone_s: float | None = None
    sure: bool = False
    scheduled: ScheduledJob | None = None
    lowest_id: int | None = None
    record: JobRecord | None = None


@dataclass(slots=True)
class JobBoard:
    """Jobs seen, by id and by place.

    Attributes:
        high_id: Highest JobHistoryId seen, 0 for none.
        look_began_s: When the last complete look at all orchestrators began, monotonic
            seconds, or None.
        looks: The complete looks at all orchestrators, for proofs of absence; see
            :meth:`looks_of`.
        touched: Jobs of which this look has read a row of history.
        lag_s: How long Command's lists may lag: a job that has left ScheduledJobs may
            be on its way to JobHistory, and counts as waiting so much longer.
    """

    high_id: int = 0
    look_began_s: float | None = None
    looks: Looks = field(default_factory=Looks, compare=False)
    touched: set[str] = field(default_factory=set, compare=False)
    lag_s: float = field(default=0.0, compare=False)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _waiting: set[str] = field(default_factory=set)
    _leaving: set[str] = field(default_factory=set)
    _by_corner: dict[Corner, set[str]] = field(default_factory=dict)
    _by_place: dict[Place, set[str]] = field(default_factory=dict)
    _watched: dict[Place, int] = field(default_factory=dict)
    _ends: Ends = field(default_factory=Ends)
    _gone: set[str] = field(default_factory=set)
    _alone: dict[str, Looks] = field(default_factory=dict, compare=False)
    _began_s: float = field(default=0.0, compare=False)

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

    def begin_look(self, at_s: float) -> None:
        """Begin a look at ``at_s``; the list of waiting jobs stays as it was."""
        self._gone = set()
        self.touched = set()
        self._began_s = at_s

    def see_scheduled(
        self, jobs: Iterable[ScheduledJob], at_s: float, *, surely: bool = True
    ) -> None:
        """Begin a look: replace the list of waiting jobs by one read at ``at_s``.

        Args:
            jobs: All that wait.
            at_s: When the look began, monotonic seconds.
            surely: Whether the list cannot have lost a job between two pages. Where
                it can, when a job that it does not show was first seen is remembered
                for another look.

        A job that is not shown any more still counts until JobHistory was read, too.
        """
        self.begin_look(at_s)
        self._by_corner = {}
        before, self._waiting = self._waiting, set()
        for job in jobs:
            known = self._jobs.setdefault(job.job_id, _Job(first_seen_s=at_s))
            known.scheduled, known.gone_s = job, None
            self._waiting.add(job.job_id)
            self._by_corner.setdefault(corner_of(job), set()).add(job.job_id)
        self._leaving -= self._waiting
        for job_id in before - self._waiting:
            self._jobs[job_id].gone_s = at_s
            self._jobs[job_id].sure = surely
            self._leaving.add(job_id)
        for job_id in self._leaving:
            known = self._jobs[job_id]
            known.sure = known.sure or surely or known.gone_s != at_s
            if known.scheduled is not None:
                corner = corner_of(known.scheduled)
                self._by_corner.setdefault(corner, set()).add(job_id)

    def _let_go(self, began_s: float) -> None:
        """Forget jobs that have left the list and are not on their way any more."""
        for job_id in tuple(self._leaving):
            known = self._jobs[job_id]
            if known.record is None:
                if began_s < (known.gone_s or 0.0) + self.lag_s:
                    continue
                self._leave_corner(job_id, known)
                if not known.sure:
                    continue
                del self._jobs[job_id]
            self._leave_corner(job_id, known)
            self._leaving.discard(job_id)

    def _leave_corner(self, job_id: str, known: _Job) -> None:
        if known.scheduled is None:
            return
        corner = corner_of(known.scheduled)
        known.scheduled = None
        self._by_corner[corner].discard(job_id)
        if not self._by_corner[corner]:
            del self._by_corner[corner]

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
            self.touched.add(record.job_id)
            seen_s = at_s if read_s is None else read_s
            self._note_end(place, record, seen_s, server_time)
            known = self._jobs.get(record.job_id)
            if known is None:
                if is_final(record) and place not in self._watched:
                    self._gone.add(record.job_id)
                if record.job_id in self._gone:
                    continue
                known = self._jobs[record.job_id] = _Job(first_seen_s=at_s)
            known.read_s = at_s
            if known.lowest_id is None or record.history_id < known.lowest_id:
                known.lowest_id = record.history_id
            newest = known.record
            if newest is None or record.history_id >= newest.history_id:
                known.record = record
            self._by_place.setdefault(place, set()).add(record.job_id)
            if is_final(known.record or record) and place not in self._watched:
                self._gone.add(record.job_id)
                self._drop(record.job_id)

    def finish_look(
        self,
        began_s: float,
        between_s: float | None = None,
        *,
        alone: Iterable[str] | None = None,
    ) -> None:
        """Say that both lists were read to the end in a look begun at ``began_s``.

        Args:
            began_s: Monotonic seconds.
            between_s: When the first had been read; None = at once.
            alone: The orchestrators whose own lists were; None = all.
        """
        between_s = began_s if between_s is None else between_s
        self._let_go(began_s)
        if alone is None:
            self.look_began_s = began_s
            self.looks.add(began_s, between_s)
            return
        for agent_id in alone:
            own = self._alone.setdefault(agent_id, Looks(of_all=self.looks))
            own.add(began_s, between_s)

    def looks_of(self, agent_id: str) -> Looks:
        """Return the complete looks that count for one orchestrator."""
        return self._alone.get(agent_id, self.looks)

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
        for corner in corners_of(row):
            for job_id in self._by_corner.get(corner, ()):
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
            self._ends.claim(place, row.job_id, at_s=self._began_s)

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

    @property
    def n_waiting(self) -> int:
        """Jobs that the last list of ScheduledJobs showed."""
        return len(self._waiting)

    def unfinished(self, below_id: int, read_before_s: float = math.inf) -> list[str]:
        """Return ids of unended jobs whose last row lies at or below ``below_id``.

        With ``read_before_s`` only those that no look begun then or later has read.
        """
        return sorted(record.job_id for record in self._open(below_id, read_before_s))

    def open_ids(self, below_id: int) -> list[int]:
        """Return the JobHistoryIds of those rows, in any order."""
        return [record.history_id for record in self._open(below_id, math.inf)]

    def _open(self, below_id: int, read_before_s: float) -> Iterator[JobRecord]:
        for job in self._jobs.values():
            record = job.record
            if (
                record is not None
                and not is_final(record)
                and record.history_id <= below_id
                and job.read_s < read_before_s
            ):
                yield record

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
        if job_id in self._waiting:
            job.record = None
            return
        self._leave_corner(job_id, job)
        self._leaving.discard(job_id)
        del self._jobs[job_id]
