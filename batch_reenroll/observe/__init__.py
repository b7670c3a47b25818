"""Watches a run and tells of it: log events, metrics. Nothing here decides anything.

What only a run needs (``watcher``, ``changes``, ``metrics``, ``port``, ``otel``) is
imported from where it stands, so that ``--help`` and ``validate`` start without it.
"""

from batch_reenroll.observe.event import Event, Level
from batch_reenroll.observe.lines import json_line, shown, text_line
from batch_reenroll.observe.words import duration

__all__ = [
    "Event",
    "Level",
    "duration",
    "json_line",
    "shown",
    "text_line",
]
