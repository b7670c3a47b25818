"""The question before anything is sent."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

import click

from batch_reenroll.cli.streams import write_err
from batch_reenroll.errors import UsageError


def ask(n_rows: int) -> bool:
    """Ask on a terminal whether to submit so many rows; return whether to go on.

    An empty answer and the end of the input (Ctrl-D) mean no.

    Raises:
        UsageError: There is no terminal to ask on.
        click.Abort: Ctrl-C was the answer.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        message = f"{n_rows} rows would be submitted, and there is nobody to ask"
        raise UsageError(message, hint="look at the plan above, then add --yes")
    with _ctrl_c_at_once():
        try:
            return click.confirm(f"Submit {n_rows} rows?", err=True)
        except click.Abort as exc:
            # Closes the line of the question.
            write_err("")
            if isinstance(exc.__context__, EOFError):
                return False
            raise


@contextlib.contextmanager
def _ctrl_c_at_once() -> Iterator[None]:
    """Let Ctrl-C end the question.

    The event loop's own handler only marks the task as cancelled, which it would see
    after the answer.
    """
    outer = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, outer)
