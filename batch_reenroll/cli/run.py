"""``run`` and ``resume``: a manifest becomes a campaign, a campaign goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from batch_reenroll.campaign.forecast import Forecast
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.verdict import STOP_CODES, Stop
from batch_reenroll.cli.approving import (
    authorized,
    choice_departures,
    demand_options,
    demands_from,
    refuse_departures,
    settings_departures,
)
from batch_reenroll.cli.carry import Connect, Errand, Outcome, carry, run_async
from batch_reenroll.cli.choice import Choice, choice_from, choice_options
from batch_reenroll.cli.connection import required_connection, way_to
from batch_reenroll.cli.console import Console, table
from batch_reenroll.cli.files import ledger_path
from batch_reenroll.cli.forecasting import refuse_late, waited_before
from batch_reenroll.cli.observing import Exports, export_options, exports_from
from batch_reenroll.cli.options import (
    connection_options,
    console_from,
    console_options,
    ledger_option,
    pacing_from,
    pacing_options,
    reports_option,
)
from batch_reenroll.cli.plan import (
    has_deadline,
    look,
    manifest_source,
)
from batch_reenroll.cli.planning import Planner, write_campaign
from batch_reenroll.cli.planshow import show_plan
from batch_reenroll.cli.question import ask
from batch_reenroll.cli.signing import sign_options, signer_of
from batch_reenroll.cli.source import PlanSource, Source
from batch_reenroll.cli.standing import is_unfinished, outcomes, resume_command
from batch_reenroll.cli.streams import ReaderGone
from batch_reenroll.command import Connection
from batch_reenroll.errors import PlanRefused, UsageError
from batch_reenroll.evidence import Signer
from batch_reenroll.ledger import SqliteLedger


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path), metavar="MANIFEST|PLAN")
@click.option("--campaign", "campaign_id", metavar="ID", help="Name the campaign.")
@click.option("--yes", is_flag=True, help="Do not ask before submitting.")
@click.option("--dry-run", is_flag=True, help="GET only; 0 when the plan would run.")
@click.option(
    "--accept-stale", is_flag=True, help="Carry a stale PLAN out all the same."
)
@choice_options
@click.option("--until-window-end", is_flag=True, help="Stop at the window's end.")
@click.option(
    "--confirm-waves", is_flag=True, help="Stop after each wave; resume opens the next."
)
@demand_options
@pacing_options
@export_options
@sign_options
@connection_options
@ledger_option
@reports_option
@console_options
def run(manifest: Path, **values: Any) -> int:
    """Carry MANIFEST out, planned first; or a PLAN.json of the verb plan, as it is.

    Shows the plan and asks; --yes goes ahead. Exit codes: see README.md.
    """
    console = console_from(values)
    flags = pacing_from(values)
    exports = exports_from(values)
    signer, demands = signer_of(values), demands_from(values)
    for name in ("until_window_end", "confirm_waves"):
        if values[name]:
            flags[name] = True
    source: Source
    departures: list[str] = []
    if manifest.suffix.casefold() == ".json":
        source = PlanSource(manifest)
        check_fresh(source, console, accept_stale=values["accept_stale"])
        connection = required_connection(values)
        check_same_command(source.draft, connection)
        approved = source.draft.settings
        source.draft = replace(source.draft, settings=replace(approved, **flags))
        departures = settings_departures(approved, source.draft.settings)
    else:
        source, connection = manifest_source(manifest, flags, values)
    choice = choice_from(values)
    departures += choice_departures(
        choice,
        accept_stale=values["accept_stale"],
        has_waves=bool(source.draft.settings.waves),
    )
    source.draft = authorized(
        source, manifest, demands, signer, console, departures=departures
    )
    order = Order(
        source=source,
        choice=choice,
        campaign_id=values["campaign_id"],
        yes=values["yes"],
        dry_run=values["dry_run"],
        ledger_url=values["ledger"],
        reports=values["reports"],
        signer=signer,
        exports=exports,
    )
    return run_async(start(order, connection, console))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What ``run`` was asked to do."""

    source: Source
    choice: Choice
    campaign_id: str | None
    yes: bool
    dry_run: bool
    ledger_url: str
    reports: Path
    signer: Signer | None = None
    exports: Exports = field(default_factory=Exports)

    @property
    def settings(self) -> RunSettings:
        """Pace, limits and times."""
        return self.source.draft.settings


def check_fresh(source: PlanSource, console: Console, *, accept_stale: bool) -> None:
    """Refuse a plan that is stale, or warn.

    Raises:
        PlanRefused: It is, and nobody said to go on all the same.
    """
    why = source.stale_because(datetime.now(UTC))
    if why is None:
        if source.manifest_is_gone:
            gone = source.draft.manifest_path
            console.warn(
                f"the plan's manifest is gone: {gone}; going by the plan alone"
            )
        return
    if not accept_stale:
        hint = "make the plan again, or add --accept-stale"
        raise PlanRefused(f"the plan is stale: {why}", code="plan_stale", hint=hint)
    console.warn(f"the plan is stale: {why}; carried out as told (--accept-stale)")


def check_same_command(draft: Campaign, connection: Connection) -> None:
    """Raise :class:`UsageError` where the plan was made for another Command."""
    if draft.command_url != connection.base_url:
        message = (
            f"the plan is for {draft.command_url}, "
            f"but {connection.base_url} is configured"
        )
        raise UsageError(message, hint="choose its Command with --profile")


async def start(order: Order, connection: Connection, console: Console) -> int:
    """Plan, ask, write the campaign, carry it out; return the exit code."""
    way = way_to(connection, console)
    source = order.source
    if order.dry_run:
        planner = await look(source, order.choice, way, taken=frozenset())
        planner.count(source)
        found = _forecast(planner, order)
        with contextlib.suppress(ReaderGone):
            show_plan(planner, source, console, found, as_data=True)
        planner.refuse_hopeless()
        refuse_late(found, accept_late=order.choice.accept_late)
        return 0
    with SqliteLedger(ledger_path(order.ledger_url)) as ledger:
        taken = ledger.open_stores(connection.base_url)
        planner = await look(source, order.choice, way, taken=taken)
        if not order.yes or has_deadline(source):
            planner.count(source)
            found = _forecast(planner, order)
            show_plan(planner, source, console, found)
            planner.refuse_hopeless()
            refuse_late(found, accept_late=order.choice.accept_late)
        if not order.yes and not ask(planner.counts[State.PENDING]):
            console.info("nothing was sent")
            return STOP_CODES[Stop.OPERATOR]
        campaign = write_campaign(
            ledger,
            order.source,
            planner,
            campaign_id=order.campaign_id,
            now_utc=datetime.now(UTC),
        )
        if order.yes and not has_deadline(source):
            show_plan(planner, source, console)
        console.info(
            f"campaign {campaign.campaign_id}: {planner.counts[State.PENDING]} rows "
            f"to submit to {connection.base_url}",
            campaign=campaign.campaign_id,
        )
        return await finish(order, ledger, campaign, way, console)


def _forecast(planner: Planner, order: Order) -> Forecast | None:
    source = order.source
    if not has_deadline(source):
        return None
    planner.waited = waited_before(order.ledger_url, source.draft.command_url)
    return planner.forecast(source)


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
        signer=order.signer,
        exports=order.exports,
    )
    outcome = await carry(errand)
    say_outcome(outcome, console, resume=errand.resume)
    return outcome.exit_code


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
        if outcome.exit_code == STOP_CODES[Stop.BUDGET]:
            # Resumed as it stands, the same budget would stop it again.
            again = resume.replace(" resume ", " retry ", 1)
            console.info(
                f"mend the cause, then: {again} --only failed,rejected,stalled"
            )
        elif is_unfinished(campaign):
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
@export_options
@sign_options
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
    exports = exports_from(values)
    connection = required_connection(values)
    return run_async(
        go_on(campaign_id, flags, connection, console, values, exports=exports)
    )


async def go_on(
    campaign_id: str,
    flags: dict[str, Any],
    connection: Connection,
    console: Console,
    values: dict[str, Any],
    *,
    before: Callable[[SqliteLedger], None] | None = None,
    withdraw: bool = False,
    exports: Exports | None = None,
) -> int:
    """Resume a campaign; return the exit code.

    Args:
        campaign_id: Which.
        flags: Settings to override.
        connection: Must lead to the campaign's own Command.
        console: Where to say things.
        values: ``ledger``, ``reports`` and the signing flags.
        before: Called once the campaign is ours, before anything is done.
        withdraw: Send nothing: only take back the jobs that still wait.
        exports: Where metrics go.

    Raises:
        UsageError: There is no such campaign, or it belongs to another Command.
        PlanRefused: Its plan was approved, and the flags go beyond that.
    """
    signer = signer_of(values)
    with SqliteLedger(ledger_path(values["ledger"]), create=False) as ledger:
        campaign = ledger.campaign(campaign_id)
        if campaign.command_url != connection.base_url:
            message = (
                f"campaign {campaign_id} runs on {campaign.command_url}, "
                f"but {connection.base_url} is configured"
            )
            raise UsageError(message, hint="choose its Command with --profile")
        settings = replace(campaign.settings, **flags)
        if campaign.purpose.get("approval"):
            refuse_departures(settings_departures(campaign.settings, settings))
        errand = Errand(
            ledger=ledger,
            campaign_id=campaign_id,
            settings=settings,
            connect=way_to(connection, console),
            reports=values["reports"],
            console=console,
            resume=resume_command(campaign_id, values["ledger"]),
            before=partial(before, ledger) if before else None,
            withdraw=withdraw,
            signer=signer,
            exports=exports or Exports(),
        )
        outcome = await carry(errand)
    say_outcome(outcome, console, resume=errand.resume)
    return outcome.exit_code
