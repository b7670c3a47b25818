"""``status``: reads the ledger and never asks Command."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.fingerprint import fingerprint
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.cli.console import table
from batch_reenroll.cli.files import ledger_path
from batch_reenroll.cli.options import console_from, console_options, ledger_option
from batch_reenroll.cli.progress import cut_off
from batch_reenroll.cli.standing import is_unfinished, outcomes, resume_command
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger import SqliteLedger, is_locked
from batch_reenroll.observe import duration
from batch_reenroll.text import rfc3339, visible

_WATCH_EVERY_S = 2.0

#: Pace and ETA are of the rows that ended within this time.
_PACE_WINDOW_S = 300.0

_TOP = 5

_DIGITS = re.compile(r"\d+")

#: Different texts of failures that are looked at, the most frequent first.
_MAX_TEXTS = 2_000

_OTHER_TEXTS = "(other messages)"


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


def facts_of(
    ledger: SqliteLedger, campaign_id: str, now: datetime | None = None
) -> dict[str, Any]:
    """Return where the campaign stands, ready for JSON.

    Args:
        ledger: To read; nothing else is asked.
        campaign_id: Which.
        now: Now, aware; None = by the clock.
    """
    now = now or datetime.now(UTC)
    running = is_locked(ledger.path, campaign_id)
    with ledger.snapshot():
        campaign = ledger.campaign(campaign_id)
        number = ledger.number(campaign_id)
        ended = sum(n for state, n in campaign.rows.items() if state in OUTCOMES)
        left = campaign.n_rows - ended
        rate = _rate(ledger, number, now)
        hold = _hold(campaign.settings, now) if running and left else None
        return {
            "campaign_id": campaign_id,
            "running": running,
            "command": campaign.command_url,
            "rows": campaign.n_rows,
            "ended": ended,
            "states": {str(s): campaign.rows[s] for s in State if s in campaign.rows},
            "outcomes": {str(s): n for s, n in sorted(outcomes(campaign).items())},
            "rows_per_s": round(rate, 3),
            "eta_s": _eta_s(campaign, left / rate, now)
            if running and rate and left
            else None,
            "wave": _wave(ledger, number, campaign.settings),
            "closed_until": hold,
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


def _rate(ledger: SqliteLedger, number: int, now: datetime) -> float:
    """Return how many rows end per second, of late; 0 where that cannot be told."""
    began = ledger.run_began(number)
    if began is None:
        return 0.0
    since = max(began, now - timedelta(seconds=_PACE_WINDOW_S))
    recent = ledger.ended_since(number, since)
    span_s = (now - recent.since).total_seconds()
    return recent.ended / span_s if span_s > 0 else 0.0


def _calendar(settings: RunSettings) -> Calendar:
    return Calendar(settings.windows, settings.blackouts)


def _hold(settings: RunSettings, now: datetime) -> str | None:
    """Return when the next window opens; None while one is open, or none ever will."""
    opens = _calendar(settings).opens_at(now)
    return None if opens is None or opens == now else rfc3339(opens)


#: How far ahead windows are looked at for what is left to do.
_HORIZON = timedelta(days=366)


def _eta_s(campaign: Campaign, work_s: float, now: datetime) -> int | None:
    """Return when ``work_s`` seconds of work are done, counted in open windows only.

    Soaks of waves that are still to come are not in it. None beyond a year.
    """
    left = timedelta(seconds=min(work_s, _HORIZON.total_seconds()))
    for span in _calendar(campaign.settings).open_spans(now, now + _HORIZON):
        since, until = max(span[0], now), span[1]
        if until - since >= left:
            return round((since + left - now).total_seconds())
        left -= until - since
    return None


def _wave(ledger: SqliteLedger, number: int, settings: RunSettings) -> str | None:
    """Return the wave that was opened last; None without waves."""
    if not settings.waves:
        return None
    for event in ledger.events(number, newest_first=True):
        if event["event"] == "wave_opened":
            return str(event["wave"])
    return settings.waves[0].name


def _top_failures(ledger: SqliteLedger, number: int) -> list[dict[str, Any]]:
    causes: Counter[tuple[str, str]] = Counter()
    # Fingerprints are dear: texts that differ in their digits only share one.
    alike: dict[tuple[str, str], str] = {}
    rows: Counter[tuple[str, str]] = Counter()
    for reason, message, n in ledger.failure_causes(number):
        text = _OTHER_TEXTS if message is None else message
        key = reason, _DIGITS.sub("0", text)
        alike.setdefault(key, text)
        rows[key] += n
    for key, n in rows.most_common(_MAX_TEXTS):
        causes[key[0], fingerprint(alike[key])] += n
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
        + (f", {facts['rows_per_s']:.3g} rows/s" if facts["running"] else "")
        + (f", about {duration(facts['eta_s'])} left" if facts["eta_s"] else ""),
    ]
    if facts["wave"]:
        lines.append(f"wave {visible(facts['wave'], 200)}")
    if facts["closed_until"]:
        lines.append(f"waiting for the window until {facts['closed_until']}")
    lines += [
        "",
        table([(state, str(n)) for state, n in facts["states"].items()]),
    ]
    if facts["slowest_orchestrators"]:
        lines += ["", "longest queues:"]
        queues = facts["slowest_orchestrators"]
        lines += [
            f"  {visible(q['orchestrator'], 120)}: {_rows(q['rows'])} left"
            for q in queues
        ]
    if facts["breakers"]:
        lines += ["", *cut_off(facts["breakers"])]
    if facts["top_failures"]:
        lines += ["", "top failure causes:"]
        causes = facts["top_failures"]
        lines += [f"  {c['rows']} × {c['reason_code']}: {c['message']}" for c in causes]
    if facts["stop_reason"]:
        lines += ["", f"stopped early: {visible(facts['stop_reason'], 500)}"]
    if facts["resumable"]:
        lines += ["", f"go on with: {resume_command(facts['campaign_id'], ledger_url)}"]
    return "\n".join(lines)


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"
