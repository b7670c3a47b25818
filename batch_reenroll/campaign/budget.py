"""How much may go wrong in all: the campaign's budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from batch_reenroll.campaign.lifecycle import State

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

    def __str__(self) -> str:
        """Return text that :meth:`parse` reads back."""
        top, bottom = self.value.as_integer_ratio()
        decimal = Decimal(top) / Decimal(bottom)
        exact = Fraction(decimal) == self.value
        text = f"{decimal:f}" if exact else str(self.value)
        return f"{text}%" if self.percent else text

    def exceeded(self, failures: int, ended: int, *, min_rows: int) -> bool:
        """Return whether ``failures`` of ``ended`` rows are too many.

        Exactly at the limit is not exceeded. A percentage counts once ``min_rows``
        rows have ended (design.md 5.1).
        """
        if not self.percent:
            return failures > self.value
        return ended >= min_rows and failures * 100 > self.value * ended


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
