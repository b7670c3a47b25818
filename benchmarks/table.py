"""Samples, tables of them, and goals: what a benchmark shows."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One repetition of one contender.

    Attributes:
        figure: What the table is about: seconds, rows per second, …
        cpu_s: CPU seconds, user and system, or None where not measured.
        peak_rss_bytes: Most memory at one time, or None where not measured.
        output: What a process wrote to stdout, else "".
    """

    figure: float
    cpu_s: float | None = None
    peak_rss_bytes: int | None = None
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What was measured: samples by contender, one for each round, same order."""

    title: str
    unit: str
    baseline: str | None
    samples: Mapping[str, Sequence[Sample]]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def figures(self, name: str) -> list[float]:
        """Return a contender's figures by round."""
        return [sample.figure for sample in self.samples[name]]

    def median(self, name: str) -> float:
        """Return a contender's median figure."""
        return statistics.median(self.figures(name))

    def ratios(self, name: str, to: str | None = None) -> list[float]:
        """Return the contender's figure over that of ``to``, round by round."""
        others = self.figures(to or self.baseline or name)
        return [a / b for a, b in zip(self.figures(name), others, strict=True)]

    def ratio(self, name: str, to: str | None = None) -> float:
        """Return the median of :meth:`ratios`; ``to`` defaults to the baseline."""
        return statistics.median(self.ratios(name, to))

    def cpu_s(self, name: str) -> float | None:
        """Return the median CPU seconds, or None where not measured."""
        found = [s.cpu_s for s in self.samples[name] if s.cpu_s is not None]
        return statistics.median(found) if found else None

    def peak_mib(self, name: str) -> float:
        """Return the highest peak RSS in MiB; NaN where not measured."""
        found = [s.peak_rss_bytes for s in self.samples[name] if s.peak_rss_bytes]
        return max(found) / _MIB if found else float("nan")

    def lines(self) -> Iterable[str]:
        """Yield the table as Markdown."""
        to = f"to {self.baseline}" if self.baseline else "ratio"
        yield f"**{self.title}**\n"
        yield f"| | {self.unit}, median | min – max | {to} | CPU s | peak MiB |"
        yield "|---|--:|--:|--:|--:|--:|"
        for name, samples in self.samples.items():
            figures, ratios = [s.figure for s in samples], self.ratios(name)
            spread = f"{show(min(figures))} – {show(max(figures))}"
            near = f"{min(ratios):.3g} – {max(ratios):.3g}"
            ratio = f"{self.ratio(name):.3g} ({near})" if self.baseline else ""
            peak = self.peak_mib(name)
            yield (
                f"| {name} | {show(self.median(name))} | {spread} | {ratio} "
                f"| {show(self.cpu_s(name))} | {show(peak if peak > 0 else None)} |"
            )
        for name, why in self.skipped.items():
            yield f"| {name} | skipped: {why} | | | | |"

    def as_json(self) -> dict[str, object]:
        """Return every repetition, for JSON."""
        return {
            "title": self.title,
            "unit": self.unit,
            "baseline": self.baseline,
            "skipped": dict(self.skipped),
            "contenders": {
                name: {
                    "figures": [sample.figure for sample in samples],
                    "cpu_s": [sample.cpu_s for sample in samples],
                    "peak_rss_bytes": [sample.peak_rss_bytes for sample in samples],
                    "ratios": self.ratios(name) if self.baseline else None,
                }
                for name, samples in self.samples.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit and what was reached; ``at_least`` or ``at_most`` is given."""

    what: str
    reached: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        """Whether it was."""
        least, most = self.at_least, self.at_most
        enough = least is None or self.reached >= least
        return enough and (most is None or self.reached <= most)

    @property
    def limit(self) -> str:
        """The limit in words."""
        if self.at_least is not None:
            return f"at least {show(self.at_least)}"
        return f"at most {show(self.at_most)}"


def show(value: float | None) -> str:
    """Return a number as tables show it; "" for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
