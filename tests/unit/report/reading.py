"""Reading a report back, as its users would."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

from batch_reenroll.report import ReportInput, render
from batch_reenroll.text import undefuse


def files_of(report: ReportInput) -> dict[str, bytes]:
    """Return every file of the report by name."""
    return {name: b"".join(chunks) for name, chunks in render(report)}


def csv_lines(content: bytes) -> list[list[str]]:
    """Return the lines of a CSV file with cells of any length."""
    # The limit is the whole process's, and the manifest reader's as well.
    usual = csv.field_size_limit(20_000_000)
    try:
        return list(csv.reader(io.StringIO(content.decode(), newline="")))
    finally:
        csv.field_size_limit(usual)


def sheet(content: bytes) -> tuple[list[str], list[dict[str, str]]]:
    """Return a CSV file's columns, and its rows as the manifest reader has them."""
    header, *lines = csv_lines(content)
    rows = [dict(zip(header, map(undefuse, line), strict=True)) for line in lines]
    return header, rows


class Outline(HTMLParser):
    """What an HTML parser makes of the page: tags, attributes, text by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        """All visible text, white space folded."""
        return " ".join(" ".join(self.text).split())
