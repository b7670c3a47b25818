"""What must hold at every step, checked as it happens.

The watch sees each POST as it leaves, each job as Command makes it, and each commit
as it lands on disk, through a connection of its own. It believes neither the product's
memory nor its ledger code: states come from the journal, jobs from the sandbox's log.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch_reenroll.campaign.lifecycle import (
    OUTCOMES,
    UNRESOLVED,
    WITH_COMMAND,
    State,
    is_legal,
)
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.ledger.journal import GENESIS_PREV
from batch_reenroll.text import sha256_hex

Entry = dict[str, Any]


@dataclass(slots=True)
class Post:
    """One POST of a reenrollment that has left.

    Attributes:
        key: Store and alias.
        left_s: When, virtual seconds.
        under_way: It may still arrive and be carried out.
        job_id: The job it made, or None so far.
        status: What our side was answered, or None.
    """

    key: tuple[str, str]
    left_s: float
    under_way: bool
    job_id: str | None = None
    status: int | None = None


@dataclass(slots=True)
class _Bucket:
    """Holds exactly where any window of W seconds has at most burst + rate * W."""

    rate_per_s: float
    size: float
    level: float
    at_s: float = 0.0

    def take(self, now_s: float) -> bool:
        """Take one; return whether there was one."""
        grown = (now_s - self.at_s) * self.rate_per_s
        self.level, self.at_s = min(self.size, self.level + grown) - 1.0, now_s
        return self.level > -1e-6


@dataclass(slots=True)
class Watch:
    """Collects what was broken, and what the judge needs at the end.

    Attributes:
        now: Virtual time.
        settings: Limits in force.
        slack_s: How much later than its permit a POST may leave.
        log: The sandbox's log, entry by entry.
        posts: All POSTs that left, in order.
        broken: Promises broken, in order.
        states: Rows by number, as the journal has them.
        lines, head: The journal so far, and the hash of its last line.
    """

    now: Callable[[], float]
    settings: RunSettings
    slack_s: float
    log: list[Entry] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    head: str = GENESIS_PREV
    _rows: dict[tuple[str, str], int] = field(default_factory=dict)
    _agents: dict[int, str] = field(default_factory=dict)
    _stores: dict[int, str] = field(default_factory=dict)
    _by_store: dict[str, list[Post]] = field(default_factory=dict)
    _made_before_retry: dict[int, int] = field(default_factory=dict)
    _over: set[str] = field(default_factory=set)
    _withdrawn: set[str] = field(default_factory=set)
    _carried_out: Post | None = None
    _bucket: _Bucket = field(init=False)
    _ledger: sqlite3.Connection | None = None

    def __post_init__(self) -> None:
        rate, burst = self.settings.rate_per_s, self.settings.burst
        size = burst + rate * self.slack_s
        self._bucket = _Bucket(rate, size, size)

    def blame(self, text: str) -> None:
        """Note a broken promise."""
        self.broken.append(f"at {self.now():.3f} s: {text}")

    # -- the ledger ----------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Begin to read a ledger that holds one campaign."""
        self._ledger = sqlite3.connect(path)
        found = self._ledger.execute(
            "SELECT row_no, keystore_id, agent_id, request ->> '$.alias' FROM row"
        )
        for row_no, store_id, agent_id, alias in found:
            self._rows[store_id, alias] = row_no
            self._agents[row_no] = agent_id
            self._stores[row_no] = store_id
            self.states[row_no] = State.PENDING
        self.committed()

    def close(self) -> None:
        """Close the ledger."""
        if self._ledger is not None:
            self._ledger.close()

    def committed(self) -> None:
        """Replay what a commit added to the journal; compare it with the tables."""
        assert self._ledger is not None
        found = self._ledger.execute(
            "SELECT line FROM journal WHERE seq >= ? ORDER BY seq", (len(self.lines),)
        ).fetchall()
        moved: set[int] = set()
        began: set[str] = set()
        for (raw,) in found:
            line = json.loads(raw)
            if (line["seq"], line["prev"]) != (len(self.lines), self.head):
                self.blame(f"journal line {line['seq']} does not follow")
            self.lines.append(raw)
            self.head = sha256_hex(raw)
            if line["event"] == "move":
                self._move(line)
                moved.add(line["row"])
                if line["to"] == State.SUBMITTING:
                    began.add(self._agents[line["row"]])
        if began:
            self._check_caps(began)
        self._compare(moved)

    def _move(self, line: Mapping[str, Any]) -> None:
        row_no = line["row"]
        origin, target = State(line["from"]), State(line["to"])
        if self.states[row_no] is not origin or not is_legal(origin, target):
            self.blame(f"row {row_no}: {origin} → {target} does not replay")
        if line.get("reason") == "retried":
            self._made_before_retry[row_no] = self._made(row_no)
        elif origin in OUTCOMES:
            self.blame(f"row {row_no} went on after its outcome {origin}")
        self.states[row_no] = target
        if target not in UNRESOLVED or origin in UNRESOLVED:
            return
        for other, store_id in self._stores.items():
            same = store_id == self._stores[row_no] and other != row_no
            if same and self.states[other] in UNRESOLVED:
                self.blame(f"rows {row_no} and {other} of one store in flight")

    def _check_caps(self, began: set[str]) -> None:
        """Rows were begun: what is with Command now must be within the caps.

        Rows that a retry took back are looked for, all at once, whatever the caps say;
        nothing may be begun beside them that the caps do not allow.
        """
        flying = [n for n, state in self.states.items() if state in WITH_COMMAND]
        if len(flying) > self.settings.max_in_flight:
            self.blame(f"{len(flying)} in flight")
        for agent_id, n in Counter(self._agents[row_no] for row_no in flying).items():
            if agent_id in began and n > self.settings.per_orchestrator:
                self.blame(f"{n} in flight at orchestrator {agent_id}")

    def _compare(self, moved: set[int]) -> None:
        assert self._ledger is not None
        counted = Counter(str(state) for state in self.states.values())
        tally = dict(self._ledger.execute("SELECT state, n FROM tally WHERE n > 0"))
        if tally != counted:
            self.blame(f"the tally says {tally}, the journal {dict(counted)}")
        marks = ", ".join("?" * len(moved))
        found = self._ledger.execute(
            f"SELECT row_no, state FROM row WHERE row_no IN ({marks})", tuple(moved)
        )
        for row_no, state in found:
            if self.states[row_no] != state:
                self.blame(f"row {row_no} is {state}, not {self.states[row_no]}")

    def _made(self, row_no: int) -> int:
        """Return how many jobs POSTs of a row have made that were not taken back."""
        return sum(
            post.job_id is not None
            and post.job_id not in self._withdrawn
            and self._rows[post.key] == row_no
            for post in self._by_store.get(self._stores[row_no], ())
        )

    # -- requests and jobs -----------------------------------------------------------

    def posted(self, body: Mapping[str, Any], *, may_arrive: bool) -> Post:
        """Check a POST that leaves now; return it."""
        key = body["KeystoreId"], body["Alias"]
        mine = self._by_store.setdefault(key[0], [])
        for earlier in mine:
            if earlier.under_way:
                self.blame(f"{key} is sent again while the last POST is under way")
            elif earlier.job_id is not None and earlier.job_id not in self._over:
                self.blame(f"{key} is sent again before job {earlier.job_id} is over")
        row_no = self._rows[key]
        if self._made(row_no) > self._made_before_retry.get(row_no, 0):
            self.blame(f"{key} is sent again although it has a job")
        # A POST answered 401 is sent once more, in the turn it had.
        last = mine[-1] if mine else None
        again = last and last.key == key and last.status == _UNAUTHENTICATED
        if not again and not self._bucket.take(self.now()):
            self.blame("more POSTs left than the pace allows")
        post = Post(key, self.now(), may_arrive)
        mine.append(post)
        self.posts.append(post)
        return post

    @contextlib.contextmanager
    def carrying_out(self, post: Post | None) -> Iterator[None]:
        """Take the job that Command makes meanwhile for the POST's."""
        self._carried_out = post
        try:
            yield
        finally:
            self._carried_out = None

    def told(self, entry: Entry) -> None:
        """Take one entry of the sandbox's log."""
        self.log.append(entry)
        event = entry["event"]
        if event == "job_created" and entry["job_type"].endswith("Reenrollment"):
            post = self._carried_out
            if post is not None and post.key == (entry["store_id"], entry["alias"]):
                post.job_id = entry["job_id"]
        elif event == "job_unscheduled":
            self._withdrawn.add(entry["job_id"])
            self._over.add(entry["job_id"])
        elif event == "job_ended" and entry["status"] != _WILL_RETRY:
            self._over.add(entry["job_id"])


_UNAUTHENTICATED = 401
_WILL_RETRY = 5
