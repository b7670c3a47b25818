"""A simpler scenario that fails as well: what is left shows why it fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import Field, fields, replace
from typing import Any, TypeVar

from simulation.judge import faults
from simulation.play import play
from simulation.scenario import Scenario, Weather

from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.sandbox import SandboxError, Settings

T = TypeVar("T")

#: Scenarios played before shrinking ends with what it has.
MAX_STEPS = 400

_FEWER = (1, 2, 5, 10, 20)

#: What is simplest where the product's or the sandbox's own default is not.
_PLAIN_SETTINGS = RunSettings(budget_limit="100%", breaker_failures=1000)
_PLAIN_COMMAND = Settings(nightly_inventory=False)


def judged(scenario: Scenario) -> list[str]:
    """Return the promises broken in a scenario; a crash of the player is one."""
    try:
        return faults(play(scenario))
    except Exception as exc:  # noqa: BLE001 - any escape is a finding
        return [f"{type(exc).__name__}: {exc}"]


def shrunk(
    scenario: Scenario, *, fails: Callable[[Scenario], Any] = judged
) -> Scenario:
    """Return a scenario that still fails and that nothing simpler here does."""
    steps = 0
    while steps < MAX_STEPS:
        for candidate in smaller(scenario):
            steps += 1
            if fails(candidate):
                scenario = candidate
                break
        else:
            return scenario
    return scenario


def smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios that are simpler in one way each, boldest ideas first."""
    if scenario.tokens is not None:
        yield replace(scenario, tokens=None)
    if scenario.weather != Weather(latency_s=scenario.weather.latency_s):
        yield replace(scenario, weather=Weather(latency_s=scenario.weather.latency_s))
    yield from _fewer_stores(scenario)
    yield from _towards(scenario, Scenario(seed=0, **_own(scenario)))
    for weather in _towards(scenario.weather, Weather()):
        yield replace(scenario, weather=weather)
    if scenario.tokens is not None:
        for tokens in _towards(scenario.tokens, type(scenario.tokens)()):
            yield replace(scenario, tokens=tokens)
    for settings in _towards(scenario.settings, _PLAIN_SETTINGS):
        yield replace(scenario, settings=settings)
    for command in _towards(scenario.command, _PLAIN_COMMAND):
        yield replace(scenario, command=command)


def _own(scenario: Scenario) -> dict[str, Any]:
    return {name: getattr(scenario, name) for name in _OWN_WAY if name != "seed"}


#: Fields of a scenario that are simplified in a way of their own, or not at all.
_OWN_WAY = ("seed", "fleet", "command", "settings", "weather", "tokens")


def _fewer_stores(scenario: Scenario) -> Iterator[Scenario]:
    fleet = scenario.fleet
    for n in _FEWER:
        if n < fleet.stores:
            yield replace(
                scenario,
                fleet=replace(
                    fleet, stores=n, broken_stores=min(fleet.broken_stores, n)
                ),
                strangers=tuple((at, s) for at, s in scenario.strangers if s < n),
                second_aliases=tuple(s for s in scenario.second_aliases if s < n),
            )
    for name, least in (("orchestrators", 1), ("offline", 0), ("broken_stores", 0)):
        if getattr(fleet, name) > max(least, fleet.offline + 1 if least else 0):
            more: dict[str, Any] = {name: getattr(fleet, name) - 1}
            yield replace(scenario, fleet=replace(fleet, **more))


def _towards(value: T, plain: T) -> Iterator[T]:
    """Yield ``value`` with one field nearer to ``plain`` each time."""
    for f in fields(value):  # type: ignore[arg-type]
        now, wanted = getattr(value, f.name), getattr(plain, f.name)
        if now == wanted:
            continue
        yield from _with(value, f, wanted)
        if isinstance(now, tuple) and len(now) > 1:
            for n in range(len(now)):
                yield from _with(value, f, now[:n] + now[n + 1 :])


def _with(value: T, f: Field[Any], item: Any) -> Iterator[T]:
    changes: dict[str, Any] = {f.name: item}
    # A minimum above its maximum, say: fields that go together are left alone.
    with contextlib.suppress(SandboxError):
        yield replace(value, **changes)  # type: ignore[type-var]
