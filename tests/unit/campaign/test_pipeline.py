"""Seconds per row of one orchestrator: each bound where it is the one that holds."""

from __future__ import annotations

import numpy as np
import pytest

from batch_reenroll.campaign.pipeline import row_s


def seconds(
    job_s: float,
    heartbeat_s: float,
    *,
    places: int,
    look_s: float = 1.0,
    settle_s: float = 0.0,
) -> float:
    found = row_s(
        np.array([job_s]),
        np.array([heartbeat_s]),
        places=places,
        look_s=look_s,
        settle_s=settle_s,
    )
    return float(found[0])


def test_long_jobs_follow_one_another() -> None:
    assert seconds(100.0, 10.0, places=4) == pytest.approx(100.0, rel=0.01)


def test_short_jobs_wait_for_the_heartbeat() -> None:
    assert seconds(1.0, 300.0, places=4) == pytest.approx(75.0)


def test_more_places_take_more_rows_per_heartbeat() -> None:
    assert seconds(1.0, 300.0, places=8) == pytest.approx(37.5)


def test_a_place_is_held_for_the_settle_time_in_whole_looks() -> None:
    held_s = seconds(0.1, 0.5, places=1, look_s=10.0, settle_s=20.0)
    assert held_s == pytest.approx(30.0)


def test_a_single_place_waits_for_everything_in_turn() -> None:
    # Half a heartbeat, the job, half a look, an answer.
    assert seconds(40.0, 20.0, places=1, look_s=10.0) == pytest.approx(55.3)


@pytest.mark.parametrize("places", [1, 2, 5, 100, 1000])
def test_it_is_never_quicker_than_the_job(places: int) -> None:
    assert seconds(7.0, 60.0, places=places) >= 7.0
