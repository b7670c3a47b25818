"""Scripted misbehaviour: which request or job meets which fault.

Nothing here is plain random: a rule counts what it matches, or draws from a generator
of its own that a seed starts. The same script and the same requests give the same
faults.
"""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, Literal, TypeVar

from batch_reenroll.sandbox.exchange import Request, SandboxError
from batch_reenroll.sandbox.pages import MISCHIEFS, Mischief

F = TypeVar("F")

_LONGEST_S = 10 * 365 * 86_400
_HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a rule is about; every given condition must hold.

    Attributes:
        method: Upper-case method, or empty for any.
        path: Text the path must contain, in any case; empty for any.
        contains: Text the target or the body must contain (a store id, say), any case.
    """

    method: str = ""
    path: str = ""
    contains: str = ""

    def fits(self, request: Request) -> bool:
        """Return whether ``request`` is meant."""
        if self.method and request.method != self.method.upper():
            return False
        target = request.target.lower()
        if self.path.lower() not in target.partition("?")[0]:
            return False
        wanted = self.contains.lower()
        return wanted in target or wanted.encode() in request.body.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What happens to a request. Delays are in seconds.

    Attributes:
        status: Answer with this instead of the true answer.
        processed: With ``status``: the request is carried out all the same.
        headers: Added to the answer.
        retry_after_s: Adds Retry-After as seconds.
        retry_after_date_s: Adds Retry-After as the HTTP date so many seconds away.
        delay_s: Wait before the request is looked at.
        delay_after_s: Wait after it was carried out, before the answer leaves.
        drop: Close the connection ``before`` it is carried out, or ``after``.
        truncate_bytes: Send only so many bytes of the body, then close.
        page: ``reverse`` or ``shuffle`` the items of a list answer, or ``duplicate``
            some of them; other answers stay as they are.
    """

    status: int | None = None
    processed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: int | None = None
    retry_after_date_s: int | None = None
    delay_s: float = 0.0
    delay_after_s: float = 0.0
    drop: Literal["before", "after"] | None = None
    truncate_bytes: int | None = None
    page: Mischief | None = None

    def __post_init__(self) -> None:
        if self.status is not None and not 200 <= self.status <= 599:
            raise SandboxError(f"fault: status {self.status} is not 200 to 599")
        if self.drop not in (None, "before", "after"):
            raise SandboxError("fault: drop must be 'before' or 'after'")
        if self.page is not None and self.page not in MISCHIEFS:
            raise SandboxError(f"fault: page must be one of {', '.join(MISCHIEFS)}")
        numbers = (self.delay_s, self.delay_after_s, self.truncate_bytes or 0)
        if min(numbers) < 0:
            raise SandboxError("fault: delays and truncate_bytes must be >= 0")
        if abs(self.retry_after_date_s or 0) > _LONGEST_S:
            raise SandboxError("fault: retry_after_date_s is beyond ten years")
        if not all(_is_header(*pair) for pair in self.headers.items()):
            raise SandboxError("fault: headers must be names and values of HTTP")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault:
    """One rule.

    Attributes:
        nth: The first matching request that is hit, 1-based.
        times: How many from there on; None = all.
        share: Hit only this share of them, (0, 1], drawn from a seeded generator.
    """

    match: Match = field(default_factory=Match)
    nth: int = 1
    times: int | None = 1
    share: float = 1.0
    action: Action

    def __post_init__(self) -> None:
        _check_counts(self.nth, self.times)
        if not 0 < self.share <= 1:
            raise SandboxError("fault: share must be in (0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFault:
    """The next jobs of a store end with this result instead of doing their work.

    Attributes:
        store_id: GUID, or empty for any store.
        kind: ``Reenrollment`` or ``Inventory``.
        nth, times: As in :class:`RequestFault`, over the tries of matching jobs.
        result: 0, 2, 3 or 4. 2 is a job that says it succeeded and changed nothing.
    """

    store_id: str = ""
    kind: str = "Reenrollment"
    nth: int = 1
    times: int | None = 1
    result: int = 4
    message: str = "The job failed by script"

    def __post_init__(self) -> None:
        if self.result not in (0, 2, 3, 4):
            raise SandboxError("fault: a job's result must be 0, 2, 3 or 4")
        if self.kind not in ("Reenrollment", "Inventory"):
            raise SandboxError("fault: a job's kind is Reenrollment or Inventory")
        _check_counts(self.nth, self.times)


def _check_counts(nth: int, times: int | None) -> None:
    if nth < 1 or (times is not None and times < 1):
        raise SandboxError("fault: nth and times must be >= 1")


def _is_header(name: str, value: str) -> bool:
    """Return whether both can stand in an answer (RFC 9110 section 5)."""
    return _HEADER_NAME.fullmatch(name) is not None and (
        value.isascii() and value.isprintable()
    )


class _Counter:
    """Counts matches of one rule and says which are hit.

    Attributes:
        n_seen: Matches so far.
        n_hit: How many of them were hit.
    """

    def __init__(self, nth: int, times: int | None, share: float, seed: str) -> None:
        self._nth, self._times, self._share = nth, times, share
        self._rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
        self.n_seen = 0
        self.n_hit = 0

    def hit(self) -> bool:
        self.n_seen += 1
        late = self._times is not None and self.n_seen >= self._nth + self._times
        if self.n_seen < self._nth or late:
            return False
        hit = self._share == 1 or self._rng.random() < self._share
        self.n_hit += hit
        return hit


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultState(Generic[F]):
    """One rule in force.

    Attributes:
        fault_id: >= 1, never used again.
        rule: As it was given.
        n_seen: Requests or tries that it fits, so far.
        n_hit: How many of them it hit.
    """

    fault_id: int
    rule: F
    n_seen: int
    n_hit: int


class _Rules(ABC, Generic[F]):
    """Rules with their counters, in the order in which they are asked."""

    def __init__(self) -> None:
        self._rules: dict[int, tuple[F, _Counter]] = {}
        self._ids = count(1)

    def set(self, rules: Iterable[F]) -> None:
        """Replace all rules; their counting starts anew."""
        self._rules = {}
        for n, rule in enumerate(rules):
            self._rules[next(self._ids)] = rule, self._counter(rule, n)

    def add(self, rule: F) -> int:
        """Add a rule behind the others; return its id."""
        fault_id = next(self._ids)
        self._rules[fault_id] = rule, self._counter(rule, fault_id)
        return fault_id

    def remove(self, fault_id: int) -> bool:
        """Take a rule out; return whether it was there."""
        return self._rules.pop(fault_id, None) is not None

    def states(self) -> list[FaultState[F]]:
        """Return all rules in force, in their order."""
        return [
            FaultState(
                fault_id=fault_id,
                rule=rule,
                n_seen=counter.n_seen,
                n_hit=counter.n_hit,
            )
            for fault_id, (rule, counter) in self._rules.items()
        ]

    @abstractmethod
    def _counter(self, rule: F, number: int) -> _Counter:
        """Return a fresh counter; ``number`` tells two equal rules apart."""


class RequestFaults(_Rules[RequestFault]):
    """Decides the fault of each request; the first rule that hits counts."""

    def __init__(self, rules: Iterable[RequestFault] = (), *, seed: int = 0) -> None:
        super().__init__()
        self._seed = seed
        self.set(rules)

    def next_for(self, request: Request) -> Action | None:
        """Return the fault that ``request`` meets, or None."""
        for rule, counter in self._rules.values():
            if rule.match.fits(request) and counter.hit():
                return rule.action
        return None

    def _counter(self, rule: RequestFault, number: int) -> _Counter:
        return _Counter(rule.nth, rule.times, rule.share, f"{self._seed}:{number}")


class JobFaults(_Rules[JobFault]):
    """Decides the scripted end of each try; the first rule that hits counts."""

    def __init__(self, rules: Iterable[JobFault] = ()) -> None:
        super().__init__()
        self.set(rules)

    def next_for(self, store_id: str, kind: str) -> JobFault | None:
        """Return the scripted end of this try, or None."""
        for rule, counter in self._rules.values():
            if rule.kind != kind or rule.store_id.lower() not in ("", store_id):
                continue
            if counter.hit():
                return rule
        return None

    def _counter(self, rule: JobFault, _number: int) -> _Counter:
        return _Counter(rule.nth, rule.times, 1.0, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultScript:
    """Everything a fault file holds."""

    requests: tuple[RequestFault, ...] = ()
    jobs: tuple[JobFault, ...] = ()
