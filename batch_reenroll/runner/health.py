"""Whether Command answers, as the loops of a run have found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Health:
    """Whether Command answers.

    Attributes:
        failures: Reads that failed in a row.
        away_since_s: When the first of them failed, or None while Command answers.
        cause: What the last one said.
    """

    failures: int = 0
    away_since_s: float | None = None
    cause: str = ""

    def answered(self) -> bool:
        """Note a good answer; return whether Command had been away."""
        was_away = self.away_since_s is not None
        self.failures, self.away_since_s, self.cause = 0, None, ""
        return was_away

    def failed(self, now_s: float, cause: str) -> None:
        """Note a request that got no useful answer."""
        self.failures += 1
        self.cause = cause
        if self.away_since_s is None:
            self.away_since_s = now_s
