"""What the loops of one run share: rows in flight, limits, and the wish to stop.

Every change of a row goes through :meth:`Context.advance`: first the ledger, then
memory. One loop owns a row at a time: ``submit.py`` until it is answered, then
``track.py`` until its job has ended, then ``verify.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.breakers import Closed, Kind, Opened
from batch_reenroll.campaign.budget import Tally
from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.lanes import Lanes
from batch_reenroll.campaign.lifecycle import (
    OUTCOMES,
    UNRESOLVED,
    WITH_COMMAND,
    State,
)
from batch_reenroll.campaign.pace import Pace
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Move, Note, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.runner.gates import Gates
from batch_reenroll.runner.health import Health
from batch_reenroll.runner.ports import Clock, Command, Ledger, Observer, Unobserved

_ENDS = frozenset(OUTCOMES)


async def happens(event: asyncio.Event, timeout_s: float | None) -> None:
    """Return when ``event`` is set, or after ``timeout_s`` seconds (None = never)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


def place_number(agent_id: str, machine: str, path: str) -> int:
    """Return the lane's 63-bit number of a place.

    A collision only makes two rows wait for each other.
    """
    text = f"{agent_id}\0{machine.casefold()}\0{path.casefold()}".encode()
    return (zlib.crc32(text) << 31) ^ (zlib.adler32(text) & 0x7FFFFFFF)


@dataclass(slots=True)
class Tracked:
    """A row in flight, with its clock in monotonic seconds of this process.

    ``looked_s`` is when the store's inventory was read before the attempt, or None.
    """

    row: Row
    answered_s: float
    rivals_until_s: float
    running_s: float | None = None
    looked_s: float | None = None
    unscheduled: bool = False


@dataclass(slots=True)
class Stranger:
    """Somebody else's job of a row's store, for which the row waits.

    Attributes:
        since_s: When it was first seen, monotonic seconds.
        row: The row with the store's inventory as it was then, or None where that
            was not read.
    """

    since_s: float
    row: Row | None = None


@dataclass(slots=True)
class Context:
    """One run of one campaign. Owned by the event loop; nothing here blocks.

    Attributes:
        settings: Limits and times.
        command, ledger, clock: The ports.
        observer: Told what happens.
        roll: Returns a uniform sample in [0, 1).
        lanes, pace, gates, board: Decisions about order, speed, who may pass, jobs.
        turnstile: Held by the one row whose permit is next, so that the others do
            not wake up for it.
        rows: Rows in flight by number.
        tally: Rows ended, all runs of the campaign.
        standing: Rows by state, for the progress display.
        at_work: Rows of ours with Command, by orchestrator GUID.
        strangers: Rows that wait for somebody else's job, by number.
        calendar: When rows of the open wave may be submitted.
        wave: The wave that was opened last, or None without waves.
        more_waves: Whether there are waves still to be opened.
        unread: Rows of open waves that are not in the lanes yet.
        by_wave: Rows by state of each wave.
        last_end: When the last row ended, or None.
        soaking_until: Until when the next wave waits, or None.
        closed_until: When the next window opens, None while one is open.
        stop, stop_message: Why feeding ended, or None.
        withdraw: Whether waiting jobs are to be taken back before the run ends.
        reclaims: Whether jobs that nobody takes in time are taken back; no more once
            the account turned out not to have the right.
        remarks: What the run goes on without, in words, n >= 0.
        tracking: How the last look read Command's job lists, in a few words.
        longest_page: Rows of the longest page of a job list so far, at least the
            documented default: a server caps none below that.
    """

    settings: RunSettings
    command: Command
    ledger: Ledger
    clock: Clock
    roll: Callable[[], float]
    lanes: Lanes
    pace: Pace
    gates: Gates
    observer: Observer = field(default_factory=Unobserved)
    turnstile: asyncio.Lock = field(default_factory=asyncio.Lock)
    board: JobBoard = field(default_factory=JobBoard)
    rows: dict[int, Tracked] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    standing: dict[State, int] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    at_work: Counter[str] = field(default_factory=Counter)
    strangers: dict[int, Stranger] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=Calendar)
    wave: str | None = None
    more_waves: bool = False
    unread: int = 0
    by_wave: dict[str | None, Counter[State]] = field(default_factory=dict)
    last_end: datetime | None = None
    soaking_until: datetime | None = None
    closed_until: datetime | None = None
    was_open: bool = False
    stop: Stop | None = None
    stop_message: str = ""
    stopped_s: float = 0.0
    failures_at_stop: int = 0
    withdraw: bool = False
    reclaims: bool = False
    remarks: list[str] = field(default_factory=list)
    posts_accepted: int = 0
    posts_forbidden: int = 0
    throttled_since_s: float | None = None
    tracking: str = ""
    longest_page: int = 50
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _verify: Callable[[Tracked], None] = lambda _: None

    def on_verify(self, start: Callable[[Tracked], None]) -> None:
        """Hand rows whose job has ended to ``start``."""
        self._verify = start

    @property
    def is_done(self) -> bool:
        """Whether no row is in flight and none will be."""
        if self.lanes.held:
            return False
        return self.is_stopping or not self.is_feeding

    @property
    def is_feeding(self) -> bool:
        """Whether rows are still to be sent, now or in a later wave."""
        return self.more_waves or self.waiting > 0

    @property
    def waiting(self) -> int:
        """Rows of open waves that have not been taken, those not read yet included."""
        return self.lanes.waiting + self.unread

    @property
    def is_stopping(self) -> bool:
        """Whether no further row may be sent."""
        return self.stop is not None

    def request_stop(
        self, stop: Stop, message: str = "", *, withdraw: bool = False
    ) -> None:
        """Stop feeding; the first reason stays, unless a graver one comes."""
        if withdraw and not self.withdraw:
            self.withdraw = True
            self.stopped_s = self.clock.monotonic()
        if self.stop is None or _GRAVITY.index(stop) < _GRAVITY.index(self.stop):
            self.stop, self.stop_message = stop, message
            self.stopped_s = self.clock.monotonic()
            self.failures_at_stop = self.tally.failures
            self.observer.stopping(stop, message)
        self.notify()

    def notify(self) -> None:
        """Wake whoever waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def change(self) -> asyncio.Event:
        """The next change. Take it *before* looking, or a change may be missed."""
        return self._changed

    async def advance(self, tracked: Tracked, decision: Decision) -> None:
        """Write the decision to the ledger, then act on it in memory."""
        move = decision.move(tracked.row, self.clock.now_utc())
        await self.ledger.move(move)
        tracked.row = tracked.row.moved(move)
        self.observer.moved(tracked.row, move)
        change = (move.target in WITH_COMMAND) - (move.origin in WITH_COMMAND)
        self.at_work[tracked.row.agent_id] += change
        self._count(move, wave=tracked.row.wave)
        for turn in self._settle(tracked, decision):
            await self.note(self._note(turn))

    async def advance_unsent(self, row_no: int, decision: Decision) -> None:
        """End a row that was never taken from its lane."""
        row = await self.ledger.row(row_no)
        move = decision.move(row, self.clock.now_utc())
        await self.ledger.move(move)
        self.observer.moved(row.moved(move), move)
        self._count(move, wave=row.wave)

    async def hear(self, agent_id: str, name: str, silence: str | None) -> None:
        """Note whether an orchestrator is silent; its breaker may open or close."""
        self.gates.call(Kind.ORCHESTRATOR, agent_id, name)
        turn = self.gates.hear(agent_id, silence, self.clock.monotonic())
        if turn is not None:
            await self.note(self._note(turn))
            self.notify()

    async def go_without(self, event: str, what: str, message: str) -> None:
        """Say once what the run goes on without, and why."""
        self.remarks.append(f"{what}: {message}")
        detail = {"message": message}
        await self.note(Note(event=event, at=self.clock.now_utc(), detail=detail))

    async def note(self, note: Note) -> None:
        """Write something about the whole campaign to the ledger."""
        await self.ledger.note(note)
        self.observer.noted(note)

    def _settle(self, tracked: Tracked, decision: Decision) -> list[Opened | Closed]:
        """Act on a decision in memory; return the breakers that it opened or closed."""
        turned: list[Opened | Closed] = []
        row, target = tracked.row, decision.target
        now_s = self.clock.monotonic()
        if target is State.RUNNING and tracked.running_s is None:
            tracked.running_s = now_s
        elif target is State.VERIFYING:
            self.lanes.release_slot(row.row_no)
            self._verify(tracked)
        elif target is State.PENDING:
            self.give_back(tracked, not_before_s=now_s)
        elif decision.reason is Reason.PICKUP_TIMEOUT and target is State.WITHDRAWING:
            # Nothing more is fed while it is being taken back.
            turned = self.gates.end(row, replace(decision, target=State.STALLED), now_s)
        elif target in _ENDS:
            self.leave(tracked)
            self.lanes.finish(row.row_no)
            turned = self._judge(row, decision)
        self.notify()
        return turned

    def enter(self, tracked: Tracked) -> None:
        """Start tracking a row."""
        self.rows[tracked.row.row_no] = tracked
        self.at_work[tracked.row.agent_id] += tracked.row.state in WITH_COMMAND
        self.board.watch(tracked.row)

    def leave(self, tracked: Tracked) -> None:
        """Stop tracking a row."""
        if self.rows.pop(tracked.row.row_no, None) is not None:
            self.board.unwatch(tracked.row)
            self.board.claim(tracked.row)

    def give_back(self, tracked: Tracked, *, not_before_s: float) -> None:
        """Return a row to its lane, to rest until then."""
        self.leave(tracked)
        self.lanes.give_back(tracked.row.row_no, not_before_s=not_before_s)
        self.gates.give_back(tracked.row, self.clock.monotonic())

    def _count(self, move: Move, *, wave: str | None) -> None:
        origin, target = move.origin, move.target
        self.standing[origin] = self.standing.get(origin, 0) - 1
        self.standing[target] = self.standing.get(target, 0) + 1
        states = self.by_wave.setdefault(wave, Counter())
        states[origin] -= 1
        states[target] += 1
        if target in _ENDS:
            self.last_end = move.at

    def _judge(self, row: Row, decision: Decision) -> list[Opened | Closed]:
        self.tally.add(decision.target)
        turned = self.gates.end(row, decision, self.clock.monotonic())
        failures, tried = self.tally.failures, self.tally.tried
        limit, least = self.settings.budget, self.settings.budget_min_rows
        if limit.exceeded(failures, tried, min_rows=least):
            self.request_stop(
                Stop.BUDGET,
                f"{failures} of {tried} rows failed; "
                f"the budget is {self.settings.budget_limit}",
            )
        return turned

    def _note(self, turn: Opened | Closed) -> Note:
        name = self.gates.name(turn.kind, turn.name)
        detail = {"id": turn.name, "kind": str(turn.kind), "name": name}
        event = "breaker_closed"
        if isinstance(turn, Opened):
            event, detail["cause"] = "breaker_opened", turn.cause
        return Note(event=event, at=self.clock.now_utc(), detail=detail)

    def snapshot(self) -> Mapping[str, Any]:
        """Return what a progress display shows."""
        now, now_s = self.clock.now_utc(), self.clock.monotonic()
        return {
            "states": {state: n for state, n in self.standing.items() if n},
            "rate_per_s": self.pace.rate_per_s,
            "pace_cause": self.pace.cause,
            "pace_cause_code": self.pace.cause_code,
            "in_flight": self.lanes.in_flight,
            "waiting": self.waiting,
            "away_since_s": self.health.away_since_s,
            "away_cause": self.health.cause,
            "stop": self.stop,
            "wave": self.wave,
            "soaking_until": self.soaking_until,
            "closed_until": self.closed_until,
            "tracking": self.tracking,
            "remarks": tuple(self.remarks),
            "breakers": [
                {"kind": str(turn.kind), "name": turn.name, "cause": turn.cause}
                for turn in self.gates.not_closed()
            ],
            "quiet": [
                {"name": name, "until": now + timedelta(seconds=left_s)}
                for name, left_s in self.gates.quiet(now_s)
            ],
        }

    def with_command(self) -> list[Tracked]:
        """Return rows that the tracker owns: answered or in doubt, job not ended."""
        return [t for t in self.rows.values() if t.row.state in TRACKED]


#: States of rows that the tracker owns.
TRACKED = UNRESOLVED - {State.SUBMITTING, State.VERIFYING}

#: The graver reason to stop wins (the order of design.md's exit codes).
_GRAVITY = (
    Stop.LEDGER,
    Stop.NOT_AUTHORISED,
    Stop.UNREACHABLE,
    Stop.SIGTERM,
    Stop.SIGINT,
    Stop.OPERATOR,
    Stop.WINDOW,
    Stop.WAVE,
    Stop.BUDGET,
)
