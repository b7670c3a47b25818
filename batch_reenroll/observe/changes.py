"""What changes without a decision that says so: pace, windows, soaks, Command away.

Seen by holding one snapshot of a run against the one before. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batch_reenroll.observe.event import Event, Level
from batch_reenroll.observe.words import duration
from batch_reenroll.text import rfc3339

#: A shorter absence is not worth a word: one lost connection among thousands.
AWAY_AFTER_S = 1.0

#: A rate must change so much to be told of again; its cause, at all.
_OTHER_RATE = 1.5


class Changes:
    """Remembers the last snapshot that was told of."""

    def __init__(self) -> None:
        self._pace: tuple[float, Any] | None = None
        self._closed_until: Any = None
        self._soaking_until: Any = None
        self._quiet: set[str] = set()
        self._away_s: float | None = None
        self._away_is_told = False
        self._n_remarks = 0

    def seen(self, shot: Mapping[str, Any], now_s: float) -> Iterator[Event]:
        """Yield what has changed since the last call.

        Args:
            shot: The run's snapshot.
            now_s: Now, monotonic seconds.
        """
        yield from self._command(shot, now_s)
        yield from self._window(shot)
        yield from self._soak(shot)
        yield from self._authorities(shot)
        yield from self._rate(shot)
        remarks = shot["remarks"][self._n_remarks :]
        self._n_remarks += len(remarks)
        for remark in remarks:
            yield Event(name="remark", level=Level.WARNING, message=remark)

    def _command(self, shot: Mapping[str, Any], now_s: float) -> Iterator[Event]:
        if shot["away_since_s"] is None:
            since_s, was_told = self._away_s, self._away_is_told
            self._away_s, self._away_is_told = None, False
            if was_told and since_s is not None:
                took_s = now_s - since_s
                yield Event(
                    name="command_back",
                    # As grave as what it ends: whoever reads the one waits for it.
                    level=Level.WARNING,
                    message=f"Command answers again, after {duration(took_s)}",
                    fields={"away_s": round(took_s, 1)},
                )
            return
        if self._away_s is None:
            self._away_s = now_s
        if not self._away_is_told and now_s - self._away_s >= AWAY_AFTER_S:
            self._away_is_told = True
            yield Event(
                name="command_away",
                level=Level.WARNING,
                message=f"WAITING, Command does not answer: {shot['away_cause']}",
                fields={"cause": shot["away_cause"]},
            )

    def _window(self, shot: Mapping[str, Any]) -> Iterator[Event]:
        until, before = shot["closed_until"], self._closed_until
        self._closed_until = until
        if until is not None and until != before:
            yield Event(
                name="window_closed",
                level=Level.INFO,
                message=f"waiting for the window until {rfc3339(until)}",
                fields={"until": until},
            )
        elif until is None and before is not None and shot["stop"] is None:
            message = "the window is open"
            yield Event(name="window_opened", level=Level.INFO, message=message)

    def _soak(self, shot: Mapping[str, Any]) -> Iterator[Event]:
        until, before = shot["soaking_until"], self._soaking_until
        self._soaking_until = until
        if until is not None and until != before:
            wave = shot["wave"]
            yield Event(
                name="wave_soaking",
                level=Level.INFO,
                message=f"wave {wave} has ended; the next one waits until "
                f"{rfc3339(until)}",
                fields={"wave": wave, "until": until},
            )

    def _authorities(self, shot: Mapping[str, Any]) -> Iterator[Event]:
        now = {entry["name"]: entry["until"] for entry in shot["quiet"]}
        for name in now.keys() - self._quiet:
            yield Event(
                name="authority_exhausted",
                level=Level.INFO,
                message=f"the CA {name} takes no more until {rfc3339(now[name])}",
                fields={"authority": name, "until": now[name]},
            )
        self._quiet = set(now)

    def _rate(self, shot: Mapping[str, Any]) -> Iterator[Event]:
        rate, cause = shot["rate_per_s"], shot["pace_cause_code"]
        if self._pace is not None:
            before, why = self._pace
            same = before / _OTHER_RATE < rate < before * _OTHER_RATE
            if same and why == cause:
                return
        self._pace = rate, cause
        yield Event(
            name="pace_changed",
            level=Level.INFO,
            message=f"pace {rate:.3g}/s ({shot['pace_cause']})",
            fields={"rate_per_s": round(rate, 3), "cause": str(cause)},
            is_detail=True,
        )
