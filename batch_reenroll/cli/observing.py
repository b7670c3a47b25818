"""Who watches a run: the log, the metrics, and what other libraries have to say."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import IO, Any, TypeVar, cast

import click

from batch_reenroll.campaign.rows import Move, Note, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.linewriter import LineWriter, Screen
from batch_reenroll.cli.progress import Progress
from batch_reenroll.command import Seen
from batch_reenroll.errors import UsageError
from batch_reenroll.observe import Event, Level
from batch_reenroll.observe.exposition import exposition
from batch_reenroll.observe.metrics import Metrics
from batch_reenroll.observe.watcher import Watcher

F = TypeVar("F", bound=Callable[..., Any])

_LOOPBACK = "127.0.0.1"

#: How often exporters that ask from other threads are shown the state of things.
_SHOW_EVERY_S = 1.0

_OTEL = "opentelemetry.exporter.otlp.proto.http.metric_exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """Where metrics go.

    Attributes:
        port: Of the Prometheus endpoint, 0 = any that is free, None = none.
        host: It listens on.
        otel: OTLP as well.
    """

    port: int | None = None
    host: str = _LOOPBACK
    otel: bool = False

    @property
    def is_any(self) -> bool:
        """Whether anybody wants metrics."""
        return self.otel or self.port is not None


def export_options(function: F) -> F:
    """Add ``--metrics-port``, ``--metrics-host`` and ``--otel``."""
    for option in (
        click.option(
            "--otel",
            is_flag=True,
            envvar="BATCH_REENROLL_OTEL",
            show_envvar=True,
            help="Send metrics by OTLP over HTTP to where the standard OTEL_… "
            "variables say; needs batch-reenroll[otel].",
        ),
        click.option(
            "--metrics-host",
            metavar="ADDRESS",
            default=_LOOPBACK,
            show_default=True,
            help="Address that the metrics are served on; nobody is asked for a "
            "password.",
        ),
        click.option(
            "--metrics-port",
            type=click.IntRange(0, 65_535),
            metavar="PORT",
            help="Serve metrics for Prometheus at /metrics; 0 takes a free port.",
        ),
    ):
        function = option(function)
    return function


def exports_from(values: dict[str, Any]) -> Exports:
    """Take the export flags out of ``values``.

    Raises:
        UsageError: The extra is not installed, or the port cannot be had.
    """
    exports = Exports(
        port=values.pop("metrics_port"),
        host=values.pop("metrics_host"),
        otel=values.pop("otel"),
    )
    if exports.otel and not _is_installed(_OTEL):
        message = "--otel needs packages that are not installed"
        hint = "pip install 'batch-reenroll[otel]'"
        raise UsageError(message, code="otel_missing", hint=hint)
    if exports.port is not None:
        _check_port(exports.host, exports.port)
    return exports


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _check_port(host: str, port: int) -> None:
    """Refuse a port that cannot be had, before anything has begun."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as exc:
        message = f"--metrics-port {port} on {host} cannot be had: {exc.strerror}"
        hint = "name another port; 0 takes any that is free"
        raise UsageError(message, code="metrics_port", hint=hint) from exc


@contextlib.contextmanager
def logged(console: Console, campaign_id: str) -> Iterator[Console]:
    """Yield a console whose lines never keep the event loop waiting.

    Records of other libraries come to it as well: a line of theirs would be none of
    a JSON log.
    """
    about = replace(console, campaign=campaign_id)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError):
            # Under a test that has taken stderr away, lines are written at once.
            sys.stderr.flush()
            writer = LineWriter(
                sys.stderr.fileno(), lost=lambda n: about.line(_dropped(n))
            )
            stack.callback(writer.close)
            about = replace(
                about,
                put=writer.put,
                flush=writer.close,
                screen=cast("IO[str]", Screen(writer.put_text, sys.stderr)),
            )
        stack.enter_context(_bridged(about))
        yield about


def _dropped(n: int) -> Event:
    lines = "1 line was" if n == 1 else f"{n} lines were"
    message = f"{lines} dropped: nobody read them in time"
    return Event(
        name="lines_dropped", level=Level.WARNING, message=message, fields={"n": n}
    )


class _Bridge(logging.Handler):
    """Hands records of other libraries to a console."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            message += f": {record.exc_info[1]!r}"
        grave = record.levelno >= logging.ERROR
        self._console.event(
            Event(
                name="message",
                level=Level.ERROR if grave else Level.WARNING,
                message=message,
                fields={"logger": record.name},
            )
        )


@contextlib.contextmanager
def _bridged(console: Console) -> Iterator[None]:
    root, bridge = logging.getLogger(), _Bridge(console)
    root.addHandler(bridge)
    try:
        yield
    finally:
        root.removeHandler(bridge)


class Observation:
    """Everybody who watches one run; an ``Observer`` of the runner.

    Args:
        console: For the log; its campaign is the run's.
        exports: Where metrics go.
        settings: The run's.
    """

    def __init__(
        self, console: Console, exports: Exports, settings: RunSettings
    ) -> None:
        self._console = console
        self._exports = exports
        self._otel: Any = None
        if exports.otel:
            from batch_reenroll.observe.otel import Otel

            self._otel = Otel(console.campaign)
        self._metrics = Metrics(
            console.campaign,
            settings,
            began_s=time.time(),
            record=None if self._otel is None else self._otel.record,
        )
        self._watcher = Watcher(
            # What a display shows must not be written across it.
            (lambda _: None) if console.is_live else console.event,
            lambda level: console.tells(level, is_detail=True),
        )

    def moved(self, row: Row, move: Move) -> None:
        """See the runner's port."""
        self._metrics.moved(row, move)
        self._watcher.moved(row, move)

    def noted(self, note: Note) -> None:
        """See the runner's port."""
        self._metrics.noted(note)
        self._watcher.noted(note)

    def stopping(self, stop: Stop, message: str) -> None:
        """See the runner's port."""
        self._watcher.stopping(stop, message)

    def requested(self, seen: Seen) -> None:
        """Take note of a request."""
        self._metrics.requested(seen)
        self._watcher.requested(seen)

    def committed(self, n_entries: int, took_s: float) -> None:
        """Take note of a commit."""
        self._metrics.committed(n_entries, took_s)

    @contextlib.asynccontextmanager
    async def exporting(self, progress: Progress) -> AsyncIterator[None]:
        """Export metrics until the end of the block, the last state included."""
        async with AsyncExitStack() as stack:
            if self._exports.port is not None:
                from batch_reenroll.observe.port import serving

                url = await stack.enter_async_context(
                    serving(
                        self._exports.host,
                        self._exports.port,
                        lambda: exposition(self._families(progress)),
                    )
                )
                self._console.info(f"metrics: {url}", "metrics_served", url=url)
            if self._otel is not None:
                await stack.enter_async_context(self._showing(progress))
            yield

    def _families(self, progress: Progress) -> list[Any]:
        facts = progress.facts()
        return self._metrics.families(
            progress.snapshot(), rows_per_s=facts["rows_per_s"], eta_s=facts["eta_s"]
        )

    @contextlib.asynccontextmanager
    async def _showing(self, progress: Progress) -> AsyncIterator[None]:
        async def again() -> None:
            while True:
                self._otel.show(self._families(progress))
                await asyncio.sleep(_SHOW_EVERY_S)

        task = asyncio.create_task(again(), name="otel")
        try:
            yield
        finally:
            task.cancel()
            self._otel.show(self._families(progress))
            await self._otel.close()
