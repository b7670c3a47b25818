"""What a certificate authority bears: so many requests per second, and per day.

Pure. A day is any 24 hours, not a calendar day: whichever midnight the authority
counts from, no day of its own then holds more than the quota.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from batch_reenroll.campaign.limiter import Gcra

DAY_S = 86_400.0


def authority_key(name: str | None) -> str:
    """Return what a CA is known by: host and logical names have no case on Windows."""
    return (name or "").casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityLimit:
    """Limits of one certificate authority.

    Attributes:
        rate_per_s: Highest rate of submissions, > 0, or None for no limit.
        burst: Submissions that may leave at once after idle time, >= 1.
        per_day: Submissions in any 24 hours, >= 1, or None for no limit.
    """

    rate_per_s: float | None = None
    burst: int = 1
    per_day: int | None = None

    def __post_init__(self) -> None:
        if self.rate_per_s is not None and self.rate_per_s <= 0:
            raise ValueError(f"rate_per_s must be > 0, not {self.rate_per_s}")
        if self.burst < 1:
            raise ValueError(f"burst must be >= 1, not {self.burst}")
        if self.per_day is not None and self.per_day < 1:
            raise ValueError(f"per_day must be >= 1, not {self.per_day}")

    @property
    def words(self) -> str:
        """The limits for people."""
        parts = []
        if self.rate_per_s is not None:
            parts.append(f"{self.rate_per_s:g} per second")
        if self.per_day is not None:
            parts.append(f"{self.per_day} per day")
        return " and ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that :meth:`from_json` reads back."""
        return {
            "rate_per_s": self.rate_per_s,
            "burst": self.burst,
            "per_day": self.per_day,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AuthorityLimit:
        """Return the limits in ``value``."""
        return cls(**value)


class AuthorityGate:
    """Who may pass to one authority, and when. Times are monotonic seconds.

    Args:
        limit: The authority's limits.
    """

    def __init__(self, limit: AuthorityLimit) -> None:
        self._per_day = limit.per_day
        self._sent_s: list[float] = []
        rate = limit.rate_per_s
        self._limiter = Gcra(rate, limit.burst) if rate is not None else None

    def ready_s(self, now_s: float, ahead: int = 0) -> float:
        """Return when the next submission may leave, >= ``now_s``; takes nothing.

        Args:
            now_s: Now.
            ahead: Submissions, >= 0, that are on their way here and go before it.
        """
        limiter, per_day = self._limiter, self._per_day
        ready_s = now_s if limiter is None else limiter.ready_after_s(now_s, ahead)
        if per_day is None or len(self._sent_s) + ahead < per_day:
            return ready_s
        # The one that was sent ``per_day`` submissions ago must be a day old.
        before = len(self._sent_s) + ahead - per_day
        sent_s = self._sent_s[before] if before < len(self._sent_s) else now_s
        return max(ready_s, sent_s + DAY_S)

    def reserve(self, now_s: float) -> float:
        """Take one permit; return the moment, >= ``now_s``, when it may be used."""
        send_s = self.ready_s(now_s)
        if self._limiter is not None:
            send_s = self._limiter.reserve(send_s)
        if self._per_day is not None:
            bisect.insort(self._sent_s, send_s)
            old = bisect.bisect_right(self._sent_s, now_s - DAY_S)
            del self._sent_s[:old]
        return send_s

    def after_another(self, now_s: float) -> None:
        """Leave room for what an earlier process may just have sent."""
        if self._limiter is not None:
            self._limiter.hold_until(now_s + 1.0 / self._limiter.rate_per_s)

    def recall(self, sent_s: Iterable[float]) -> None:
        """Count earlier submissions, in any order: a quota must outlive the process."""
        if self._per_day is not None:
            self._sent_s = sorted([*self._sent_s, *sent_s])

    def give_back(self, send_s: float) -> None:
        """Return an unused permit of the day, by the moment :meth:`reserve` gave."""
        at = bisect.bisect_left(self._sent_s, send_s)
        if at < len(self._sent_s) and self._sent_s[at] == send_s:
            del self._sent_s[at]
