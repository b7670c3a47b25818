"""How many POSTs may leave: ceilings that hold in every window of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from batch_reenroll.campaign.quota import AuthorityLimit

#: A CA's day, in seconds: any 24 hours.
DAY_S = 86_400.0


@dataclass(slots=True)
class Post:
    """One POST of a reenrollment that has left.

    Attributes:
        key: Store and alias.
        left_s: When, virtual seconds.
        under_way: It may still arrive and be carried out.
        job_id: The job it made, or None so far.
        status: What our side was answered, or None.
    """

    key: tuple[str, str]
    left_s: float
    under_way: bool
    job_id: str | None = None
    status: int | None = None

    @property
    def was_turned_away(self) -> bool:
        """Whether Command said that it did nothing."""
        return self.status is not None and 400 <= self.status <= 499


@dataclass(slots=True)
class Bucket:
    """Holds exactly where any window of W seconds has at most burst + rate * W."""

    rate_per_s: float
    size: float
    level: float = field(init=False)
    at_s: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.size

    def take(self, now_s: float) -> bool:
        """Take one; return whether there was one."""
        grown = (now_s - self.at_s) * self.rate_per_s
        self.level, self.at_s = min(self.size, self.level + grown) - 1.0, now_s
        return self.level > -1e-6


@dataclass(slots=True)
class Authorities:
    """The limits of certificate authorities, whoever of us sends.

    Args:
        limits: By CA, as the settings name it.
        slack_s: How much later than its permit a POST may leave.
    """

    limits: Mapping[str, AuthorityLimit]
    slack_s: float
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _days: dict[str, tuple[int, list[Post]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            if limit.rate_per_s is not None:
                size = limit.burst + limit.rate_per_s * self.slack_s
                self._buckets[name.casefold()] = Bucket(limit.rate_per_s, size)
            if limit.per_day is not None:
                self._days[name.casefold()] = limit.per_day, []

    def broken_by(self, post: Post, authority: str) -> str | None:
        """Count a POST that leaves now; return which limit it breaks, or None."""
        name = authority.casefold()
        bucket, day = self._buckets.get(name), self._days.get(name)
        if bucket is not None and not bucket.take(post.left_s):
            return f"more POSTs left for {name!r} than its rate allows"
        if day is None:
            return None
        per_day, posts = day
        posts.append(post)
        since_s = post.left_s - DAY_S + self.slack_s + 1e-6
        n_sent = sum(p.left_s > since_s and not p.was_turned_away for p in posts)
        is_over = n_sent > per_day
        return f"{n_sent} POSTs left for {name!r} in a day" if is_over else None
