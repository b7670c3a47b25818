"""The command line: which verbs there are, and what an error exits with.

Verbs live in modules of their own and are imported when they are used, so that
``--help`` and ``validate`` start without the network stack and without pandas.
"""

from __future__ import annotations

import importlib
import io
import itertools
import sys
import traceback
from collections.abc import Sequence

import click

from batch_reenroll import __version__
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.streams import (
    ReaderGone,
    StdoutRefused,
    guard_stdout,
    open_missing,
    write_err,
)
from batch_reenroll.errors import ReenrollError
from batch_reenroll.observe import Event, Level

#: Verb → module and function. The text is what ``--help`` lists, in this order.
_VERBS: dict[str, tuple[str, str]] = {
    "validate": ("batch_reenroll.cli.validate:validate", "Check a manifest, offline."),
    "discover": (
        "batch_reenroll.cli.discover:discover",
        "Write a manifest from the live inventory; GET only.",
    ),
    "plan": ("batch_reenroll.cli.plan:plan", "Say which rows can run; GET only."),
    "run": ("batch_reenroll.cli.run:run", "Carry a manifest or a plan out."),
    "resume": ("batch_reenroll.cli.run:resume", "Go on after any stop."),
    "retry": ("batch_reenroll.cli.retry:retry", "A new attempt for rows that ended."),
    "stop": ("batch_reenroll.cli.retry:stop", "Stop a running campaign in good order."),
    "status": ("batch_reenroll.cli.status:status", "Say where a campaign stands."),
    "report": ("batch_reenroll.cli.report:report", "Write the report again."),
    "evidence": (
        "batch_reenroll.cli.evidence:evidence",
        "Check a report folder, offline.",
    ),
    "config": ("batch_reenroll.cli.config:config", "Show the connection settings."),
    "sandbox": ("batch_reenroll.cli.sandbox:sandbox", "The embedded Command."),
    "demo": ("batch_reenroll.cli.demo:demo", "Try it all on the embedded Command."),
}

#: Names that later versions will use: refused with a word, never guessed at.
_RESERVED = ("worker", "ledger")

_INTERRUPTED = 130


class _Verbs(click.Group):
    """A group whose verbs are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _RESERVED:
            message = f"the verb {cmd_name!r} is reserved; this version has it not yet"
            raise click.UsageError(message, ctx)
        entry = _VERBS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry[0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in _VERBS.items()])


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes, the manifest and the reports: see README.md.",
)
@click.version_option(__version__, prog_name="batch-reenroll")
def cli() -> None:
    """Re-enroll thousands of Keyfactor Command certificate stores from a manifest."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    open_missing()
    guard_stdout()
    code = _exit_code(argv)
    try:
        sys.stdout.flush()
    except ReaderGone:
        return code
    except StdoutRefused as exc:
        return _told(exc)
    return code


def _exit_code(argv: Sequence[str] | None) -> int:
    try:
        result = cli.main(
            args=None if argv is None else list(argv),
            prog_name="batch-reenroll",
            standalone_mode=False,
        )
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.Abort as exc:
        write_err(_interrupted(exc))
        return _INTERRUPTED
    except click.ClickException as exc:
        shown = io.StringIO()
        exc.show(shown)
        write_err(shown.getvalue().rstrip())
        return exc.exit_code
    except ReenrollError as exc:
        return _told(exc)
    except Exception:  # noqa: BLE001 - the last boundary: our own bug, exit 1
        _bug(traceback.format_exc())
        return 1
    return result if isinstance(result, int) else 0


def _bug(trace: str) -> None:
    console = _console()
    message = "this is a bug in batch-reenroll; the ledger is in order"
    if console.log_format == "json":
        fields = {"code": "bug", "hint": "please report this line", "trace": trace}
        console.event(
            Event(name="error", level=Level.ERROR, message=message, fields=fields)
        )
        return
    write_err(f"{trace}error: {message}\nhint: please report the lines above")


def _interrupted(exc: click.Abort) -> str:
    """Return what a person who pressed Ctrl-C is told."""
    if isinstance(exc.__cause__, KeyboardInterrupt):
        # Anywhere: before the first request, or while the report is written.
        return "interrupted; what was sent is in the ledger"
    return "aborted; nothing was sent"


def _told(exc: ReenrollError) -> int:
    _console().error(exc)
    return exc.exit_code


def _console() -> Console:
    """Return a console for an error that a verb let through, as the flags ask."""
    words = sys.argv[1:]
    return Console(
        output="json" if _asks(words, "--output") else "text",
        log_format="json" if _asks(words, "--log-format") else "text",
    )


def _asks(words: list[str], flag: str) -> bool:
    return f"{flag}=json" in words or (flag, "json") in itertools.pairwise(words)
