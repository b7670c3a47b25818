"""One pass over the rows: everything that is counted, drawn or listed in a report.

Repeated texts are held as codes and times as C doubles, some 100 bytes a row in all,
so that a million rows fit in a small process. Lists that people read are bounded.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from batch_reenroll.campaign.fingerprint import fingerprint
from batch_reenroll.report.cells import cell_text, posix_s, seconds
from batch_reenroll.report.facts import RowFacts
from batch_reenroll.report.rowlines import RowLines
from batch_reenroll.report.sets import OUTCOMES, SUCCESS
from batch_reenroll.text import visible

#: Distinct names kept in one column; further ones are counted under OTHERS.
MAX_NAMES = 10_000
#: Distinct causes kept; further messages are counted under OTHERS, by reason code.
MAX_CAUSES = 1_000
OTHERS = "(others)"
#: Rows in the list of the slowest.
N_SLOWEST = 10

_NAME_LIMIT = 300
_OUTCOME_CODE = {outcome: code for code, outcome in enumerate(OUTCOMES)}


class Column:
    """Repeated texts, one per row: ``names[codes[i]]`` is row ``i``'s."""

    def __init__(self) -> None:
        self.codes = array("i")
        self.names: list[str] = []
        self._code_of: dict[str, int] = {}

    def add(self, text: str) -> None:
        """Append one row's text, made printable."""
        code = self._code_of.get(text)
        self.codes.append(self._new(text) if code is None else code)

    def _new(self, text: str) -> int:
        name = visible(text, _NAME_LIMIT)
        if name not in self._code_of and len(self.names) >= MAX_NAMES:
            name = OTHERS
        code = self._code_of.get(name)
        if code is None:
            code = self._code_of[name] = len(self.names)
            self.names.append(name)
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why rows ended as they did.

    Attributes:
        reason_code: Of the rows, or "".
        fingerprint: What their messages have in common, or "".
        example_message, example_row_id: Of the first such row, printable and cut.
    """

    reason_code: str
    fingerprint: str
    example_message: str
    example_row_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """A row among the slowest; ``duration_s`` in seconds."""

    duration_s: float
    row_id: str
    outcome: str
    orchestrator: str
    client_machine: str
    store_path: str


@dataclass(slots=True, kw_only=True)
class Survey:
    """What one pass over the rows found.

    Attributes:
        n_rows: Rows seen.
        outcomes: Code of each row's outcome, an index into ``OUTCOMES``.
        durations_s: Each row's duration; NaN where there is none.
        columns: Each row's orchestrator, ca, template, store_type and wave.
        causes, cause_codes: Distinct causes, and each row's index into them; -1 where
            the row ended well and says nothing more.
        moments: POSIX seconds of ``submitted_at``, ``finished_at``, ``verified_at``.
        expiry_before: POSIX seconds of ``not_after_before`` where known.
        expiry_new: The same of ``not_after_after``: certificates that were seen.
        expiry_kept: The same of the old certificate, of rows without a new one.
        lines: Rows for the page's table.
    """

    n_rows: int = 0
    outcomes: array[int] = field(default_factory=lambda: array("b"))
    durations_s: array[float] = field(default_factory=lambda: array("d"))
    columns: dict[str, Column] = field(
        default_factory=lambda: {
            name: Column()
            for name in ("orchestrator", "ca", "template", "store_type", "wave")
        }
    )
    causes: list[Cause] = field(default_factory=list)
    cause_codes: array[int] = field(default_factory=lambda: array("i"))
    moments: dict[str, array[float]] = field(
        default_factory=lambda: {
            name: array("d") for name in ("submitted_at", "finished_at", "verified_at")
        }
    )
    expiry_before: array[float] = field(default_factory=lambda: array("d"))
    expiry_new: array[float] = field(default_factory=lambda: array("d"))
    expiry_kept: array[float] = field(default_factory=lambda: array("d"))
    lines: RowLines
    _cause_of: dict[tuple[str, str], int] = field(default_factory=dict)
    _slowest: list[tuple[float, int, Slow]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the rows of each of the twelve outcomes."""
        codes = self.outcomes
        return {outcome: codes.count(code) for outcome, code in _OUTCOME_CODE.items()}

    def slowest(self) -> list[Slow]:
        """Return the slowest rows, slowest first."""
        return [slow for _, _, slow in sorted(self._slowest, reverse=True)]

    def add(self, row: RowFacts) -> None:
        """Count one row.

        Raises:
            ValueError: The row's outcome is none of the twelve.
        """
        outcome = cell_text(row, "outcome")
        if outcome not in _OUTCOME_CODE:
            message = f"row {row.row_id}: {outcome!r} is not an outcome"
            raise ValueError(message)
        self.n_rows += 1
        self.outcomes.append(_OUTCOME_CODE[outcome])
        self._add_names(row)
        self._add_times(row)
        self._add_cause(row, outcome)
        self._add_duration(row, outcome)
        self.lines.add(row, outcome, self.cause_codes[-1])

    def _add_names(self, row: RowFacts) -> None:
        columns = self.columns
        columns["orchestrator"].add(cell_text(row, "orchestrator"))
        columns["ca"].add(row.certificate_authority)
        columns["template"].add(row.certificate_template)
        columns["store_type"].add(cell_text(row, "store_type"))
        columns["wave"].add(cell_text(row, "wave"))

    def _add_times(self, row: RowFacts) -> None:
        for name, moments in self.moments.items():
            moment = posix_s(row, name)
            if moment is not None:
                moments.append(moment)
        before = posix_s(row, "not_after_before")
        after = posix_s(row, "not_after_after")
        if before is not None:
            self.expiry_before.append(before)
            if after is None:
                self.expiry_kept.append(before)
        if after is not None:
            self.expiry_new.append(after)

    def _add_cause(self, row: RowFacts, outcome: str) -> None:
        reason = visible(cell_text(row, "reason_code"), 80)
        if outcome in SUCCESS and not reason:
            self.cause_codes.append(-1)
            return
        message = cell_text(row, "message")
        key = (reason, fingerprint(message))
        if key not in self._cause_of and len(self.causes) >= MAX_CAUSES:
            key = (reason, OTHERS)
        code = self._cause_of.get(key)
        if code is None:
            code = self._cause_of[key] = len(self.causes)
            self.causes.append(
                Cause(
                    reason_code=key[0],
                    fingerprint=key[1],
                    example_message=visible(message, 400),
                    example_row_id=visible(row.row_id, 80),
                )
            )
        self.cause_codes.append(code)

    def _add_duration(self, row: RowFacts, outcome: str) -> None:
        duration_s = seconds(row)
        self.durations_s.append(math.nan if duration_s is None else duration_s)
        if duration_s is None:
            return
        worst = self._slowest
        if len(worst) >= N_SLOWEST and (duration_s, -row.row_no) <= worst[0][:2]:
            return
        slow = Slow(
            duration_s=duration_s,
            row_id=visible(row.row_id, 80),
            outcome=outcome,
            orchestrator=visible(cell_text(row, "orchestrator"), 120),
            client_machine=visible(cell_text(row, "client_machine"), 120),
            store_path=visible(cell_text(row, "store_path"), 160),
        )
        heapq.heappush(worst, (duration_s, -row.row_no, slow))
        if len(worst) > N_SLOWEST:
            heapq.heappop(worst)


def survey(rows: Iterable[RowFacts], input_columns: Sequence[str]) -> Survey:
    """Return what one pass over ``rows`` finds; the rows themselves are not kept."""
    found = Survey(lines=RowLines(input_columns))
    for row in rows:
        found.add(row)
    return found
