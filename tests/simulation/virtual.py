"""An event loop whose time jumps: nothing sleeps, order is the same every time.

The selector never waits. When no callback is ready, the loop asks it to wait for the
next timer; it moves the clock there instead. Sockets, threads and other processes do
not belong in such a loop, and the simulation uses none.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class Deadlock(Exception):
    """Nothing is ready and no timer is set: the program would wait for ever."""


class Livelock(Exception):
    """Callbacks run for ever and time stands still: the program spins."""


#: Rounds of the loop in one moment; a whole campaign seldom takes as many.
_MAX_ROUNDS = 100_000


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, lets the clock jump."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._n_rounds = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        if timeout > 0:
            # The loop compares with its clock's resolution: never fall short of it.
            self.now_s += timeout
            self._n_rounds = 0
            return []
        self._n_rounds += 1
        if self._n_rounds > _MAX_ROUNDS:
            raise Livelock
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A stock event loop on virtual time, beginning at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._jumping.now_s
