"""Waves: what the manifest asks of each, and the gate behind it.

Which row goes in which is drawn in :mod:`batch_reenroll.campaign.draw`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class WavePlan:
    """A wave as the manifest asks for it.

    Attributes:
        name: Unique in the manifest.
        size: Rows in it, those that name it included: a count, or a percentage of the
            manifest, rounded up. None: the last wave takes all that are left, an
            earlier one only the rows that name it.
        soak_s: Seconds to wait after its last row has ended, >= 0.
        max_failures: More failures than these end the campaign, or None.
        windows: Its own windows within the campaign's; none = the campaign's alone.
    """

    name: str
    size: Limit | None = None
    soak_s: int = 0
    max_failures: Limit | None = None
    windows: tuple[Window, ...] = ()

    def places(self, n_rows: int, *, is_last: bool) -> int:
        """Return how many of the manifest's ``n_rows`` rows the wave wants."""
        if self.size is None:
            return n_rows if is_last else 0
        return rows_in(self.size, n_rows)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that :meth:`from_json` reads back."""
        return {
            "name": self.name,
            "size": None if self.size is None else str(self.size),
            "soak_s": self.soak_s,
            "max_failures": None
            if self.max_failures is None
            else str(self.max_failures),
            "windows": [window.as_json() for window in self.windows],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> WavePlan:
        """Return the wave in ``value``."""
        size, failures = value["size"], value["max_failures"]
        return cls(
            name=value["name"],
            size=None if size is None else Limit.parse(size),
            soak_s=value["soak_s"],
            max_failures=None if failures is None else Limit.parse(failures),
            windows=tuple(Window.from_json(window) for window in value["windows"]),
        )


def rows_in(size: Limit, n_rows: int) -> int:
    """Return how many of ``n_rows`` a size means; a percentage is rounded up.

    So a canary of 1 % of fifty rows is one row, not none.
    """
    exact = size.value * n_rows / 100 if size.percent else size.value
    return -(-exact.numerator // exact.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveTally:
    """How the rows of one wave stand.

    Attributes:
        ended: Rows that were tried and have ended, failures included, >= 0; what a
            percentage is a percentage of.
        failed: Those that failed (:data:`batch_reenroll.campaign.budget.FAILURES`).
        open: Rows that have not ended, waiting ones included, >= 0.
    """

    ended: int
    failed: int
    open: int


@dataclass(frozen=True, slots=True)
class Wait:
    """The next wave stays shut.

    Attributes:
        until: When to ask again, aware UTC; None = when a row has ended.
    """

    until: datetime | None


@dataclass(frozen=True, slots=True)
class OpenNext:
    """The next wave may go."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The next wave may go once a person agrees."""

    question: str


@dataclass(frozen=True, slots=True)
class Halt:
    """The campaign ends here: its budget for this wave is exceeded."""

    reason: str


Gate: TypeAlias = Wait | OpenNext | Ask | Halt


def gate(
    wave: WavePlan,
    tally: WaveTally,
    *,
    ended_at: datetime | None,
    now: datetime,
    confirm: bool = False,
) -> Gate:
    """Return what becomes of the campaign after ``wave``.

    Failures must *exceed* the wave's limit; a percentage is one of the rows that were
    tried and have ended. While rows are open it halts only where the limit will be
    exceeded even if all of them end well, so that an early failure does not condemn
    the wave, and a hopeless wave does not run to its end.

    Args:
        wave: The wave that was sent last.
        tally: How its rows stand.
        ended_at: When the last of its rows ended, aware: the soak counts from there.
            None where none was tried: there is nothing to soak.
        now: Aware. At exactly ``ended_at`` + soak the soak is over.
        confirm: Whether a person has still to agree (``--confirm-waves``).

    Raises:
        ValueError: Rows were tried, none is open, and ``ended_at`` is None.
    """
    limit, bound = wave.max_failures, tally.ended + tally.open
    if limit is not None and limit.exceeded(tally.failed, bound, min_rows=0):
        reason = f"wave {wave.name}: {tally.failed} of {tally.ended} rows failed; "
        return Halt(reason + f"its limit is {limit}")
    if tally.open:
        return Wait(None)
    if tally.ended:
        if ended_at is None:
            raise ValueError(f"wave {wave.name}: when its last row ended is not said")
        soaked_at = ended_at + timedelta(seconds=wave.soak_s)
        if now < soaked_at:
            return Wait(soaked_at)
    if confirm:
        well = f"{tally.ended - tally.failed} rows ended well, {tally.failed} failed"
        return Ask(f"wave {wave.name} is done: {well}. Open the next wave?")
    return OpenNext()
