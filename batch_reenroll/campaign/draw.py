"""Which row goes in which wave, so that the first ones try a bit of everything.

A row that names its wave goes there. The others are drawn: a *stratum* is all rows of
one store type, orchestrator group and CA; a wave first takes one row of each stratum
that no wave before it has tried, the largest first, and fills its other places in
proportion to what is left (largest remainders, as Hamilton had it). The draw is fixed
by a seed: the same manifest always gives the same waves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from batch_reenroll.campaign.waves import WavePlan

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_DIGITS = re.compile(r"\d+")


class WaveRow(NamedTuple):
    """What the draw looks at of one row.

    Attributes:
        row_no: 1-based position in the manifest, unique.
        store_type, authority: Names, "" where unknown.
        orchestrator: Its machine name, or its GUID where that is unknown.
        wave: The wave it names, or None.
    """

    row_no: int
    store_type: str
    orchestrator: str
    authority: str
    wave: str | None = None


class Stratum(NamedTuple):
    """Rows that are likely to fare alike."""

    store_type: str
    orchestrators: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one wave tries.

    Attributes:
        wave: Its name.
        named, drawn: Rows in it that name it, and rows that were drawn, >= 0.
        sampled: Strata of which it has a row.
        unsampled: Strata of which neither it nor a wave before it has one, the
            largest first. Their rows go out untried.
    """

    wave: str
    named: int
    drawn: int
    sampled: int
    unsampled: tuple[Stratum, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The rows' waves.

    Attributes:
        waves: One name per row, in the order of the rows given; None = the waves'
            sizes leave no place for the row.
        strata: Strata in the manifest.
        coverage: One per wave, in their order.
    """

    waves: list[str | None]
    strata: int
    coverage: tuple[Coverage, ...]


def orchestrator_group(name: str) -> str:
    """Return the group of an orchestrator: its name, case and numbers left out.

    ``IIS-014.example.com`` and ``iis-2.example.com`` are ``iis-#.example.com``. A GUID
    tells nothing, so it is a group of its own.
    """
    folded = name.casefold()
    return folded if _GUID.fullmatch(folded) else _DIGITS.sub("#", folded)


def assign(
    rows: Sequence[WaveRow], plan: Sequence[WavePlan], *, seed: str
) -> Assignment:
    """Return the wave of every row, and what each wave samples.

    Args:
        rows: All rows of the manifest; their order changes nothing.
        plan: The waves in their order, n >= 1.
        seed: The manifest's SHA-256, or any text.

    Raises:
        ValueError: A row names a wave that is not in the plan.
    """
    names = [wave.name for wave in plan]
    draw = _Draw(rows, names, seed)
    coverage = tuple(
        draw.fill(at, wave.places(len(rows), is_last=at == len(plan) - 1))
        for at, wave in enumerate(plan)
    )
    return Assignment(waves=draw.waves, strata=len(draw.pools), coverage=coverage)


@dataclass(slots=True)
class _Pool:
    """The rows of one stratum.

    Attributes:
        n_rows: All of them.
        left: Positions of those without a wave; the next to be drawn stands last.
        named: How many name each wave, by the wave's position.
        is_tried: Whether a wave so far has one.
    """

    stratum: Stratum
    n_rows: int = 0
    left: list[int] = field(default_factory=list)
    named: dict[int, int] = field(default_factory=dict)
    is_tried: bool = False


class _Draw:
    """All strata, in an order that does not depend on that of the rows."""

    def __init__(
        self, rows: Sequence[WaveRow], names: Sequence[str], seed: str
    ) -> None:
        self.waves: list[str | None] = [row.wave for row in rows]
        self._names = names
        pools = _pools(rows, {name: at for at, name in enumerate(names)})
        self.pools = sorted(pools, key=lambda pool: pool.stratum)
        key = blake2b(seed.encode(), digest_size=32).digest()
        for pool in pools:
            pool.left.sort(key=lambda position: _ticket(key, rows[position].row_no))

    def fill(self, at: int, size: int) -> Coverage:
        """Draw what the wave still lacks; return what it samples."""
        named = [pool.named.get(at, 0) for pool in self.pools]
        for pool, n_named in zip(self.pools, named, strict=True):
            pool.is_tried |= n_named > 0
        left = [len(pool.left) for pool in self.pools]
        taken = seats(max(0, size - sum(named)), left, self._untried())
        for pool, n_taken in zip(self.pools, taken, strict=True):
            pool.is_tried |= n_taken > 0
            for _ in range(n_taken):
                self.waves[pool.left.pop()] = self._names[at]
        return Coverage(
            wave=self._names[at],
            named=sum(named),
            drawn=sum(taken),
            sampled=sum(a + b > 0 for a, b in zip(named, taken, strict=True)),
            unsampled=tuple(self.pools[n].stratum for n in self._untried()),
        )

    def _untried(self) -> list[int]:
        """Return the strata of which no wave has a row yet, the largest first."""
        untried = [n for n, pool in enumerate(self.pools) if not pool.is_tried]
        return sorted(untried, key=lambda n: (-self.pools[n].n_rows, n))


def _pools(rows: Sequence[WaveRow], wave_at: Mapping[str, int]) -> list[_Pool]:
    pools: dict[Stratum, _Pool] = {}
    known: dict[tuple[str, str, str], _Pool] = {}
    for position, row in enumerate(rows):
        place = row.store_type, row.orchestrator, row.authority
        pool = known.get(place)
        if pool is None:
            group = orchestrator_group(row.orchestrator)
            stratum = Stratum(row.store_type, group, row.authority)
            pool = known[place] = pools.setdefault(stratum, _Pool(stratum))
        pool.n_rows += 1
        if row.wave is None:
            pool.left.append(position)
        elif row.wave in wave_at:
            at = wave_at[row.wave]
            pool.named[at] = pool.named.get(at, 0) + 1
        else:
            raise ValueError(f"row {row.row_no}: no wave is named {row.wave!r}")
    return list(pools.values())


def seats(places: int, left: Sequence[int], fresh: Sequence[int]) -> list[int]:
    """Return how many rows to draw of each stratum.

    Args:
        places: Rows wanted, >= 0; fewer where fewer are left.
        left: Rows left to draw by stratum, each >= 0.
        fresh: Positions of strata that come before proportion, in this order.

    Returns:
        As long as ``left``, nowhere more than it: one row of each fresh stratum as
        far as the places go, then the largest remainders of a proportional share. A
        tie goes to the larger stratum, then to the first.
    """
    places = min(places, sum(left))
    taken = [0] * len(left)
    for n in [n for n in fresh if left[n]][:places]:
        taken[n] = 1
    places -= sum(taken)
    if not places:
        return taken
    weights = [rows - first for rows, first in zip(left, taken, strict=True)]
    total = sum(weights)
    shares = [divmod(places * weight, total) for weight in weights]
    short = places - sum(whole for whole, _ in shares)
    order = sorted(range(len(left)), key=lambda n: (-shares[n][1], -weights[n], n))
    for n, (whole, _) in enumerate(shares):
        taken[n] += whole
    for n in order[:short]:
        taken[n] += 1
    return taken


def _ticket(key: bytes, row_no: int) -> bytes:
    return blake2b(row_no.to_bytes(8), key=key, digest_size=16).digest()
