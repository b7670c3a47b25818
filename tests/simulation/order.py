"""In which order rows may go: one wave after another, and not behind open breakers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batch_reenroll.campaign.budget import FAILURES, TRIED
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.waves import WavePlan

#: What the journal's milliseconds leave out.
_ROUNDED_S = 0.002


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row goes: its wave, its orchestrator and its CA."""

    wave: str | None
    agent_id: str
    authority: str


@dataclass(slots=True)
class _Breaker:
    """One that opened: until when it rests, and what was begun meanwhile."""

    rests_until_s: float
    n_begun: int = 0


@dataclass(slots=True)
class Order:
    """What has happened to the rows, and whether the next one may go.

    Attributes:
        settings: In force.
        places: Of each row.
        states: Of each row, as the journal has them; somebody else keeps them.
    """

    settings: RunSettings
    places: Mapping[int, Place]
    states: Mapping[int, State]
    _opened: int = 0
    _ended_s: dict[int, float] = field(default_factory=dict)
    _announced: str | None = None
    _asked: str | None = None
    _agreed: set[str] = field(default_factory=set)
    _breakers: dict[tuple[str, str], _Breaker] = field(default_factory=dict)

    @property
    def wave(self) -> str | None:
        """The wave that was opened last: its windows hold."""
        waves = self.settings.waves
        return self._announced or (waves[0].name if waves else None)

    def run_began(self) -> None:
        """Note that a process takes the campaign up.

        Breakers are forgotten, and whoever was asked about the next wave lets it go.
        """
        self._breakers.clear()
        if self._asked is not None:
            self._agreed.add(self._asked)
        self._asked = None

    def told(self, line: Mapping[str, Any], at_s: float) -> Iterator[str]:
        """Take one line of the journal; yield what it breaks."""
        event = line["event"]
        if event == "breaker_opened":
            rest_s = self.settings.breaker_rest_s
            until_s = at_s + (rest_s if rest_s is not None else float("inf"))
            key = line["kind"], line["id"]
            self._breakers[key] = _Breaker(until_s)
        elif event == "breaker_closed":
            key = line["kind"], line["id"]
            self._breakers.pop(key, None)
        elif event == "wave_opened":
            self._announced = line["wave"]
        elif event == "wave_asked":
            yield from self._asks(line["wave"], at_s)
        elif event == "move" and line["to"] in OUTCOMES:
            self._ended_s[line["row"]] = at_s
        elif event == "move" and line["to"] == State.SUBMITTING:
            yield from self._begun(line["row"], at_s)

    def _asks(self, name: str, at_s: float) -> Iterator[str]:
        """People are asked about a wave that has ended, not about one under way.

        What a breaker kept back may go and end after they have agreed.
        """
        self._asked = name
        waves = self.settings.waves
        names = [wave.name for wave in waves]
        at = names.index(name)
        wrong = self._shut(waves[at], names[: at + 1], at_s)
        if wrong is not None:
            yield f"somebody is asked about wave {name}, but {wrong}"

    def _begun(self, row_no: int, at_s: float) -> Iterator[str]:
        """A breaker that opens cannot call back what has passed it, but no more."""
        agent_id = self.places[row_no].agent_id
        breaker = self._breakers.get(("orchestrator", agent_id))
        if breaker is None or at_s >= breaker.rests_until_s - _ROUNDED_S:
            return
        breaker.n_begun += 1
        if breaker.n_begun > self.settings.per_orchestrator:
            yield f"row {row_no} passes the open breaker of {agent_id}"

    def broken_by(self, row_no: int, now_s: float) -> str | None:
        """Return why a row's wave may not have been opened yet, or None."""
        waves = self.settings.waves
        if not waves:
            return None
        names = [wave.name for wave in waves]
        at = names.index(str(self.places[row_no].wave))
        for before in range(self._opened, at):
            wrong = self._shut(waves[before], names[: before + 1], now_s)
            wrong = wrong or self._unasked(waves[before])
            if wrong is not None:
                return f"row {row_no} of wave {names[at]} is sent, but {wrong}"
        self._opened = max(self._opened, at)
        return None

    def _shut(self, wave: WavePlan, names: Sequence[str], now_s: float) -> str | None:
        """Return why the gate behind a wave is shut, or None."""
        rows = [n for n, place in self.places.items() if place.wave in names]
        for row_no in rows:
            if self.states[row_no] not in OUTCOMES and not self._is_kept_back(row_no):
                return f"row {row_no} of a wave before has not ended"
        mine = [n for n in rows if self.places[n].wave == wave.name]
        tried = [n for n in mine if self.states[n] in TRIED]
        failed = sum(self.states[n] in FAILURES for n in tried)
        limit = wave.max_failures
        if limit is not None and limit.exceeded(failed, len(tried), min_rows=0):
            return f"{failed} of {len(tried)} rows of wave {wave.name} failed"
        soaked_s = max((self._ended_s[n] for n in tried), default=0.0) + wave.soak_s
        if tried and now_s < soaked_s - _ROUNDED_S:
            return f"wave {wave.name} soaks until {soaked_s:.3f} s"
        return None

    def _unasked(self, wave: WavePlan) -> str | None:
        """Return that nobody agreed to leave a wave behind, or None."""
        is_empty = all(place.wave != wave.name for place in self.places.values())
        if not self.settings.confirm_waves or is_empty or wave.name in self._agreed:
            return None
        return f"nobody agreed after wave {wave.name}"

    def _is_kept_back(self, row_no: int) -> bool:
        """Return whether a breaker that does not rest keeps a waiting row back."""
        place = self.places[row_no]
        names = ("orchestrator", place.agent_id), ("authority", place.authority)
        breakers = [self._breakers.get(name) for name in names]
        for_good = any(b and b.rests_until_s == float("inf") for b in breakers)
        return self.states[row_no] is State.PENDING and for_good
