"""How far the rotations are proven, in words for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: What each level shows, the furthest first; rows at ``none`` did not end well.
LEVEL_MEANINGS: Mapping[str, str] = {
    "served": "The endpoint that the row names serves the new certificate.",
    "equivalent": "Nothing of the old certificate is lost: names, uses, kind of key.",
    "intended": "It is later, of the CA and template asked for, with another key.",
    "present": "The inventory shows another certificate than before.",
    "job": "The job's own word, and no more.",
}
_N_WHYS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the page says of verification.

    Attributes:
        levels: (name, rows, meaning) of each level that rows stand at.
        whys: (reason, rows) why rows stand no higher, most rows first.
        n_more: Reasons that are left out.
    """

    levels: tuple[tuple[str, int, str], ...]
    whys: tuple[tuple[str, int], ...]
    n_more: int


def proof(verification: Mapping[str, Any]) -> Proof | None:
    """Return what to say of ``verification``, None where no row stands at any level.

    Args:
        verification: The group of that name in ``summary.json``.
    """
    counts: Mapping[str, int] = verification["levels"]
    levels = tuple(
        (name, counts[name], meaning)
        for name, meaning in LEVEL_MEANINGS.items()
        if counts[name]
    )
    whys = tuple(verification["why_not_higher"].items())
    if not levels:
        return None
    return Proof(levels=levels, whys=whys[:_N_WHYS], n_more=max(0, len(whys) - _N_WHYS))
