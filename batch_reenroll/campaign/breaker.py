"""A breaker: it stops feeding what only fails, rests, and tries again with one row.

::

    closed ──too many failures, or silence──▶ open ──rest over, a row asks──▶ probing
       ▲                                       ▲                                │ │
       └───────────── the probe went well ─────┼────────────────────────────────┘ │
                                               └── it failed: rest twice as long ─┘

Only the probe decides while it is out: rows that were under way when the breaker opened
say nothing new. Without a rest the breaker stays open for the run, but for one thing:
an orchestrator that was silent and is heard again closes it. Pure over explicit time:
``now_s`` is any clock that does not go back.
"""

from __future__ import annotations

from enum import StrEnum

from batch_reenroll.campaign.causes import BreakerRules, Ended, History, suspect
from batch_reenroll.campaign.reasons import Reason


class Phase(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Breaker:
    """One breaker, of an orchestrator or of a CA.

    Args:
        rules: When it opens, and how long it rests.
    """

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._history = History(rules)
        self._phase = Phase.CLOSED
        self._cause: str | None = None
        self._suspects: frozenset[str | None] = frozenset()
        self._probe: int | None = None
        self._is_lost = self._is_silent = False
        self._failed_probes = 0
        self._rest_until_s: float | None = None

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        return self._phase

    @property
    def cause(self) -> str | None:
        """Why it is not closed, or None."""
        if self._cause is None or not self._failed_probes:
            return self._cause
        return f"{self._cause}; failed probes since: {self._failed_probes}"

    @property
    def is_lost(self) -> bool:
        """Whether it is open because nobody is there: silence, or nothing picked up."""
        return self._is_lost and self._phase is not Phase.CLOSED

    @property
    def rest_until_s(self) -> float | None:
        """When it admits its next probe; None: it is not open, or it is for good."""
        return self._rest_until_s if self._phase is Phase.OPEN else None

    @property
    def suspects(self) -> frozenset[str | None]:
        """The sources of the failures that opened it; None: one was no source's."""
        return self._suspects

    def admits(self, now_s: float) -> bool:
        """Return whether a row may go now."""
        if self._phase is Phase.OPEN:
            return self._rest_until_s is not None and now_s >= self._rest_until_s
        return self._phase is Phase.CLOSED

    def admit(self, row_no: int, now_s: float) -> bool:
        """Return whether ``row_no`` may go now; after a rest it is then the probe."""
        if not self.admits(now_s):
            return False
        if self._phase is Phase.OPEN:
            self._phase, self._probe = Phase.PROBING, row_no
        return True

    def give_back(self, row_no: int) -> None:
        """Note that an admitted row was not carried out: another may be the probe."""
        if self._phase is Phase.PROBING and row_no == self._probe:
            self._phase = Phase.OPEN

    def trip(self, cause: str, now_s: float) -> bool:
        """Open it for a cause that no row shows; return whether it was closed."""
        if self._phase is not Phase.CLOSED:
            return False
        self._cause, self._suspects = cause, frozenset()
        self._open(now_s)
        return True

    def hear(self, silence: str | None, now_s: float) -> bool:
        """Note whether its orchestrator is heard of; return whether that turned it.

        Silence opens it. Once what was silent is heard again it closes; while a probe
        is out, the probe decides.

        Args:
            silence: Why it counts as silent; None = it was heard.
            now_s: Now.
        """
        if silence is not None:
            opened = self.trip(silence, now_s)
            self._is_lost |= opened
            self._is_silent |= self._is_lost
            return opened
        if not self._is_silent or self._phase is not Phase.OPEN:
            return False
        self._close()
        return True

    def pardon(self, source: str) -> bool:
        """Close it where nothing but ``source`` opened it; return whether it did.

        For when that source is found to be at fault itself.
        """
        if self._phase is not Phase.OPEN or self._suspects != {source}:
            return False
        self._close()
        return True

    def record(self, row: Ended, now_s: float) -> bool:
        """Count one ended row; return whether this one opened the breaker."""
        if self._phase is Phase.PROBING and row.row_no == self._probe:
            return self._judge_probe(row, now_s)
        if self._phase is not Phase.CLOSED or not self._history.counts(row):
            return False
        cause = self._history.add(row)
        if cause is None:
            return False
        self.trip(cause, now_s)
        self._suspects = self._history.suspects
        self._is_lost = row.reason is Reason.PICKUP_TIMEOUT
        return True

    def _judge_probe(self, row: Ended, now_s: float) -> bool:
        if not self._history.counts(row):
            self.give_back(row.row_no)
            return False
        if row.failure is None:
            self._close()
            return False
        self._failed_probes += 1
        self._suspects |= {suspect(row)}
        self._open(now_s)
        return True

    def _open(self, now_s: float) -> None:
        self._phase = Phase.OPEN
        rest_s = self._rules.rest_after_s(self._failed_probes)
        self._rest_until_s = None if rest_s is None else now_s + rest_s

    def _close(self) -> None:
        self._phase, self._cause, self._failed_probes = Phase.CLOSED, None, 0
        self._suspects = frozenset()
        self._is_lost = self._is_silent = False
        self._history.forget()
