"""A CSV file's records: its lines as :mod:`csv` reads them, in stretches or singly.

The parser is :mod:`csv` in strict mode. A record that it cannot parse is one fault, and
reading goes on at the line below the record's first, so that one missing quote hides
nothing.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from batch_reenroll.manifest.rules import Fault
from batch_reenroll.manifest.source import (
    MAX_CELL,
    MAX_LINE_BYTES,
    ByteSource,
    stretches,
    text_faults,
)
from batch_reenroll.text import undefuse

_LINE = re.compile(rb"[^\r\n]*(?:\n|\r\n?|\Z)")


class Lines:
    """Lines as text for :mod:`csv`; remembers those of the record being read.

    Attributes:
        record: (line number, text) of the lines handed out since the last ``begin``.
        faults: What is wrong with these lines' bytes.
    """

    def __init__(self, source: ByteSource) -> None:
        self._stretches = stretches(source)
        self._again: deque[tuple[int, str, list[Fault]]] = deque()
        self._stretch, self._offset, self._cut = b"", 0, False
        self._at = 0
        self._line = 0
        self.record: list[tuple[int, str, list[Fault]]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        item = self._again.popleft() if self._again else self._decoded()
        self.record.append(item)
        return item[1]

    def _decoded(self) -> tuple[int, str, list[Fault]]:
        if self._at == len(self._stretch):
            self._load()
        found = _LINE.match(self._stretch, self._at)
        raw = b"" if found is None else found.group()
        offset = self._offset + self._at
        self._at += len(raw)
        self._line += 1
        if self._cut:
            message = f"the line is longer than {MAX_LINE_BYTES} bytes"
            return self._line, "\n", [Fault("cell_too_long", message, line=self._line)]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            faults = text_faults(raw, offset, self._line)
            text = raw.decode(errors="replace").replace("\0", "\ufffd")
            return self._line, text, faults
        if "\0" in text:
            faults = text_faults(raw, offset, self._line)
            return self._line, text.replace("\0", "\ufffd"), faults
        return self._line, text, []

    def _load(self) -> None:
        self._stretch, self._offset, self._cut = next(self._stretches)
        self._at = 0

    def sound_text(self) -> str | None:
        """Return what is left of the stretch, or None where it needs a closer look.

        Raises:
            StopIteration: The file has ended.
        """
        if self._again:
            return None
        if self._at == len(self._stretch):
            self._load()
        try:
            text = self._stretch[self._at :].decode()
        except UnicodeDecodeError:
            return None
        return None if self._cut or "\0" in text else text

    @property
    def next_line(self) -> int:
        """Return the 1-based number of the first line of :meth:`sound_text`."""
        return self._line + 1

    @property
    def is_between(self) -> bool:
        """Return whether all of a stretch has been handed out."""
        return not self._again and self._at == len(self._stretch)

    def pass_over(self, n_lines: int) -> None:
        """Take :meth:`sound_text` as read."""
        self._line += n_lines
        self._at = len(self._stretch)

    def begin(self) -> None:
        """Forget the last record."""
        self.record.clear()

    def hand_out_again(self, skip: int) -> None:
        """Hand out the record's lines again, but for the first ``skip``."""
        self._again.extendleft(reversed(self.record[skip:]))

    @property
    def first_line(self) -> int:
        """Return the 1-based line that the record begins on."""
        return self.record[0][0]

    @property
    def faults(self) -> list[Fault]:
        """Return the faults of the record's bytes."""
        return [fault for _, _, faults in self.record for fault in faults]


def each_record(
    text: Lines, delimiter: str, n_columns: int = 0
) -> Iterator[tuple[int, list[str], list[Fault]]]:
    """Yield (first line, cells, faults) of each record that is not blank.

    ``n_columns`` tells, of a cell without an end, what follows: rows, or its own text.
    """
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        text.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = _csv_fault(error, text)
            first_line, faults_before = text.first_line, text.record[0][2]
            if fault.code == "cell_too_long" and not _is_row_next(
                text, delimiter, n_columns
            ):
                _skip_cell(text)
            else:
                text.hand_out_again(skip=1)
            # A reader that failed at the end of the file would not start again.
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            yield first_line, [], [*faults_before, fault]
            continue
        faults = text.faults
        if faults or any(cell and not cell.isspace() for cell in cells):
            yield text.first_line, cells, faults


class Plain(NamedTuple):
    """Records of one line each, from ``line`` on; apostrophes undone."""

    line: int
    records: list[list[str]]


def in_stretches(
    text: Lines,
    records: Iterator[tuple[int, list[str], list[Fault]]],
    delimiter: str,
    n_columns: int,
) -> Iterator[Plain | tuple[int, list[str], list[Fault]]]:
    """Yield what :func:`each_record` would, a stretch at a time where possible."""
    while True:
        try:
            plain = _plain(text, delimiter, n_columns)
        except StopIteration:
            return
        if plain is not None:
            yield plain
            continue
        for record in records:
            yield record
            if text.is_between:
                break


def _plain(text: Lines, delimiter: str, n_columns: int) -> Plain | None:
    """Return the rest of the stretch, or None for :func:`each_record` to read."""
    stretch = text.sound_text()
    if stretch is None:
        return None
    reader = csv.reader(
        io.StringIO(stretch, newline=""), delimiter=delimiter, strict=True
    )
    try:
        records = list(reader)
    except csv.Error:
        return None
    if reader.line_num != len(records) or {*map(len, records)} != {n_columns}:
        return None
    if max(map(len, stretch.split("\n"))) > MAX_CELL or _has_blank(records):
        return None
    if "'" in stretch:
        records = [[undefuse(cell) for cell in cells] for cells in records]
    plain = Plain(text.next_line, records)
    text.pass_over(len(records))
    return plain


def _has_blank(records: list[list[str]]) -> bool:
    """Return whether a record holds white space only: it is no row."""
    return not all(map(str.strip, map("".join, records)))


def _is_row_next(text: Lines, delimiter: str, n_columns: int) -> bool:
    """Return whether the second line of the record that failed reads as a row."""
    if len(text.record) < 2:
        return True
    second = text.record[1][1]
    return len(next(csv.reader([second], delimiter=delimiter), [])) == n_columns


def _skip_cell(text: Lines) -> None:
    """Pass over the rest of an overlong cell: to the line that closes its quote."""
    for line in text:
        text.begin()
        if line.count('"') % 2:
            return


def _csv_fault(error: csv.Error, text: Lines) -> Fault:
    reason, line = str(error), text.first_line
    if "field larger" in reason:
        message = f"a cell that begins on line {line} has no end within 131,072 "
        message += "characters"
        return Fault("cell_too_long", message, line=line)
    if "unexpected end" in reason:
        return Fault("quote_unclosed", "a quote is opened and never closed", line=line)
    at = text.record[-1][0]
    message = "text follows a closing quote"
    return Fault("quote_misplaced", f"{message} on line {at}", line=line)
