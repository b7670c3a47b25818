"""The rows that the page shows, each kept as one short line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from batch_reenroll.report.cells import cell_text, seconds
from batch_reenroll.report.facts import RowFacts
from batch_reenroll.report.sets import BY_SIDE, SIDE_OF
from batch_reenroll.text import visible

#: Rows in the page. More make it slow to open; ``results.csv`` has them all.
MAX_LINES = 50_000

#: The fields of a line, in order. Those of ``INTERNED`` are indices into ``texts``.
FIELDS = (
    "row_id",
    "outcome",
    "reason_code",
    "message",
    "orchestrator",
    "client_machine",
    "store_path",
    "alias",
    "subject",
    "store_type",
    "wave",
    "attempts",
    "duration_s",
    "finished_at",
    "not_after_before",
    "not_after_after",
    "cause",
)
INTERNED = frozenset(
    (
        "outcome",
        "reason_code",
        "message",
        "orchestrator",
        "client_machine",
        "store_type",
        "wave",
    )
)

_LIMITS = {"message": 300, "store_path": 200, "subject": 200}
_LIMIT = 120
# "</script>" and "<!--" end or change a script block whatever its type.
_HTML_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class RowLines:
    """The rows of the page: failures first, then what remains, then successes.

    Each side is bounded while the rows pass, so that one pass is enough and a million
    rows leave at most three times ``limit`` short lines in memory.
    """

    def __init__(
        self, input_columns: Sequence[str] = (), limit: int = MAX_LINES
    ) -> None:
        self.limit = limit
        self.n_seen = 0
        self._texts: dict[str, int] = {}
        self._lines: dict[str, list[str]] = {
            "failure": [],
            "remaining": [],
            "success": [],
        }
        names = [name.casefold() for name in input_columns]
        self._alias_at = names.index("alias") if "alias" in names else None
        self._subject_at = (
            names.index("subjectname") if "subjectname" in names else None
        )
        for outcome in BY_SIDE:
            self._intern(outcome)

    def add(self, row: RowFacts, outcome: str, cause: int = -1) -> None:
        """Keep one row, or only count it where its side is full.

        Args:
            row: To keep.
            outcome: Its outcome.
            cause: Index of its cause, or -1.
        """
        self.n_seen += 1
        lines = self._lines[SIDE_OF[outcome]]
        if len(lines) < self.limit:
            lines.append(self._line(row, cause))

    def kept(self) -> Iterator[str]:
        """Yield the lines to show, at most ``limit``, ready to stand inside HTML."""
        left = self.limit
        for lines in self._lines.values():
            yield from lines[:left]
            left -= min(left, len(lines))

    def n_kept(self) -> int:
        """Return how many lines :meth:`kept` yields."""
        return min(self.limit, sum(len(lines) for lines in self._lines.values()))

    def first(self, n: int) -> list[dict[str, str | int | float | None]]:
        """Return the first ``n`` rows to show, by field name."""
        texts = list(self._texts)
        rows = []
        for line, _ in zip(self.kept(), range(n), strict=False):
            named = dict(zip(FIELDS, json.loads(line), strict=True))
            rows.append(
                {
                    name: texts[value] if name in INTERNED else value
                    for name, value in named.items()
                }
            )
        return rows

    def texts(self) -> str:
        """Return the interned texts as a JSON array, ready to stand inside HTML."""
        return _json(list(self._texts))

    def _line(self, row: RowFacts, cause: int) -> str:
        return _json([*(self._value(row, name) for name in FIELDS[:-1]), cause])

    def _value(self, row: RowFacts, name: str) -> str | int | float | None:
        if name == "duration_s":
            value = seconds(row)
            return None if value is None else round(value, 3)
        text = visible(self._text(row, name), _LIMITS.get(name, _LIMIT))
        return self._intern(text) if name in INTERNED else text

    def _text(self, row: RowFacts, name: str) -> str:
        if name == "row_id":
            return row.row_id
        if name == "alias":
            return cell_text(row, "alias_after") or _cell(row, self._alias_at)
        if name == "subject":
            return _cell(row, self._subject_at)
        return cell_text(row, name)

    def _intern(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))


def _cell(row: RowFacts, at: int | None) -> str:
    return "" if at is None else row.cells[at]


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_HTML_SAFE)
