"""Which jobs of earlier campaigns tell how often an orchestrator asks for work."""

from __future__ import annotations

from datetime import datetime, timedelta

from unit.campaign.making import NOON

from batch_reenroll.campaign.durations import HEARTBEAT_S, heartbeat_estimates
from batch_reenroll.campaign.pickups import Pickup, waits


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def pickup(
    submitted_s: float, taken_s: float, ended_s: float | None, name: str = "orch1"
) -> Pickup:
    ended = None if ended_s is None else at(ended_s)
    return Pickup(name, at(submitted_s), at(taken_s), ended)


def waited(*pickups: Pickup) -> list[tuple[str, float | None]]:
    return [(one.orchestrator, one.pickup_s) for one in waits(pickups)]


def test_the_first_job_after_a_pause_tells() -> None:
    assert waited(pickup(0, 20, 30), pickup(40, 65, 70)) == [
        ("orch1", 20.0),
        ("orch1", 25.0),
    ]


def test_one_that_queued_behind_another_does_not() -> None:
    assert waited(pickup(0, 20, 30), pickup(1, 30, 40)) == [("orch1", 20.0)]


def test_nor_one_behind_a_job_that_ended_after_the_next() -> None:
    long, short = pickup(0, 20, 90), pickup(1, 30, 40)
    assert waited(long, short, pickup(50, 95, 99)) == [("orch1", 20.0)]


def test_other_orchestrators_do_not_matter() -> None:
    found = waited(pickup(0, 20, 30), pickup(1, 5, 6, name="orch2"))
    assert found == [("orch1", 20.0), ("orch2", 4.0)]


def test_a_wait_below_zero_shows_that_the_clocks_differ_and_is_left_out() -> None:
    assert waited(pickup(10, 5, 6)) == []


def test_what_they_tell_makes_the_heartbeat_surer() -> None:
    known = heartbeat_estimates(
        waits(pickup(100 * n, 100 * n + 10, 100 * n + 20) for n in range(30))
    ).of("orch1", "")
    assert known.own < HEARTBEAT_S.between / 2
    assert known.n == 30
