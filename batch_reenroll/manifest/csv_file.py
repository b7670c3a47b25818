"""The CSV form: header, then rows, streamed; each row knows the line it begins on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from batch_reenroll.manifest.columns import (
    MAX_COLUMNS,
    Layout,
    canonical,
    keys_of,
    pair_of,
)
from batch_reenroll.manifest.csv_records import (
    Lines,
    Plain,
    each_record,
    in_stretches,
)
from batch_reenroll.manifest.rows import RawRow
from batch_reenroll.manifest.rules import CannotReadOn, Fault, shown
from batch_reenroll.manifest.source import (
    MAX_CELL,
    ByteSource,
    Opener,
    opened,
)
from batch_reenroll.text import undefuse

_DELIMITERS = ",;\t"


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
        for part in self.parts(digests):
            if isinstance(part, RawRow):
                yield part
            else:
                yield from map(part.row, range(len(part.records)))

    def parts(self, digests: list[str]) -> Iterator[Block | RawRow]:
        """Yield the same as :meth:`rows`, in blocks where rows are one line each.

        Raises:
            CannotReadOn: The file cannot be read to its end.
        """
        with opened(self._path, self._opener) as stream:
            source = ByteSource(stream)
            n_columns = len(self.layout.columns)
            text = Lines(source)
            records = each_record(text, self.layout.delimiter, n_columns)
            header = next(records, (0, [], []))
            if _column_names(header[1]) != self.layout.columns:
                message = "the header is not the one it was a moment ago"
                raise CannotReadOn(Fault("file_changed", message))
            row_no = 1
            for part in in_stretches(text, records, self.layout.delimiter, n_columns):
                if isinstance(part, Plain):
                    yield _block(row_no, self.layout, part)
                    row_no += len(part.records)
                else:
                    yield self._row(row_no, *part)
                    row_no += 1
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
        return _raw_row(self.layout, row_no, line, texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive rows, each on one line and with a cell for every column.

    Attributes:
        layout: What the header says.
        row_no, line: Of the first row, as in ``ManifestRow``.
        records: Cells by row, n >= 1; none is longer than ``MAX_CELL``.
        columns: The same cells by column in the contract's spelling, those of columns
            that are ignored left out.
    """

    layout: Layout
    row_no: int
    line: int
    records: Sequence[Sequence[str]]
    columns: Mapping[str, Sequence[str]]

    def row(self, index: int) -> RawRow:
        """Return one row, counted from 0."""
        cells = tuple(self.records[index])
        return _raw_row(self.layout, self.row_no + index, self.line + index, cells)


def _block(row_no: int, layout: Layout, plain: Plain) -> Block:
    cells = zip(layout.keys, zip(*plain.records, strict=True), strict=True)
    return Block(
        layout=layout,
        row_no=row_no,
        line=plain.line,
        records=plain.records,
        columns={key: column for key, column in cells if key is not None},
    )


def _raw_row(layout: Layout, row_no: int, line: int, cells: tuple[str, ...]) -> RawRow:
    values: dict[str, str] = {}
    named: dict[str, dict[str, str]] = {}
    faults: list[Fault] = []
    for key, text in zip(layout.keys, cells, strict=True):
        if not text or key is None or text.isspace():
            continue
        if len(text) > MAX_CELL:
            message = f"{key} has {len(text)} characters; at most {MAX_CELL} fit"
            faults.append(Fault("cell_too_long", message, key))
        elif "." in key and (pair := pair_of(key)) is not None:
            named.setdefault(pair[0], {})[pair[1]] = text.strip()
        else:
            values[key] = text
    return RawRow(
        row_no=row_no,
        line=line,
        values=values,
        named=named,
        cells=cells,
        faults=faults,
    )


def _read_header(source: ByteSource) -> tuple[Layout, list[Fault]]:
    text = Lines(source)
    first = next((line for line in text if line.strip() or text.faults), None)
    if first is None:
        raise CannotReadOn(Fault("file_empty", "the file holds no text"))
    delimiter = max(_DELIMITERS, key=lambda mark: _n_known(first, mark))
    text.hand_out_again(skip=0)
    line, cells, faults = next(each_record(text, delimiter), (0, [], []))
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
