"""A campaign as discrete events: the independent side of the feasibility benchmark.

Row by row: submissions at a pace, heartbeats, jobs one after another, looks at the job
lists, lost answers, failures. Of the product it uses the very lanes and limiter that
the runner uses; of the prediction's formulas it uses none.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from batch_reenroll.campaign.breakers import Way
from batch_reenroll.campaign.lanes import Lanes
from batch_reenroll.campaign.limiter import Gcra

Event = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One orchestrator as it really is; the prediction sees samples of it only.

    Attributes:
        rows: In its queue.
        median_s, sigma: Of its lognormal job durations.
        heartbeat_s: How often it asks for work.
    """

    name: str
    rows: int
    median_s: float
    sigma: float
    heartbeat_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The campaign's limits and what goes wrong. Durations in seconds."""

    rate_per_s: float = 20.0
    max_in_flight: int = 500
    per_orchestrator: int = 4
    look_s: float = 10.0
    settle_s: float = 20.0
    answer_s: float = 0.3
    verify_s: float = 10.0
    failure_share: float = 0.02
    lost_share: float = 0.01
    open_spans: tuple[tuple[float, float], ...] = ((0.0, math.inf),)


@dataclass(slots=True)
class _Agent:
    truth: Truth
    scheduled: deque[int] = field(default_factory=deque)
    queue: deque[int] = field(default_factory=deque)
    busy: bool = False


class CampaignModel:
    """Plays one campaign; ``finish_s`` says when each orchestrator's last row ended."""

    def __init__(self, truths: Sequence[Truth], setting: Setting, seed: int) -> None:
        self._rng = random.Random(f"campaign:{seed}")
        self._setting = setting
        self._heap: list[tuple[float, int, Event]] = []
        self._order = count()
        self._agents = {truth.name: _Agent(truth) for truth in truths}
        self._limiter = Gcra(rate_per_s=setting.rate_per_s)
        self._lanes = Lanes(
            max_in_flight=setting.max_in_flight,
            per_orchestrator=setting.per_orchestrator,
        )
        for truth in truths:
            self._lanes.expect(truth.name, truth.median_s)
        self._owner: dict[int, str] = {}
        self._answered_s: dict[int, float] = {}
        self._ended: list[int] = []
        self._doubtful: dict[int, float] = {}
        self._left = sum(truth.rows for truth in truths)
        self.finish_s: dict[str, float] = {}

    def run(self) -> float:
        """Play to the end; return when the last row ended, in seconds."""
        row_no = 0
        for agent in self._agents.values():
            for _ in range(agent.truth.rows):
                self._owner[row_no] = agent.truth.name
                self._lanes.add(row_no, Way(agent_id=agent.truth.name), row_no)
                row_no += 1
            phase_s = self._rng.random() * agent.truth.heartbeat_s
            self._at(phase_s, partial(self._heartbeat, agent))
        self._at(0.0, self._look)
        for start_s, _ in self._setting.open_spans:
            self._at(start_s, self._feed)
        while self._left and self._heap:
            when_s, _, event = heapq.heappop(self._heap)
            event(when_s)
        return max(self.finish_s.values())

    def _at(self, when_s: float, event: Event) -> None:
        heapq.heappush(self._heap, (when_s, next(self._order), event))

    def _is_open(self, now_s: float) -> bool:
        return any(start <= now_s < end for start, end in self._setting.open_spans)

    def _feed(self, now_s: float) -> None:
        while self._is_open(now_s):
            row_no = self._lanes.take(now_s)
            if row_no is None:
                return
            send_s = self._limiter.reserve(now_s)
            self._at(send_s, partial(self._send, row_no))

    def _send(self, row_no: int, now_s: float) -> None:
        setting = self._setting
        answered_s = now_s + setting.answer_s
        lost = self._rng.random() < setting.lost_share
        if lost and self._rng.random() < 0.5:
            # The request never arrived: in doubt until a look after the settle time.
            self._doubtful[row_no] = answered_s + setting.settle_s
            return
        self._answered_s[row_no] = answered_s
        self._at(now_s + setting.answer_s / 2, partial(self._schedule, row_no))

    def _schedule(self, row_no: int, _now_s: float) -> None:
        self._agents[self._owner[row_no]].scheduled.append(row_no)

    def _heartbeat(self, agent: _Agent, now_s: float) -> None:
        agent.queue.extend(agent.scheduled)
        agent.scheduled.clear()
        self._start(agent, now_s)
        self._at(now_s + agent.truth.heartbeat_s, partial(self._heartbeat, agent))

    def _start(self, agent: _Agent, now_s: float) -> None:
        if agent.busy or not agent.queue:
            return
        agent.busy = True
        row_no, truth = agent.queue.popleft(), agent.truth
        took_s = self._rng.lognormvariate(math.log(truth.median_s), truth.sigma)
        self._at(now_s + took_s, partial(self._end, agent, row_no))

    def _end(self, agent: _Agent, row_no: int, now_s: float) -> None:
        agent.busy = False
        self._ended.append(row_no)
        self._start(agent, now_s)

    def _look(self, now_s: float) -> None:
        settle_s = self._setting.settle_s
        later: list[int] = []
        for row_no in self._ended:
            if self._answered_s[row_no] + settle_s > now_s:
                later.append(row_no)
            elif self._rng.random() < self._setting.failure_share:
                self._finish(row_no, now_s)
            else:
                self._lanes.release_slot(row_no)
                self._at(now_s + self._setting.verify_s, partial(self._finish, row_no))
        self._ended = later
        for row_no in [no for no, at_s in self._doubtful.items() if at_s <= now_s]:
            del self._doubtful[row_no]
            self._lanes.give_back(row_no, not_before_s=now_s)
        self._feed(now_s)
        self._at(now_s + self._setting.look_s, self._look)

    def _finish(self, row_no: int, now_s: float) -> None:
        self._lanes.finish(row_no)
        self.finish_s[self._owner[row_no]] = now_s
        self._left -= 1
        self._feed(now_s)
