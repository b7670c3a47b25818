"""How much may go wrong: the campaign's budget and each orchestrator's breaker."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason

#: Outcomes that count against the budget: what design.md section 5 files as failure,
#: but not the pre-flight's, which touched nothing.
FAILURES = frozenset(
    {State.FAILED, State.REJECTED, State.WARNING, State.STALLED, State.UNKNOWN}
)

#: Outcomes of rows that were tried: what a percentage is a percentage of.
TRIED = FAILURES | {State.VERIFIED, State.SUCCEEDED}


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of failures, absolute or a share of the rows that have ended."""

    value: Fraction
    percent: bool

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Return the limit that ``2%`` or ``12`` names.

        Raises:
            ValueError: Neither a whole number >= 0 nor a percentage from 0 to 100.
        """
        body = text.strip()
        percent = body.endswith("%")
        try:
            value = Fraction(body.removesuffix("%").strip())
        except ZeroDivisionError:
            raise ValueError(text) from None
        whole_or_share = percent or value.denominator == 1
        if value < 0 or (percent and value > 100) or not whole_or_share:
            raise ValueError(text)
        return cls(value, percent)

    def exceeded(self, failures: int, ended: int, *, min_rows: int) -> bool:
        """Return whether ``failures`` of ``ended`` rows are too many.

        Exactly at the limit is not exceeded. A percentage counts once ``min_rows``
        rows have ended (design.md 5.1).
        """
        if not self.percent:
            return failures > self.value
        return ended >= min_rows and failures * 100 > self.value * ended


@dataclass(slots=True)
class Breaker:
    """Stops feeding one orchestrator. Opens once and stays open for the run.

    Attributes:
        threshold: Failures in a row that open it.
        in_a_row: Failures since the last success.
        cause: Why it opened, or None.
    """

    threshold: int
    in_a_row: int = 0
    cause: str | None = None

    def record(self, outcome: State, reason: Reason | None) -> bool:
        """Count one ended row; return whether this one opened the breaker.

        A pick-up timeout opens it at once: nothing was taken for so long that
        feeding on would only lengthen the queue.
        """
        if outcome not in TRIED:
            return False
        if outcome not in FAILURES:
            self.in_a_row = 0
            return False
        self.in_a_row += 1
        if self.cause is not None:
            return False
        if reason is Reason.PICKUP_TIMEOUT:
            self.cause = "nothing was picked up within the pick-up timeout"
        elif self.in_a_row >= self.threshold:
            self.cause = f"{self.in_a_row} failures in a row"
        return self.cause is not None


@dataclass(slots=True)
class Tally:
    """Counts of ended rows by outcome, for budget and progress."""

    counts: dict[State, int] = field(default_factory=dict)

    def add(self, outcome: State, n: int = 1) -> None:
        """Count ``n`` more rows that ended as ``outcome``."""
        self.counts[outcome] = self.counts.get(outcome, 0) + n

    @property
    def failures(self) -> int:
        """Rows that count against the budget."""
        return sum(self.counts.get(outcome, 0) for outcome in FAILURES)

    @property
    def tried(self) -> int:
        """Rows that were tried and have ended."""
        return sum(self.counts.get(outcome, 0) for outcome in TRIED)
