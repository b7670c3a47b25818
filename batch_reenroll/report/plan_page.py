"""The plan's own page: one file that says what would happen, before anything does.

It needs no script and allows none. Every value passes through ``visible`` and jinja2's
escaping, as in ``report.html``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batch_reenroll.report.charts import stacked
from batch_reenroll.report.plan_charts import finishes, weeks
from batch_reenroll.report.plan_facts import (
    ForecastFacts,
    OrchestratorFacts,
    PlanFacts,
    StretchFacts,
)
from batch_reenroll.report.plan_words import (
    FATES,
    bound_text,
    deadline_text,
    fates,
    history_text,
    lasting,
    late_text,
    minute_text,
    verdict,
)
from batch_reenroll.report.sets import words
from batch_reenroll.report.surroundings import (
    asset,
    content_policy,
    environment,
    trusted,
)
from batch_reenroll.text import visible

if TYPE_CHECKING:
    from markupsafe import Markup

#: Rows of the orchestrators' table that show at once, and with the folded part.
N_ORCHESTRATORS = 30
MAX_ORCHESTRATORS = 1_000
#: Kinds that no wave has tried, named for each wave.
_N_KINDS = 8
_N_SPANS = 6
_N_BLACKOUTS = 20
_TEXT_LIMIT = 600
_MOMENT = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d( UTC)?", re.ASCII)


def plan_page(facts: PlanFacts) -> bytes:
    """Return the plan's page as UTF-8: one file, no network, no script."""
    style = asset("report.css") + asset("plan.css")
    surroundings = environment()
    surroundings.filters.update(
        minute=minute_text, lasting=lasting, late=late_text, unbroken=_unbroken
    )
    template = surroundings.from_string(asset("plan.html.j2"))
    text = template.render(
        style=trusted(style), policy=content_policy(style), **_context(facts)
    )
    return text.encode("utf-8", "backslashreplace")


def _context(facts: PlanFacts) -> dict[str, Any]:
    going = fates(facts.counts)
    return {
        "facts": facts,
        "rows": sum(going.values()),
        "fates": going,
        "meanings": FATES,
        "verdict": verdict(facts),
        "main_bar": stacked(going),
        "n_kinds_shown": _N_KINDS,
        "schedule": _schedule(facts),
        "requests": _requests(facts),
        "forecast": None if facts.forecast is None else _forecast(facts.forecast),
    }


def _schedule(facts: PlanFacts) -> dict[str, Any]:
    schedule, forecast = facts.schedule, facts.forecast
    marks = {
        "planned": facts.planned_at,
        "P50": forecast.p50 if forecast else None,
        "P95": forecast.p95 if forecast else None,
        "deadline": facts.deadline,
    }
    pictured = weeks(schedule, marks)
    return {
        "bounded": bool(schedule.windows or schedule.blackouts),
        "weeks": pictured,
        "marks": {mark.name for week in pictured for mark in week.marks},
        "next": [_stretch(span) for span in schedule.open[:_N_SPANS]],
        "blackouts": [_stretch(b) for b in schedule.blackouts[:_N_BLACKOUTS]],
        "n_more_blackouts": max(0, len(schedule.blackouts) - _N_BLACKOUTS),
    }


def _unbroken(text: str) -> Markup:
    """Return somebody's text, escaped, with its moments kept on one line."""
    from markupsafe import escape

    safe = str(escape(visible(text, _TEXT_LIMIT)))
    return trusted(_MOMENT.sub(r'<span class="whole">\g<0></span>', safe))


def _requests(facts: PlanFacts) -> str:
    sent = {kind: n for kind, n in facts.requests.items() if n}
    kinds = ", ".join(f"{words(kind)} {n:,}" for kind, n in sent.items())
    return f"{sum(sent.values()):,} ({kinds})" if sent else "none"


def _stretch(stretch: StretchFacts) -> dict[str, Any]:
    seconds = (stretch.end - stretch.start).total_seconds()
    return {"start": stretch.start, "end": stretch.end, "seconds": seconds}


def _forecast(forecast: ForecastFacts) -> dict[str, Any]:
    # Who is late is what a reader looks for; the others as they come.
    order = sorted(forecast.orchestrators, key=_lateness)
    return {
        "picture": finishes(forecast),
        "deadline_text": deadline_text(forecast),
        "bound_text": bound_text(forecast),
        "history_text": history_text(forecast),
        "assumptions": forecast.assumptions,
        "first": order[:N_ORCHESTRATORS],
        "others": order[N_ORCHESTRATORS:MAX_ORCHESTRATORS],
        "n_more": max(0, len(order) - MAX_ORCHESTRATORS),
    }


def _lateness(one: OrchestratorFacts) -> float:
    return 0.0 if one.late_s is None else -one.late_s
