"""Carrying a campaign out: ports wired, signals heard, the report written."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from batch_reenroll import __version__
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import Stop, exit_code
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.observing import Exports, Observation, logged
from batch_reenroll.cli.progress import Progress, show
from batch_reenroll.cli.reporting import write_report
from batch_reenroll.cli.source import operator
from batch_reenroll.cli.standing import outcomes
from batch_reenroll.command import CommandClient
from batch_reenroll.errors import LedgerError, UsageError
from batch_reenroll.evidence import Signer
from batch_reenroll.handshake import TlsHandshakes
from batch_reenroll.ledger import CampaignLedger, SqliteLedger, campaign_lock
from batch_reenroll.observe import Event, Level
from batch_reenroll.runner import Run, RunEnd
from batch_reenroll.text import rfc3339

T = TypeVar("T")

_YOUNG = 20_000
_SWITCH_S = 0.0005

Connect = Callable[[], AbstractAsyncContextManager[CommandClient]]


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop where there is one, else on asyncio's own loop."""
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    # What has been imported stays; and rows in flight, of which there may be many, are
    # not to be walked through at every 700 new objects (10 % of a submission's CPU).
    gc.freeze()
    gc.set_threshold(_YOUNG)
    # How long the event loop keeps the ledger's thread waiting between two statements.
    sys.setswitchinterval(_SWITCH_S)
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


class SystemClock:
    """The machine's clocks."""

    def now_utc(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the clock of the event loop's timers, exact to the microsecond."""
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to.

    Attributes:
        exit_code: What the process exits with.
        campaign: As the ledger has it now.
        report: The report's folder, or None where it could not be written.
    """

    exit_code: int
    campaign: Campaign
    report: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One run of one campaign, ready to be carried out.

    Attributes:
        resume: The shell command that goes on after a stop.
        drain, withdraw: See :class:`~batch_reenroll.runner.Run`.
        before: Called once the campaign is ours, before anything is done.
        signer: Signs the report's evidence, or None.
        exports: Where metrics go.
    """

    ledger: SqliteLedger
    campaign_id: str
    settings: RunSettings
    connect: Connect
    reports: Path
    console: Console
    resume: str
    drain: bool = False
    withdraw: bool = False
    before: Callable[[], None] | None = None
    signer: Signer | None = None
    exports: Exports = field(default_factory=Exports)


async def carry(errand: Errand) -> Outcome:
    """Carry the campaign on to its end or to a stop, then write its report.

    Raises:
        CampaignLocked: Another process works on it.
        LedgerError: The ledger refused a write; the report shows what it holds.
    """
    ledger, campaign_id = errand.ledger, errand.campaign_id
    with (
        campaign_lock(ledger.path, campaign_id),
        logged(errand.console, campaign_id) as console,
    ):
        errand = replace(errand, console=console)
        began = ledger.campaign(campaign_id)
        number = ledger.number(campaign_id)
        ledger.record_event(
            number,
            "run_started",
            datetime.now(UTC),
            detail={
                "host": socket.gethostname(),
                "operator": operator(),
                "pid": os.getpid(),
                "settings": {
                    name: str(value)
                    for name, value in errand.settings.as_json().items()
                },
                "tool_version": __version__,
            },
            columns={
                "started_at": began.started_at or rfc3339(datetime.now(UTC)),
                "finished_at": None,
                "exit_code": None,
                "stop_reason": "",
                "stop_requested_at": None,
                "stop_request": None,
            },
        )
        _say_started(errand, began)
        if errand.before is not None:
            errand.before()
        end = await _run(errand, ledger.campaign(campaign_id))
        return _finish(errand, number, end)


def _say_started(errand: Errand, campaign: Campaign) -> None:
    fields = {
        "command": campaign.command_url,
        "rows": campaign.n_rows,
        "operator": operator(),
        "host": socket.gethostname(),
        "tool_version": __version__,
    }
    message = f"at work on campaign {errand.campaign_id}"
    errand.console.event(
        Event(
            name="run_started",
            level=Level.INFO,
            message=message,
            fields=fields,
            is_detail=True,
        )
    )


async def _run(errand: Errand, began: Campaign) -> RunEnd:
    watch = Observation(errand.console, errand.exports, errand.settings)
    async with errand.connect() as client:
        client.watch(watch.requested)
        book = CampaignLedger(
            errand.ledger,
            errand.campaign_id,
            requests=lambda: _added(began.requests, client.requests),
            committed=watch.committed,
        )
        async with book:
            run = Run(
                settings=errand.settings,
                command=client,
                ledger=book,
                clock=SystemClock(),
                roll=random.SystemRandom().random,
                standing=began.rows,
                drain=errand.drain,
                withdraw=errand.withdraw,
                handshakes=TlsHandshakes(),
                observer=watch,
            )
            progress = Progress(run.snapshot)
            async with watch.exporting(progress):
                return await _shown(run, progress, errand.console)


async def _shown(run: Run, progress: Progress, console: Console) -> RunEnd:
    display = asyncio.create_task(show(progress, console), name="progress")
    try:
        with _signals(run, console):
            return await run.run()
    except LedgerError as exc:
        console.error(exc)
        return RunEnd(stop=Stop.LEDGER, message=exc.message)
    finally:
        await _ended(display)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _added(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {key: before.get(key, 0) + now.get(key, 0) for key in {*before, *now}}


@contextlib.contextmanager
def _signals(run: Run, console: Console) -> Iterator[None]:
    """First signal: an orderly stop. Second: leave at once, the ledger is in order."""
    loop = asyncio.get_running_loop()
    seen: list[signal.Signals] = []

    def heard(number: signal.Signals, stop: Stop) -> None:
        if seen:
            # The ledger needs no goodbye: what is not committed is in doubt.
            console.warn("left at once; the ledger is in order")
            console.flush(_LEAVE_S)
            os._exit(128 + number)
        seen.append(number)
        console.warn(
            f"{number.name}: stopping; settling what is in flight "
            "(once more to leave at once)"
        )
        run.stop(stop, f"stopped by {number.name}")

    pairs = ((signal.SIGINT, Stop.SIGINT), (signal.SIGTERM, Stop.SIGTERM))
    for number, stop in pairs:
        loop.add_signal_handler(number, heard, number, stop)
    try:
        yield
    finally:
        for number, _ in pairs:
            loop.remove_signal_handler(number)


#: How long the second signal waits for whoever reads the log.
_LEAVE_S = 0.5


def _finish(errand: Errand, number: int, end: RunEnd) -> Outcome:
    """Write down how the run ended, then the report."""
    ledger, campaign_id, console = errand.ledger, errand.campaign_id, errand.console
    counts = outcomes(ledger.campaign(campaign_id))
    code = exit_code(counts, verify=errand.settings.verify, stop=end.stop)
    try:
        ledger.record_event(
            number,
            "run_ended",
            datetime.now(UTC),
            detail={
                "exit_code": code,
                "outcomes": {str(state): n for state, n in sorted(counts.items())},
                "stop": str(end.stop) if end.stop else "",
            },
            columns={
                "finished_at": rfc3339(datetime.now(UTC)),
                "exit_code": code,
                "stop_reason": end.message,
            },
        )
    except LedgerError as exc:
        console.error(exc)
    console.event(
        Event(
            name="run_ended",
            level=Level.INFO,
            message=f"campaign {campaign_id}: exit code {code}",
            fields={
                "exit_code": code,
                "outcomes": {str(state): n for state, n in sorted(counts.items())},
                "stop": str(end.stop) if end.stop else "",
            },
            is_detail=True,
        )
    )
    report: Path | None = None
    try:
        report = write_report(
            ledger,
            campaign_id,
            errand.reports,
            resume=errand.resume,
            console=console,
            signer=errand.signer,
        )
    except UsageError as exc:
        console.error(exc)
        code = code or exc.exit_code
    return Outcome(exit_code=code, campaign=ledger.campaign(campaign_id), report=report)
