"""What bounds a plan, in words: limits, windows, the choice of rows."""

from __future__ import annotations

from collections.abc import Iterator

from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.windows import Window
from batch_reenroll.cli.choice import Choice
from batch_reenroll.report.plan_words import lasting


def window_words(window: Window) -> str:
    """Return the window in words: ``0 22 * * SAT (America/Chicago), 8 h``."""
    text = f"{window.cron} ({window.timezone}), {lasting(window.duration_s)}"
    if window.cutoff_s:
        text += f", nothing in the last {lasting(window.cutoff_s)}"
    return text


def limits_of(settings: RunSettings, choice: Choice) -> Iterator[tuple[str, str]]:
    """Yield the limits in force: name and text, in reading order."""
    yield "Pace", f"at most {settings.rate_per_s:g} per second"
    yield (
        "In flight",
        f"at most {settings.max_in_flight} rows, {settings.per_orchestrator} on one "
        "orchestrator",
    )
    budget = f"stops when failures exceed {settings.budget_limit}"
    if settings.budget.percent:
        budget += f" of the ended rows, once {settings.budget_min_rows} have ended"
    yield "Budget", budget
    for name, limit in settings.authorities.items():
        yield f"CA {name}", f"at most {limit.words}"
    breaker = f"{settings.breaker_failures} failures in a row stop feeding an "
    breaker += "orchestrator"
    if settings.breaker_rest_s is not None:
        breaker += f"; one row may try after {lasting(settings.breaker_rest_s)}"
    yield "Breaker", breaker
    if settings.silence_s is not None:
        silent = f"an orchestrator not seen for {lasting(settings.silence_s)}"
        yield "Silence", f"{silent} is no longer fed, until it is seen again"
    pickup = lasting(settings.pickup_timeout_s)
    if settings.unschedule_stalled:
        pickup += "; a job that nobody takes is taken back"
    yield "Pick-up timeout", pickup
    yield "Job timeout", lasting(settings.job_timeout_s)
    within = lasting(settings.verify_timeout_s)
    proof = f"by the store's inventory, within {within}"
    yield "Verification", proof if settings.verify else "none"
    yield from _choices(settings, choice)


def _choices(settings: RunSettings, choice: Choice) -> Iterator[tuple[str, str]]:
    if settings.windows or settings.blackouts:
        text = "the run stops" if settings.until_window_end else "the run waits"
        yield "At the end of a window", text
    if settings.waves and settings.confirm_waves:
        yield "Between waves", "a person opens the next one"
    if choice.limit is not None:
        yield "Rows", f"at most {choice.limit} (--limit)"
    if choice.only_wave is not None:
        yield "Only wave", choice.only_wave
    if choice.strict:
        yield "Strict", "the plan is refused when any row cannot run"
    if choice.accept_late:
        yield "Late", "a missed deadline does not refuse the plan"
    if choice.ignore:
        yield "Ignored", ", ".join(sorted(choice.ignore))
    if choice.younger_than is not None:
        yield "Left as rotated", f"issued within {choice.younger_than.days} days"
