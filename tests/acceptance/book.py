"""The ledger as a reader from outside sees it: plain SQLite, read only."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SUBMITTING = "submitting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A ledger file that may not be there yet, and that a process may be writing."""

    path: Path

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        try:
            # Not as a writer: what a killed process left is for the program to mend.
            with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
                return db.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    @property
    def length(self) -> int:
        """How many lines the journal has; 0 where there is no ledger yet."""
        return sum(n for (n,) in self._ask("SELECT count(*) FROM journal"))

    @property
    def has_campaign(self) -> bool:
        """Whether a campaign has been written."""
        return self.length > 0

    @property
    def standing(self) -> Counter[str]:
        """Rows by state."""
        return Counter(state for (state,) in self._ask("SELECT state FROM row"))

    @property
    def is_sound(self) -> bool:
        """Whether SQLite itself finds nothing wrong with the file."""
        return self._ask("PRAGMA integrity_check") == [("ok",)]

    def journal(self) -> list[dict[str, Any]]:
        """Return the journal's lines in order."""
        query = "SELECT line FROM journal ORDER BY campaign, seq"
        return [json.loads(line) for (line,) in self._ask(query)]

    def intents(self) -> Counter[str]:
        """Return how often each store was about to be submitted."""
        return Counter(
            line["store"] for line in self.journal() if line.get("to") == _SUBMITTING
        )
