"""The installed command line in processes of its own, as a user starts it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

PROGRAM = str(Path(sys.executable).with_name("batch-reenroll"))

#: No command of these tests takes longer; one that does hangs.
DEADLINE_S = 90.0

#: How often a condition is looked at.
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str

    def expect(self, code: int) -> Done:
        """Return this, or fail with everything that was printed."""
        assert self.code == code, (
            f"exit code {self.code}, expected {code}\n"
            f"--- stdout\n{self.out}\n--- stderr\n{self.err}"
        )
        assert "Traceback" not in self.out + self.err, self.err
        return self


def until(
    look: Callable[[], T | None],
    *,
    deadline_s: float = 30.0,
    process: subprocess.Popen[str] | None = None,
) -> T:
    """Return the first true answer of ``look``; fail at the deadline.

    With ``process``, fail as soon as that has ended without an answer.
    """
    end = time.monotonic() + deadline_s
    while True:
        ended = process is not None and process.poll() is not None
        answer = look()
        if answer:
            return answer
        assert not ended, "the process ended before it came to that"
        assert time.monotonic() < end, f"not within {deadline_s} s"
        time.sleep(_LOOK_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A working folder and the environment commands start in."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *words: str | Path,
        env: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Done:
        """Run a command to its end."""
        process = self.start(*words, env=env, before=before)
        return finished(process, deadline_s=deadline_s)

    def start(
        self,
        *words: str | Path,
        env: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        output: IO[str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command.

        Args:
            words: Verb, arguments and flags.
            env: Variables besides those of the terminal.
            before: Runs in the new process, before the program.
            output: Where stdout and stderr go; None = pipes.
        """
        return subprocess.Popen(
            [PROGRAM, *map(str, words)],
            cwd=self.folder,
            env=self.environment(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=output or subprocess.PIPE,
            encoding="utf-8",
            preexec_fn=before,
        )

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return the variables a command starts with; ``more`` besides its own."""
        # Nothing of the tester's own profile or proxies may reach the program.
        kept = {
            name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ
        }
        home = {"HOME": str(self.folder), "PYTHONUTF8": "1"}
        return {**kept, **home, **self.env, **more}


def no_file_beyond(n_bytes: int) -> Callable[[], None]:
    """Return what makes every write beyond ``n_bytes`` of a file fail."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    return limit


def finished(process: subprocess.Popen[str], *, deadline_s: float = DEADLINE_S) -> Done:
    """Wait for the end of a process; a hanging one is killed and fails."""
    with process:
        try:
            out, err = process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            message = f"still running after {deadline_s} s\n{out}\n{err}"
            raise AssertionError(message) from None
    return Done(code=process.returncode, out=out, err=err)


def signalled(process: subprocess.Popen[str], number: signal.Signals) -> Done:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    return finished(process)
