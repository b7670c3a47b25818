"""How a drawn campaign is steered: windows, waves, limits of CAs, breakers that rest.

Drawn from a generator of its own, so that the rest of a seed's scenario stays as it is.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from simulation.scenario import Scenario

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.quota import AuthorityLimit
from batch_reenroll.campaign.waves import WavePlan
from batch_reenroll.campaign.windows import Blackout, Window
from batch_reenroll.sandbox.policy import NEW_CA, OLD_CA

#: Zones, and a moment soon after which their clocks change.
CHANGES = (
    ("America/Chicago", "2027-03-14T07:40:00+00:00"),
    ("America/Chicago", "2027-11-07T06:20:00+00:00"),
    ("Europe/Berlin", "2027-03-28T00:50:00+00:00"),
    ("Europe/Berlin", "2027-10-31T00:10:00+00:00"),
    ("Australia/Lord_Howe", "2027-04-03T14:40:00+00:00"),
    ("Australia/Lord_Howe", "2027-10-02T15:20:00+00:00"),
)

#: Windows that come soon again: waiting for them is no waste of looks.
OFTEN = (
    ("*/10 * * * *", (240, 420)),
    ("5,35 * * * *", (600, 1200)),
    ("*/20 */2 * * *", (900,)),
    ("0 * * * *", (1200, 2400)),
)

#: Windows around a change of the clocks.
CHANGING = ("30 2 * * *", "*/15 2 * * *", "10,40 1,2 * * *", "*/20 * * * *")

_ZONES = ("UTC", "America/Chicago", "Asia/Kolkata")

#: Rare looks, where a whole day may have to be waited for.
_DAY_POLL_S = 300.0


def steered(scenario: Scenario) -> Scenario:
    """Return the scenario with some of what a person may steer a campaign by."""
    rng = random.Random(f"steering:{scenario.seed}")
    if rng.random() < 0.4:
        return scenario
    if rng.random() < 0.4:
        scenario = _with_hours(scenario, rng)
    if rng.random() < 0.4:
        scenario = _set(scenario, waves=_waves(rng), confirm_waves=rng.random() < 0.3)
    if rng.random() < 0.3:
        scenario = _with_authorities(scenario, rng)
    if rng.random() < 0.3 and not scenario.fleet.offline:
        rest_s = rng.choice((30.0, 90.0))
        scenario = _set(scenario, breaker_rest_s=rest_s, breaker_failures=2)
    if rng.random() < 0.3:
        heartbeat_s = max(60.0, scenario.command.heartbeat_s)
        scenario = _set(
            scenario,
            heartbeat_s=rng.choice((None, heartbeat_s)),
            unschedule_stalled=rng.random() < 0.7,
        )
    return scenario


def _set(scenario: Scenario, **changes: object) -> Scenario:
    settings = replace(scenario.settings, **changes)  # type: ignore[arg-type]
    return replace(scenario, settings=settings)


def _with_hours(scenario: Scenario, rng: random.Random) -> Scenario:
    if rng.random() < 0.1:
        zone, start = rng.choice(CHANGES)
        start_s = datetime.fromisoformat(start).timestamp()
        cron = rng.choice(CHANGING)
        window = Window(cron=cron, timezone=zone, duration_s=rng.choice((3600, 14400)))
        scenario = replace(scenario, start_s=start_s)
        return _set(_rarely_looking(scenario), windows=(window,))
    poll_s = max(15.0, scenario.settings.poll_interval_s)
    scenario = _set(scenario, poll_interval_s=poll_s)
    blackouts = _blackouts(rng, scenario.start_s)
    windows = () if blackouts and rng.random() < 0.5 else _windows(rng)
    return _set(
        scenario,
        windows=windows,
        blackouts=blackouts,
        until_window_end=rng.random() < 0.25,
    )


def _windows(rng: random.Random) -> tuple[Window, ...]:
    return tuple(_window(rng) for _ in range(rng.choice((1, 1, 2))))


def _window(rng: random.Random) -> Window:
    cron, durations = rng.choice(OFTEN)
    return Window(
        cron=cron,
        timezone=rng.choice(_ZONES),
        duration_s=rng.choice(durations),
        cutoff_s=rng.choice((0, 0, 60)),
    )


def _blackouts(rng: random.Random, start_s: float) -> tuple[Blackout, ...]:
    start = datetime.fromtimestamp(start_s, UTC)
    drawn = []
    for _ in range(rng.choice((0, 0, 1, 2))):
        begins = start + timedelta(seconds=rng.randint(-60, 600))
        ends = begins + timedelta(seconds=rng.randint(30, 900))
        drawn.append(Blackout(start=begins, end=ends))
    return tuple(drawn)


def _waves(rng: random.Random) -> tuple[WavePlan, ...]:
    n_waves = rng.randint(2, 4)
    return tuple(
        WavePlan(
            name=f"w{number}",
            size=Limit.parse(rng.choice(("1", "2", "10%", "40%")))
            if number < n_waves
            else None,
            soak_s=rng.choice((0, 0, 30, 200)),
            max_failures=rng.choice(_ALLOWED),
            windows=_windows(rng) if rng.random() < 0.15 else (),
        )
        for number in range(1, n_waves + 1)
    )


_ALLOWED = (None, None, *map(Limit.parse, ("0", "1", "50%")))


def _with_authorities(scenario: Scenario, rng: random.Random) -> Scenario:
    names = rng.choice((("",), (NEW_CA,), (OLD_CA, NEW_CA), (NEW_CA, OLD_CA, "")))
    scenario = replace(scenario, authorities=names)
    limits = {
        name.upper(): AuthorityLimit(
            rate_per_s=rng.choice((0.1, 0.5, 2.0)), burst=rng.choice((1, 1, 2))
        )
        for name in names
        if rng.random() < 0.7
    }
    if rng.random() < 0.15 and scenario.fleet.stores <= 10:
        per_day = max(1, scenario.fleet.stores // 2)
        limits[names[0].upper()] = AuthorityLimit(per_day=per_day)
        scenario = _rarely_looking(scenario)
    return _set(scenario, authorities=limits)


def _rarely_looking(scenario: Scenario) -> Scenario:
    """Return the scenario with rare looks at short lists: days may have to pass."""
    command = replace(scenario.command, noise_jobs_per_s=0.0, return_limit_max=None)
    return _set(
        replace(scenario, command=command),
        poll_interval_s=_DAY_POLL_S,
        pickup_timeout_s=max(3600.0, scenario.settings.pickup_timeout_s),
    )
