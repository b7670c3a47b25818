"""The campaign told again from its journal: where every row of the genesis ended.

A journal may be whole line by line and still not add up. Here it is carried out once
more: each row starts ``pending``, each move starts where the row stands and is one that
the life cycle allows, and at the end every row has exactly one outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeGuard

from batch_reenroll.campaign.lifecycle import State, is_legal, reported_outcome
from batch_reenroll.evidence.findings import Faults

#: Rows of one campaign at most; one byte is kept of each.
MAX_ROWS = 50_000_000

#: What a report gives as exit code while no run has ended (design.md 4: resumable).
_NOT_ENDED = 10

_STATES = tuple(State)
_NUMBER = {str(state): number for number, state in enumerate(_STATES)}
_PENDING = _NUMBER["pending"]


class Story:
    """Replays a journal's events.

    Args:
        file: The journal's name, for the faults.
        faults: Where they go.

    Attributes:
        genesis: The first line's event, empty where it is none.
        exit_code: What the last run exited with; 10 while one runs or none has been.
    """

    def __init__(self, file: str, faults: Faults) -> None:
        self._file = file
        self._faults = faults
        self.genesis: Mapping[str, Any] = {}
        self.exit_code: object = _NOT_ENDED
        # One byte a row, from row 1 on; None before a genesis said how many.
        self._states: bytearray | None = None

    @property
    def n_rows(self) -> int | None:
        """Rows of the genesis, or None where it does not say."""
        return None if self._states is None else len(self._states)

    def add(self, line: int, event: Mapping[str, Any]) -> None:
        """Carry out the event of line ``line``, 1-based."""
        kind = event.get("event")
        if kind == "campaign_created":
            self._begin(line, event)
            return
        if line == 1:
            message = "the first line does not create the campaign"
            self._add("no_genesis", line, message, "campaign_created", kind)
        if kind == "move":
            self._move(line, event)
        elif kind == "run_started":
            self.exit_code = _NOT_ENDED
        elif kind == "run_ended":
            self.exit_code = event.get("exit_code")

    def outcome(self, row_no: int) -> str | None:
        """Return the outcome that a report shows of a row; None where none is known.

        Args:
            row_no: 1-based.
        """
        states = self._states
        if states is None or not 1 <= row_no <= len(states):
            return None
        return str(reported_outcome(_STATES[states[row_no - 1]]))

    def outcomes(self) -> Counter[str]:
        """Return rows by outcome; outcomes of no row are missing."""
        counts: Counter[str] = Counter()
        for number, n in Counter(self._states or b"").items():
            counts[str(reported_outcome(_STATES[number]))] += n
        return counts

    def _begin(self, line: int, event: Mapping[str, Any]) -> None:
        if line != 1:
            message = "a second genesis"
            self._add("second_genesis", line, message, "line 1", f"line {line}")
            return
        self.genesis = event
        n_rows = event.get("rows")
        if not _is_count(n_rows) or n_rows > MAX_ROWS:
            message = "the genesis does not say how many rows there are"
            self._add("genesis_rows", line, message, "a whole number", n_rows)
            return
        self._states = bytearray([_PENDING]) * n_rows

    def _move(self, line: int, event: Mapping[str, Any]) -> None:
        states = self._states
        if states is None:
            return
        row, origin, target = event.get("row"), event.get("from"), event.get("to")
        if not _is_count(row) or not 1 <= row <= len(states):
            message = "a move of a row that the genesis does not have"
            self._add("move_row", line, message, f"1 to {len(states)}", row)
            return
        if not (_is_state(origin) and _is_state(target)):
            message = f"a move of row {row} between states that there are not"
            self._add("move_state", line, message, "states", f"{origin} → {target}")
            return
        stands = _STATES[states[row - 1]]
        if stands != origin:
            message = f"row {row} does not stand where the move starts"
            self._add("move_from", line, message, origin, stands)
        elif not is_legal(State(origin), State(target)):
            message = f"a move of row {row} that the life cycle forbids"
            self._add("move_illegal", line, message, "", f"{origin} → {target}")
        states[row - 1] = _NUMBER[target]

    def _add(
        self, code: str, line: int, message: str, expected: object, found: object
    ) -> None:
        self._faults.add(
            code, self._file, line, message, expected=expected, found=found
        )


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_state(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value in _NUMBER
