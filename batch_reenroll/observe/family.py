"""Metric families: names, kinds and samples, as every exporter takes them. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple


class Kind(StrEnum):
    """What a family's numbers mean, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Sample(NamedTuple):
    """One number; ``suffix`` is what a histogram adds to its family's name."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All samples of one name.

    Attributes:
        name: With its unit, and ``_total`` where it is a counter.
        kind: See :class:`Kind`.
        text: What it counts, one sentence.
        samples: n >= 0.
    """

    name: str
    kind: Kind
    text: str
    samples: tuple[Sample, ...]


class Histogram:
    """How often a number fell into which bucket.

    Args:
        bounds: Upper ends of the buckets, rising, +inf left out.

    Attributes:
        bounds: As given.
        counts: By bucket; one more than ``bounds``.
        total: Sum of all numbers.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one number; one that equals a bound is in the bucket it ends."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def samples(self, labels: Mapping[str, str]) -> Iterator[Sample]:
        """Yield its samples as Prometheus has them: buckets hold those below, too."""
        below = list(accumulate(self.counts))
        for bound, n in zip((*self.bounds, math.inf), below, strict=True):
            yield Sample(n, {**labels, "le": number(bound)}, "_bucket")
        yield Sample(self.total, labels, "_sum")
        yield Sample(below[-1], labels, "_count")


def number(value: float) -> str:
    """Return a number as the exposition format has it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) else repr(float(value))
