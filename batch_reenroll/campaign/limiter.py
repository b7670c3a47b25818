"""Send times at a rate: a generic cell rate limiter.

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

    def ready_s(self, now_s: float) -> float:
        """Return when a permit could be used, >= ``now_s``, without taking it."""
        return max(now_s, self.tat_s - self._slack_s)

    def ready_after_s(self, now_s: float, ahead: int) -> float:
        """Return when a permit could be used once ``ahead`` more were taken by then."""
        if not ahead:
            return self.ready_s(now_s)
        taken_s = max(self.tat_s, now_s) + ahead / self.rate_per_s
        return max(now_s, taken_s - self._slack_s)

    def reserve(self, now_s: float) -> float:
        """Take one permit; return the moment, >= ``now_s``, when it may be used."""
        send_s = self.ready_s(now_s)
        self.tat_s = max(self.tat_s, send_s) + 1.0 / self.rate_per_s
        return send_s

    def hold_until(self, at_s: float) -> None:
        """Hand out no permit before ``at_s``, and no burst right after it."""
        self.tat_s = max(self.tat_s, at_s + self._slack_s)
