"""``run`` and ``resume``: a manifest becomes a campaign, a campaign goes on."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.reasons import EXPLANATIONS
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import Stop, exit_code
from batch_reenroll.cli.carry import Connect, Errand, Outcome, carry, run_async
from batch_reenroll.cli.connection import required_connection, way_to
from batch_reenroll.cli.console import Console, table
from batch_reenroll.cli.files import ledger_path
from batch_reenroll.cli.options import (
    connection_options,
    console_from,
    console_options,
    ledger_option,
    pacing_from,
    pacing_options,
    reports_option,
)
from batch_reenroll.cli.planning import (
    Choice,
    Planner,
    new_campaign,
    opened,
    refuse_unsupported,
    validated,
    write_campaign,
)
from batch_reenroll.cli.reporting import is_unfinished, outcomes, resume_command
from batch_reenroll.cli.streams import ReaderGone, write_err
from batch_reenroll.command import Connection
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.manifest import Manifest
from batch_reenroll.runner import read_board, read_directory


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--campaign", "campaign_id", metavar="ID", help="Name the campaign.")
@click.option("--yes", is_flag=True, help="Do not ask before submitting.")
@click.option("--dry-run", is_flag=True, help="GET only; 0 when the plan would run.")
@click.option("--strict", is_flag=True, help="Refuse when any row cannot run.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="Submit this many rows at most."
)
@click.option("--only-wave", metavar="NAME", help="Only rows of this wave.")
@click.option("--until-window-end", is_flag=True, help="Stop at the window's end.")
@pacing_options
@connection_options
@ledger_option
@reports_option
@console_options
def run(manifest: Path, **values: Any) -> int:
    """Plan MANIFEST against the configured Command, then carry it out.

    Shows the plan and asks; --yes goes ahead. Exit codes: see README.md.
    """
    console = console_from(values)
    flags = pacing_from(values)
    checked = validated(manifest)
    if manifest.suffix.casefold() == ".json":
        raise UsageError(f"{manifest}: this version carries out manifests, not plans")
    refuse_unsupported(checked)
    connection = required_connection(values)
    order = Order(
        path=manifest,
        checked=checked,
        settings=settings_for(checked, flags),
        choice=Choice(
            limit=values["limit"],
            only_wave=values["only_wave"],
            strict=values["strict"],
        ),
        campaign_id=values["campaign_id"],
        yes=values["yes"],
        dry_run=values["dry_run"],
        ledger_url=values["ledger"],
        reports=values["reports"],
    )
    return run_async(start(order, connection, console))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What ``run`` was asked to do."""

    path: Path
    checked: Manifest
    settings: RunSettings
    choice: Choice
    campaign_id: str | None
    yes: bool
    dry_run: bool
    ledger_url: str
    reports: Path


def settings_for(manifest: Manifest, flags: dict[str, Any]) -> RunSettings:
    """Return the settings: flag over manifest over default."""
    pace, budget = manifest.header.pace, manifest.header.budget
    said = {
        "rate_per_s": pace.max_per_second,
        "max_in_flight": pace.max_in_flight,
        "per_orchestrator": pace.per_orchestrator,
        "budget_limit": str(budget.max_failures) if budget.max_failures else None,
        "budget_min_rows": budget.min_rows,
    }
    given = {name: value for name, value in said.items() if value is not None}
    return replace(RunSettings(), **{**given, **flags})


async def start(order: Order, connection: Connection, console: Console) -> int:
    """Plan, ask, write the campaign, carry it out; return the exit code."""
    way = way_to(connection, console)
    if order.dry_run:
        planner = await plan(order, way, taken=frozenset())
        count(planner, order.path)
        show_plan(planner, order, connection, console)
        planner.refuse_hopeless()
        return 0
    with SqliteLedger(ledger_path(order.ledger_url)) as ledger:
        taken = ledger.open_stores(connection.base_url)
        planner = await plan(order, way, taken=taken)
        if not order.yes:
            count(planner, order.path)
            show_plan(planner, order, connection, console)
            planner.refuse_hopeless()
            if not ask(planner):
                console.info("nothing was sent")
                return exit_code({}, verify=True, stop=Stop.OPERATOR)
        campaign = write_campaign(
            ledger,
            campaign_of(order, connection),
            planner,
            order.path,
            expected_sha256=order.checked.sha256,
            now_utc=datetime.now(UTC),
        )
        if order.yes:
            show_plan(planner, order, connection, console)
        console.info(
            f"campaign {campaign.campaign_id}: {planner.counts[State.PENDING]} rows "
            f"to submit to {connection.base_url}",
            campaign=campaign.campaign_id,
        )
        return await finish(order, ledger, campaign, way, console)


def campaign_of(order: Order, connection: Connection) -> Campaign:
    """Return the campaign that the order asks for."""
    return new_campaign(
        order.checked,
        order.path,
        campaign_id=order.campaign_id,
        command_url=connection.base_url,
        settings=order.settings,
        now_utc=datetime.now(UTC),
    )


async def finish(
    order: Order,
    ledger: SqliteLedger,
    campaign: Campaign,
    way: Connect,
    console: Console,
) -> int:
    """Carry the campaign out and say how it ended; return the exit code."""
    errand = Errand(
        ledger=ledger,
        campaign_id=campaign.campaign_id,
        settings=order.settings,
        connect=way,
        reports=order.reports,
        console=console,
        resume=resume_command(campaign.campaign_id, order.ledger_url),
    )
    outcome = await carry(errand)
    say_outcome(outcome, console, resume=errand.resume)
    return outcome.exit_code


async def plan(order: Order, way: Connect, *, taken: frozenset[str]) -> Planner:
    """Read what the plan needs of Command: GET only."""
    async with way() as client:
        return Planner(
            directory=await read_directory(client),
            board=await read_board(client),
            taken=taken,
            choice=order.choice,
            requests=dict(client.requests),
        )


def count(planner: Planner, path: Path) -> None:
    """Resolve every row once, to know the numbers."""
    for _ in planner.planned(opened(path)):
        pass


def show_plan(
    planner: Planner, order: Order, connection: Connection, console: Console
) -> None:
    """Say what will happen, on stderr; with ``--dry-run`` it is the data."""
    counts = planner.counts
    if order.dry_run and console.as_json:
        console.json(
            {
                "command": connection.base_url,
                "rows": {str(state): n for state, n in sorted(counts.items())},
                "reasons": {str(r): n for r, n in planner.reasons.most_common()},
                "manifest_sha256": order.checked.sha256,
                "plan_sha256": planner.digest,
            }
        )
        return
    settings = order.settings
    lines = [
        f"plan for {order.checked.name} on {connection.base_url}:",
        f"  {counts[State.PENDING]} of {sum(counts.values())} rows will be submitted, "
        f"at most {settings.rate_per_s:g} per second, {settings.max_in_flight} in "
        f"flight, {settings.per_orchestrator} per orchestrator",
    ]
    lines += [
        f"  {n} skipped, {reason}: {EXPLANATIONS[reason].meaning}"
        for reason, n in planner.reasons.most_common()
    ]
    for line in lines:
        console.data(line) if order.dry_run else console.info(line)


def ask(planner: Planner) -> bool:
    """Ask on a terminal whether to go on; return whether the answer is yes.

    Raises:
        UsageError: There is no terminal to ask on.
        click.Abort: Ctrl-C was the answer.
    """
    n_rows = planner.counts[State.PENDING]
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        message = f"{n_rows} rows would be submitted, and there is nobody to ask"
        raise UsageError(message, hint="look at the plan above, then add --yes")
    with _ctrl_c_at_once():
        try:
            return click.confirm(f"Submit {n_rows} rows?", err=True)
        except click.Abort as exc:
            if isinstance(exc.__context__, EOFError):
                write_err("")
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


def say_outcome(outcome: Outcome, console: Console, *, resume: str) -> None:
    """Print how it ended: the summary on stdout, what to do next on stderr.

    Raises:
        StdoutRefused: After the lines for stderr, when stdout cannot be written.
    """
    campaign = outcome.campaign
    try:
        # The exit code tells how the campaign ended, whoever still reads.
        with contextlib.suppress(ReaderGone):
            _say_numbers(outcome, console)
    finally:
        if campaign.stop_reason:
            console.warn(f"stopped early: {campaign.stop_reason}")
        if outcome.report is not None:
            console.info(f"report: {outcome.report / 'report.html'}")
        if is_unfinished(campaign):
            console.info(f"go on with: {resume}")


def _say_numbers(outcome: Outcome, console: Console) -> None:
    if not console.as_json:
        counts = outcomes(outcome.campaign)
        rows = [(str(s), str(counts[s])) for s in OUTCOMES if s in counts]
        console.data(table([*rows, ("total", str(outcome.campaign.n_rows))]))
    elif outcome.report is not None:
        summary = outcome.report / "summary.json"
        console.data(summary.read_text(encoding="utf-8").rstrip())


@click.command()
@click.argument("campaign_id", metavar="CAMPAIGN")
@pacing_options
@connection_options
@ledger_option
@reports_option
@console_options
def resume(campaign_id: str, **values: Any) -> int:
    """Go on with CAMPAIGN after any stop: a signal, a crash, a Command away.

    What was with Command is looked for first; no store is submitted twice.
    """
    console = console_from(values)
    flags = pacing_from(values)
    connection = required_connection(values)
    return run_async(go_on(campaign_id, flags, connection, console, values))


async def go_on(
    campaign_id: str,
    flags: dict[str, Any],
    connection: Connection,
    console: Console,
    values: dict[str, Any],
    *,
    before: Callable[[SqliteLedger], None] | None = None,
    withdraw: bool = False,
) -> int:
    """Resume a campaign; return the exit code.

    Args:
        campaign_id: Which.
        flags: Settings to override.
        connection: Must lead to the campaign's own Command.
        console: Where to say things.
        values: ``ledger`` and ``reports``.
        before: Called once the campaign is ours, before anything is done.
        withdraw: Send nothing: only take back the jobs that still wait.

    Raises:
        UsageError: There is no such campaign, or it belongs to another Command.
    """
    with SqliteLedger(ledger_path(values["ledger"]), create=False) as ledger:
        campaign = ledger.campaign(campaign_id)
        if campaign.command_url != connection.base_url:
            message = (
                f"campaign {campaign_id} runs on {campaign.command_url}, "
                f"but {connection.base_url} is configured"
            )
            raise UsageError(message, hint="choose its Command with --profile")
        errand = Errand(
            ledger=ledger,
            campaign_id=campaign_id,
            settings=replace(campaign.settings, **flags),
            connect=way_to(connection, console),
            reports=values["reports"],
            console=console,
            resume=resume_command(campaign_id, values["ledger"]),
            before=partial(before, ledger) if before else None,
            withdraw=withdraw,
        )
        outcome = await carry(errand)
    say_outcome(outcome, console, resume=errand.resume)
    return outcome.exit_code
