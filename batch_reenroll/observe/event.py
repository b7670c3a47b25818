"""Log events: what happened, how grave it is, and of what it speaks.

============================  ========  ==============================================
event                         level     means
============================  ========  ==============================================
``run_started``               info      this process works on the campaign
``run_ended``                 info      how it ended; ``exit_code``
``row_moved``                 debug     a row went on: ``from``, ``to``
``row_ended``                 info      a row has its outcome; ``warning`` for failures
``row_retried``               debug     a person asked for another attempt
``wave_opened``               info      rows of the next wave may go
``wave_soaking``              info      a wave has ended, the next one waits
``window_closed``             info      nothing is sent until ``until``
``window_opened``             info      rows are sent again
``authority_exhausted``       info      a CA takes no more until ``until``
``pace_changed``              info      another rate, or another cause of it
``breaker_opened``            warning   an orchestrator or a CA is cut off
``breaker_closed``            info      it is fed again
``command_away``              warning   Command does not answer
``command_back``              info      it answers again
``stop_requested``            warning   nothing more is sent; ``stop`` says why
``remark``                    warning   what the run goes on without
``request``                   debug     one request to Command and its answer
``progress``                  info      counts, pace, time left
``lines_dropped``             warning   nobody read the log in time; ``n`` lines lost
``message``, ``error``        any       said to people
============================  ========  ==============================================

The names are stable. Fields, where they apply: ``campaign``, ``row`` (the row id),
``row_no``, ``store`` (GUID), ``orchestrator`` (as ``results.csv`` names it),
``agent_id`` (its GUID), ``job`` (the job's id), ``wave``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """How grave; the numbers are those of :mod:`logging`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40

    @property
    def word(self) -> str:
        """The level as a log line names it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        name: Stable, lower_snake_case.
        level: How grave it is.
        message: For people. Somebody else's words may be in it.
        fields: What it speaks of, by stable names; values that JSON knows.
        is_detail: One of many, of no interest to whoever watches the whole.
    """

    name: str
    level: Level
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    is_detail: bool = False
