"""The CSV form: header, then rows, streamed; each row knows the line it begins on.

The parser is :mod:`csv` in strict mode. A row that it cannot parse is one fault, and
reading goes on at the line below the row's first, so that one missing quote hides
nothing.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from batch_reenroll.manifest.columns import (
    MAX_COLUMNS,
    Layout,
    canonical,
    keys_of,
    pair_of,
)
from batch_reenroll.manifest.rows import RawRow
from batch_reenroll.manifest.rules import CannotReadOn, Fault, shown
from batch_reenroll.manifest.source import (
    MAX_CELL,
    MAX_LINE_BYTES,
    ByteSource,
    Opener,
    lines,
    opened,
    text_faults,
)
from batch_reenroll.text import undefuse

_DELIMITERS = ",;\t"


class _Lines:
    """Lines as text for :mod:`csv`; remembers those of the record being read.

    Attributes:
        record: (line number, text) of the lines handed out since the last ``begin``.
        faults: What is wrong with these lines' bytes.
    """

    def __init__(self, source: ByteSource) -> None:
        self._bytes = lines(source)
        self._again: deque[tuple[int, str, list[Fault]]] = deque()
        self._line = 0
        self.record: list[tuple[int, str, list[Fault]]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again:
            item = self._again.popleft()
        else:
            raw, offset, cut = next(self._bytes)
            self._line += 1
            item = self._decoded(raw, offset, cut)
        self.record.append(item)
        return item[1]

    def _decoded(
        self, raw: bytes, offset: int, cut: bool
    ) -> tuple[int, str, list[Fault]]:
        if cut:
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


def _records(
    text: _Lines, delimiter: str, n_columns: int = 0
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


def _is_row_next(text: _Lines, delimiter: str, n_columns: int) -> bool:
    """Return whether the second line of the record that failed reads as a row."""
    if len(text.record) < 2:
        return True
    second = text.record[1][1]
    return len(next(csv.reader([second], delimiter=delimiter), [])) == n_columns


def _skip_cell(text: _Lines) -> None:
    """Pass over the rest of an overlong cell: to the line that closes its quote."""
    for line in text:
        text.begin()
        if line.count('"') % 2:
            return


def _csv_fault(error: csv.Error, text: _Lines) -> Fault:
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


class CsvFile:
    """One CSV file whose header has been read.

    Attributes:
        layout: What the header says.
        header_faults: What is wrong with the header; each has a line.
    """

    def __init__(self, path: PurePath, opener: Opener) -> None:
        """Read the header.

        Raises:
            CannotReadOn: The file cannot be read, or has no header.
        """
        self._path = path
        self._opener = opener
        with opened(path, opener) as stream:
            self.layout, self.header_faults = _read_header(ByteSource(stream))

    def rows(self, digests: list[str]) -> Iterator[RawRow]:
        """Yield every data row; after the last, append the file's SHA-256 hex.

        Raises:
            CannotReadOn: The file cannot be read to its end.
        """
        with opened(self._path, self._opener) as stream:
            source = ByteSource(stream)
            n_columns = len(self.layout.columns)
            records = _records(_Lines(source), self.layout.delimiter, n_columns)
            header = next(records, (0, [], []))
            if _column_names(header[1]) != self.layout.columns:
                message = "the header is not the one it was a moment ago"
                raise CannotReadOn(Fault("file_changed", message))
            for row_no, (line, cells, faults) in enumerate(records, start=1):
                yield self._row(row_no, line, cells, faults)
            digests.append(source.hash.hexdigest())

    def _row(
        self, row_no: int, line: int, cells: list[str], faults: list[Fault]
    ) -> RawRow:
        n_columns = len(self.layout.columns)
        if not faults and len(cells) != n_columns:
            code = "row_too_short" if len(cells) < n_columns else "row_too_long"
            message = f"the row has {len(cells)} cells, the header {n_columns}"
            faults = [Fault(code, message)]
        if faults:
            return RawRow(row_no=row_no, line=line, faults=faults, grave=True)
        texts = tuple([undefuse(cell) if cell[:1] == "'" else cell for cell in cells])
        raw = RawRow(row_no=row_no, line=line, cells=texts)
        self._fill(raw)
        return raw

    def _fill(self, raw: RawRow) -> None:
        values: dict[str, str] = {}
        named: dict[str, dict[str, str]] = {}
        for key, text in zip(self.layout.keys, raw.cells, strict=True):
            if not text or key is None or text.isspace():
                continue
            if len(text) > MAX_CELL:
                message = f"{key} has {len(text)} characters; at most {MAX_CELL} fit"
                raw.faults.append(Fault("cell_too_long", message, key))
            elif "." in key and (pair := pair_of(key)) is not None:
                named.setdefault(pair[0], {})[pair[1]] = text.strip()
            else:
                values[key] = text
        raw.values, raw.named = values, named


def _read_header(source: ByteSource) -> tuple[Layout, list[Fault]]:
    text = _Lines(source)
    first = next((line for line in text if line.strip() or text.faults), None)
    if first is None:
        raise CannotReadOn(Fault("file_empty", "the file holds no text"))
    delimiter = max(_DELIMITERS, key=lambda mark: _n_known(first, mark))
    text.hand_out_again(skip=0)
    line, cells, faults = next(_records(text, delimiter), (0, [], []))
    if not line:
        raise CannotReadOn(Fault("file_empty", "the file holds nothing but separators"))
    if faults:
        raise CannotReadOn(faults[0])
    columns = _column_names(cells)
    if len(columns) > MAX_COLUMNS:
        message = f"the header has {len(columns)} columns"
        raise CannotReadOn(Fault("columns_too_many", message, line=line))
    if not any(canonical(name) for name in columns):
        message = f"line {line} begins {shown(cells[0])}: it names no known column"
        raise CannotReadOn(Fault("header_missing", message, line=line))
    keys, header_faults = keys_of(columns)
    layout = Layout(
        columns=columns,
        keys=keys,
        delimiter=delimiter,
        line=line,
    )
    return layout, [replace(fault, line=line) for fault in header_faults]


def _column_names(cells: list[str]) -> tuple[str, ...]:
    return tuple(undefuse(cell).strip() for cell in cells)


def _n_known(line: str, delimiter: str) -> int:
    names = line.replace('"', "").split(delimiter)
    return sum(canonical(name.strip()) is not None for name in names)
