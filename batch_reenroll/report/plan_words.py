"""The words of a plan's page: whether it would run, when it ends, what that assumes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from batch_reenroll.report.advice import Verdict, n_of
from batch_reenroll.report.plan_facts import ForecastFacts, PlanFacts
from batch_reenroll.report.sets import words
from batch_reenroll.report.surroundings import duration_text

PENDING = "pending"

#: What becomes of rows, in reading order, for a reader who never saw the tool.
FATES: Mapping[str, tuple[str, str]] = {
    PENDING: ("can run", "Command was asked, and nothing speaks against it."),
    "skipped_already_rotated": (
        "rotated already",
        "The store no longer holds the old certificate; nothing will be sent.",
    ),
    "skipped_preflight": (
        "cannot run",
        "A check found a fault; nothing will be sent. The causes stand below.",
    ),
    "skipped_excluded": (
        "left out",
        "Left out on purpose, by a limit or a wave; nothing will be sent.",
    ),
}

_BOUNDS: Mapping[str, str] = {
    "orchestrator": "the longest queue of one orchestrator",
    "rate": "the pace",
    "authority": "the limits of a certificate authority",
}


def minute_text(moment: datetime | None) -> str:
    """Return ``2026-11-23 18:40``, in UTC; ``never`` for None."""
    if moment is None:
        return "never"
    return moment.astimezone(UTC).isoformat(" ", "minutes")[:16]


def lasting(seconds: float | None) -> str:
    """Return a duration for people: ``2 days 3 h``, ``8 h``; ``–`` for no number."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 172_800:
        return duration_text(seconds).removesuffix(" 00 s").removesuffix(" 00 min")
    hours = round(seconds / 3_600)
    return f"{hours // 24:,} days {hours % 24} h"


def late_text(late_s: float | None) -> str:
    """Return by how much a deadline is missed: ``on time``, ``3 h 05 min``."""
    if late_s is None:
        return "on time"
    return lasting(late_s) if math.isfinite(late_s) else "never ends"


def fates(counts: Mapping[str, int]) -> dict[str, int]:
    """Return ``counts`` without zeros, in reading order, unknown names last."""
    names = (*FATES, *sorted(set(counts) - set(FATES)))
    return {name: counts[name] for name in names if counts.get(name)}


def verdict(facts: PlanFacts) -> Verdict:
    """Return whether the plan would run, in plain words."""
    kind, answer = _answer(facts)
    sentence = _rows_clause(facts) + _finish_clause(facts) + "."
    if facts.refusal:
        reason = facts.refusal.strip().rstrip(".") + "."
        return Verdict(
            kind=kind,
            answer=answer,
            sentence=reason[0].upper() + reason[1:],
            notes=(sentence,),
        )
    return Verdict(
        kind=kind,
        answer=answer,
        sentence=sentence,
        notes=tuple(_notes(facts)),
    )


def _answer(facts: PlanFacts) -> tuple[str, str]:
    counts = facts.counts
    if facts.refusal:
        return "bad", "No, it is refused"
    if not counts.get(PENDING):
        return "good", "There is nothing to do"
    if facts.forecast is not None and facts.forecast.late_s is not None:
        return "mixed", "It would run, but end late"
    if counts.get("skipped_preflight"):
        return "mixed", "It would run in part"
    return "good", "Yes, it would run"


def _rows_clause(facts: PlanFacts) -> str:
    counts = facts.counts
    rows, going = sum(counts.values()), counts.get(PENDING, 0)
    sent = "would be submitted" if facts.refusal else "will be submitted"
    if not rows:
        return "The manifest has no row"
    parts = [f"{going:,} of {n_of(rows, 'row')} {sent}"]
    if going == rows:
        parts = [(f"All {rows:,} rows" if rows > 1 else "The one row") + f" {sent}"]
    verbs = {
        "skipped_preflight": ("cannot run", "cannot run"),
        "skipped_already_rotated": ("is rotated already", "are rotated already"),
        "skipped_excluded": ("is left out", "are left out"),
    }
    for name, n in fates(counts).items():
        if name != PENDING:
            one, many = verbs.get(name, (words(name),) * 2)
            parts.append(f"{n:,} {one if n == 1 else many}")
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def _finish_clause(facts: PlanFacts) -> str:
    forecast = facts.forecast
    if forecast is None or not facts.counts.get(PENDING):
        return ""
    if forecast.p50 is None:
        return "; under these limits they will never all end"
    clause = f"; half of the predicted courses end by {minute_text(forecast.p50)} UTC"
    if forecast.p95 is None:
        return clause + ", but more than 1 in 20 never"
    return clause + f", 95 % by {minute_text(forecast.p95)} UTC"


def _notes(facts: PlanFacts) -> Iterator[str]:
    forecast = facts.forecast
    if forecast is not None and forecast.late_s is not None:
        yield deadline_text(forecast)
    opens = facts.schedule.opens_at
    if opens is None:
        yield "No window opens in the years to come: nothing will be sent."
    elif opens > facts.planned_at:
        yield f"Nothing is sent before {minute_text(opens)} UTC: no window is open."
    if facts.cautions:
        n = sum(caution.rows for caution in facts.cautions)
        yield f"{n_of(n, 'remark')} on rows that will be submitted: see below."


def deadline_text(forecast: ForecastFacts) -> str:
    """Return how the prediction stands to the deadline, one sentence or more."""
    deadline, late_s = forecast.deadline, forecast.late_s
    named = f"the deadline of {minute_text(deadline)} UTC" if deadline else "a deadline"
    late = sum(one.late_s is not None for one in forecast.orchestrators)
    if late_s is not None:
        how = f"misses {named} by {lasting(late_s)}"
        if not math.isfinite(late_s):
            how = f"misses {named}: it never ends"
        who = f"{late:,} of {n_of(len(forecast.orchestrators), 'orchestrator')}"
        return f"P95 {how}; late by it: {who}.{_chance(forecast)}"
    if deadline is None:
        return "The manifest names no deadline."
    if forecast.p95 is None:
        return ""
    spare_s = (deadline - forecast.p95).total_seconds()
    return f"P95 meets {named}, {lasting(spare_s)} to spare.{_chance(forecast)}"


def _chance(forecast: ForecastFacts) -> str:
    if forecast.chance is None or not math.isfinite(forecast.chance):
        return ""
    return (
        f" {100 * forecast.chance:.0f} % of the predicted courses meet every deadline."
    )


def bound_text(forecast: ForecastFacts) -> str:
    """Return what the lower bound is and why, one sentence."""
    why = _BOUNDS.get(forecast.bound_by, forecast.bound_by)
    if forecast.lower_bound is None:
        return f"Under these limits the campaign cannot end: {why}."
    moment = minute_text(forecast.lower_bound)
    return f"Under these limits it cannot end before {moment} UTC: {why}."


def history_text(forecast: ForecastFacts) -> str:
    """Return what the prediction rests on, one sentence."""
    known = [one for one in forecast.orchestrators if one.n_samples > 0]
    jobs = sum(one.n_samples for one in known)
    return (
        f"It rests on {n_of(jobs, 'job')} in the history of {len(known):,} of "
        f"{n_of(len(forecast.orchestrators), 'orchestrator')}."
    )
