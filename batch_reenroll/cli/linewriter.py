"""Lines for stderr, written by a thread of their own.

A reader that has stopped reading (a full pipe, a terminal after Ctrl-S) keeps whoever
writes waiting. That must be nobody who has a campaign to carry on: lines go into a
bounded queue, and what finds no room is counted and dropped.
"""

from __future__ import annotations

import io
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import IO

#: Lines that may wait. A campaign at full pace writes some hundred a second.
MAX_LINES = 10_000

#: How long the end of a run waits for a reader that is slow.
_CLOSE_S = 2.0


class LineWriter:
    """Writes to a descriptor from a thread; never blocks, never raises.

    Args:
        descriptor: Open for writing as long as this is.
        lost: Returns the line that says how many were dropped.
        max_lines: That may wait, >= 1.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        lost: Callable[[int], str] = "{} log lines were dropped".format,
        max_lines: int = MAX_LINES,
    ) -> None:
        self._descriptor = descriptor
        self._lost = lost
        self._max_lines = max_lines
        self._texts: deque[str] = deque()
        self._changed = threading.Condition()
        self._n_lost = 0
        self._is_closing = self._is_torn = False
        # A daemon: one that waits for a reader must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Queue a line; the line end is added."""
        self.put_text(f"{line}\n")

    def put_text(self, text: str) -> None:
        """Queue text as it is."""
        with self._changed:
            if len(self._texts) >= self._max_lines:
                self._n_lost += 1
                return
            self._texts.append(text)
            self._changed.notify()

    def close(self, wait_s: float = _CLOSE_S) -> None:
        """Write what is queued; give up after ``wait_s`` seconds."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(wait_s)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._texts or self._n_lost or self._is_closing):
                    self._changed.wait()
                texts, n_lost = list(self._texts), self._n_lost
                self._texts.clear()
                self._n_lost = 0
                if not texts and not n_lost:
                    return
            if n_lost:
                texts.append(f"{self._lost(n_lost)}\n")
            if not self._write("".join(texts).encode("utf-8", "backslashreplace")):
                with self._changed:
                    # Told of once something can be written again, if ever.
                    self._n_lost += len(texts)
                    if self._is_closing:
                        return
                    self._changed.wait(1.0)

    def _write(self, data: bytes) -> bool:
        """Write all of it; return False where it cannot be written now."""
        rest = memoryview(b"\n" + data if self._is_torn else data)
        try:
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    select.select([], [self._descriptor], [])
        except (OSError, ValueError):
            # A reader that has gone, a full disk: the latter may pass. The next line
            # must not go on where a torn one ends.
            self._is_torn = self._is_torn or len(rest) < len(data)
            return False
        self._is_torn = False
        return True


class Screen(io.TextIOBase):
    """The terminal behind stderr, drawn on through a :class:`LineWriter`."""

    encoding = "utf-8"

    def __init__(self, put_text: Callable[[str], None], terminal: IO[str]) -> None:
        self._put_text = put_text
        self._terminal = terminal

    def write(self, text: str, /) -> int:
        """Queue text; returns its length."""
        self._put_text(text)
        return len(text)

    def isatty(self) -> bool:
        """Return whether a person looks at it."""
        return self._terminal.isatty()

    def fileno(self) -> int:
        """Return the terminal's descriptor, for its size."""
        return self._terminal.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True
