"""The sandbox's own log: one JSON object per line, flushed at once.

It is the judge in tests of "how many jobs did each store get", so it knows nothing of
clients: it says what the server did.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

LOG_NAME = "sandbox.log.jsonl"


class EventLog:
    """Appends entries to a file; a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        if _ends_amid_a_line(path):
            self._file.write("\n")

    def write(self, entry: dict[str, object]) -> None:
        """Append ``entry`` as one line and flush it to the operating system."""
        self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; twice is fine."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()


def _ends_amid_a_line(path: Path) -> bool:
    """Return whether a crash cut the last entry short."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What earlier sessions left behind that must not come again.

    Attributes:
        sessions: How often the sandbox was started in this folder.
        last_history_id: Highest JobHistoryId given out.
    """

    sessions: int = 0
    last_history_id: int = 0


def read_past(path: Path) -> Past:
    """Return what the log at ``path`` tells; a line cut short by a crash is skipped."""
    sessions = last = 0
    if not path.exists():
        return Past()
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if '"event":"request"' in line:
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            sessions += entry.get("event") == "started"
            last = max(last, entry.get("history_id", 0))
    return Past(sessions=sessions, last_history_id=last)
