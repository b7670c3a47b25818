"""The metrics of one run, and how each is come by. Labels take few values each.

Counters are of this process: they begin at 0 with it, as Prometheus expects. What
stands in the ledger (rows by state) is of the whole campaign.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from batch_reenroll import __version__
from batch_reenroll.campaign.breakers import Kind as BreakerKind
from batch_reenroll.campaign.budget import FAILURES, TRIED
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.pace import Cause
from batch_reenroll.campaign.rows import Move, Note, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.observe.family import Family, Histogram, Kind, Sample

if TYPE_CHECKING:
    from batch_reenroll.command import Seen

_PREFIX = "batch_reenroll_"

#: A POST takes 0.2-0.3 s on a real Command (keyfactor-command.md 7), a page of history
#: a second or two, and a request ends after a minute.
_REQUEST_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

#: From a fast disk's fsync to one that something is wrong with.
_COMMIT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

#: Entries of one commit, at most 1,000 (``ledger/group.py``).
_ENTRIES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

_ENDS = frozenset(OUTCOMES)

#: Told of a histogram's name, a number that fell into it, and its labels.
Record = Callable[[str, float, Mapping[str, str]], None]


class Metrics:
    """Counts what happens; an ``Observer`` of the runner, of requests and commits.

    Args:
        campaign_id: Which campaign.
        settings: Its limits.
        began_s: When the process began with it, seconds of the epoch.
        record: Also told of every number that goes into a histogram, or None.
    """

    def __init__(
        self,
        campaign_id: str,
        settings: RunSettings,
        *,
        began_s: float,
        record: Record | None = None,
    ) -> None:
        self._campaign_id = campaign_id
        self._settings = settings
        self._began_s = began_s
        self._record = record
        self._ended: Counter[State] = Counter()
        self._attempts = 0
        self._breakers_opened: Counter[str] = Counter()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._took = defaultdict[str, Histogram](partial(Histogram, _REQUEST_S))
        self._commits = Histogram(_COMMIT_S)
        self._entries = Histogram(_ENTRIES)

    def moved(self, row: Row, move: Move) -> None:  # noqa: ARG002 - the port's name
        """Count a row that ended, or an attempt."""
        if move.target in _ENDS:
            self._ended[move.target] += 1
        elif move.target is State.SUBMITTING:
            self._attempts += 1

    def noted(self, note: Note) -> None:
        """Count a breaker that opened."""
        if note.event == "breaker_opened":
            self._breakers_opened[str(note.detail.get("kind"))] += 1

    def stopping(self, stop: Stop, message: str) -> None:
        """See ``Observer``; the snapshot shows it."""

    def requested(self, seen: Seen) -> None:
        """Count a request and its answer."""
        answered = not seen.error and seen.status is not None
        status = f"{(seen.status or 0) // 100}xx" if answered else "none"
        self._requests[seen.kind, status] += 1
        self._took[seen.kind].add(seen.took_s)
        self._tell("request_duration_seconds", seen.took_s, {"kind": seen.kind})

    def committed(self, n_entries: int, took_s: float) -> None:
        """Count a commit of the ledger."""
        self._commits.add(took_s)
        self._entries.add(n_entries)
        self._tell("ledger_commit_duration_seconds", took_s, {})
        self._tell("ledger_commit_entries", n_entries, {})

    def _tell(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        if self._record is not None:
            self._record(_PREFIX + name, value, labels)

    def families(
        self, shot: Mapping[str, Any], *, rows_per_s: float, eta_s: float | None
    ) -> list[Family]:
        """Return everything as it stands.

        Args:
            shot: The run's snapshot.
            rows_per_s: How many rows end.
            eta_s: Seconds until the last has ended, or None where it cannot be told.
        """
        return [
            *self._of_process(),
            *self._of_rows(shot, rows_per_s, eta_s),
            *_of_pace(shot, self._settings),
            *_of_waiting(shot),
        ]

    def _of_process(self) -> Iterator[Family]:
        yield _gauge(
            "info",
            "What runs; always 1.",
            Sample(1, {"campaign": self._campaign_id, "version": __version__}),
        )
        yield _gauge(
            "run_start_timestamp_seconds",
            "When this process began with the campaign.",
            Sample(self._began_s),
        )
        yield _counter(
            "requests_total",
            "Requests sent to Command; status none: no whole answer came.",
            (
                Sample(n, {"kind": kind, "status": status})
                for (kind, status), n in sorted(self._requests.items())
            ),
        )
        yield _histogram(
            "request_duration_seconds",
            "Until a request's answer was whole, or was given up.",
            {kind: self._took[kind] for kind in sorted(self._took)},
        )
        text = "Until a commit of the ledger was durable."
        yield _histogram("ledger_commit_duration_seconds", text, {"": self._commits})
        text = "Entries that shared one commit of the ledger."
        yield _histogram("ledger_commit_entries", text, {"": self._entries})

    def _of_rows(
        self, shot: Mapping[str, Any], rows_per_s: float, eta_s: float | None
    ) -> Iterator[Family]:
        states: Mapping[State, int] = shot["states"]
        yield _gauge(
            "rows",
            "Rows of the campaign by state.",
            *(Sample(states.get(s, 0), {"state": str(s)}) for s in State),
        )
        yield _counter(
            "rows_ended_total",
            "Rows that this process brought to an outcome.",
            (Sample(self._ended[s], {"outcome": str(s)}) for s in OUTCOMES),
        )
        text = "Submissions that were intended; each precedes its request."
        yield _counter("attempts_total", text, [Sample(self._attempts)])
        text = "Rows that have ended lately, per second."
        yield _gauge("rows_ended_per_second", text, Sample(rows_per_s))
        text = "Time left until the last row has ended, as far as it can be told."
        known = [] if eta_s is None else [Sample(eta_s)]
        yield _gauge("eta_seconds", text, *known)
        text = "Failures as a share of those that the budget allows; above 1 it stops."
        yield _gauge("budget_used_ratio", text, Sample(self._budget_used(states)))
        yield _gauge(
            "breakers_open",
            "Orchestrators and CAs that are cut off.",
            *_by_kind(Counter(entry["kind"] for entry in shot["breakers"])),
        )
        yield _counter(
            "breakers_opened_total",
            "How often one was cut off.",
            _by_kind(self._breakers_opened),
        )

    def _budget_used(self, states: Mapping[State, int]) -> float:
        limit = self._settings.budget
        failures = sum(states.get(state, 0) for state in FAILURES)
        tried = sum(states.get(state, 0) for state in TRIED)
        if limit.percent and tried < self._settings.budget_min_rows:
            return 0.0
        allowed = float(limit.value) * (tried / 100 if limit.percent else 1)
        if not allowed:
            return math.inf if failures else 0.0
        return failures / allowed


def _of_pace(shot: Mapping[str, Any], settings: RunSettings) -> Iterator[Family]:
    text = "Submissions per second that the pace allows now."
    yield _gauge("pace_per_second", text, Sample(shot["rate_per_s"]))
    text = "Submissions per second that the user allows."
    yield _gauge("pace_ceiling_per_second", text, Sample(settings.rate_per_s))
    yield _gauge(
        "pace_cause",
        "Why the pace is what it is: 1 for the cause that holds.",
        *(
            Sample(int(shot["pace_cause_code"] == cause), {"cause": str(cause)})
            for cause in Cause
        ),
    )
    text = "Rows that Command has, or may have, a job of."
    yield _gauge("in_flight_rows", text, Sample(shot["in_flight"]))
    text = "Rows with Command at one time that the user allows."
    yield _gauge("in_flight_ceiling_rows", text, Sample(settings.max_in_flight))


def _of_waiting(shot: Mapping[str, Any]) -> Iterator[Family]:
    is_up = int(shot["away_since_s"] is None)
    yield _gauge("command_up", "Whether Command answers.", Sample(is_up))
    closed, soaking = shot["closed_until"], shot["soaking_until"]
    text = "Whether rows may be sent now, as far as windows go."
    yield _gauge("window_open", text, Sample(int(closed is None)))
    opens = [] if closed is None else [Sample(closed.timestamp())]
    text = "When the next window opens; missing while one is open."
    yield _gauge("window_opens_timestamp_seconds", text, *opens)
    wave = [] if shot["wave"] is None else [Sample(1, {"wave": shot["wave"]})]
    text = "The wave that was opened last; always 1, missing without waves."
    yield _gauge("wave", text, *wave)
    until = [] if soaking is None else [Sample(soaking.timestamp())]
    text = "Until when the next wave waits; missing while none does."
    yield _gauge("wave_soaks_until_timestamp_seconds", text, *until)
    text = "Whether the run is ending early."
    yield _gauge("stopping", text, Sample(int(shot["stop"] is not None)))


def _by_kind(counts: Counter[str]) -> Iterator[Sample]:
    return (Sample(counts[str(kind)], {"kind": str(kind)}) for kind in BreakerKind)


def _gauge(name: str, text: str, *samples: Sample) -> Family:
    return Family(name=_PREFIX + name, kind=Kind.GAUGE, text=text, samples=samples)


def _counter(name: str, text: str, samples: Iterable[Sample]) -> Family:
    return Family(
        name=_PREFIX + name, kind=Kind.COUNTER, text=text, samples=tuple(samples)
    )


def _histogram(name: str, text: str, of: Mapping[str, Histogram]) -> Family:
    samples = (
        sample
        for kind, histogram in of.items()
        for sample in histogram.samples({"kind": kind} if kind else {})
    )
    return Family(
        name=_PREFIX + name,
        kind=Kind.HISTOGRAM,
        text=text,
        samples=tuple(samples),
    )


#: Buckets of each histogram, by the family's name.
BOUNDS: Mapping[str, tuple[float, ...]] = {
    f"{_PREFIX}request_duration_seconds": _REQUEST_S,
    f"{_PREFIX}ledger_commit_duration_seconds": _COMMIT_S,
    f"{_PREFIX}ledger_commit_entries": _ENTRIES,
}
