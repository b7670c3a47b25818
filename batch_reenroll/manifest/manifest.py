"""A manifest opened: its header at once, its rows as a stream, its faults as a list."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from batch_reenroll.errors import Problem
from batch_reenroll.manifest.csv_file import Block
from batch_reenroll.manifest.header import Header
from batch_reenroll.manifest.rows import (
    Judge,
    ManifestRow,
    RawRow,
    is_whole,
    manifest_row,
)
from batch_reenroll.manifest.rules import CannotReadOn, Fault, problem_of
from batch_reenroll.manifest.screen import Screen
from batch_reenroll.manifest.whole import SeenRows


class RowSource(Protocol):
    """A file that streams its rows."""

    def rows(self, digests: list[str]) -> Iterator[RawRow]:
        """Yield every row; after the last, append the file's SHA-256 hex."""
        ...

    def parts(self, digests: list[str]) -> Iterator[Block | RawRow]:
        """Yield the same, consecutive rows together where that is quicker."""
        ...


class Manifest:
    """A manifest whose header has been read. Its rows can be read once.

    Attributes:
        name: The file's name as the user gave it.
        columns: The input columns: a CSV file's own header names, less white space
            around; for YAML the columns that its rows use, in the contract's order.
        header: What stands besides the rows.
        problems: Faults found so far, n >= 0; grows while :meth:`rows` is consumed and
            is in file order once that ends. Any at all means: do not act on the rows.
        n_rows: Data rows seen so far, good and bad.
    """

    def __init__(
        self,
        *,
        name: str,
        columns: tuple[str, ...],
        header: Header,
        problems: list[Problem],
        source: RowSource,
        rows_file: str,
        rows_line: int | None,
        excused: frozenset[str] = frozenset(),
        known_stop: Fault | None = None,
        own_digest: str | None = None,
    ) -> None:
        self.name = name
        self.columns = columns
        self.header = header
        self.problems = problems
        self.n_rows = 0
        self._source = source
        self._rows_file = rows_file
        self._rows_line = rows_line
        self._judge = Judge(header=header, excused=excused)
        self._known_stop = known_stop
        self._digests = [] if own_digest is None else [own_digest]
        self._n_digests = len(self._digests) + 1
        self._begun = False

    @property
    def sha256(self) -> str:
        """Return the SHA-256 hex of the manifest's bytes, once all rows are read.

        With ``rows_from`` it is that of the two files' digests, each as 64 hex digits
        and a line feed: ``sha256sum m.yaml rows.csv | cut -c1-64 | sha256sum``.

        Raises:
            RuntimeError: The rows have not been read to their end.
        """
        if len(self._digests) != self._n_digests:
            message = "the digest is known once rows() has been read to its end"
            raise RuntimeError(message)
        if self._n_digests == 1:
            return self._digests[0]
        joined = "".join(f"{digest}\n" for digest in self._digests)
        return hashlib.sha256(joined.encode()).hexdigest()

    def rows(self, *, checked: bool = False) -> Iterator[ManifestRow]:
        """Yield the rows without fault, in file order; faults go to ``problems``.

        Memory is bounded but for some 250 bytes a row (see ``whole``), and none where
        ``checked``. Abandoning the iterator closes the file.

        Args:
            checked: :meth:`check` found no fault, and the caller compares the digests:
                what needs the whole manifest is not looked at again.

        Raises:
            RuntimeError: The rows have been read before.
        """
        self._begin()
        return self._rows(None if checked else SeenRows())

    def check(self) -> None:
        """Read the rows to their end; ``problems`` is then as :meth:`rows` leaves it.

        Quicker than :meth:`rows`, and 32 bytes a row: what is plainly good is made
        into no values.

        Raises:
            RuntimeError: The rows have been read before.
        """
        self._begin()
        screen = Screen()
        with self._ending():
            for part in self._source.parts(self._digests):
                if isinstance(part, RawRow):
                    self._check_row(part, screen)
                else:
                    self._check_block(part, screen)
        suspects = screen.suspects()
        if suspects:
            self._check_again(suspects)
        self.problems.sort(key=self._place)

    def _begin(self) -> None:
        if self._begun:
            message = "the rows of a manifest can be read once; open it again"
            raise RuntimeError(message)
        self._begun = True

    def _rows(self, seen: SeenRows | None) -> Iterator[ManifestRow]:
        with self._ending():
            for raw in self._source.rows(self._digests):
                self.n_rows = raw.row_no
                row, faults = self._judge.judged(raw)
                if seen is not None:
                    faults += _seen_faults(seen, raw, row, faults)
                if faults:
                    self._report(faults, raw)
                elif is_whole(row):
                    yield manifest_row(raw, row)
        self.problems.sort(key=self._place)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Note why the rows cannot be read on, or that there are none."""
        try:
            yield
        except CannotReadOn as stop:
            if stop.fault != self._known_stop:
                self.problems.append(problem_of(stop.fault, file=self._rows_file))
        else:
            if self.n_rows == 0 and not self._no_rows_known():
                fault = Fault("no_rows", "the manifest has no rows")
                self.problems.append(
                    problem_of(fault, file=self._rows_file, line=self._rows_line)
                )

    def _check_row(self, raw: RawRow, screen: Screen) -> None:
        self.n_rows = raw.row_no
        row, faults = self._judge.judged(raw)
        self._report(faults, raw)
        spoiled = {fault.column for fault in faults}
        screen.add(row, row_no=raw.row_no, row_id=raw.row_id, spoiled=spoiled)

    def _check_block(self, block: Block, screen: Screen) -> None:
        gate, everyone = self._judge.gate, range(len(block.records))
        doubtful: Sequence[int] = everyone
        if gate is not None and screen.add_block(block, self.header.defaults):
            doubtful = gate.doubtful(block.columns, everyone)
        for index in doubtful:
            self._check_row(block.row(index), screen)
        self.n_rows = block.row_no + everyone[-1]

    def _check_again(self, suspects: Collection[int]) -> None:
        """Put the rows that may have a twin before the judge of twins."""
        seen, digests = SeenRows(), list[str]()
        with suppress(CannotReadOn):
            for raw in self._source.rows(digests):
                if raw.row_no in suspects:
                    row, faults = self._judge.judged(raw)
                    self._report(_seen_faults(seen, raw, row, faults), raw)
        if digests != self._digests[self._n_digests - 1 :]:
            fault = Fault("file_changed", "the file has changed")
            self.problems.append(problem_of(fault, file=self._rows_file))

    def _report(self, faults: list[Fault], raw: RawRow) -> None:
        self.problems += [
            problem_of(fault, file=self._rows_file, line=raw.line, row_id=raw.row_id)
            for fault in faults
        ]

    def _no_rows_known(self) -> bool:
        return any(
            p.code in {"no_rows", "rows_missing"} or p.column == "rows"
            for p in self.problems
        )

    def _place(self, problem: Problem) -> tuple[bool, int]:
        return problem.file != self.name, problem.line or 0


def _seen_faults(
    seen: SeenRows, raw: RawRow, row: Mapping[str, Any], faults: Sequence[Fault]
) -> list[Fault]:
    return seen.faults(
        row,
        row_no=raw.row_no,
        line=raw.line,
        row_id=raw.row_id,
        spoiled={fault.column for fault in faults},
    )
