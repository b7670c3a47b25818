"""What a person or a script reads: data on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import IO

from batch_reenroll.cli.streams import ReaderGone, write_err, write_out
from batch_reenroll.errors import ManifestRejected, Problem, ReenrollError
from batch_reenroll.observe import Event, Level, json_line, shown, text_line
from batch_reenroll.text import quiet_json, visible

_LINE_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Where output goes.

    Attributes:
        output: ``text`` or ``json``: the form of what goes to stdout.
        log_format: ``text`` or ``json``: the form of lines on stderr.
        quiet: Say nothing on stderr but warnings and errors.
        log_level: The least grave events that are told, details among them; None: from
            ``info`` on, and details only to machines.
        campaign: That every line is about, or "".
        put: Writes a line to stderr.
        screen: What a progress display is drawn on.
        flush: Waits until lines are written, so many seconds at most.
    """

    output: str = "text"
    log_format: str = "text"
    quiet: bool = False
    log_level: Level | None = None
    campaign: str = ""
    put: Callable[[str], None] = write_err
    screen: IO[str] | None = None
    flush: Callable[[float], None] = lambda _: None

    @property
    def as_json(self) -> bool:
        """Whether stdout carries JSON."""
        return self.output == "json"

    @property
    def is_logged(self) -> bool:
        """Whether stderr carries a log, and not what a person watches."""
        return self.log_format == "json" or self.log_level is not None

    @property
    def is_live(self) -> bool:
        """Whether a progress display may be drawn: stderr is a person's terminal."""
        return sys.stderr.isatty() and not self.quiet and not self.is_logged

    def tells(self, level: Level, *, is_detail: bool = False) -> bool:
        """Return whether an event so grave would be told."""
        least = Level.INFO if self.log_level is None else self.log_level
        if self.quiet:
            least = max(least, Level.WARNING)
        return level >= least and (self.is_logged or not is_detail)

    def data(self, text: str) -> None:
        """Write text that was asked for to stdout.

        Raises:
            ReaderGone: Its reader has gone.
            StdoutRefused: It cannot be written.
        """
        write_out(text)

    def json(self, value: object) -> None:
        """Write one JSON document to stdout; the same errors as :meth:`data`."""
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
        write_out(quiet_json(text))

    def info(self, message: str, event: str = "message", **fields: object) -> None:
        """Say something that a person may want to know."""
        self._say(event, Level.INFO, message, fields)

    def warn(self, message: str, event: str = "message", **fields: object) -> None:
        """Say something that a person must not miss."""
        self._say(event, Level.WARNING, message, fields)

    def error(self, exc: ReenrollError) -> None:
        """Say why it did not work, and what to do about it."""
        hint = exc.hint
        if isinstance(exc, ManifestRejected):
            self._problems(exc)
            hint = ""
        fields = {"code": exc.code, "hint": hint}
        self._say("error", Level.ERROR, exc.message, fields)

    def _problems(self, exc: ManifestRejected) -> None:
        if self.as_json:
            # The manifest is no better for a reader that has gone.
            with contextlib.suppress(ReaderGone):
                self.json({"ok": False, "problems": [as_dict(p) for p in exc.problems]})
        else:
            for problem in exc.problems:
                self._problem(problem)

    def _problem(self, problem: Problem) -> None:
        if self.log_format == "json":
            fields = {**as_dict(problem), "message": ""}
            self._say("problem", Level.ERROR, problem.message, fields)
        else:
            self.put(problem_line(problem))

    def _say(
        self, name: str, level: Level, message: str, fields: Mapping[str, object]
    ) -> None:
        self.event(Event(name=name, level=level, message=message, fields=fields))

    def event(self, event: Event) -> None:
        """Tell of an event, where somebody wants to know."""
        if self.tells(event.level, is_detail=event.is_detail):
            self.put(self.line(event))

    def line(self, event: Event) -> str:
        """Return the event as stderr shows it."""
        now = datetime.now(UTC)
        if self.log_format == "json":
            of = {"campaign": self.campaign, **event.fields}
            return json_line(replace(event, fields=of), now)
        if self.log_level is not None:
            return _with_hint(text_line(event, now), event)
        prefix = "" if event.level <= Level.INFO else f"{event.level.word}: "
        return _with_hint(f"{prefix}{text_line(event, None)}", event)


def _with_hint(text: str, event: Event) -> str:
    hint = str(event.fields.get("hint") or "")
    hints = (f"\nhint: {line}" for line in shown(hint).split("\n") if hint)
    return text + "".join(hints)


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
