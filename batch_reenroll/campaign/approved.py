"""How far a run may depart from settings that a second person has approved.

A run may be more careful than what was approved, never bolder: slower, stopping
sooner, proving more. Whatever is not in :data:`_RULES` stays as it was approved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from batch_reenroll.campaign.settings import RunSettings


class Departure(NamedTuple):
    """A setting that goes beyond what was approved; ``name`` is its field."""

    name: str
    approved: Any
    wanted: Any


def _less(approved: Any, wanted: Any) -> bool:
    return bool(wanted <= approved)


def _more(approved: Any, wanted: Any) -> bool:
    return bool(wanted >= approved)


def _any(approved: Any, wanted: Any) -> bool:  # noqa: ARG001 - one of three alike
    return True


#: Field → whether what is wanted is within what was approved. Lost answers count as
#: absent after the settle time, so a shorter one is bolder; so is looking at Command
#: more often, and giving up the proof sooner.
_RULES: Mapping[str, Callable[[Any, Any], bool]] = {
    "rate_per_s": _less,
    "max_in_flight": _less,
    "per_orchestrator": _less,
    "poll_interval_s": _more,
    "verify": _more,
    "verify_timeout_s": _more,
    "until_window_end": _more,
    "confirm_waves": _more,
    # How long a Command that is away is waited for changes nothing that is done to it.
    "unreachable_timeout_s": _any,
}

#: Judged by the time that is in force, which depends on another field.
_SETTLE = "settle_time_s"


def beyond(approved: RunSettings, wanted: RunSettings) -> Iterator[Departure]:
    """Yield the settings that go beyond what was approved."""
    if wanted.settle_s < approved.settle_s:
        yield Departure(_SETTLE, approved.settle_s, wanted.settle_s)
    for field in fields(RunSettings):
        if field.name == _SETTLE:
            continue
        one, other = getattr(approved, field.name), getattr(wanted, field.name)
        rule = _RULES.get(field.name)
        within = one == other if rule is None else rule(one, other)
        if not within:
            yield Departure(field.name, one, other)
