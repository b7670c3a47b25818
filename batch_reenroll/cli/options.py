"""Flags that several verbs share, and the values they become."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.standing import DEFAULT_LEDGER
from batch_reenroll.errors import UsageError
from batch_reenroll.observe import Level
from batch_reenroll.text import parse_time

if TYPE_CHECKING:
    from batch_reenroll.report import Format

F = TypeVar("F", bound=Callable[..., Any])


def _stack(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def console_options(function: F) -> F:
    """Add ``--output``, ``--log-format``, ``--log-level`` and ``--quiet``."""
    return _stack(
        click.option(
            "--output",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="Form of what goes to stdout.",
        ),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="Form of lines on stderr.",
        ),
        click.option(
            "--log-level",
            type=click.Choice([level.word for level in Level]),
            help="Log events from this level on to stderr, instead of a progress "
            "display [default: info with --log-format json, else no log].",
        ),
        click.option("--quiet", is_flag=True, help="Only warnings and errors."),
    )(function)


def ledger_option(function: F) -> F:
    """Add ``--ledger``."""
    return click.option(
        "--ledger",
        metavar="URL",
        default=DEFAULT_LEDGER,
        envvar="BATCH_REENROLL_LEDGER",
        show_default=True,
        show_envvar=True,
        help="Where campaigns are kept.",
    )(function)


def reports_option(function: F) -> F:
    """Add ``--reports``."""
    return click.option(
        "--reports",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("reports"),
        envvar="BATCH_REENROLL_REPORTS",
        show_default=True,
        show_envvar=True,
        help="Reports go to DIR/CAMPAIGN/.",
    )(function)


def connection_options(function: F) -> F:
    """Add ``--profile`` and ``--config``."""
    return _stack(
        click.option("--profile", metavar="NAME", help="Profile in the config file."),
        click.option(
            "--config",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Config file (default ~/.keyfactor/command_config.json).",
        ),
    )(function)


class Moment(click.ParamType[datetime]):
    """A date or an RFC 3339 time; without a zone it is UTC."""

    name = "date"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment that ``value`` names."""
        text = str(value).strip()
        found = parse_time(text) or parse_time(f"{text}T00:00:00Z")
        if found is None:
            self.fail(
                f"{value!r} is no date such as 2026-12-31 or 2026-12-31T22:00:00Z"
            )
        return found


class Formats(click.ParamType["tuple[Format, ...]"]):
    """Further forms of the results: ``parquet``, ``xlsx``, or both with a comma."""

    name = "format"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Format, ...]:
        """Return the forms that ``value`` names, in its order."""
        # The only verb that has forms has loaded them; the others start without.
        from batch_reenroll.report import Format

        try:
            return tuple(Format(word.strip().lower()) for word in value.split(","))
        except ValueError:
            expected = " or ".join(Format)
            self.fail(f"{value!r} is no format; expected {expected}, or a list of both")


class Seconds(click.ParamType[float]):
    """A number of seconds > 0, or a duration such as ``30s``, ``5m``, ``2h``."""

    name = "seconds"
    _UNITS = (("s", 1.0), ("m", 60.0), ("h", 3600.0))

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the seconds that ``value`` names."""
        text = str(value).strip().lower()
        factor = 1.0
        for unit, seconds in self._UNITS:
            if text.endswith(unit):
                text, factor = text.removesuffix(unit), seconds
                break
        try:
            found = float(text) * factor
        except ValueError:
            found = 0.0
        # The upper bound also refuses inf; NaN fails the comparison.
        if not 0 < found <= 366 * 86_400:
            self.fail(f"{value!r} is no duration > 0 such as 45, 30s, 5m or 2h")
        return found


_SECONDS = Seconds()

_MAX_RATE_PER_S = 100_000.0


class Rate(click.ParamType[float]):
    """Submissions per second, > 0."""

    name = "per second"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the rate that ``value`` names; NaN fails the comparison."""
        try:
            found = float(value)
        except ValueError:
            found = 0.0
        if not 0 < found <= _MAX_RATE_PER_S:
            self.fail(f"{value!r} is no number of submissions per second > 0")
        return found


# Flag, field of RunSettings, type, help.
_PACING: tuple[tuple[str, str, Any, str], ...] = (
    (
        "--rate",
        "rate_per_s",
        Rate(),
        "Submissions per second, at most.",
    ),
    (
        "--max-in-flight",
        "max_in_flight",
        click.IntRange(min=1, max=1_000_000),
        "Rows with Command at one time, at most.",
    ),
    (
        "--per-orchestrator",
        "per_orchestrator",
        click.IntRange(min=1, max=1_000_000),
        "The same for each orchestrator.",
    ),
    ("--poll-interval", "poll_interval_s", _SECONDS, "Between two looks at the jobs."),
    (
        "--pickup-timeout",
        "pickup_timeout_s",
        _SECONDS,
        "For an orchestrator to take a job; then `stalled`.",
    ),
    ("--job-timeout", "job_timeout_s", _SECONDS, "For a job to end once taken."),
    (
        "--settle-time",
        "settle_time_s",
        _SECONDS,
        "After a lost answer, before absence counts "
        "[default: the larger of 10 s and two poll intervals].",
    ),
    (
        "--verify",
        "verify",
        click.Choice(["none", "inventory"]),
        "Proof asked for [default: inventory].",
    ),
    ("--verify-timeout", "verify_timeout_s", _SECONDS, "For the inventory to follow."),
    (
        "--breaker-rest",
        "breaker_rest_s",
        _SECONDS,
        "After which an open breaker lets one row try; doubles with each that fails "
        "[default: it stays open].",
    ),
    (
        "--heartbeat",
        "heartbeat_s",
        _SECONDS,
        "How often orchestrators ask for work; those that are silent for longer than "
        "--silent-heartbeats are fed no more [default: not known, silence is no sign].",
    ),
    (
        "--silent-heartbeats",
        "silent_heartbeats",
        click.IntRange(min=0, max=1_000_000),
        "Heartbeats an orchestrator may miss until it is fed no more; 0: any number.",
    ),
    (
        "--unreachable-timeout",
        "unreachable_timeout_s",
        _SECONDS,
        "For a Command that is away to come back; then exit 9.",
    ),
)


def pacing_options(function: F) -> F:
    """Add the pacing and time flags; none has a default, so that others can give it."""
    defaults = RunSettings().as_json()
    options = []
    for flag, name, kind, text in _PACING:
        default = defaults[name]
        shown = default is None or isinstance(default, bool)
        note = "" if shown else f" [default: {default:g}]"
        options.append(click.option(flag, name, type=kind, help=text + note))
    options.append(
        click.option(
            "--unschedule-stalled/--leave-stalled",
            default=None,
            help="Whether jobs that no orchestrator takes in time are taken back "
            "[default: left in Command].",
        )
    )
    return _stack(*options)(function)


#: Field of :class:`RunSettings` → the flag that sets it.
FLAGS = {name: flag for flag, name, _, _ in _PACING}

PACING_NAMES = (*(name for _, name, _, _ in _PACING), "unschedule_stalled")


def pacing_from(values: dict[str, Any]) -> dict[str, Any]:
    """Take the pacing flags out of ``values``; return those that were given."""
    given = {name: values.pop(name) for name in PACING_NAMES}
    found = {name: value for name, value in given.items() if value is not None}
    if "verify" in found:
        found["verify"] = found["verify"] == "inventory"
    return found


def console_from(values: dict[str, Any]) -> Console:
    """Take the console flags out of ``values``."""
    level: str | None = values.pop("log_level")
    return Console(
        output=values.pop("output"),
        log_format=values.pop("log_format"),
        quiet=values.pop("quiet"),
        log_level=None if level is None else Level[level.upper()],
    )


def home_folder() -> Path:
    """Return the user's home folder.

    Raises:
        UsageError: There is none.
    """
    try:
        return Path(os.environ.get("HOME") or Path.home())
    except RuntimeError as exc:
        message = "there is no home folder to look for a config file in"
        raise UsageError(message, hint="name the file with --config") from exc
