"""What a person sees while a campaign runs: counts, rate, ETA, failures."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from batch_reenroll.campaign.breakers import title
from batch_reenroll.campaign.budget import FAILURES
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.cli.console import Console
from batch_reenroll.observe import Event, duration
from batch_reenroll.observe.changes import Changes
from batch_reenroll.text import rfc3339, visible

_ENDED = frozenset(OUTCOMES)
_FLIGHT = (
    State.SUBMITTING,
    State.IN_DOUBT,
    State.SUBMITTED,
    State.QUEUED,
    State.RUNNING,
    State.VERIFYING,
    State.WITHDRAWING,
)

#: How often a line is written where nothing can be redrawn.
_LINE_EVERY_S = 10.0

#: How often it is looked there what has changed.
_LOOK_EVERY_S = 0.5

_REDRAW_EVERY_S = 0.25

#: Breakers named at one time; the others are counted.
_BREAKERS_SHOWN = 3

#: The rate shown is of this time.
_RATE_WINDOW_S = 15.0


class Progress:
    """Turns snapshots of a run into lines.

    Args:
        snapshot: Returns the run's snapshot.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        snapshot: Callable[[], Mapping[str, Any]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._snapshot = snapshot
        self._monotonic = monotonic
        self._began_s = monotonic()
        self._marks: deque[tuple[float, int]] = deque()
        self._changes = Changes()
        self.facts()

    def snapshot(self) -> Mapping[str, Any]:
        """Return the run's snapshot."""
        return self._snapshot()

    def changes(self) -> Iterator[Event]:
        """Yield what has changed since the last call."""
        return self._changes.seen(self._snapshot(), self._monotonic())

    def facts(self) -> dict[str, Any]:
        """Return the numbers a line or a display is made of."""
        shot = self._snapshot()
        states: Mapping[State, int] = shot["states"]
        total = sum(states.values())
        ended = sum(n for state, n in states.items() if state in _ENDED)
        now_s = self._monotonic()
        rate = self._rate(now_s, ended)
        left = total - ended
        return {
            "total": total,
            "ended": ended,
            "failed": sum(states.get(state, 0) for state in FAILURES),
            "states": states,
            "in_flight": sum(states.get(state, 0) for state in _FLIGHT),
            "rows_per_s": round(rate, 1),
            "eta_s": round(left / rate) if rate > 0 and left else None,
            "elapsed_s": round(now_s - self._began_s),
            "pace_per_s": round(shot["rate_per_s"], 2),
            "pace_cause": shot["pace_cause"],
            "away": shot["away_cause"] if shot["away_since_s"] is not None else "",
            "cut_off": cut_off(shot["breakers"]) + quiet(shot["quiet"]),
            "stop": shot["stop"],
            "wave": shot["wave"],
            "hold": hold(shot),
            "remarks": shot["remarks"],
        }

    def _rate(self, now_s: float, ended: int) -> float:
        self._marks.append((now_s, ended))
        while len(self._marks) > 1 and self._marks[0][0] < now_s - _RATE_WINDOW_S:
            self._marks.popleft()
        began_s, before = self._marks[0]
        return (ended - before) / (now_s - began_s) if now_s > began_s else 0.0


def hold(shot: Mapping[str, Any]) -> str:
    """Return why nothing is sent although rows wait, and until when; or ""."""
    if shot["stop"] is not None:
        return ""
    if shot["closed_until"] is not None:
        return f"waiting for the window until {rfc3339(shot['closed_until'])}"
    if shot["soaking_until"] is not None:
        until = rfc3339(shot["soaking_until"])
        return f"wave {shot['wave']} has ended; the next one waits until {until}"
    return ""


def line(facts: Mapping[str, Any]) -> str:
    """Return the facts as one line."""
    parts = [
        f"{facts['ended']}/{facts['total']} rows ended",
        f"{facts['in_flight']} in flight",
        f"{facts['failed']} failed",
        f"{facts['rows_per_s']:g} rows/s",
        f"pace {facts['pace_per_s']:g}/s ({facts['pace_cause']})",
    ]
    if facts["eta_s"] is not None:
        parts.append(f"about {duration(facts['eta_s'])} left")
    parts += facts["cut_off"]
    if facts["away"]:
        parts.append(f"WAITING, Command does not answer: {facts['away']}")
    if facts["wave"]:
        parts.append(f"wave {facts['wave']}")
    if facts["hold"]:
        parts.append(facts["hold"])
    if facts["stop"]:
        parts.append(f"stopping ({facts['stop']})")
    return ", ".join(parts)


def cut_off(breakers: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a text for each breaker that is not closed, a few at most."""
    texts = [
        f"{title(entry['kind'], visible(entry['name'], 300))} is cut off: "
        f"{visible(entry['cause'], 300)}"
        for entry in breakers[:_BREAKERS_SHOWN]
    ]
    more = len(breakers) - len(texts)
    return [*texts, f"{more} more are cut off"] if more else texts


def quiet(authorities: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a text for each CA that has taken all it may for now."""
    return [
        f"the CA {visible(entry['name'], 300)} takes no more "
        f"until {rfc3339(entry['until'])}"
        for entry in authorities
    ]


async def show(progress: Progress, console: Console) -> None:
    """Show progress until cancelled: redrawn on a terminal, as lines elsewhere."""
    if console.is_live:
        # A terminal that goes away must not end the campaign.
        with contextlib.suppress(OSError):
            await _draw(progress, console)
    else:
        await _lines(progress, console)


async def _lines(progress: Progress, console: Console) -> None:
    began_s = time.monotonic()
    n_lines = 0
    try:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            _tell(progress, console)
            if time.monotonic() - began_s >= (n_lines + 1) * _LINE_EVERY_S:
                n_lines += 1
                facts = progress.facts()
                text = f"progress: {line(facts)}"
                console.info(text, "progress", **_loggable(facts))
    finally:
        # What changed since the last look, a moment before the end.
        _tell(progress, console)


def _tell(progress: Progress, console: Console) -> None:
    for event in progress.changes():
        console.event(event)


def _loggable(facts: Mapping[str, Any]) -> dict[str, Any]:
    states = {str(state): n for state, n in facts["states"].items()}
    return {**facts, "states": states}


async def _draw(progress: Progress, console: Console) -> None:
    from rich.console import Console as RichConsole
    from rich.live import Live

    screen = RichConsole(file=console.screen or sys.stderr)
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        while True:
            live.update(_panel(progress.facts()), refresh=True)
            await asyncio.sleep(_REDRAW_EVERY_S)


def _panel(facts: Mapping[str, Any]) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = Text.assemble(
        (f" {facts['ended']}/{facts['total']} ", "bold"),
        f"{facts['rows_per_s']:g} rows/s  pace {facts['pace_per_s']:g}/s "
        f"({facts['pace_cause']})  elapsed {duration(facts['elapsed_s'])}",
    )
    if facts["eta_s"] is not None:
        head.append(f"  about {duration(facts['eta_s'])} left")
    # A bar by itself ends no line; in a grid it does.
    bar = Table.grid(expand=True, padding=(0, 1))
    bar.add_row(ProgressBar(total=max(1, facts["total"]), completed=facts["ended"]))
    grid = Table.grid(padding=(0, 3))
    shown = [state for state in State if facts["states"].get(state)]
    for _ in shown:
        grid.add_column(justify="right")
    grid.add_row(*(Text(str(facts["states"][state]), style="bold") for state in shown))
    grid.add_row(
        *(Text(str(state).replace("_", " "), style=_style(state)) for state in shown)
    )
    lines: list[Any] = [head, bar, grid]
    lines += [Text(f" {text}", style="yellow") for text in facts["cut_off"]]
    if facts["hold"]:
        lines.append(Text(f" {facts['hold']}", style="yellow"))
    lines += [Text(f" {remark}", style="yellow") for remark in facts["remarks"]]
    if facts["away"]:
        lines.append(Text(f" Command does not answer: {facts['away']}", style="red"))
    if facts["stop"]:
        text = " stopping: settling what is in flight; once more to leave at once"
        lines.append(Text(text, style="yellow"))
    return Group(*lines)


def _style(state: State) -> str:
    if state in (State.VERIFIED, State.SUCCEEDED):
        return "green"
    return "red" if state in FAILURES else "cyan" if state in _FLIGHT else "dim"
