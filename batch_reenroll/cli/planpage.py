"""What a plan's own page is told: the planner's finds and the prediction, as values."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.draw import Coverage
from batch_reenroll.campaign.forecast import (
    ASSUMPTIONS,
    Advice,
    Forecast,
    OrchestratorForecast,
)
from batch_reenroll.campaign.reasons import EXPLANATIONS, Reason
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.waves import WavePlan
from batch_reenroll.cli.planlimits import limits_of, window_words
from batch_reenroll.cli.planning import NEVER, Example, Planner
from batch_reenroll.cli.source import Source
from batch_reenroll.cli.wholefile import written_whole
from batch_reenroll.report import plan_page
from batch_reenroll.report.plan_facts import (
    AdviceFacts,
    ExampleFacts,
    ForecastFacts,
    KindFacts,
    OrchestratorFacts,
    PlanFacts,
    ReasonFacts,
    ScheduleFacts,
    StretchFacts,
    WaveFacts,
)
from batch_reenroll.text import parse_time

_WEEK = timedelta(days=7)
#: The page shows so many weeks, and more where the campaign lasts longer.
_LEAST_WEEKS, _MOST_WEEKS = 4, 12
#: Kinds that are handed over for each wave; the page names fewer.
_MOST_KINDS = 1_000


def write_page(path: Path, facts: PlanFacts) -> None:
    """Write the plan's page to ``path``, whole or not at all.

    Raises:
        UsageError: It cannot be written.
    """
    with written_whole(path) as file:
        file.write(plan_page(facts).decode())


def facts_of(
    planner: Planner,
    source: Source,
    forecast: Forecast | None,
    refusal: str,
    *,
    plan_name: str = "",
) -> PlanFacts:
    """Return what the plan's page says.

    Args:
        planner: After every row of ``source`` has had its verdict.
        source: What was planned.
        forecast: The prediction, or None where there is none.
        refusal: Why the plan would not run, one sentence, or "".
        plan_name: Name of the plan's file, "" where none was written.
    """
    draft = source.draft
    at = planned_at(draft)
    deadline = parse_time(draft.purpose.get("deadline", ""))
    drawn = planner.drawn
    coverage = drawn.coverage if drawn else ()
    return PlanFacts(
        refusal=refusal,
        counts={str(state): n for state, n in planner.counts.items()},
        skipped=tuple(_reasons(planner.reasons, planner.skipped_rows)),
        cautions=tuple(_reasons(planner.cautions, planner.cautioned_rows)),
        waves=tuple(_waves(draft.settings.waves, coverage)),
        n_kinds=drawn.strata if drawn else 0,
        schedule=schedule_of(
            planner.calendar, draft.settings, at, _last(forecast, deadline)
        ),
        forecast=None if forecast is None else _forecast(forecast, at),
        planned_at=at,
        deadline=deadline,
        operator=draft.operator,
        host=draft.host,
        command_url=draft.command_url,
        command_version=planner.directory.version,
        manifest_name=draft.manifest_name,
        manifest_sha256=draft.manifest_sha256,
        plan_sha256=planner.digest,
        plan_name=shlex.quote(plan_name) if plan_name else "",
        tool_version=draft.tool_version,
        limits=dict(limits_of(draft.settings, planner.choice)),
        requests=dict(planner.requests),
        unread=planner.directory.remarks,
        **{name: draft.purpose.get(name, "") for name in _PURPOSE},
    )


_PURPOSE = ("name", "reason", "ticket", "requested_by", "approved_by")


def planned_at(draft: Campaign) -> datetime:
    """Return when the plan was made, aware UTC."""
    return parse_time(draft.created_at) or NEVER


def schedule_of(
    calendar: Calendar, settings: RunSettings, at: datetime, last: datetime | None
) -> ScheduleFacts:
    """Return when rows may be sent, for the weeks that the page shows.

    Args:
        calendar: What the settings come to.
        settings: With the windows and blackouts.
        at: When it was planned, aware UTC.
        last: Moment that should be shown as well, or None.
    """
    until = max(at + _LEAST_WEEKS * _WEEK, last or at)
    until = _next_monday(min(until, at + _MOST_WEEKS * _WEEK))
    # A window each minute, the shortest there is, makes 131,040 of them at most.
    spans = calendar.open_spans(at, until)
    blackouts = sorted(settings.blackouts, key=lambda blackout: blackout.start)
    return ScheduleFacts(
        windows=tuple(map(window_words, settings.windows)),
        blackouts=tuple(StretchFacts(start=b.start, end=b.end) for b in blackouts),
        frame=StretchFacts(start=at, end=until),
        open=tuple(StretchFacts(start=span.start, end=span.end) for span in spans),
        opens_at=calendar.opens_at(at),
    )


def _next_monday(at: datetime) -> datetime:
    """Return the end of the week that ``at`` is in: a week is shown whole."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=7 - midnight.weekday())


def moment(posix_s: float) -> datetime | None:
    """Return the moment, aware UTC; None for never, which a year 10,000 is as well."""
    if not math.isfinite(posix_s):
        return None
    try:
        return datetime.fromtimestamp(posix_s, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _last(forecast: Forecast | None, deadline: datetime | None) -> datetime | None:
    ends = [deadline, moment(forecast.p95) if forecast else None]
    return max((end for end in ends if end is not None), default=None)


def _reasons(
    counts: Counter[Reason], examples: Mapping[Reason, Sequence[Example]]
) -> Iterator[ReasonFacts]:
    for reason, n in counts.most_common():
        explanation = EXPLANATIONS[reason]
        yield ReasonFacts(
            code=str(reason),
            meaning=explanation.meaning,
            advice=explanation.advice,
            rows=n,
            examples=tuple(
                ExampleFacts(row_id=row_id, message=message)
                for row_id, message in examples.get(reason, ())
            ),
        )


def _waves(
    waves: Sequence[WavePlan], coverage: Sequence[Coverage]
) -> Iterator[WaveFacts]:
    known = {wave.name: wave for wave in waves}
    for found in coverage:
        wave = known[found.wave]
        yield WaveFacts(
            name=found.wave,
            named=found.named,
            drawn=found.drawn,
            sampled=found.sampled,
            unsampled=tuple(
                KindFacts(
                    store_type=kind.store_type,
                    orchestrators=kind.orchestrators,
                    authority=kind.authority,
                )
                for kind in found.unsampled[:_MOST_KINDS]
            ),
            soak_s=wave.soak_s,
            max_failures="" if wave.max_failures is None else str(wave.max_failures),
            windows=tuple(map(window_words, wave.windows)),
        )


def _forecast(forecast: Forecast, at: datetime) -> ForecastFacts:
    return ForecastFacts(
        start=at,
        p50=moment(forecast.p50),
        p95=moment(forecast.p95),
        deadline=None if forecast.deadline is None else moment(forecast.deadline),
        late_s=forecast.late_s,
        chance=forecast.chance,
        lower_bound=moment(forecast.lower_bound),
        bound_by=forecast.bound_by,
        orchestrators=tuple(map(_orchestrator, forecast.orchestrators)),
        advice=tuple(map(_advice, forecast.advice)),
        assumptions=ASSUMPTIONS,
    )


def _orchestrator(found: OrchestratorForecast) -> OrchestratorFacts:
    return OrchestratorFacts(
        name=found.orchestrator,
        rows=found.rows,
        job_s=found.job_s,
        n_samples=found.n_samples,
        p50=moment(found.p50),
        p95=moment(found.p95),
        late_s=found.late_s,
    )


def _advice(found: Advice) -> AdviceFacts:
    return AdviceFacts(
        change=found.change,
        p50=moment(found.p50),
        p95=moment(found.p95),
        gain_s=found.gain_s,
        meets_deadline=found.meets_deadline,
    )
