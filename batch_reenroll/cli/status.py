"""``status`` and ``report``: both read the ledger and never ask Command."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

from batch_reenroll.campaign.budget import FAILURES
from batch_reenroll.campaign.fingerprint import fingerprint
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.cli.audit import Span, audit
from batch_reenroll.cli.console import table
from batch_reenroll.cli.files import ledger_path
from batch_reenroll.cli.options import (
    Moment,
    console_from,
    console_options,
    ledger_option,
    reports_option,
)
from batch_reenroll.cli.progress import cut_off, duration
from batch_reenroll.cli.reporting import (
    is_unfinished,
    outcomes,
    resume_command,
    write_report,
)
from batch_reenroll.cli.signing import sign_options, signer_of
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger import SqliteLedger, is_locked
from batch_reenroll.text import visible

_WATCH_EVERY_S = 2.0

#: Pace and ETA are of the rows that ended within this time.
_PACE_WINDOW_S = 300.0

_TOP = 5


@click.command()
@click.argument("campaign_id", metavar="[CAMPAIGN]", required=False)
@click.option("--watch", is_flag=True, help="Again every 2 s until it has ended.")
@ledger_option
@console_options
def status(campaign_id: str | None, watch: bool, **values: Any) -> int:
    """Say where CAMPAIGN stands (default: the newest). Reads the ledger only."""
    console = console_from(values)
    with SqliteLedger(ledger_path(values["ledger"]), create=False) as ledger:
        chosen = campaign_id or _newest(ledger)
        while True:
            facts = facts_of(ledger, chosen)
            if watch and console.is_live and not console.as_json:
                click.clear()
            if console.as_json:
                console.json(facts)
            else:
                console.data(as_text(facts, ledger_url=values["ledger"]))
            if not (watch and facts["running"]):
                return 0
            time.sleep(_WATCH_EVERY_S)


def _newest(ledger: SqliteLedger) -> str:
    ids = ledger.campaign_ids()
    if not ids:
        message = f"the ledger {ledger.path} holds no campaign"
        raise UsageError(message, hint="batch-reenroll run MANIFEST makes one")
    return ids[0]


def facts_of(ledger: SqliteLedger, campaign_id: str) -> dict[str, Any]:
    """Return where the campaign stands, ready for JSON."""
    campaign = ledger.campaign(campaign_id)
    number = ledger.number(campaign_id)
    ended = sum(n for state, n in campaign.rows.items() if state in OUTCOMES)
    recent = ledger.ended_since(number, _PACE_WINDOW_S)
    rate = recent / _PACE_WINDOW_S if recent else 0.0
    running = is_locked(ledger.path, campaign_id)
    left = campaign.n_rows - ended
    return {
        "campaign_id": campaign_id,
        "running": running,
        "command": campaign.command_url,
        "rows": campaign.n_rows,
        "ended": ended,
        "states": {str(s): campaign.rows[s] for s in State if s in campaign.rows},
        "outcomes": {str(s): n for s, n in sorted(outcomes(campaign).items())},
        "rows_per_s": round(rate, 3),
        "eta_s": round(left / rate) if running and rate and left else None,
        "slowest_orchestrators": ledger.longest_queues(number, _TOP),
        "top_failures": _top_failures(ledger, number),
        "breakers": ledger.breakers(number),
        "started_at": campaign.started_at,
        "finished_at": campaign.finished_at,
        "exit_code": campaign.exit_code,
        "stop_reason": campaign.stop_reason,
        "resumable": not running and is_unfinished(campaign),
        "requests": dict(campaign.requests),
    }


def _top_failures(ledger: SqliteLedger, number: int) -> list[dict[str, Any]]:
    causes: Counter[tuple[str, str]] = Counter()
    states = [*FAILURES, State.SKIPPED_PREFLIGHT]
    for reason, message, n in ledger.causes(number, states):
        causes[reason or "", fingerprint(message or "")] += n
    return [
        {"rows": n, "reason_code": reason, "message": visible(text, 300)}
        for (reason, text), n in causes.most_common(_TOP)
    ]


def as_text(facts: dict[str, Any], *, ledger_url: str) -> str:
    """Return the facts for a person."""
    how = "running" if facts["running"] else "not running"
    if not facts["running"] and not facts["resumable"]:
        how = f"finished, exit code {facts['exit_code']}"
    lines = [
        f"campaign {facts['campaign_id']}: {how}",
        f"{facts['ended']} of {facts['rows']} rows have ended"
        + (f", {facts['rows_per_s']:g} rows/s" if facts["running"] else "")
        + (f", about {duration(facts['eta_s'])} left" if facts["eta_s"] else ""),
        "",
        table([(state, str(n)) for state, n in facts["states"].items()]),
    ]
    if facts["slowest_orchestrators"]:
        lines += ["", "longest queues:"]
        queues = facts["slowest_orchestrators"]
        lines += [f"  {q['orchestrator']}: {q['rows']} rows left" for q in queues]
    lines += cut_off(facts["breakers"])
    if facts["top_failures"]:
        lines += ["", "top failure causes:"]
        causes = facts["top_failures"]
        lines += [f"  {c['rows']} × {c['reason_code']}: {c['message']}" for c in causes]
    if facts["stop_reason"]:
        lines += ["", f"stopped early: {facts['stop_reason']}"]
    if facts["resumable"]:
        lines += ["", f"go on with: {resume_command(facts['campaign_id'], ledger_url)}"]
    return "\n".join(lines)


@click.command()
@click.argument("campaign_id", metavar="CAMPAIGN|--all", required=False)
@click.option("--all", "of_all", is_flag=True, help="All campaigns on one sheet.")
@click.option(
    "--since", type=Moment(), metavar="DATE", help="With --all: made then or later."
)
@click.option(
    "--until", type=Moment(), metavar="DATE", help="With --all: made before then."
)
@click.option(
    "--output-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --all: to a .csv or .html file [default: CSV to stdout].",
)
@sign_options
@ledger_option
@reports_option
@console_options
def report(campaign_id: str | None, reports: Path, **values: Any) -> int:
    """Write the report folder of CAMPAIGN again from the ledger.

    With --all, one sheet of all campaigns instead: counts, durations, failures,
    certificates rotated.
    """
    console = console_from(values)
    span = Span(since=values["since"], until=values["until"])
    if values["of_all"]:
        if campaign_id is not None:
            raise UsageError("--all takes no CAMPAIGN")
        return audit(values["ledger"], span, values["output_file"], console)
    if campaign_id is None:
        hint = "batch-reenroll status shows the newest; --all takes all of them"
        raise UsageError("which CAMPAIGN?", hint=hint)
    if span != Span() or values["output_file"] is not None:
        raise UsageError("--since, --until and --output-file go with --all")
    signer = signer_of(values)
    with SqliteLedger(ledger_path(values["ledger"]), create=False) as ledger:
        resume = resume_command(campaign_id, values["ledger"])
        folder = write_report(
            ledger,
            campaign_id,
            reports,
            resume=resume,
            console=console,
            signer=signer,
        )
        if console.as_json:
            console.json({"report": str(folder)})
        else:
            console.data(str(folder / "report.html"))
    return 0
