"""What happens when: a queue of actions over an explicit clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[float], None]


class Agenda:
    """Actions by time; equal times run in the order they were entered."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._entered = count()

    def at(self, when: float, action: Action) -> None:
        """Enter ``action``; it is called with the time it was due."""
        heapq.heappush(self._heap, (when, next(self._entered), action))

    def next_at(self) -> float | None:
        """Return when the next action is due, or None when there is none."""
        return self._heap[0][0] if self._heap else None

    def run_next(self) -> None:
        """Run the next action, at the time it was due.

        Raises:
            IndexError: There is none.
        """
        when, _, action = heapq.heappop(self._heap)
        action(when)
