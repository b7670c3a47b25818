"""Whether answers get slower: short-term against long-term latency.

A server past its capacity answers later before it refuses. The ratio of what answers
take now to what they take as a rule is a gradient: below 1 by how much too fast we go
(the idea of TCP Vegas and of Netflix' concurrency-limits, "Gradient2").
"""

from __future__ import annotations

from collections import deque
from statistics import median

#: Answers whose median is the short-term latency: one slow answer in a few must not
#: count, and a knee should show within a second at 20 answers a second.
SHORT_ANSWERS = 15

#: Fewest answers that say anything.
LEAST_ANSWERS = 7

#: The long-term latency follows slower answers within about this time. A Command that
#: is slow for reasons of its own is the new rule after it; were it never to follow,
#: such a Command would be slowed down for ever.
LONG_S = 60.0

#: Share by which the long-term latency follows quicker answers, each time.
_QUICKER = 0.2

#: Answers may take this many times as long as a rule. Gradient2's default is 1.5; a
#: Command shared with others sways more than a service of one's own.
TOLERANCE = 2.0

#: And this much longer: what is quick anyway may double for any reason.
LEAST_RISE_S = 0.05

#: The gradient's bounds where it slows down.
_LEAST, _MOST = 0.5, 0.9


class Latency:
    """Latencies of one kind of request."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=SHORT_ANSWERS)
        self._at_s = 0.0
        self.short_s: float | None = None
        self.long_s: float | None = None

    def add(self, now_s: float, latency_s: float) -> None:
        """Note an answer that came at ``now_s`` after ``latency_s`` seconds."""
        self._recent.append(latency_s)
        if len(self._recent) < LEAST_ANSWERS:
            return
        short = self.short_s = median(self._recent)
        if self.long_s is None:
            self.long_s = short
        elif short < self.long_s:
            self.long_s += (short - self.long_s) * _QUICKER
        else:
            passed_s = max(0.0, now_s - self._at_s)
            self.long_s += (short - self.long_s) * min(1.0, passed_s / LONG_S)
        self._at_s = now_s

    def gradient(self) -> float:
        """Return by what to multiply the rate: 1.0, or 0.5 to 0.9 where slower."""
        if self.short_s is None or self.long_s is None:
            return 1.0
        allowed_s = max(TOLERANCE * self.long_s, self.long_s + LEAST_RISE_S)
        if self.short_s <= allowed_s:
            return 1.0
        return min(_MOST, max(_LEAST, allowed_s / self.short_s))

    def forget_recent(self) -> None:
        """Forget the answers so far, but not the rule: the rate has changed."""
        self._recent.clear()
        self.short_s = None
