"""The served sandbox's clock: the system's, plus what it was put forward."""

from __future__ import annotations

import time


class JumpClock:
    """Runs as the system's clock does and can be put forward, never back.

    Attributes:
        advanced_s: By how much it was put forward in all, seconds.
    """

    def __init__(self) -> None:
        self.advanced_s = 0.0

    def now(self) -> float:
        """Return the time, seconds since the epoch."""
        return time.time() + self.advanced_s

    def advance(self, seconds: float) -> None:
        """Put the clock forward by ``seconds``, > 0."""
        self.advanced_s += seconds
