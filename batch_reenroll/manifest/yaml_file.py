"""The YAML form, read twice in constant memory: first all but the rows, then the rows.

The first pass is needed because defaults may stand below the rows, and because the
results' columns are those that any row uses. That the file did not change in between
is checked by its digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import yaml

from batch_reenroll.manifest.columns import COLUMNS, MAX_COLUMNS, in_order, is_carried
from batch_reenroll.manifest.normal import as_cell
from batch_reenroll.manifest.rows import RawRow
from batch_reenroll.manifest.rules import CannotReadOn, Fault
from batch_reenroll.manifest.source import ByteSource, Opener, opened
from batch_reenroll.manifest.yaml_events import EventReader

_ROWS_DEPTH = 2


@dataclass(slots=True)
class Survey:
    """What the first pass found.

    Attributes:
        document: All top-level keys but ``rows``.
        lines: Path (``waves[1].size``) -> 1-based line.
        columns: Columns that any row uses, in the contract's order.
        rows_line: 1-based line of the ``rows`` key, or None where there is none.
        faults: What is wrong with the YAML outside the rows; each has a line.
        broken: Why the file could not be read to its end, or None.
        digest: SHA-256 hex of the file; empty where ``broken``.
    """

    document: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows_line: int | None = None
    faults: list[Fault] = field(default_factory=list)
    broken: Fault | None = None
    digest: str = ""

    def line_of(self, path: str | None) -> int | None:
        """Return the line of ``path``, or of the nearest key that leads to it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None


class YamlFile:
    """One YAML manifest whose first pass is done.

    Attributes:
        survey: What that pass found.
    """

    def __init__(self, path: PurePath, opener: Opener) -> None:
        """Make the first pass.

        Raises:
            CannotReadOn: The file cannot be opened, or is no mapping.
        """
        self._path = path
        self._opener = opener
        self.survey = Survey()
        try:
            with opened(path, opener) as stream:
                self._survey(ByteSource(stream))
        except CannotReadOn as stop:
            if self.survey.rows_line is None:
                raise
            self.survey.broken = stop.fault

    def _survey(self, source: ByteSource) -> None:
        survey = self.survey
        reader = EventReader(source, survey.faults, survey.lines, record_lines=True)
        _enter(reader)
        columns: dict[str, None] = {}
        seen: set[str] = set()
        while not isinstance(event := reader.next(), yaml.MappingEndEvent):
            reader.begin()
            key = reader.key(event, "", seen)
            if key is None:
                reader.skip(reader.next())
                continue
            seen.add(key)
            if key == "rows":
                survey.rows_line = event.start_mark.line + 1
                _survey_rows(reader, columns)
                survey.columns = in_order(columns)
            else:
                survey.document[key] = reader.value(reader.next(), key, 1)
        _leave(reader)
        source.exhaust()
        survey.digest = source.hash.hexdigest()

    def rows(self, digests: list[str]) -> Iterator[RawRow]:
        """Yield every item of ``rows``; after the last, append the file's SHA-256 hex.

        Raises:
            CannotReadOn: The file cannot be read to its end, or has changed.
        """
        with opened(self._path, self._opener) as stream:
            source = ByteSource(stream)
            reader = EventReader(source)
            _enter(reader)
            if _find_rows(reader):
                yield from self._items(reader)
            source.exhaust()
            digest = source.hash.hexdigest()
            if self.survey.broken is None and digest != self.survey.digest:
                raise CannotReadOn(Fault("file_changed", "the file has changed"))
            digests.append(digest)

    def parts(self, digests: list[str]) -> Iterator[RawRow]:
        """Yield the same as :meth:`rows`.

        Raises:
            CannotReadOn: The file cannot be read to its end, or has changed.
        """
        return self.rows(digests)

    def _items(self, reader: EventReader) -> Iterator[RawRow]:
        row_no = 0
        while not isinstance(event := reader.next(), yaml.SequenceEndEvent):
            row_no += 1
            reader.begin()
            reader.faults.clear()
            line = event.start_mark.line + 1
            value = reader.value(event, "", _ROWS_DEPTH)
            faults = [_in_row(fault) for fault in reader.faults]
            if not isinstance(value, dict):
                if not faults:
                    faults = [Fault("type_wrong", "the row is not a mapping")]
                yield RawRow(row_no=row_no, line=line, faults=faults, grave=True)
                continue
            cells = tuple(as_cell(value.get(name)) for name in self.survey.columns)
            yield RawRow(
                row_no=row_no, line=line, values=value, cells=cells, faults=faults
            )
        # What follows the rows was judged by the first pass.
        while not isinstance(reader.next(), yaml.StreamEndEvent):
            pass


def _in_row(fault: Fault) -> Fault:
    """Return ``fault`` with the row's own field as its column."""
    column = fault.column
    if column is None or is_carried(column):
        return fault
    head = column.replace("[", ".").split(".")[0]
    return replace(fault, column=head if head in COLUMNS else column)


def _enter(reader: EventReader) -> None:
    """Read up to the first key of the document.

    Raises:
        CannotReadOn: There is no document, or its top is not a mapping.
    """
    reader.next()
    if isinstance(reader.next(), yaml.StreamEndEvent):
        raise CannotReadOn(Fault("file_empty", "the file holds no document"))
    top = reader.next()
    line = top.start_mark.line + 1
    if not isinstance(top, yaml.MappingStartEvent):
        message = "the document is not a mapping; expected version: 1 and rows"
        raise CannotReadOn(Fault("yaml_syntax", message, line=line))
    if top.anchor or top.tag:
        code = "yaml_alias" if top.anchor else "yaml_tag"
        message = "the document begins with an anchor or a tag"
        raise CannotReadOn(Fault(code, message, line=line))


def _leave(reader: EventReader) -> None:
    reader.next()
    event = reader.next()
    if not isinstance(event, yaml.StreamEndEvent):
        line = event.start_mark.line + 1
        message = "a second document begins"
        reader.faults.append(Fault("yaml_documents", message, line=line))


def _survey_rows(reader: EventReader, columns: dict[str, None]) -> None:
    event = reader.next()
    line = event.start_mark.line + 1
    if not isinstance(event, yaml.SequenceStartEvent) or event.anchor or event.tag:
        reader.skip(event)
        empty = isinstance(event, yaml.ScalarEvent) and not event.value
        code = "no_rows" if empty else "type_wrong"
        message = "rows is empty" if empty else "rows is not a plain list"
        reader.faults.append(Fault(code, message, "rows", line))
        return
    while not isinstance(event := reader.next(), yaml.SequenceEndEvent):
        reader.begin()
        if isinstance(event, yaml.MappingStartEvent):
            _survey_row(reader, columns)
        else:
            reader.skip(event)
    if len(columns) > MAX_COLUMNS:
        raise CannotReadOn(Fault("columns_too_many", "the rows use too many columns"))


def _survey_row(reader: EventReader, columns: dict[str, None]) -> None:
    while not isinstance(event := reader.next(), yaml.MappingEndEvent):
        reader.skip(event)
        known = isinstance(event, yaml.ScalarEvent) and _is_column(event.value)
        if known and len(columns) <= MAX_COLUMNS:
            columns[event.value] = None
        reader.skip(reader.next())


def _is_column(key: str) -> bool:
    return key in COLUMNS or is_carried(key)


def _find_rows(reader: EventReader) -> bool:
    """Read up to the first item of ``rows``; whether there is such a list."""
    while not isinstance(event := reader.next(), yaml.MappingEndEvent):
        reader.begin()
        is_rows = isinstance(event, yaml.ScalarEvent) and event.value == "rows"
        if not is_rows:
            reader.skip(event)
        event = reader.next()
        if is_rows:
            return isinstance(event, yaml.SequenceStartEvent) and not (
                event.anchor or event.tag
            )
        reader.skip(event)
    return False
