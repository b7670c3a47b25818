"""Events as lines: JSON for machines, text for people. Pure; any text goes in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from batch_reenroll.observe.event import Event
from batch_reenroll.text import rfc3339, visible

#: Longest text of one field, in characters.
_TEXT_LIMIT = 4096

#: Objects in objects; what lies deeper is shown as text.
_DEPTH = 6


def json_line(event: Event, at: datetime) -> str:
    """Return the event as one JSON object without a line end.

    ``at``, ``level``, ``event`` and ``message`` come first; a field of one of these
    names is left out, and so is an empty one.

    Args:
        event: What happened.
        at: When, aware.
    """
    entry: dict[str, Any] = {
        "at": rfc3339(at),
        "level": event.level.word,
        "event": event.name,
        "message": shown(event.message),
    }
    for name, value in event.fields.items():
        if value not in (None, ""):
            entry.setdefault(visible(str(name), _TEXT_LIMIT), _clean(value, _DEPTH))
    return json.dumps(entry, ensure_ascii=False, allow_nan=False)


def text_line(event: Event, at: datetime | None) -> str:
    """Return the event for a person, ``at`` in front where it is given."""
    when = "" if at is None else f"{rfc3339(at)} {event.level.word} {event.name}: "
    return when + shown(event.message)


def shown(message: str) -> str:
    """Return a message with nothing in it that a terminal would obey.

    Line ends between several faults are our own; what others wrote was made visible
    where it came in.
    """
    return "\n".join(visible(line, _TEXT_LIMIT) for line in message.split("\n"))


def _clean(value: Any, depth: int) -> Any:
    """Return ``value`` as JSON that is harmless wherever it is shown."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping) and depth:
        return {
            visible(str(key), _TEXT_LIMIT): _clean(item, depth - 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple) and depth:
        return [_clean(item, depth - 1) for item in value]
    return None if value is None else visible(str(value), _TEXT_LIMIT)
