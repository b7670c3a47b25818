"""A Command with a capacity, and workers that send to it at a pace: virtual time only.

The server is a queue with ``SLOTS`` places of work. Past its capacity it answers later
(the queue grows), or refuses with 429 from a bucket of tokens, or both.
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
from typing import Protocol

from batch_reenroll.campaign.pace import AHEAD_S

SLOTS = 16
WAY_S = 0.1

Event = Callable[[float], None]


class Paced(Protocol):
    """What the workers need of a pace."""

    def ready_s(self, now_s: float) -> float: ...
    def reserve(self, now_s: float) -> float: ...
    def is_held(self, now_s: float) -> bool: ...
    def answered(self, now_s: float, latency_s: float) -> None: ...
    def throttled(
        self, now_s: float, *, sent_s: float, retry_after_s: float | None
    ) -> None: ...


class Static:
    """A pace that never changes."""

    def __init__(self, rate_per_s: float) -> None:
        self._rate, self._next_s = rate_per_s, 0.0

    def ready_s(self, now_s: float) -> float:
        return max(now_s, self._next_s)

    def reserve(self, now_s: float) -> float:
        send_s = max(now_s, self._next_s)
        self._next_s = send_s + 1 / self._rate
        return send_s

    def is_held(self, now_s: float) -> bool:
        return False

    def answered(self, now_s: float, latency_s: float) -> None: ...

    def throttled(
        self, now_s: float, *, sent_s: float, retry_after_s: float | None
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How a Command with a changing capacity behaves.

    Attributes:
        steps: (from second, capacity per second), in order, the first from 0.
        refuses: It answers 429 to what its bucket has no token for.
        slows: It has a queue; otherwise it answers at once.
        bucket_s: Seconds of capacity that the bucket holds.
        retry_after_s: What a 429 asks for, or None.
    """

    steps: tuple[tuple[float, float], ...]
    refuses: bool
    slows: bool
    bucket_s: float = 1.0
    retry_after_s: float | None = None

    def capacity(self, at_s: float) -> float:
        return [per_s for from_s, per_s in self.steps if from_s <= at_s][-1]


@dataclass(slots=True)
class Played:
    """When requests left, were accepted and were refused, in seconds."""

    sent_s: list[float] = field(default_factory=list)
    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)

    def goodput(self, from_s: float, to_s: float) -> float:
        """Return accepted requests per second within a span."""
        return sum(from_s <= at < to_s for at in self.accepted_s) / (to_s - from_s)


class _Play:
    def __init__(self, server: Server, pace: Paced, seed: int) -> None:
        self.server, self.pace = server, pace
        self.rng = random.Random(seed)
        self.seen = Played()
        self._heap: list[tuple[float, int, Event]] = []
        self._order = count()
        self._free, self._idle = SLOTS, 0
        self._queue: deque[Event] = deque()
        self._tokens, self._filled_s = 0.0, 0.0

    def at(self, when_s: float, event: Event) -> None:
        heapq.heappush(self._heap, (when_s, next(self._order), event))

    def run(self, until_s: float) -> None:
        while self._heap and self._heap[0][0] <= until_s:
            when_s, _, event = heapq.heappop(self._heap)
            event(when_s)

    def worker(self, now_s: float) -> None:
        self._idle += 1
        if self._idle == 1:
            self._permit(now_s)

    def _permit(self, now_s: float) -> None:
        """Take permits for idle workers, one after another, as the runner does."""
        while self._idle:
            ready_s = self.pace.ready_s(now_s)
            if ready_s > now_s + AHEAD_S:
                self.at(ready_s - AHEAD_S, self._permit)
                return
            self.at(self.pace.reserve(now_s), self._send)
            self._idle -= 1

    def _send(self, now_s: float) -> None:
        if self.pace.is_held(now_s):
            self.worker(now_s)
            return
        self.seen.sent_s.append(now_s)
        self.at(now_s + WAY_S, lambda at_s: self._arrive(at_s, now_s))

    def _arrive(self, now_s: float, sent_s: float) -> None:
        if self.server.refuses and not self._has_token(now_s):
            self.at(now_s + WAY_S, lambda at_s: self._refused(at_s, sent_s))
        elif not self.server.slows:
            self.at(now_s + WAY_S, lambda at_s: self._accepted(at_s, sent_s))
        else:
            self._queue.append(lambda at_s: self._accepted(at_s, sent_s))
            self._work(now_s)

    def _has_token(self, now_s: float) -> bool:
        per_s = self.server.capacity(now_s)
        most = max(1.0, per_s * self.server.bucket_s)
        self._tokens = min(most, self._tokens + per_s * (now_s - self._filled_s))
        self._filled_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _work(self, now_s: float) -> None:
        while self._free and self._queue:
            answer = self._queue.popleft()
            self._free -= 1
            # Lognormal with the mean that gives the capacity.
            mean_s = SLOTS / self.server.capacity(now_s)
            sigma = 0.4
            took_s = self.rng.lognormvariate(math.log(mean_s) - sigma**2 / 2, sigma)
            self.at(now_s + took_s, partial(self._worked, answer))

    def _worked(self, answer: Event, now_s: float) -> None:
        self._free += 1
        self.at(now_s + WAY_S, answer)
        self._work(now_s)

    def _accepted(self, now_s: float, sent_s: float) -> None:
        self.seen.accepted_s.append(now_s)
        self.pace.answered(now_s, now_s - sent_s)
        self.worker(now_s)

    def _refused(self, now_s: float, sent_s: float) -> None:
        self.seen.refused_s.append(now_s)
        wish_s = self.server.retry_after_s
        self.pace.throttled(now_s, sent_s=sent_s, retry_after_s=wish_s)
        self.worker(now_s)


def play(
    server: Server, pace: Paced, *, workers: int, until_s: float, seed: int
) -> Played:
    """Return what happened until ``until_s``."""
    stage = _Play(server, pace, seed)
    for _ in range(workers):
        stage.worker(0.0)
    stage.run(until_s)
    return stage.seen


def best_static(
    server: Server, capacity: float, *, workers: int, seed: int, until_s: float = 60.0
) -> float:
    """Return the goodput of the best constant rate for a constant capacity."""
    fixed = Server(
        steps=((0.0, capacity),),
        refuses=server.refuses,
        slows=server.slows,
        bucket_s=server.bucket_s,
    )
    rates: Sequence[float] = [capacity * share for share in (0.9, 0.95, 1.0, 1.05)]
    return max(
        play(fixed, Static(rate), workers=workers, until_s=until_s, seed=seed).goodput(
            20.0, until_s
        )
        for rate in rates
    )
