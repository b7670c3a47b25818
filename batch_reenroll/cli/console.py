"""What a person or a script reads: data on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batch_reenroll.cli.streams import ReaderGone, write_err, write_out
from batch_reenroll.errors import ManifestRejected, Problem, ReenrollError
from batch_reenroll.text import rfc3339, visible

_LINE_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Where output goes.

    Attributes:
        output: ``text`` or ``json``: the form of what goes to stdout.
        log_format: ``text`` or ``json``: the form of lines on stderr.
        quiet: Say nothing on stderr but warnings and errors.
    """

    output: str = "text"
    log_format: str = "text"
    quiet: bool = False

    @property
    def as_json(self) -> bool:
        """Whether stdout carries JSON."""
        return self.output == "json"

    @property
    def is_live(self) -> bool:
        """Whether a progress display may be drawn: stderr is a person's terminal."""
        return sys.stderr.isatty() and not self.quiet and self.log_format == "text"

    def data(self, text: str) -> None:
        """Write text that was asked for to stdout.

        Raises:
            ReaderGone: Its reader has gone.
            StdoutRefused: It cannot be written.
        """
        write_out(text)

    def json(self, value: object) -> None:
        """Write one JSON document to stdout; the same errors as :meth:`data`."""
        write_out(json.dumps(value, indent=2, ensure_ascii=False, default=str))

    def info(self, message: str, **fields: object) -> None:
        """Say something that a person may want to know."""
        if not self.quiet:
            self._line("info", message, fields)

    def warn(self, message: str, **fields: object) -> None:
        """Say something that a person must not miss."""
        self._line("warning", message, fields)

    def error(self, exc: ReenrollError) -> None:
        """Say why it did not work, and what to do about it."""
        if isinstance(exc, ManifestRejected):
            self._problems(exc)
            return
        self._line("error", exc.message, {"code": exc.code, "hint": exc.hint})

    def _problems(self, exc: ManifestRejected) -> None:
        if self.as_json:
            # The manifest is no better for a reader that has gone.
            with contextlib.suppress(ReaderGone):
                self.json({"ok": False, "problems": [as_dict(p) for p in exc.problems]})
        else:
            for problem in exc.problems:
                write_err(problem_line(problem))
        self._line("error", exc.message, {"code": exc.code, "hint": ""})

    def _line(self, level: str, message: str, fields: Mapping[str, object]) -> None:
        # Line ends between several faults are our own; what others wrote was made
        # visible where it came in.
        text = "\n".join(visible(line, _LINE_LIMIT) for line in message.split("\n"))
        if self.log_format == "json":
            known = {k: v for k, v in fields.items() if v not in (None, "")}
            entry: dict[str, Any] = {
                "at": rfc3339(datetime.now(UTC)),
                "level": level,
                "message": text,
                **known,
            }
            write_err(json.dumps(entry, ensure_ascii=False, default=str))
            return
        prefix = "" if level == "info" else f"{level}: "
        write_err(f"{prefix}{text}")
        hint = str(fields.get("hint") or "")
        if hint:
            for line in hint.split("\n"):
                write_err(f"hint: {visible(line, _LINE_LIMIT)}")


def as_dict(problem: Problem) -> dict[str, object]:
    """Return the problem as ``--output json`` shows it."""
    return {
        "code": problem.code,
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "row_id": problem.row_id,
        "hint": problem.hint,
    }


def problem_line(problem: Problem) -> str:
    """Return the problem as one line: ``file:line: row 7: SubjectName: …``."""
    place = visible(problem.file, 512)
    if problem.line is not None:
        place += f":{problem.line}"
    parts = [place]
    if problem.row_id is not None:
        parts.append(f"row {visible(problem.row_id, 128)}")
    parts.append(f"{visible(problem.message, _LINE_LIMIT)} [{problem.code}]")
    text = ": ".join(parts)
    return f"{text}\n    hint: {problem.hint}" if problem.hint else text


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows as text columns; the first left-aligned, the others right."""
    cells = [tuple(row) for row in rows]
    if not cells:
        return ""
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = (
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
    return "\n".join(lines)
