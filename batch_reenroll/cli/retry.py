"""``retry`` and ``stop``: a new attempt for ended rows; an orderly end from outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from batch_reenroll.campaign.lifecycle import RETRIES, UNRESOLVED, State
from batch_reenroll.campaign.retry import retried
from batch_reenroll.campaign.rows import Move, Row
from batch_reenroll.campaign.verdict import STOP_CODES, Stop, StopRequest
from batch_reenroll.cli.carry import run_async
from batch_reenroll.cli.connection import required_connection
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.files import ledger_path
from batch_reenroll.cli.observing import export_options, exports_from
from batch_reenroll.cli.options import (
    connection_options,
    console_from,
    console_options,
    ledger_option,
    pacing_from,
    pacing_options,
    reports_option,
)
from batch_reenroll.cli.run import go_on
from batch_reenroll.cli.signing import sign_options
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger import SqliteLedger, is_locked
from batch_reenroll.observe.watcher import fields_of, move_event
from batch_reenroll.text import rfc3339

_BATCH = 1000


class Outcomes(click.ParamType[frozenset[State]]):
    """Outcomes by name, separated by commas."""

    name = "outcomes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[State]:
        """Return the outcomes that ``value`` names."""
        if isinstance(value, frozenset):
            return value
        known = {str(state): state for state in RETRIES}
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        wrong = [word for word in words if word not in known]
        if wrong == ["skipped_preflight"]:
            self.fail(
                "rows that ended skipped_preflight must be planned again: "
                "run the campaign's failure.csv"
            )
        if wrong or not words:
            allowed = ", ".join(known)
            self.fail(f"{', '.join(wrong) or 'nothing'!s}: expected any of {allowed}")
        return frozenset(known[word] for word in words)


@click.command()
@click.argument("campaign_id", metavar="CAMPAIGN")
@click.option(
    "--only",
    type=Outcomes(),
    required=True,
    metavar="OUTCOME,…",
    help="Which rows: failed, rejected, warning, stalled, unknown, not_attempted, "
    "cancelled, skipped_excluded.",
)
@pacing_options
@export_options
@sign_options
@connection_options
@ledger_option
@reports_option
@console_options
def retry(campaign_id: str, only: frozenset[State], **values: Any) -> int:
    """Make a new attempt for rows of CAMPAIGN that ended as named, then go on.

    What may still be with Command is looked for first: a job that ran after all is
    adopted, one that still waits is withdrawn, and only then is the row sent again.
    """
    console = console_from(values)
    flags = pacing_from(values)
    exports = exports_from(values)
    connection = required_connection(values)

    def take_back(ledger: SqliteLedger) -> None:
        now = datetime.now(UTC)
        about = replace(console, campaign=campaign_id)
        n_rows = taken_back(ledger, campaign_id, only, about, now=now)
        console.info(f"{n_rows} rows of {campaign_id} get a new attempt")

    return run_async(
        go_on(
            campaign_id,
            flags,
            connection,
            console,
            values,
            before=take_back,
            exports=exports,
        )
    )


def taken_back(
    ledger: SqliteLedger,
    campaign_id: str,
    only: Iterable[State],
    console: Console,
    *,
    now: datetime,
) -> int:
    """Move the rows back; return how many. Rows whose store is taken are named."""
    number = ledger.number(campaign_id)
    moves: list[Move] = []
    rows: list[Row] = []
    taken = ledger.jobs_by_store(number)
    for row in ledger.rows_in(number, only):
        decision = retried(row, taken=taken.get(row.store_id, frozenset()))
        if decision is not None:
            rows.append(row)
            moves.append(decision.move(row, now))
    n_moved = 0
    for at in range(0, len(moves), _BATCH):
        batch = moves[at : at + _BATCH]
        refusals = ledger.apply(number, batch)
        for row, move, refusal in zip(rows[at:], batch, refusals, strict=False):
            if refusal is None:
                n_moved += 1
                console.event(replace(move_event(row, move), name="row_retried"))
            else:
                console.warn(refusal.message, **fields_of(row))
    return n_moved


@click.command()
@click.argument("campaign_id", metavar="CAMPAIGN")
@click.option(
    "--unschedule",
    is_flag=True,
    help="Also take back jobs that no orchestrator has begun.",
)
@sign_options
@connection_options
@ledger_option
@reports_option
@console_options
def stop(campaign_id: str, unschedule: bool, **values: Any) -> int:
    """Ask the process that runs CAMPAIGN to stop in good order (it exits with 10).

    It sends nothing more, settles what is in flight and writes its report. With
    --unschedule, jobs that wait are withdrawn and their rows end cancelled; where
    nothing runs CAMPAIGN, this process withdraws them itself (exit 0 when none is
    left in flight, else 10).
    """
    console = console_from(values)
    with SqliteLedger(ledger_path(values["ledger"]), create=False) as ledger:
        number = ledger.number(campaign_id)
        is_running = is_locked(ledger.path, campaign_id)
        if is_running:
            _ask_to_stop(ledger, number, unschedule=unschedule)
    if is_running:
        console.info(f"asked {campaign_id} to stop; it settles what is in flight first")
        return 0
    if not unschedule:
        message = f"campaign {campaign_id} is not running"
        hint = "to take back jobs that still wait: stop --unschedule"
        raise UsageError(message, code="not_running", hint=hint)
    console.info(f"{campaign_id} is not running; looking for jobs of it that wait")
    connection = required_connection(values)
    code = run_async(go_on(campaign_id, {}, connection, console, values, withdraw=True))
    with SqliteLedger(ledger_path(values["ledger"]), create=False) as ledger:
        in_flight = any(ledger.campaign(campaign_id).rows.get(s) for s in UNRESOLVED)
    return 0 if code == STOP_CODES[Stop.OPERATOR] and not in_flight else code


def _ask_to_stop(ledger: SqliteLedger, number: int, *, unschedule: bool) -> None:
    now = datetime.now(UTC)
    wish = StopRequest.WITHDRAW if unschedule else StopRequest.SETTLE
    ledger.record_event(
        number,
        "stop_requested",
        now,
        detail={"request": str(wish)},
        columns={"stop_requested_at": rfc3339(now), "stop_request": str(wish)},
    )
