"""What a run does, turned into events as it happens. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from batch_reenroll.campaign.breakers import Kind, title
from batch_reenroll.campaign.budget import FAILURES
from batch_reenroll.campaign.lifecycle import OUTCOMES
from batch_reenroll.campaign.rows import Move, Note, Row
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.observe.event import Event, Level

if TYPE_CHECKING:
    from batch_reenroll.command import Seen

_ENDS = frozenset(OUTCOMES)

#: Notes that whoever watches the whole wants to hear of.
_HEADLINES = frozenset({"breaker_opened", "breaker_closed", "wave_opened"})


class Watcher:
    """An ``Observer`` of the runner and of requests, in front of a log.

    Args:
        emit: Takes an event in; returns at once, never raises.
        tells: Returns whether details of a level are wanted: most of what happens is
            none that anybody reads, and costs no more than this question.
    """

    def __init__(
        self, emit: Callable[[Event], None], tells: Callable[[Level], bool]
    ) -> None:
        self._emit = emit
        self._tells = tells

    def moved(self, row: Row, move: Move) -> None:
        """Tell of a move."""
        if self._tells(_level_of(move)):
            self._emit(move_event(row, move))

    def noted(self, note: Note) -> None:
        """Tell of a breaker or a wave."""
        self._emit(note_event(note))

    def stopping(self, stop: Stop, message: str) -> None:
        """Tell that the run ends early."""
        why = f": {message}" if message else ""
        self._emit(
            Event(
                name="stop_requested",
                level=Level.WARNING,
                message=f"stopping{why}",
                fields={"stop": str(stop)},
            )
        )

    def requested(self, seen: Seen) -> None:
        """Tell of a request."""
        if not self._tells(Level.DEBUG):
            return
        came = seen.error or str(seen.status)
        self._emit(
            Event(
                name="request",
                level=Level.DEBUG,
                message=f"{seen.kind} {seen.method}: {came}",
                fields={
                    "kind": seen.kind,
                    "method": seen.method,
                    "http_status": seen.status,
                    "error": seen.error,
                    "took_s": round(seen.took_s, 4),
                },
                is_detail=True,
            )
        )


def move_event(row: Row, move: Move) -> Event:
    """Return the event of a move.

    Args:
        row: As the move left it.
        move: The move.
    """
    why = f" ({move.reason})" if move.reason else ""
    words = f": {move.message}" if move.message else ""
    return Event(
        name="row_ended" if move.target in _ENDS else "row_moved",
        level=_level_of(move),
        message=f"row {row.row_id}: {move.origin} → {move.target}{why}{words}",
        fields={
            **fields_of(row),
            "from": str(move.origin),
            "to": str(move.target),
            "reason": str(move.reason) if move.reason else "",
            "http_status": move.changes.get("http_status"),
            "attempt": row.attempts or None,
        },
        is_detail=True,
    )


def _level_of(move: Move) -> Level:
    if move.target in FAILURES:
        return Level.WARNING
    return Level.INFO if move.target in _ENDS else Level.DEBUG


def fields_of(row: Row) -> dict[str, Any]:
    """Return what every line about a row names."""
    return {
        "row": row.row_id,
        "row_no": row.row_no,
        "store": row.store_id,
        "orchestrator": row.orchestrator or row.agent_id,
        "agent_id": row.agent_id,
        "job": row.job_id,
        "wave": row.wave,
    }


def note_event(note: Note) -> Event:
    """Return the event of a note; one of a kind not known here is told as it is."""
    detail = dict(note.detail)
    if detail.get("kind") == Kind.ORCHESTRATOR:
        detail |= {"orchestrator": detail["name"], "agent_id": detail["id"]}
    match note.event:
        case "breaker_opened":
            who = title(detail["kind"], detail["name"])
            message, level = f"{who} is cut off: {detail['cause']}", Level.WARNING
        case "breaker_closed":
            who = title(detail["kind"], detail["name"])
            message, level = f"{who} is fed again", Level.INFO
        case "wave_opened":
            message, level = f"wave {detail['wave']} is open", Level.INFO
        case _:
            message, level = note.event.replace("_", " "), Level.INFO
    return Event(
        name=note.event,
        level=level,
        message=message,
        fields=detail,
        is_detail=note.event not in _HEADLINES,
    )
