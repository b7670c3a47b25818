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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulation.ceilings import Authorities, Bucket, Post
from simulation.hours import Hours
from simulation.order import Order, Place

from batch_reenroll.campaign.lifecycle import (
    OUTCOMES,
    UNRESOLVED,
    WITH_COMMAND,
    State,
    is_legal,
)
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.ledger.journal import GENESIS_PREV
from batch_reenroll.text import parse_time, sha256_hex

Entry = dict[str, Any]


@dataclass(slots=True)
class Watch:
    """Collects what was broken, and what the judge needs at the end.

    Attributes:
        now: Virtual time.
        settings: Limits in force.
        slack_s: How much later than its permit a POST may leave.
        start_s: When it all begins by our clock, seconds since the epoch.
        log: The sandbox's log, entry by entry.
        posts: All POSTs that left, in order.
        broken: Promises broken, in order.
        states: Rows by number, as the journal has them.
        lines, head: The journal so far, and the hash of its last line.
        order: Which rows may go.
    """

    now: Callable[[], float]
    settings: RunSettings
    slack_s: float
    start_s: float
    log: list[Entry] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    head: str = GENESIS_PREV
    order: Order = field(init=False)
    _rows: dict[tuple[str, str], int] = field(default_factory=dict)
    _places: dict[int, Place] = field(default_factory=dict)
    _stores: dict[int, str] = field(default_factory=dict)
    _by_store: dict[str, list[Post]] = field(default_factory=dict)
    _made_before_retry: dict[int, int] = field(default_factory=dict)
    _cancelled: set[int] = field(default_factory=set)
    _over: set[str] = field(default_factory=set)
    _withdrawn: set[str] = field(default_factory=set)
    _carried_out: Post | None = None
    _bucket: Bucket = field(init=False)
    _authorities: Authorities = field(init=False)
    _hours: Hours = field(init=False)
    _closes: datetime | None = None
    _ledger: sqlite3.Connection | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        size = settings.burst + settings.rate_per_s * self.slack_s
        self._bucket = Bucket(settings.rate_per_s, size)
        self._authorities = Authorities(settings.authorities, self.slack_s)
        self._hours = Hours(settings.windows, settings.blackouts)
        self.order = Order(settings, self._places, self.states)

    def blame(self, text: str) -> None:
        """Note a broken promise."""
        self.broken.append(f"at {self.now():.3f} s: {text}")

    def run_began(self) -> None:
        """Note that a process takes the campaign up."""
        self._closes = None
        self.order.run_began()

    # -- the ledger ----------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Begin to read a ledger that holds one campaign."""
        self._ledger = sqlite3.connect(path)
        found = self._ledger.execute(
            "SELECT row_no, keystore_id, request ->> '$.alias', wave, agent_id, "
            "coalesce(request ->> '$.certificate_authority', '') FROM row"
        )
        for row_no, store_id, alias, wave, agent_id, authority in found:
            self._rows[store_id, alias] = row_no
            self._places[row_no] = Place(wave, agent_id, authority.casefold())
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
            for wrong in self.order.told(line, self._when_s(line["at"])):
                self.blame(wrong)
            if line["event"] == "move":
                self._move(line)
                moved.add(line["row"])
                if line["to"] == State.SUBMITTING:
                    began.add(self._places[line["row"]].agent_id)
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
        self._check_withdrawal(line)
        self.states[row_no] = target
        if target not in UNRESOLVED or origin in UNRESOLVED:
            return
        for other, store_id in self._stores.items():
            same = store_id == self._stores[row_no] and other != row_no
            if same and self.states[other] in UNRESOLVED:
                self.blame(f"rows {row_no} and {other} of one store in flight")

    def _check_withdrawal(self, line: Mapping[str, Any]) -> None:
        """What a stop takes back is not sent again before a person wants it."""
        row_no, target = line["row"], State(line["to"])
        if line.get("reason") == "cancelling":
            self._cancelled.add(row_no)
            return
        if target is State.PENDING and row_no in self._cancelled:
            self.blame(f"row {row_no} is sent again although a stop took it back")
        self._cancelled.discard(row_no)

    def _check_caps(self, began: set[str]) -> None:
        """Rows were begun: what is with Command now must be within the caps.

        Rows that a retry took back are looked for, all at once, whatever the caps say;
        nothing may be begun beside them that the caps do not allow.
        """
        flying = [n for n, state in self.states.items() if state in WITH_COMMAND]
        if len(flying) > self.settings.max_in_flight:
            self.blame(f"{len(flying)} in flight")
        agents = Counter(self._places[row_no].agent_id for row_no in flying)
        for agent_id, n in agents.items():
            if agent_id in began and n > self.settings.per_orchestrator:
                self.blame(f"{n} in flight at orchestrator {agent_id}")

    def _when_s(self, text: str) -> float:
        moment = parse_time(text)
        assert moment is not None
        return moment.timestamp() - self.start_s

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
        if not self._bucket.take(self.now()):
            self.blame("more POSTs left than the pace allows")
        post = Post(key, self.now(), may_arrive)
        mine.append(post)
        self.posts.append(post)
        self._check_turn(row_no, post)
        return post

    def _check_turn(self, row_no: int, post: Post) -> None:
        """Check that the CA, the wave and the window of a row let it go now."""
        place = self._places[row_no]
        for wrong in (
            self._authorities.broken_by(post, place.authority),
            self.order.broken_by(row_no, post.left_s),
        ):
            if wrong is not None:
                self.blame(wrong)
        at = datetime.fromtimestamp(self.start_s, UTC) + timedelta(seconds=post.left_s)
        own = {wave.name: wave.windows for wave in self.settings.waves}
        windows = own.get(str(place.wave), ())
        if place.wave != self.order.wave or not windows:
            windows = ()
        if not self._hours.is_open(at) or not Hours(windows).is_open(at):
            self.blame(f"row {row_no} is sent outside of every window")
        elif self.settings.until_window_end and not windows:
            if self._closes is None:
                self._closes = self._hours.closes(at)
            elif at >= self._closes:
                self.blame("the window has ended, and the run goes on in the next")

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


_WILL_RETRY = 5
