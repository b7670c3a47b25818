"""``verification.csv``: how far each rotation is verified, why not further, by what.

The ledger keeps the evidence as JSON; rows of which it has none stand where their
outcome puts them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batch_reenroll.report.cells import cell_text
from batch_reenroll.report.facts import RowFacts
from batch_reenroll.report.sheets import csv_of, safe_cell
from batch_reenroll.text import visible

#: The levels by number, as people call them.
LEVEL_NAMES = ("none", "job", "present", "intended", "equivalent", "served")

_COMPARED = (
    "thumbprint",
    "issuer",
    "authority",
    "template",
    "sans",
    "ekus",
    "key",
    "not_before",
    "not_after",
)
COLUMNS = (
    *("row_id", "outcome", "reason_code", "level", "level_name", "why_not_higher"),
    "differences",
    *(f"{name}_{when}" for name in _COMPARED for when in ("before", "after")),
    *("endpoint", "endpoint_result", "endpoint_thumbprint", "endpoint_message"),
)

#: Outcomes of rows for which a job of ours was made: others have no level.
_TRIED = frozenset(
    {"verified", "succeeded", "warning", "failed", "rejected", "stalled", "unknown"}
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a row is verified; ``why`` is "" at the top."""

    level: int
    why: str

    @property
    def name(self) -> str:
        """The level's name."""
        return LEVEL_NAMES[self.level]


def standing(row: RowFacts) -> Standing | None:
    """Return how far a row is verified, None where nothing was sent for it."""
    outcome = cell_text(row, "outcome")
    if outcome not in _TRIED:
        return None
    said = _said(row)
    if "level" in said and outcome in ("verified", "succeeded", "warning"):
        return Standing(int(said["level"]), str(said.get("why", "")))
    if outcome == "verified":
        # By a version that did not look further.
        return Standing(2, "not_recorded")
    reason = cell_text(row, "reason_code")
    if outcome == "succeeded":
        return Standing(1, "not_asked" if reason == "not_verified" else reason)
    return Standing(0, reason)


@dataclass(slots=True)
class Verifications:
    """``verification.csv`` in chunks, counted as they pass, once.

    Attributes:
        rows: Every row of the report.
        levels, whys: Rows by level's name and by reason, complete at the end.
    """

    rows: Iterable[RowFacts]
    levels: Counter[str] = field(default_factory=Counter)
    whys: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[bytes]:
        yield from csv_of(COLUMNS, map(self._line, self.rows))

    def summary(self) -> dict[str, object]:
        """Return the group ``verification`` of ``summary.json``."""
        by_number = sorted(self.whys.items(), key=lambda item: (-item[1], item[0]))
        return {
            "levels": {name: self.levels[name] for name in LEVEL_NAMES},
            "why_not_higher": dict(by_number),
        }

    def _line(self, row: RowFacts) -> list[str]:
        stands = standing(row)
        if stands is not None:
            self.levels[stands.name] += 1
            self.whys.update([visible(stands.why, 80)] if stands.why else ())
        said = _said(row)
        return [safe_cell(text) for text in _texts(row, stands, said)]


def _said(row: RowFacts) -> Mapping[str, Any]:
    value: Mapping[str, Any] = json.loads(row.verification or "{}")
    return value


def _texts(
    row: RowFacts, stands: Standing | None, said: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the cells of a row, not yet safe."""
    yield from (row.row_id, cell_text(row, "outcome"), cell_text(row, "reason_code"))
    level = ("", "", "")
    if stands is not None:
        level = (str(stands.level), stands.name, stands.why)
    yield from level
    differences: Sequence[Sequence[str]] = said.get("differences", ())
    yield "; ".join(f"{kind}: {text}" for kind, text in differences)
    sides = [said.get("before") or {}, said.get("after") or {}]
    known = (cell_text(row, "thumbprint_before"), cell_text(row, "thumbprint_after"))
    for name in _COMPARED:
        for side, thumbprint in zip(sides, known, strict=True):
            text = _fact(side, name)
            yield text or (thumbprint if name == "thumbprint" else "")
    endpoint = said.get("endpoint") or {}
    for name in ("at", "contact", "thumbprint", "message"):
        yield str(endpoint.get(name, ""))


def _fact(side: Mapping[str, Any], name: str) -> str:
    if name == "key":
        parts = (side.get("key_type", ""), side.get("key_bits", ""))
        return " ".join(str(part) for part in parts if part)
    value = side.get(name, "")
    return "|".join(value) if isinstance(value, list) else str(value)
