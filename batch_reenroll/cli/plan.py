"""``plan``: every row resolved against a live Command, shown and written. GET only."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.forecast import Forecast
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.planfile import plan_lines
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.cli.approving import approve_options, approve_plan
from batch_reenroll.cli.carry import Connect, run_async
from batch_reenroll.cli.choice import Choice, choice_from, choice_options
from batch_reenroll.cli.connection import required_connection, way_to
from batch_reenroll.cli.files import validated
from batch_reenroll.cli.forecasting import refuse_late, waited_before
from batch_reenroll.cli.options import (
    connection_options,
    console_from,
    console_options,
    ledger_option,
    pacing_from,
    pacing_options,
)
from batch_reenroll.cli.planning import Planner
from batch_reenroll.cli.planpage import facts_of, write_page
from batch_reenroll.cli.planshow import show_plan
from batch_reenroll.cli.signing import sign_options, signer_of
from batch_reenroll.cli.source import ManifestSource, Source
from batch_reenroll.cli.streams import ReaderGone
from batch_reenroll.cli.wholefile import written_whole
from batch_reenroll.command import Connection
from batch_reenroll.errors import PlanRefused, UsageError
from batch_reenroll.manifest import Manifest
from batch_reenroll.runner import (
    read_directory,
    read_inventories,
    read_jobs,
)

#: ``--detailed-exitcode``: the plan is good, and no row has to be submitted. Not one
#: of the contract's codes, so that it can be told from all of them.
NOTHING_TO_DO = 12


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path), metavar="MANIFEST|PLAN")
@click.option(
    "-o",
    "output_file",
    metavar="PLAN.json",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the plan, for: batch-reenroll run PLAN.json",
)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help=f"{NOTHING_TO_DO} where the plan is good and no row has to be submitted.",
)
@click.option(
    "--inventory",
    is_flag=True,
    help="Also read each store's inventory (one request a store, at --rate).",
)
@click.option(
    "--younger-than",
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="With --inventory: a certificate issued within DAYS needs no rotation.",
)
@choice_options
@pacing_options
@approve_options
@sign_options
@connection_options
@ledger_option
@console_options
def plan(manifest: Path, output_file: Path | None, **values: Any) -> int:
    """Say which rows of MANIFEST can run, and why the others cannot.

    Asks Command for its stores, types, orchestrators and jobs by the page, and changes
    nothing. With --inventory a plan also knows what each store holds: rows that were
    rotated already are left out, and run finds those that are rotated later.

    With --approve the argument is a PLAN.json: a second person signs that it may be
    carried out as it is. Offline.

    Exit 0 when the plan would run, 4 when it would be refused.
    """
    console = console_from(values)
    if output_file is not None and output_file.suffix.casefold() != ".json":
        message = f"-o {output_file}: a plan's name ends in .json"
        raise UsageError(message, hint="run tells plans from manifests by it")
    if values["approve"]:
        signer = signer_of(values)
        return approve_plan(manifest, values["approver"], signer, console)
    source, connection = manifest_source(manifest, pacing_from(values), values)
    choice = choice_from(values)
    way = way_to(connection, console)
    if values["younger_than"]:
        choice = replace(choice, younger_than=timedelta(days=values["younger_than"]))
    planner = run_async(
        look(
            source,
            choice,
            way,
            taken=frozenset(),
            past_rows=PAST_ROWS,
            deep=values["inventory"],
        )
    )
    planner.waited = waited_before(values["ledger"], connection.base_url)
    if output_file is None:
        planner.count(source)
    else:
        planner.draw_waves(source)
        with written_whole(output_file) as file:
            file.writelines(plan_lines(source.draft, planner.all_of(source)))
    found = planner.forecast(source)
    with contextlib.suppress(ReaderGone):
        show_plan(planner, source, console, found, as_data=True)
    console.info(
        "the account may read what a plan needs; whether it may submit shows only when "
        "it does"
    )
    refusal = _refusal(planner, found, choice)
    if output_file is not None:
        page = output_file.with_suffix(".html")
        said = "" if refusal is None else refusal.message
        write_page(
            page, facts_of(planner, source, found, said, plan_name=output_file.name)
        )
        console.info(f"plan written to {output_file}, SHA-256 {planner.digest}")
        console.info(f"to read: {page}")
    if refusal is not None:
        raise refusal
    nothing = values["detailed_exitcode"] and not planner.counts[State.PENDING]
    return NOTHING_TO_DO if nothing else 0


def _refusal(
    planner: Planner, found: Forecast | None, choice: Choice
) -> PlanRefused | None:
    try:
        planner.refuse_hopeless()
        refuse_late(found, accept_late=choice.accept_late)
    except PlanRefused as exc:
        return exc
    return None


def manifest_source(
    path: Path, flags: dict[str, Any], values: dict[str, Any]
) -> tuple[ManifestSource, Connection]:
    """Return what a manifest without fault makes, and the way to its Command.

    Raises:
        ManifestRejected: With every fault.
        UsageError: No Command is configured.
    """
    checked = validated(path)
    connection = required_connection(values)
    source = ManifestSource(
        path,
        checked,
        settings=settings_for(checked, flags),
        command_url=connection.base_url,
        now_utc=datetime.now(UTC),
    )
    return source, connection


def settings_for(manifest: Manifest, flags: dict[str, Any]) -> RunSettings:
    """Return the settings: flag over manifest over default."""
    header = manifest.header
    pace, budget = header.pace, header.budget
    said = {
        "rate_per_s": pace.max_per_second,
        "max_in_flight": pace.max_in_flight,
        "per_orchestrator": pace.per_orchestrator,
        "authorities": pace.per_authority,
        "budget_limit": str(budget.max_failures) if budget.max_failures else None,
        "budget_min_rows": budget.min_rows,
        "windows": header.windows,
        "blackouts": header.blackouts,
        "waves": header.waves,
    }
    given = {name: value for name, value in said.items() if value is not None}
    return replace(RunSettings(), **{**given, **flags})


#: Rows of JobHistory that a forecast learns from.
PAST_ROWS = 5000


async def look(
    source: Source,
    choice: Choice,
    way: Connect,
    *,
    taken: frozenset[str],
    past_rows: int | None = None,
    deep: bool = False,
) -> Planner:
    """Read what a plan needs of Command: GET only.

    Args:
        source: What is to be planned.
        choice: Which rows are meant.
        way: To Command.
        taken: Stores that another campaign is not done with.
        past_rows: Rows of JobHistory for a forecast; None = only where there is a
            deadline to meet.
        deep: Read the inventory of each store that may go, too.

    Raises:
        CommandError: One of the lists could not be read.
    """
    settings = source.draft.settings
    if past_rows is None and has_deadline(source):
        past_rows = PAST_ROWS
    calendar = Calendar(settings.windows, settings.blackouts)
    async with way() as client:
        directory = await read_directory(
            client, enrollment=_names_issuer(source), permissions=True
        )
        directory.read_at = datetime.now(UTC)
        board, past = await read_jobs(client, past_rows=past_rows or 0)
        planner = Planner(
            directory=directory,
            board=board,
            past=past,
            calendar=calendar,
            of_waves={
                wave.name: calendar.narrowed(wave.windows)
                for wave in settings.waves
                if wave.windows
            },
            taken=taken,
            choice=choice,
        )
        if deep:
            stores = planner.stores_of(source)
            reading = read_inventories(client, stores, rate_per_s=settings.rate_per_s)
            planner.inventories = {held.store_id: held async for held in reading}
        planner.requests = dict(client.requests)
    return planner


def has_deadline(source: Source) -> bool:
    """Return whether the campaign, or a row of it, may have a deadline."""
    return _names(source, "deadline") or bool(source.draft.purpose.get("deadline"))


def _names_issuer(source: Source) -> bool:
    """Return whether a row may name a CA or a template."""
    return _names(source, "certificateauthority", "certificatetemplate")


def _names(source: Source, *folded: str) -> bool:
    columns = (*source.draft.columns, *source.draft.defaults)
    return any(column.casefold() in folded for column in columns)
