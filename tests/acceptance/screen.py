"""A command on a terminal of its own: a person sees it, answers it and leaves it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from acceptance.terminal import DEADLINE_S, Terminal, until

CTRL_C, CTRL_D = "\x03", "\x04"


@dataclass(slots=True, kw_only=True)
class Screen:
    """A running command whose stdin, stdout and stderr are one pseudo terminal."""

    process: subprocess.Popen[str]
    _ours: int
    _seen: bytearray = field(default_factory=bytearray)
    _reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def start(
        cls,
        terminal: Terminal,
        *words: str | Path,
        ignoring: signal.Signals | None = None,
    ) -> Self:
        """Start a command as the leader of the terminal's session."""
        ours, theirs = os.openpty()

        def sit_down() -> None:
            os.login_tty(theirs)
            if ignoring is not None:
                signal.signal(ignoring, signal.SIG_IGN)

        try:
            process = terminal.start(*words, before=sit_down)
        finally:
            os.close(theirs)
        return cls(process=process, _ours=ours)

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._ours, 4096)
            except OSError:
                # EIO: the other side has ended, or we have hung up.
                return
            if not chunk:
                return
            self._seen += chunk

    @property
    def text(self) -> str:
        """Everything shown so far."""
        return bytes(self._seen).decode(errors="replace")

    def shows(self, words: str) -> None:
        """Wait until ``words`` stand on the screen."""
        try:
            until(lambda: words in self.text, process=self.process)
        except AssertionError as exc:
            exc.add_note(f"on the screen:\n{self.text}")
            raise

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def hang_up(self) -> None:
        """Take the terminal away; the process gets SIGHUP and reads an end."""
        os.close(self._ours)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def code(self) -> int:
        """Wait for the end; return the exit code."""
        with self.process:
            try:
                code = self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError(f"it goes on and on:\n{self.text}") from None
            self._reader.join(DEADLINE_S)
            os.close(self._ours)
        assert "Traceback" not in self.text, self.text
        return code
