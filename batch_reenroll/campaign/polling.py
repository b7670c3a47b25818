"""The poll planner: the cheapest reads that show all that a look has to show (pure).

What must be seen is not decided here but by ``correlate.py`` and ``looks.py``; the
planner only picks among reads that show it. Two choices:

- **JobHistory** is always swept, newest first, at least down to the floor. Jobs below
  it that have not ended are reached by sweeping on, or asked for by id, whichever is
  cheaper for each.
- **ScheduledJobs** is read only while something depends on it: rows are still to be
  sent, an answer is in doubt, a job is being taken back, or a row's settle time is over
  and no complete look has been taken since. One page shows all of it. A list of several
  pages proves no absence, so the orchestrators whose rows wait for a proof are read
  alone as well, the pressing ones now and the others a few at a time.

A filter on JobHistory by orchestrator, status or time would show no row that the head
of the list does not show, in the same request or in more: it is not among the choices
(``benchmarks/README.md`` has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Rows that cost about as much as one more request. A simple call takes Command 0.2 s
#: (keyfactor-command.md 7), and a row of a page costs us 2 us (measured 2026-11-24);
#: what it costs Command is not documented.
REQUEST_ROWS = 500

#: Rows of one page of JobHistory. Keyfactor's own scripts use up to 5,000
#: (keyfactor-command.md 2.1); a server may give fewer. The least is twice the
#: documented default.
MAX_PAGE_ROWS, MIN_PAGE_ROWS = 5000, 100

#: Rows of one page of ScheduledJobs; undocumented: a cap. Its rows are short, and one
#: page proves what several do not. Asked for only where that many jobs were seen to
#: wait, and half of it after a look that failed.
MAX_LIST_ROWS = 20_000

#: Job ids in one query, and about as many rows in its answer; ``ports.MAX_JOB_IDS``.
_IDS_A_QUERY = 25

#: Rows more than expected that a page has room for.
_SLACK_SHARE, _SLACK_ROWS = 0.25, 25

#: Of the fastest growth seen, how much is still expected a look later.
_DECAY = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How JobHistory grows, as sweeps have shown it.

    Attributes:
        rows_per_id: Rows that a sweep shows, of all ids it spans, in (0, 1]: other
            people's inventories take ids, too.
        new_ids: Ids that are given out from one look to the next, >= 0.
    """

    rows_per_id: float = 1.0
    new_ids: float = 0.0

    def after(self, ids: Sequence[int], *, known_id: int) -> Flow:
        """Return the flow once a sweep has shown ``ids``.

        Args:
            ids: JobHistoryIds of its rows, in any order.
            known_id: The highest one known before it.
        """
        if not ids:
            return Flow(rows_per_id=self.rows_per_id, new_ids=self.new_ids * _DECAY)
        span = max(ids) - min(ids) + 1
        grown = max(0, max(ids) - known_id)
        return Flow(
            rows_per_id=min(1.0, len(set(ids)) / span),
            new_ids=max(float(grown), self.new_ids * _DECAY),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPlan:
    """How JobHistory is read.

    Attributes:
        above: The sweep goes down to this id; None = only the newest page.
        limit: Rows of a page.
        by_id: Jobs that it is not expected to reach: they will be asked for by id.
    """

    above: int | None
    limit: int
    by_id: int = 0

    @property
    def shown(self) -> str:
        """The plan in a few words."""
        more = f", {self.by_id} jobs by id" if self.by_id else ""
        return f"history: pages of {self.limit} rows{more}"


def plan_history(
    *,
    floor_id: int | None,
    high_id: int,
    open_ids: Sequence[int],
    flow: Flow,
    page_rows: int = MAX_PAGE_ROWS,
) -> HistoryPlan:
    """Return how far to sweep, and how large pages are to be.

    Args:
        floor_id: The sweep must reach it, whatever it costs; None = a first look.
        high_id: Highest id seen so far.
        open_ids: JobHistoryIds of the jobs that have not ended and lie at or below
            the floor, in any order.
        flow: How the history grows.
        page_rows: Largest page to be asked for, >= 1.
    """
    if floor_id is None:
        return HistoryPlan(above=None, limit=min(page_rows, 1000))
    below = sorted((number for number in open_ids if number <= floor_id), reverse=True)
    # One below the job: a sweep ends at a row that is not wanted any more.
    ends = [floor_id, *(max(0, number - 1) for number in below)]

    def rows(end: int) -> int:
        ids = flow.new_ids + max(0, high_id - end)
        return math.ceil(ids * flow.rows_per_id * (1 + _SLACK_SHARE)) + _SLACK_ROWS

    def cost(n_reached: int) -> int:
        swept = rows(ends[n_reached])
        queries = math.ceil((len(below) - n_reached) / _IDS_A_QUERY)
        asked = queries * (REQUEST_ROWS + _IDS_A_QUERY)
        return math.ceil(swept / page_rows) * REQUEST_ROWS + swept + asked

    n_reached = min(range(len(ends)), key=cost)
    limit = min(page_rows, max(MIN_PAGE_ROWS, rows(ends[n_reached])))
    return HistoryPlan(above=ends[n_reached], limit=limit, by_id=len(below) - n_reached)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """For what ScheduledJobs is wanted in a look.

    Attributes:
        feeding: Rows are still to be sent: jobs that wait at their stores must be
            known before. Or some were sent just now: their jobs are to be known early.
        urgent: Orchestrators of which a row can go no further without a complete look.
        due: Orchestrators of which a complete look would settle a row, but nothing
            waits for it yet; whose last one is longest ago first.
    """

    feeding: bool = False
    urgent: frozenset[str] = frozenset()
    due: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledPlan:
    """How ScheduledJobs is read.

    Attributes:
        whole: Whether at all: if so, first as one list.
        alone: Orchestrators to be read one by one as well, where that list takes more
            than one page.
        limit: Rows of a page.
    """

    whole: bool
    alone: tuple[str, ...] = ()
    limit: int = MAX_LIST_ROWS

    def shown(self, pages: int = 0, n_alone: int = 0) -> str:
        """Return the plan, as it went, in a few words."""
        if not self.whole:
            return "scheduled: not needed"
        more = f", {n_alone} orchestrators alone" if n_alone else ""
        return f"scheduled: {pages} pages of {self.limit} rows{more}"


def plan_scheduled(
    wants: Wants, *, rows: int, pages: int = 1, page_rows: int = MAX_LIST_ROWS
) -> ScheduledPlan:
    """Return how ScheduledJobs is to be read.

    Args:
        wants: What for.
        rows: Its length, as last seen.
        pages: Of how many pages it was then, >= 1.
        page_rows: Largest page to be asked for, >= 1.
    """
    if not (wants.feeding or wants.urgent or wants.due):
        return ScheduledPlan(whole=False)
    # While the list is read in every look anyway, as many requests again for those
    # that can wait; later all at once, so that no further look has to read it.
    n_more = pages if wants.feeding else len(wants.due)
    more = [agent for agent in wants.due if agent not in wants.urgent][:n_more]
    alone = (*sorted(wants.urgent), *more)
    limit = math.ceil(rows * (1 + _SLACK_SHARE)) + _SLACK_ROWS
    return ScheduledPlan(
        whole=True,
        alone=alone,
        limit=min(page_rows, max(_LEAST_SCHEDULED_ROWS, limit)),
    )


#: A page of ScheduledJobs has room for a burst of submissions, so that the list does
#: not outgrow it between two looks: a row that is not there costs nothing.
_LEAST_SCHEDULED_ROWS = 1000
