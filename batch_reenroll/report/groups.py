"""Counts and durations by orchestrator, CA, template, store type, wave and cause.

pandas does the grouping, on codes and doubles only; it is imported when first needed,
because the command line must not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_reenroll.report.sets import FAILURE, OUTCOMES, REMAINING, SUCCESS
from batch_reenroll.report.survey import Cause, Survey

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Of the rows whose duration is known, in seconds; None where there are none."""

    min_s: float | None = None
    median_s: float | None = None
    p95_s: float | None = None
    max_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that share one name.

    Attributes:
        name: As the rows have it; "" where they have none.
        rows: How many, >= 1.
        outcomes: Rows by outcome, only those above zero, in glossary order.
        duration_s: Of these rows.
    """

    name: str
    rows: int
    outcomes: Mapping[str, int]
    duration_s: Durations

    def n(self, side: Sequence[str]) -> int:
        """Return the rows whose outcome is in ``side``."""
        return sum(self.outcomes.get(outcome, 0) for outcome in side)

    @property
    def success(self) -> int:
        """Rows that ended well."""
        return self.n(SUCCESS)

    @property
    def failures(self) -> int:
        """Rows of ``failure.csv``."""
        return self.n(FAILURE)

    @property
    def remaining(self) -> int:
        """Rows of ``remaining.csv``."""
        return self.n(REMAINING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the rows of one cause are.

    Attributes:
        n: Orchestrators, >= 1; those that are not known count as one.
        most: The one with most of the rows; "" = not known.
        n_most: How many of the rows it has, >= 1.
    """

    n: int
    most: str
    n_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Every grouping of a report.

    Attributes:
        by: Groups by orchestrator, ca, template, store_type and wave. Waves in their
            own order; the others with most failures first, then most rows.
        causes: Rows that did not simply end well, most rows first.
        places: On which orchestrators the rows of each cause are.
        duration_s: Of all rows.
    """

    by: Mapping[str, tuple[Group, ...]]
    causes: tuple[tuple[Cause, Group], ...]
    places: Mapping[Cause, Places]
    duration_s: Durations


def grouped(survey: Survey, waves: Sequence[str] = ()) -> Groups:
    """Return every grouping of ``survey``.

    Args:
        survey: Of the rows.
        waves: Their names in order; others come after them, in the order of the rows.
    """
    frame = _frame(survey)
    by = {name: _groups(frame, name) for name in survey.columns}
    for name, groups in by.items():
        if name == "wave":
            at = {wave: n for n, wave in enumerate(waves)}
            groups.sort(key=lambda group: at.get(group.name, len(at)))
        else:
            groups.sort(key=lambda group: (-group.failures, -group.rows, group.name))
    causes = [
        (survey.causes[int(group.name)], group) for group in _groups(frame, "cause")
    ]
    causes.sort(
        key=lambda pair: (-pair[1].rows, pair[0].reason_code, pair[0].fingerprint)
    )
    return Groups(
        by={name: tuple(groups) for name, groups in by.items()},
        causes=tuple(causes),
        places=_places(frame, survey.causes),
        duration_s=_durations(frame["duration_s"]),
    )


def _frame(survey: Survey) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    def categorical(codes: Sequence[int], names: Sequence[str]) -> pd.Categorical[str]:
        return pd.Categorical.from_codes(
            np.asarray(codes, dtype="int32"), categories=pd.Index(list(names))
        )

    series = {
        name: categorical(column.codes, column.names)
        for name, column in survey.columns.items()
    }
    series["cause"] = categorical(
        survey.cause_codes, [str(i) for i in range(len(survey.causes))]
    )
    series["outcome"] = categorical(survey.outcomes, OUTCOMES)
    frame = pd.DataFrame(series)
    frame["duration_s"] = np.asarray(survey.durations_s, dtype="float64")
    return frame


def _groups(frame: pd.DataFrame, key: str) -> list[Group]:
    """Return the groups of ``key`` in the order of its first rows."""
    sizes = frame.groupby([key, "outcome"], observed=True, sort=True).size()
    counts: dict[str, dict[str, int]] = {}
    for name, outcome, n in sizes.reset_index(name="n").itertuples(index=False):
        counts.setdefault(str(name), {})[str(outcome)] = int(n)
    times = frame.groupby(key, observed=True)["duration_s"]
    medians = times.quantile(0.5).to_dict()
    p95s = times.quantile(0.95).to_dict()
    return [
        Group(
            name=name,
            rows=sum(outcomes.values()),
            outcomes=outcomes,
            duration_s=Durations(
                median_s=_known(medians[name]), p95_s=_known(p95s[name])
            ),
        )
        for name, outcomes in counts.items()
    ]


def _places(frame: pd.DataFrame, causes: Sequence[Cause]) -> dict[Cause, Places]:
    sizes = frame.groupby(["cause", "orchestrator"], observed=True).size()
    places: dict[Cause, Places] = {}
    for code, name, n in sizes.reset_index(name="n").itertuples(index=False):
        cause = causes[int(code)]
        known = places.get(cause, Places(n=0, most="", n_most=0))
        most = (name, n) if n > known.n_most else (known.most, known.n_most)
        places[cause] = Places(n=known.n + 1, most=str(most[0]), n_most=int(most[1]))
    return places


def _durations(series: pd.Series[float]) -> Durations:
    return Durations(
        min_s=_known(float(series.min())),
        median_s=_known(float(series.quantile(0.5))),
        p95_s=_known(float(series.quantile(0.95))),
        max_s=_known(float(series.max())),
    )


def _known(value: float) -> float | None:
    # NaN is the one value that differs from itself.
    return None if value != value else round(float(value), 3)
