"""The gates before orchestrators and CAs: what breakers and limits say, for the lanes.

Everything here happens at once, between two awaits: a row is taken, counted by the
breakers it passes, and the gates are set anew before the next one may be taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from batch_reenroll.campaign.breaker import Breaker, Phase
from batch_reenroll.campaign.breakers import Breakers, Closed, Kind, Opened, Way
from batch_reenroll.campaign.causes import Ended
from batch_reenroll.campaign.fingerprint import fingerprint
from batch_reenroll.campaign.lanes import Lanes
from batch_reenroll.campaign.pace import Pace
from batch_reenroll.campaign.rows import Decision, Row
from batch_reenroll.text import visible

#: How long before its CA is ready a row is taken: time to look at its store.
LEAD_S = 1.0

#: A CA that is to be asked again sooner is not worth a word.
_QUIET_S = 60.0

#: Longest name of an orchestrator or a CA, in characters.
_NAME_LIMIT = 200


def way_of(row: Row) -> Way:
    """Return the gates that a row passes."""
    return Way.of(row.agent_id, row.request.certificate_authority)


@dataclass(slots=True)
class Gates:
    """Which rows may pass, and why the others may not.

    Attributes:
        lanes: Rows that wait.
        pace: With the limits of each CA.
        breakers: Of each orchestrator and each CA.
    """

    lanes: Lanes
    pace: Pace
    breakers: Breakers
    _ahead: dict[str, set[int]] = field(default_factory=dict)
    _names: dict[tuple[Kind, str], str] = field(default_factory=dict)

    def take(self, now_s: float) -> int | None:
        """Return the next row that may go; where a breaker rests, it is the probe."""
        row_no = self.lanes.take(now_s)
        if row_no is not None:
            way = self.lanes.way(row_no)
            self.breakers.admit(row_no, way, now_s)
            if self.pace.is_limited(way.authority):
                self._ahead.setdefault(way.authority, set()).add(row_no)
            self._set(way, now_s)
        return row_no

    def ready_s(self, row: Row, now_s: float) -> float:
        """Return when the row's CA takes its next submission, >= ``now_s``."""
        return self.pace.authority_ready_s(now_s, way_of(row).authority)

    def reserve(self, row: Row, now_s: float) -> float:
        """Take the row's permit; return when it may be used, monotonic seconds."""
        way = way_of(row)
        send_s = self.pace.reserve(now_s, way.authority)
        self._left(row.row_no, way, now_s)
        return send_s

    def unused(self, row: Row, send_s: float, now_s: float) -> None:
        """Note that nothing was sent with a permit."""
        way = way_of(row)
        self.pace.give_back(send_s, way.authority)
        self._set(way, now_s)

    def give_back(self, row: Row, now_s: float) -> None:
        """Note that a row that had passed waits again."""
        way = way_of(row)
        self.breakers.give_back(row.row_no, way)
        self._left(row.row_no, way, now_s)

    def end(self, row: Row, decision: Decision, now_s: float) -> list[Opened | Closed]:
        """Note how a row ended; return the breakers that it opened or closed."""
        way = way_of(row)
        self.call(Kind.ORCHESTRATOR, way.agent_id, row.orchestrator)
        self.call(Kind.AUTHORITY, way.authority, row.request.certificate_authority)
        ended = Ended(
            row.row_no,
            decision.target,
            decision.reason,
            fingerprint(decision.message or ""),
        )
        turned = self.breakers.record(ended, way, now_s)
        for turn in turned:
            if turn.kind is Kind.ORCHESTRATOR:
                self._set_orchestrator(turn.name)
        self._left(row.row_no, way, now_s)
        return turned

    def hear(
        self, agent_id: str, cause: str | None, now_s: float
    ) -> Opened | Closed | None:
        """Note whether an orchestrator is silent; return its breaker if that turned it.

        Args:
            agent_id: Its GUID.
            cause: What :func:`~batch_reenroll.campaign.breakers.silence` says of it.
            now_s: Now.
        """
        turned = self.breakers.hear(agent_id, cause, now_s)
        if turned is not None:
            self._set_orchestrator(agent_id)
        return turned

    def lost(self, row: Row) -> str:
        """Return why the row's orchestrator is taken for dead, or ""."""
        breaker = self.breakers.of(Kind.ORCHESTRATOR, row.agent_id)
        return (breaker.cause or "") if breaker.is_lost else ""

    def call(self, kind: Kind, key: str, name: str | None) -> None:
        """Remember what people call an orchestrator or a CA, where it is new."""
        if name and (kind, key) not in self._names:
            self._names[kind, key] = visible(name, _NAME_LIMIT)

    def name(self, kind: Kind, key: str) -> str:
        """Return what people call an orchestrator or a CA."""
        return self._names.get((kind, key)) or key or "Command's default CA"

    def not_closed(self) -> Iterator[Opened]:
        """Yield the breakers that are not closed, by the names people know."""
        for turn in self.breakers.causes():
            name = self.name(turn.kind, turn.name)
            yield Opened(kind=turn.kind, name=name, cause=turn.cause)

    def quiet(self, now_s: float) -> Iterator[tuple[str, float]]:
        """Yield CAs that have taken all they may for now, and for how long, seconds."""
        for key in self.pace.limited:
            left_s = self.pace.authority_ready_s(now_s, key) - now_s
            if left_s > _QUIET_S:
                yield self.name(Kind.AUTHORITY, key), left_s

    def kept_back(self, way: Way) -> Opened | None:
        """Return the breaker that keeps a row back to the end of the run, or None."""
        names = (Kind.AUTHORITY, way.authority), (Kind.ORCHESTRATOR, way.agent_id)
        for kind, key in names:
            breaker = self.breakers.of(kind, key)
            if _opens_s(breaker) is None:
                name, cause = self.name(kind, key), breaker.cause or ""
                return Opened(kind=kind, name=name, cause=cause)
        return None

    def _left(self, row_no: int, way: Way, now_s: float) -> None:
        """The row is no longer on its way to its CA."""
        self._ahead.get(way.authority, set()).discard(row_no)
        self._set(way, now_s)

    def _set(self, way: Way, now_s: float) -> None:
        self._set_orchestrator(way.agent_id)
        opens_s = _opens_s(self.breakers.of(Kind.AUTHORITY, way.authority))
        if opens_s is not None and self.pace.is_limited(way.authority):
            ahead = len(self._ahead.get(way.authority, ()))
            ready_s = self.pace.authority_ready_s(now_s, way.authority, ahead=ahead)
            if ready_s - LEAD_S > now_s:
                opens_s = max(opens_s, ready_s - LEAD_S)
        self.lanes.set_gate(Kind.AUTHORITY, way.authority, opens_s)

    def _set_orchestrator(self, agent_id: str) -> None:
        opens_s = _opens_s(self.breakers.of(Kind.ORCHESTRATOR, agent_id))
        self.lanes.set_gate(Kind.ORCHESTRATOR, agent_id, opens_s)


def _opens_s(breaker: Breaker) -> float | None:
    """Return when a breaker lets rows pass, as :meth:`Lanes.set_gate` takes it."""
    if breaker.phase is Phase.CLOSED:
        return -math.inf
    return math.inf if breaker.phase is Phase.PROBING else breaker.rest_until_s
