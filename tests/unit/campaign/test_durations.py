"""What history says of durations, and what is believed where it says little."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from unit.campaign.making import NOON, tried

from batch_reenroll.campaign.durations import (
    DURATION_S,
    HEARTBEAT_S,
    Estimates,
    JobSample,
    duration_estimates,
    durations_by_orchestrator,
    heartbeat_estimates,
    samples_of,
)
from batch_reenroll.campaign.nouns import JobStatus


def sample(
    name: str = "o1", kind: str = "K", s: float = 10.0, pickup: float | None = None
) -> JobSample:
    return JobSample(orchestrator=name, job_type=kind, duration_s=s, pickup_s=pickup)


def median_s(found: Estimates, name: str = "o1", kind: str = "K") -> float:
    return math.exp(found.of(name, kind).mean)


def uncertainty(found: Estimates, name: str = "o1", kind: str = "K") -> float:
    known = found.of(name, kind)
    return math.hypot(known.own, known.shared)


class TestSamples:
    def test_an_ended_reenrollment_is_a_sample(self) -> None:
        record = tried(1, "j", started_at=NOON, ended_at=NOON + timedelta(seconds=45))
        (found,) = samples_of([record])
        assert found.duration_s == 45.0
        assert found.orchestrator == record.agent_machine
        assert found.pickup_s is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"job_type": "WinCertInventory"},
            {"status": JobStatus.IN_PROCESS},
            {"ended_at": None},
            {"started_at": None},
            {"ended_at": NOON - timedelta(seconds=1)},
        ],
    )
    def test_others_are_not(self, changes: dict[str, object]) -> None:
        plain = {"started_at": NOON, "ended_at": NOON + timedelta(seconds=45)}
        assert samples_of([tried(1, "j", **{**plain, **changes})]) == []


class TestWhatLanesExpect:
    def test_all_types_of_an_orchestrator_count_as_one(self) -> None:
        past = [sample(kind=kind, s=100.0) for kind in ("PEM", "JKS")] * 300
        assert durations_by_orchestrator(past)("o1") == pytest.approx(100, rel=0.02)

    def test_an_unknown_one_is_like_the_others(self) -> None:
        others = [sample(name=f"o{n}", s=60.0) for n in range(2, 12)] * 20
        found = durations_by_orchestrator(others)
        assert found("new") == pytest.approx(60.0, rel=0.1)


class TestShrinkage:
    def test_without_history_the_prior_holds(self) -> None:
        nothing = duration_estimates([])
        assert median_s(nothing) == pytest.approx(DURATION_S.median)
        assert uncertainty(nothing) > DURATION_S.spread

    def test_much_history_of_its_own_is_what_counts(self) -> None:
        known = duration_estimates([sample(s=100.0)] * 500)
        assert median_s(known) == pytest.approx(100.0, rel=0.02)
        assert uncertainty(known) < 0.05

    def test_an_orchestrator_without_history_leans_on_its_type(self) -> None:
        others = [sample(name=f"o{n}", s=60.0) for n in range(2, 12)] * 20
        known = duration_estimates(others)
        assert median_s(known) == pytest.approx(60.0, rel=0.1)
        assert 0.3 < uncertainty(known) < 0.8

    def test_a_type_without_history_leans_on_all(self) -> None:
        others = [sample(kind=f"K{n}", s=60.0) for n in range(2, 8)] * 50
        assert 40.0 < median_s(duration_estimates(others)) < 60.0

    def test_one_job_moves_an_estimate_a_little(self) -> None:
        others = [
            sample(name=f"o{n}", s=s) for n in range(2, 12) for s in (4.0, 25.0) * 10
        ]
        moved = median_s(duration_estimates([*others, sample(s=100.0)]))
        assert 11.0 < moved < 25.0

    def test_more_history_leaves_less_doubt(self) -> None:
        doubts = [
            uncertainty(duration_estimates([sample()] * n)) for n in (0, 1, 5, 50)
        ]
        assert doubts == sorted(doubts, reverse=True)

    def test_names_are_compared_without_regard_to_case(self) -> None:
        known = duration_estimates([sample(name="Orch1", kind="PemX", s=100.0)] * 99)
        assert known.of("ORCH1", "pemx").n == 99

    def test_jobs_that_vary_more_are_expected_to_vary_more(self) -> None:
        steady = duration_estimates([sample(s=10.0)] * 100)
        wild = duration_estimates([sample(s=1.0), sample(s=100.0)] * 50)
        assert wild.of("o1", "K").within > 2 * steady.of("o1", "K").within

    def test_a_job_of_no_length_is_no_trouble(self) -> None:
        assert median_s(duration_estimates([sample(s=0.0)] * 9)) > 0


class TestHeartbeats:
    def test_even_waits_tell_the_interval(self) -> None:
        waits = [sample(pickup=60.0 * (n + 0.5) / 200) for n in range(200)]
        found = median_s(heartbeat_estimates(waits), kind="")
        assert found == pytest.approx(60.0, rel=0.15)

    def test_samples_without_a_wait_say_nothing(self) -> None:
        found = median_s(heartbeat_estimates([sample()] * 50), kind="")
        assert found == pytest.approx(HEARTBEAT_S.median)
