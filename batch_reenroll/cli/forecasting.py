"""When a plan would be done: the rows' load, what Command's past says, the answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.durations import JobSample, samples_of
from batch_reenroll.campaign.forecast import (
    Forecast,
    Limits,
    Question,
    Queue,
    Stage,
)
from batch_reenroll.campaign.luck import History
from batch_reenroll.campaign.nouns import JobRecord
from batch_reenroll.campaign.pickups import waits
from batch_reenroll.campaign.quota import AuthorityLimit, authority_key
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.whatif import with_advice
from batch_reenroll.cli.files import ledger_path
from batch_reenroll.errors import PlanRefused
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.observe import duration
from batch_reenroll.text import parse_time, rfc3339, visible

#: How far ahead windows are looked up.
_HORIZON = timedelta(days=120)

#: Orchestrators shown as text.
_SHOWN = 5


class Load(NamedTuple):
    """What rows have in common that a prediction tells apart."""

    orchestrator: str
    job_type: str
    authority: str
    wave: str | None
    deadline: str | None


def load_of(row: PlannedRow) -> Load:
    """Return which queue a row that may go stands in."""
    verdict = row.verdict
    return Load(
        orchestrator=verdict.orchestrator or row.request.agent_guid,
        job_type=f"{verdict.capability}Reenrollment",
        authority=row.request.certificate_authority or "",
        wave=row.wave,
        deadline=row.deadline,
    )


def forecast(
    draft: Campaign,
    loads: Counter[Load],
    past: Sequence[JobRecord],
    *,
    start: datetime,
    waited: Sequence[JobSample] = (),
) -> Forecast | None:
    """Return when the campaign would have ended; None where nothing is to be done.

    The same plan, past and start give the same answer: the seed is the manifest's.

    Args:
        draft: The campaign as planned.
        loads: Rows that may go, by what they have in common.
        past: Rows of JobHistory of this very Command, in any order.
        start: When it would begin, aware.
        waited: How long jobs of earlier campaigns waited.
    """
    if not loads:
        return None
    question = _question(draft, loads, start=start)
    return with_advice(question, History.of([*samples_of(past), *waited]))


def waited_before(ledger_url: str, command_url: str) -> list[JobSample]:
    """Return how long jobs waited in campaigns of a ledger; none where there is none.

    Raises:
        UsageError: It is no ledger.
    """
    path = ledger_path(ledger_url)
    if not path.exists():
        return []
    with SqliteLedger(path, create=False) as ledger:
        return list(waits(ledger.pickups(command_url)))


def _question(draft: Campaign, loads: Counter[Load], *, start: datetime) -> Question:
    settings = draft.settings
    names = [wave.name for wave in settings.waves]
    calendar = Calendar(settings.windows, settings.blackouts)
    deadline = parse_time(draft.purpose.get("deadline", ""))
    queues = tuple(
        Queue(
            orchestrator=load.orchestrator,
            job_type=load.job_type,
            rows=n_rows,
            authority=load.authority,
            stage=names.index(load.wave) if load.wave in names else 0,
            deadline=_epoch(parse_time(load.deadline or "")),
        )
        for load, n_rows in sorted(loads.items(), key=str)
    )
    bounded = settings.windows or settings.blackouts
    stages = tuple(
        Stage(
            soak_s=wave.soak_s,
            spans=_spans(calendar.narrowed(wave.windows), start)
            if wave.windows
            else None,
        )
        for wave in settings.waves
    )
    return Question(
        queues=queues,
        limits=Limits.of(settings, _authorities(settings, loads)),
        start=start.timestamp(),
        deadline=_epoch(deadline),
        spans=_spans(calendar, start) if bounded else None,
        stages=stages or (Stage(),),
        seed=int(draft.manifest_sha256[:8] or "1", 16),
    )


def _authorities(
    settings: RunSettings, loads: Counter[Load]
) -> dict[str, AuthorityLimit]:
    """Return the limits of CAs as the rows spell their names."""
    limits = {authority_key(n): limit for n, limit in settings.authorities.items()}
    return {
        load.authority: limits[authority_key(load.authority)]
        for load in loads
        if authority_key(load.authority) in limits
    }


def _spans(calendar: Calendar, start: datetime) -> tuple[tuple[float, float], ...]:
    spans = calendar.open_spans(start, start + _HORIZON)
    return tuple((span.start.timestamp(), span.end.timestamp()) for span in spans)


def _epoch(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def refuse_late(found: Forecast | None, *, accept_late: bool) -> None:
    """Raise :class:`PlanRefused` where P95 misses a deadline and nobody accepts it."""
    if found is None or found.late_s is None or accept_late:
        return
    message = (
        f"the plan is refused: a deadline is missed by {_length(found.late_s)} (P95)"
    )
    raise PlanRefused(
        message,
        code="deadline_missed",
        hint="see what would help above, or add --accept-late",
    )


def forecast_lines(found: Forecast, start: datetime) -> Iterator[str]:
    """Yield the forecast as lines of text."""
    begun = start.timestamp()
    yield (
        f"  forecast: done by {_when(found.p50)} ({_length(found.p50 - begun)}) as "
        f"likely as not, by {_when(found.p95)} ({_length(found.p95 - begun)}) in 95 of "
        "100"
    )
    yield (
        f"  under these limits not before {_when(found.lower_bound)}, "
        f"bound by the {found.bound_by}"
    )
    if found.deadline is not None or found.chance is not None:
        chance = f"{(found.chance or 0) * 100:.0f} % of trials meet every deadline"
        late = found.late_s
        missed = "met" if late is None else f"MISSED by {_length(late)} at P95"
        asked = f"deadline {_when(found.deadline)}" if found.deadline else "deadlines"
        yield f"  {asked}: {missed}; {chance}"
    for item in found.late[:_SHOWN] or found.orchestrators[:1]:
        name = visible(item.orchestrator, 100)
        late_by = f", LATE by {_length(item.late_s)}" if item.late_s else ""
        yield (
            f"  orchestrator {name}: {_rows(item.rows)}, about {_length(item.job_s)} a "
            f"job (of {item.n_samples} in its history), asks for work about every "
            f"{_length(item.heartbeat_s)}, P95 {_when(item.p95)}{late_by}"
        )
    if len(found.late) > _SHOWN:
        yield f"  … and {len(found.late) - _SHOWN} more orchestrators are late"
    for advice in found.advice:
        meets = {True: ", deadline met", False: ", still late", None: ""}
        yield (
            f"  what would help: {visible(advice.change, 200)} "
            f"(P95 {_when(advice.p95)}, {_length(advice.gain_s)} earlier"
            f"{meets[advice.meets_deadline]})"
        )


def _rows(n_rows: int) -> str:
    return "1 row" if n_rows == 1 else f"{n_rows} rows"


def forecast_json(found: Forecast) -> dict[str, object]:
    """Return the forecast as JSON; "never" is null."""
    return {
        "p50": _time(found.p50),
        "p95": _time(found.p95),
        "deadline": _time(found.deadline),
        "late_s": _number(found.late_s),
        "chance": found.chance,
        "lower_bound": _time(found.lower_bound),
        "bound_by": found.bound_by,
        "orchestrators": [
            {
                "orchestrator": item.orchestrator,
                "rows": item.rows,
                "p50": _time(item.p50),
                "p95": _time(item.p95),
                "late_s": _number(item.late_s),
                "job_s": round(item.job_s, 3),
                "samples": item.n_samples,
            }
            for item in found.orchestrators
        ],
        "advice": [
            {
                "code": item.code,
                "change": item.change,
                "p95": _time(item.p95),
                "meets_deadline": item.meets_deadline,
            }
            for item in found.advice
        ],
    }


def _time(epoch_s: float | None) -> str | None:
    if epoch_s is None or math.isinf(epoch_s):
        return None
    return rfc3339(datetime.fromtimestamp(epoch_s, UTC))


def _number(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 1)


def _when(epoch_s: float | None) -> str:
    text = _time(epoch_s)
    return f"{text[:16]}Z" if text else "never"


def _length(seconds: float | None) -> str:
    if seconds is None or math.isinf(seconds):
        return "for ever"
    return duration(seconds)
