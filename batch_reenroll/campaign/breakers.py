"""All breakers of a run: one for each orchestrator, one for each CA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from batch_reenroll.campaign.breaker import Breaker, Phase
from batch_reenroll.campaign.causes import AT_THE_CA, AUTHORITY, BreakerRules, Ended
from batch_reenroll.campaign.quota import authority_key


class Kind(StrEnum):
    """What a breaker stands in front of."""

    ORCHESTRATOR = "orchestrator"
    AUTHORITY = "authority"


def title(kind: str, name: str) -> str:
    """Return what people call an orchestrator or a CA."""
    return f"the {'CA' if kind == Kind.AUTHORITY else 'orchestrator'} {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A breaker that has opened, for the journal and the lanes."""

    kind: Kind
    name: str
    cause: str

    @property
    def title(self) -> str:
        """What people call it: ``the orchestrator NAME``, ``the CA NAME``."""
        return title(self.kind, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A breaker that has just closed."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The breakers that a row passes: its orchestrator's GUID, its CA or ""."""

    agent_id: str
    authority: str = ""

    @staticmethod
    @lru_cache(maxsize=4096)
    def of(agent_id: str, authority: str | None) -> Way:
        """Return the way of a row; the names of CAs are told apart without case."""
        return Way(agent_id=agent_id, authority=authority_key(authority))


class Breakers:
    """One breaker per orchestrator and per CA, made as they are first met.

    A row without a CA (Command's own setting decides) counts under the CA "".

    Args:
        orchestrator: Rules for each orchestrator.
        authority: Rules for each CA.
    """

    def __init__(
        self,
        orchestrator: BreakerRules | None = None,
        authority: BreakerRules = AUTHORITY,
    ) -> None:
        self._rules = {
            Kind.ORCHESTRATOR: orchestrator or BreakerRules(),
            Kind.AUTHORITY: authority,
        }
        self._breakers: dict[tuple[Kind, str], Breaker] = {}

    def of(self, kind: Kind, name: str) -> Breaker:
        """Return the breaker of an orchestrator or a CA."""
        breaker = self._breakers.get((kind, name))
        if breaker is None:
            breaker = self._breakers[kind, name] = Breaker(self._rules[kind])
        return breaker

    def admit(self, row_no: int, way: Way, now_s: float) -> bool:
        """Return whether the row may go now: only where both breakers let it.

        After a rest it is then the probe of each that was open.
        """
        pair = self._pair(way)
        if not all(breaker.admits(now_s) for breaker in pair):
            return False
        for breaker in pair:
            breaker.admit(row_no, now_s)
        return True

    def give_back(self, row_no: int, way: Way) -> None:
        """Note that an admitted row was not carried out."""
        for breaker in self._pair(way):
            breaker.give_back(row_no)

    def record(self, row: Ended, way: Way, now_s: float) -> list[Opened | Closed]:
        """Count one ended row; return the breakers that it opened or closed.

        What fails by the fault of a CA is not its orchestrators' fault: once several
        of them have opened a CA's breaker, failures of its rows do not count against
        an orchestrator, and those that were cut off for nothing else go on.
        """
        agent, authority = self._pair(way)
        turned: list[Opened | Closed] = []
        by_ca = row.failure is not None and row.reason in AT_THE_CA
        if by_ca and authority.phase is not Phase.CLOSED:
            agent.give_back(row.row_no)
        else:
            ended = replace(row, source=way.authority)
            turned += self._count(Kind.ORCHESTRATOR, way.agent_id, ended, now_s)
        ended = replace(row, source=way.agent_id)
        at_ca = list(self._count(Kind.AUTHORITY, way.authority, ended, now_s))
        if at_ca and len(authority.suspects) > 1:
            turned += self._pardoned(way.authority)
        return turned + at_ca

    def _count(
        self, kind: Kind, name: str, row: Ended, now_s: float
    ) -> Iterator[Opened | Closed]:
        breaker = self.of(kind, name)
        was_open = breaker.phase is not Phase.CLOSED
        if breaker.record(row, now_s):
            yield Opened(kind=kind, name=name, cause=breaker.cause or "")
        elif was_open and breaker.phase is Phase.CLOSED:
            yield Closed(kind=kind, name=name)

    def _pardoned(self, authority: str) -> Iterator[Closed]:
        for (kind, name), breaker in self._breakers.items():
            if kind is Kind.ORCHESTRATOR and breaker.pardon(authority):
                yield Closed(kind=kind, name=name)

    def hear(
        self, agent_id: str, cause: str | None, now_s: float
    ) -> Opened | Closed | None:
        """Open an orchestrator's breaker for its silence, close it as it is heard.

        Args:
            agent_id: The orchestrator's GUID.
            cause: What :func:`silence` says of it.
            now_s: The run's own clock.

        Returns:
            The breaker where that turned it.
        """
        kind = Kind.ORCHESTRATOR
        if not self.of(kind, agent_id).hear(cause, now_s):
            return None
        if cause is None:
            return Closed(kind=kind, name=agent_id)
        return Opened(kind=kind, name=agent_id, cause=cause)

    def causes(self) -> Iterator[Opened]:
        """Yield every breaker that is not closed, with its cause."""
        for (kind, name), breaker in self._breakers.items():
            if breaker.cause is not None:
                yield Opened(kind=kind, name=name, cause=breaker.cause)

    def _pair(self, way: Way) -> tuple[Breaker, Breaker]:
        return (
            self.of(Kind.ORCHESTRATOR, way.agent_id),
            self.of(Kind.AUTHORITY, way.authority),
        )


def silence(
    last_seen: datetime | None, now: datetime, *, allowed_s: float
) -> str | None:
    """Return the cause to trip an orchestrator's breaker for its silence, or None.

    Args:
        last_seen: ``LastSeen`` of GET /Agents, aware; None says nothing.
        now: By Command's clock, aware.
        allowed_s: It is silent once *more* seconds than these have passed, > 0.
    """
    if last_seen is None:
        return None
    quiet = now - last_seen
    if quiet <= timedelta(seconds=allowed_s):
        return None
    return f"not seen for {int(quiet.total_seconds())} s; {allowed_s:g} s are allowed"
