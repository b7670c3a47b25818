"""When rows may be sent in a prediction: windows, and authorities' days.

All over arrays of trials: (T) moments, (T, C) per authority.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from batch_reenroll.campaign.forecast import Spans
from batch_reenroll.campaign.pipeline import Floats
from batch_reenroll.campaign.quota import DAY_S


@dataclass(slots=True)
class Quotas:
    """What each authority has been sent, per trial: (T, C), and since when.

    A rolling day is taken for days in a row from the campaign's start.
    """

    rate_per_s: Floats
    per_day: Floats
    start: float
    used: Floats
    day: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.day = np.zeros(self.used.shape[0])

    @property
    def is_limiting(self) -> bool:
        """Whether any authority has a limit at all."""
        return bool(np.isfinite(self.rate_per_s).any() or self.has_days)

    @property
    def has_days(self) -> bool:
        """Whether any authority has a daily quota."""
        return bool(np.isfinite(self.per_day).any())

    def turn(self, now: Floats) -> None:
        """Begin a new day where one has come."""
        day = np.floor((np.where(np.isfinite(now), now, 0.0) - self.start) / DAY_S)
        self.used[day > self.day] = 0.0
        self.day = np.maximum(day, self.day)

    def left_s(self, now: Floats) -> Floats:
        """Return the seconds until the next day, (T)."""
        if not self.has_days:
            return np.full_like(now, np.inf)
        left_s = self.start + (self.day + 1) * DAY_S - np.where(now < np.inf, now, 0.0)
        return np.asarray(np.where(now < np.inf, left_s, np.inf))


def opened(now: Floats, spans: Spans | None) -> tuple[Floats, Floats]:
    """Return when rows may next be sent, >= ``now``, and until when; inf = never."""
    if spans is None:
        return now, np.full_like(now, np.inf)
    starts = np.array([*(start for start, _ in spans), np.inf])
    ends = np.array([*(end for _, end in spans), np.inf])
    at = np.searchsorted(ends[:-1], now, side="right")
    return np.maximum(now, starts[at]), ends[at]


def open_after(start: float, seconds: Floats, spans: Spans | None) -> Floats:
    """Return when so many open seconds have passed since ``start``, (T)."""
    if spans is None:
        return start + seconds
    left, now = seconds.copy(), np.full_like(seconds, np.inf)
    for begin, end in spans:
        begin = max(begin, start)
        if end <= begin:
            continue
        ends_here = (left <= end - begin) & ~np.isfinite(now)
        now = np.where(ends_here, begin + left, now)
        left = np.where(np.isfinite(now), left, left - (end - begin))
    return now
