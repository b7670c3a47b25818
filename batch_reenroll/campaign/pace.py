"""How fast: a generic cell rate limiter, and the rate it runs at.

Pure: callers bring the time and do the waiting. GCRA hands out send times at once and
under no lock, so that sleeping callers overlap; limiters that sleep once per permit
in turn reach under half of 2,000/s (measured, see DESIGN.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Gcra:
    """Send times at ``rate_per_s``, at most ``burst`` at once after idle time.

    In any window of W seconds at most ``burst + ceiling * W`` sends start, where the
    ceiling is the rate it was made with; the rate may be lowered and raised again
    below it between calls. The slack that lets a burst through is fixed in seconds by
    the ceiling: were it a number of intervals, slowing down would let a burst out.

    Attributes:
        rate_per_s: > 0, at most what it was made with.
        burst: >= 1.
        tat_s: Theoretical arrival time of the next permit, monotonic seconds.
    """

    rate_per_s: float
    burst: int = 1
    tat_s: float = float("-inf")
    _slack_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._slack_s = (self.burst - 1) / self.rate_per_s

    def reserve(self, now_s: float) -> float:
        """Take one permit; return the moment, >= ``now_s``, when it may be used."""
        send_s = max(now_s, self.tat_s - self._slack_s)
        self.tat_s = max(self.tat_s, send_s) + 1.0 / self.rate_per_s
        return send_s

    def hold_until(self, at_s: float) -> None:
        """Hand out no permit before ``at_s``, and no burst right after it."""
        self.tat_s = max(self.tat_s, at_s + self._slack_s)


#: A slow start reaches the ceiling within this time on a Command that answers well
#: (design.md 5.1).
RAMP_S = 8.0

#: Where the slow start begins, as a share of the ceiling.
START_SHARE = 0.25

#: Least rate after any number of throttles, as a share of the ceiling.
FLOOR_SHARE = 0.01


class Pace:
    """One pace for the whole campaign: additive increase, halved when pushed back.

    Args:
        ceiling_per_s: Highest rate, > 0; never exceeded.
        burst: See :class:`Gcra`.
        now_s: When the run starts, monotonic seconds.
    """

    def __init__(self, *, ceiling_per_s: float, burst: int, now_s: float) -> None:
        self._ceiling = ceiling_per_s
        self._limiter = Gcra(rate_per_s=ceiling_per_s, burst=burst)
        self._limiter.rate_per_s = ceiling_per_s * START_SHARE
        self._grown_s = now_s
        self._cut_s = float("-inf")
        self._held_until_s = float("-inf")
        self.cause = "slow start"

    @property
    def rate_per_s(self) -> float:
        """The rate in force."""
        return self._limiter.rate_per_s

    def reserve(self, now_s: float) -> float:
        """Take one permit; return when it may be used, monotonic seconds."""
        self._grow(now_s)
        return self._limiter.reserve(now_s)

    def is_held(self, now_s: float) -> bool:
        """Return whether Command asked for silence; a permit must be taken anew."""
        return now_s < self._held_until_s

    def throttled(
        self, now_s: float, *, sent_s: float, retry_after_s: float | None
    ) -> None:
        """Slow the whole campaign down after 429, 503 or a timeout.

        Args:
            now_s: Now.
            sent_s: When the refused request left. Answers to requests sent before the
                last cut say nothing new and do not cut again.
            retry_after_s: Command's wish in seconds, >= 0, or None.
        """
        if retry_after_s is not None:
            self._held_until_s = max(self._held_until_s, now_s + retry_after_s)
            self._limiter.hold_until(now_s + retry_after_s)
        self._grown_s = max(now_s, self._held_until_s)
        if sent_s < self._cut_s:
            return
        self._cut_s = now_s
        floor = self._ceiling * FLOOR_SHARE
        self._limiter.rate_per_s = max(floor, self._limiter.rate_per_s / 2)
        self.cause = "Command pushed back"

    def _grow(self, now_s: float) -> None:
        passed_s = now_s - self._grown_s
        if passed_s <= 0 or self._limiter.rate_per_s >= self._ceiling:
            return
        self._grown_s = now_s
        step = self._ceiling * (1 - START_SHARE) * passed_s / RAMP_S
        self._limiter.rate_per_s = min(self._ceiling, self.rate_per_s + step)
        if self.rate_per_s >= self._ceiling:
            self.cause = "ceiling"


def backoff_s(failures: int, *, roll: float, base_s: float, cap_s: float) -> float:
    """Return how long to wait after ``failures`` failures in a row, with jitter.

    Args:
        failures: >= 1.
        roll: Uniform sample in [0, 1).
        base_s: Longest wait after the first failure.
        cap_s: Longest wait after any.

    Returns:
        Seconds in [half, full] of ``min(cap_s, base_s * 2**(failures-1))``: "equal
        jitter", so that a probe is never sent at once.
    """
    full_s = min(cap_s, base_s * 2.0 ** min(failures - 1, 32))
    return full_s * (0.5 + roll / 2)
