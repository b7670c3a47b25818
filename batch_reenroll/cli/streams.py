"""The three standard streams, whatever the shell has connected them to.

Closed, full, or with a reader that has gone: none of it may abort a campaign or change
what its exit code says. What a person reads (stderr) is never worth an exception; data
that was asked for (stdout) and cannot be written is an error.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import click

from batch_reenroll.errors import UsageError

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class ReaderGone(click.exceptions.Exit):
    """Whoever read stdout has gone (a closed pipe): no error, and no more to say."""

    def __init__(self) -> None:
        super().__init__(0)


class StdoutRefused(UsageError):
    """Stdout cannot be written, on a full disk for example."""

    code = "stdout_unwritable"


def open_missing() -> None:
    """Open the null device where the shell closed a standard stream (``>&-``).

    Else the next socket or file gets that descriptor: what is printed would go into
    it, and the event loop aborts the process when it closes descriptor 0, 1 or 2.
    """
    for descriptor in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free descriptor is this one: those below it are open by now.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = _null(_STDIN, "r")
    if sys.stdout is None:
        sys.stdout = _null(_STDOUT, "w")
    if sys.stderr is None:
        sys.stderr = _null(_STDERR, "w")


def _null(descriptor: int, mode: str) -> TextIO:
    # Lives as long as the process, and so does its descriptor.
    raw = io.FileIO(descriptor, mode, closefd=False)
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, encoding="utf-8")


def guard_stdout() -> None:
    """Make every write to stdout raise what it means, click's own included."""
    plain = sys.stdout
    if plain is sys.__stdout__ and isinstance(plain, io.TextIOWrapper):
        guarded = _Guarded(
            plain.buffer,
            encoding=plain.encoding,
            errors=plain.errors,
            line_buffering=plain.line_buffering,
            write_through=plain.write_through,
        )
        guarded.is_terminal = plain.isatty()
        sys.stdout = guarded


class _Guarded(io.TextIOWrapper):
    """Stdout, raising :class:`ReaderGone` and :class:`StdoutRefused`."""

    #: Whether it was one at the start; one that has hung up says it is none.
    is_terminal = False

    def write(self, text: str, /) -> int:
        if text == "":
            # click probes with nothing, and takes any error for "not a text stream".
            return 0
        with self._translated():
            return super().write(text)

    def flush(self) -> None:
        with self._translated():
            super().flush()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            _silence(self)
            hung_up = self.is_terminal and exc.errno == errno.EIO
            if hung_up or isinstance(exc, BrokenPipeError):
                raise ReaderGone from exc
            message = f"stdout cannot be written: {exc.strerror}"
            raise StdoutRefused(message) from exc


def write_out(text: str) -> None:
    """Write a line to stdout, at once.

    Raises:
        ReaderGone: Its reader has gone.
        StdoutRefused: It cannot be written.
    """
    print(text, flush=True)


def write_err(text: str) -> None:
    """Write a line to stderr, or nowhere when nobody can read it any more."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Lead a stream into the null device, what it holds unwritten included.

    Else the interpreter tries again at its end, and exits with 120.
    """
    with contextlib.suppress(OSError, ValueError):
        descriptor = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
        stream.flush()
