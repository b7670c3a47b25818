"""What would help: predictions with one thing changed, and only those that gain.

Nothing is advised by rule of thumb: each change is predicted with the same random
numbers, and named only where the campaign ends earlier by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from batch_reenroll.campaign.feasibility import predict
from batch_reenroll.campaign.forecast import Advice, Forecast, Question, Queue
from batch_reenroll.campaign.luck import HALF, History
from batch_reenroll.campaign.quota import AuthorityLimit

#: Trials that choose among changes, and how many changes are then predicted with as
#: many trials as the campaign itself, so that their figures can stand beside its own.
_TRIALS, _MOST = 60, 4

#: A change must save this share of the time from start to P95, and this much.
_LEAST_SHARE, _LEAST_GAIN_S = 0.05, 60.0


@dataclass(frozen=True, slots=True)
class _Change:
    code: str
    text: str
    question: Question


def advise(
    question: Question, history: History, forecast: Forecast
) -> tuple[Advice, ...]:
    """Return the changes that help, the one with the greatest gain first, a few.

    Of the same kind, the smallest change that meets the deadline is named, or else
    the one that gains most.

    Args:
        question: What was asked.
        history: What is known of the past.
        forecast: Its answer: what changes are held against.
    """
    surely = []
    for change in _likely(question, history):
        other = replace(change.question, trials=question.trials)
        surely.append(_tried(other, change, question, forecast, history))
    return tuple(sorted(filter(None, surely), key=_merit))


def _likely(question: Question, history: History) -> list[_Change]:
    """Return the changes that few trials already show to help, the best first."""
    asked = replace(question, trials=_TRIALS)
    now = predict(asked, history)
    best: dict[str, tuple[Advice, _Change]] = {}
    for change in _changes(asked, now):
        found = _tried(change.question, change, asked, now, history)
        known = best.get(change.code)
        if found and (known is None or _is_better(found, known[0])):
            best[change.code] = found, change
    order = sorted(best.values(), key=lambda pair: _merit(pair[0]))
    return [change for _, change in order[:_MOST]]


def _merit(advice: Advice) -> tuple[bool, float]:
    return not advice.meets_deadline, -advice.gain_s


def with_advice(question: Question, history: History) -> Forecast:
    """Return the prediction, with advice where a deadline is missed."""
    forecast = predict(question, history)
    if forecast.late_s is None:
        return forecast
    return replace(forecast, advice=advise(question, history, forecast))


def _tried(
    question: Question,
    change: _Change,
    asked: Question,
    now: Forecast,
    history: History,
) -> Advice | None:
    then = predict(question, history)
    gain_s = now.p95 - then.p95
    # Never against never is no gain, and not a number either.
    least_s = max(_LEAST_GAIN_S, _LEAST_SHARE * (min(now.p95, 1e12) - asked.start))
    if math.isinf(then.p95) or not gain_s >= least_s:
        return None
    return Advice(
        code=change.code,
        change=change.text,
        p50=then.p50,
        p95=then.p95,
        gain_s=gain_s,
        meets_deadline=None if then.chance is None else then.late_s is None,
    )


def _is_better(one: Advice, other: Advice) -> bool:
    if other.meets_deadline:
        return False  # it is the smaller change
    return bool(one.meets_deadline) or one.gain_s > other.gain_s * 1.1


def _changes(asked: Question, now: Forecast) -> Iterator[_Change]:
    """Yield what could be changed, smaller changes of a kind first."""
    yield from _wider(asked)
    yield from _authorities(asked)
    yield from _split(asked, now)
    yield from _earlier(asked, now)
    yield from _windows(asked)
    if any(stage.soak_s for stage in asked.stages):
        stages = tuple(replace(stage, soak_s=0.0) for stage in asked.stages)
        text = "leave out the soak times between waves"
        yield _Change("soak", text, replace(asked, stages=stages))


def _wider(asked: Question) -> Iterator[_Change]:
    limits = asked.limits
    for factor in (2, 4, 8):
        places = limits.per_orchestrator * factor
        wider = replace(limits, per_orchestrator=places)
        text = f"allow {places} rows in flight per orchestrator"
        yield _Change("per_orchestrator", text, replace(asked, limits=wider))
    for factor in (2, 4):
        rate = limits.rate_per_s * factor
        text = f"raise the pace to {rate:g} per second"
        faster = replace(limits, rate_per_s=rate)
        yield _Change("rate", text, replace(asked, limits=faster))
        most = limits.max_in_flight * factor
        text = f"allow {most} rows in flight in all"
        wider = replace(limits, max_in_flight=most)
        yield _Change("max_in_flight", text, replace(asked, limits=wider))


def _authorities(asked: Question) -> Iterator[_Change]:
    limits = asked.limits
    for name, limit in limits.authorities.items():
        doubled = AuthorityLimit(
            rate_per_s=limit.rate_per_s and limit.rate_per_s * 2,
            burst=limit.burst,
            per_day=limit.per_day and limit.per_day * 2,
        )
        known = {**limits.authorities, name: doubled}
        question = replace(asked, limits=replace(limits, authorities=known))
        yield _Change("authority_limit", f"double the limits of {name}", question)


def _split(asked: Question, now: Forecast) -> Iterator[_Change]:
    last = now.orchestrators[0]
    halves = [
        queue for queue in asked.queues if queue.orchestrator == last.orchestrator
    ]
    queues = [
        queue for queue in asked.queues if queue.orchestrator != last.orchestrator
    ]
    for queue in halves:
        queues += _halved(queue)
    text = f"move half of the {last.rows} stores of {last.orchestrator} to another"
    yield _Change("split", text, replace(asked, queues=tuple(queues)))


def _halved(queue: Queue) -> list[Queue]:
    if queue.rows == 1:
        return [queue]
    half = queue.rows // 2
    other = replace(queue, orchestrator=queue.orchestrator + HALF, rows=half)
    return [replace(queue, rows=queue.rows - half), other]


def _earlier(asked: Question, now: Forecast) -> Iterator[_Change]:
    if asked.earliest is None or asked.earliest >= asked.start:
        return
    by_s = asked.start - asked.earliest
    if now.late_s is not None and now.late_s < by_s:
        text = f"start {now.late_s / 3600 + 0.05:.1f} h earlier"
        question = replace(asked, start=asked.start - now.late_s - 180.0)
        yield _Change("start_earlier", text, question)
    text = f"start {by_s / 3600:.1f} h earlier, at once"
    yield _Change("start_earlier", text, replace(asked, start=asked.earliest))


def _windows(asked: Question) -> Iterator[_Change]:
    if asked.spans is None:
        return
    for factor in (1.5, 2.0):
        spans = _longer(asked.spans, factor)
        text = f"make each window {factor:g} times as long"
        yield _Change("window", text, replace(asked, spans=spans))
    yield _Change("window", "run without windows", replace(asked, spans=None))


def _longer(
    spans: tuple[tuple[float, float], ...], factor: float
) -> tuple[tuple[float, float], ...]:
    """Return the spans, each longer at its end, joined where they then meet."""
    found: list[tuple[float, float]] = []
    for start, end in spans:
        end = start + (end - start) * factor
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)
