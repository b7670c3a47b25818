"""Words that displays and log lines share."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return seconds as people say them: ``45 s``, ``2 h 5 min``, ``5 d 6 h``."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(hours, 24)
    return f"{days} d {rest} h" if rest else f"{days} d"
