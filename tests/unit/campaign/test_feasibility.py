"""Predictions whose answer can be told with pencil and paper."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from unit.campaign.predicting import DAY_S, HOUR_S, certain, question, queue, samples

from batch_reenroll.campaign.feasibility import predict
from batch_reenroll.campaign.forecast import Advice, Limits, Question, Stage
from batch_reenroll.campaign.luck import History
from batch_reenroll.campaign.quota import AuthorityLimit
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.whatif import advise, with_advice


def mean_s(median_s: float, history: History) -> float:
    """Return the mean of a lognormal job."""
    return float(
        median_s * math.exp(history.durations.of("orch1", "x").within ** 2 / 2)
    )


def advised(asked: Question, history: History) -> tuple[Advice, ...]:
    return advise(asked, history, predict(asked, history))


class TestFinish:
    def test_one_orchestrator_takes_the_sum_of_its_jobs(self) -> None:
        found = predict(question(queue(rows=1000)), certain())
        work_s = 1000 * found.orchestrators[0].job_s
        assert work_s < found.p50 < 1.15 * work_s

    def test_jobs_take_what_history_says(self) -> None:
        history = certain(job_s=30.0)
        found = predict(question(), history)
        assert found.orchestrators[0].job_s == pytest.approx(
            mean_s(30.0, history), rel=0.05
        )

    def test_orchestrators_work_side_by_side(self) -> None:
        history = certain("orch1", "orch2")
        alone = predict(question(queue("orch1")), history)
        both = predict(question(queue("orch1"), queue("orch2")), history)
        assert both.p50 < 1.1 * alone.p50

    def test_the_last_one_stands_first(self) -> None:
        found = predict(
            question(queue("orch1", 10), queue("orch2", 500)), certain("orch1", "orch2")
        )
        assert [o.orchestrator for o in found.orchestrators] == ["orch2", "orch1"]
        assert found.p95 == found.orchestrators[0].p95

    def test_a_slow_pace_is_what_counts(self) -> None:
        limits = Limits(rate_per_s=0.01)
        found = predict(question(queue(rows=100), limits=limits), certain())
        assert found.p50 == pytest.approx(10_000, rel=0.05)
        assert found.bound_by == "rate"

    def test_few_rows_in_flight_are_what_counts(self) -> None:
        names = [f"o{n}" for n in range(20)]
        wide = question(*(queue(name, 50) for name in names))
        tight = replace(wide, limits=replace(wide.limits, max_in_flight=4))
        history = certain(*names)
        assert predict(tight, history).p50 > 3 * predict(wide, history).p50

    def test_little_history_leaves_a_wide_prediction(self) -> None:
        sure = predict(question(trials=200), certain())
        unsure = predict(question(trials=200), History.of([]))
        assert sure.p95 / sure.p50 < 1.2
        assert unsure.p95 / unsure.p50 > 2.0

    def test_jobs_that_run_twice_take_twice_as_long(self) -> None:
        once = predict(question(queue(rows=1000)), certain())
        twice = predict(question(queue(rows=1000), retry_share=1.0), certain())
        assert twice.p50 == pytest.approx(2 * once.p50, rel=0.1)

    def test_the_same_seed_predicts_the_same(self) -> None:
        asked = question(trials=30)
        assert predict(asked, History.of([])) == predict(asked, History.of([]))

    def test_another_seed_predicts_something_else(self) -> None:
        asked = question(trials=30)
        other = replace(asked, seed=2)
        assert predict(asked, History.of([])) != predict(other, History.of([]))


class TestWindows:
    NIGHTS = tuple((n * DAY_S, n * DAY_S + HOUR_S) for n in range(30))

    def test_nothing_is_done_while_they_are_closed(self) -> None:
        # About 2.8 hours of work, one hour a night.
        found = predict(question(queue(rows=1000), spans=self.NIGHTS), certain())
        assert 2 * DAY_S < found.p50 < 4 * DAY_S

    def test_no_window_means_never(self) -> None:
        found = predict(question(spans=(), deadline=DAY_S), certain())
        assert found.p50 == math.inf
        assert found.late_s == math.inf
        assert found.chance == 0.0
        assert found.lower_bound == math.inf

    def test_too_few_windows_mean_never(self) -> None:
        found = predict(question(queue(rows=9999), spans=self.NIGHTS[:2]), certain())
        assert found.p95 == math.inf

    def test_a_window_that_opens_later_is_waited_for(self) -> None:
        found = predict(question(spans=((DAY_S, 2 * DAY_S),)), certain())
        assert DAY_S < found.p50 < DAY_S + HOUR_S


class TestStages:
    def test_a_soak_is_waited_for(self) -> None:
        queues = queue(rows=5), queue(rows=100, stage=1)
        short = predict(question(*queues, stages=(Stage(), Stage())), certain())
        soaking = Stage(soak_s=DAY_S), Stage()
        long = predict(question(*queues, stages=soaking), certain())
        assert long.p50 - short.p50 == pytest.approx(DAY_S, rel=0.02)

    def test_a_stage_has_windows_of_its_own(self) -> None:
        stages = Stage(), Stage(spans=((DAY_S, 2 * DAY_S),))
        found = predict(
            question(queue(rows=5), queue(stage=1), stages=stages), certain()
        )
        assert found.p50 > DAY_S

    def test_a_stage_that_never_ends_keeps_the_next_from_beginning(self) -> None:
        stages = Stage(spans=()), Stage()
        queues = queue("orch1"), queue("orch2", stage=1)
        found = predict(question(*queues, stages=stages), certain("orch1", "orch2"))
        assert {o.p50 for o in found.orchestrators} == {math.inf}


class TestAuthorities:
    def limits(self, **limit: AuthorityLimit) -> Limits:
        return Limits(rate_per_s=100.0, max_in_flight=9999, authorities=limit)

    def test_an_authority_is_not_asked_faster_than_it_may(self) -> None:
        limits = self.limits(ca=AuthorityLimit(rate_per_s=0.02))
        found = predict(question(queue(authority="ca"), limits=limits), certain())
        assert found.p50 == pytest.approx(5000, rel=0.1)
        assert found.bound_by == "authority"

    def test_a_quota_takes_days(self) -> None:
        limits = self.limits(ca=AuthorityLimit(per_day=40))
        found = predict(question(queue(authority="ca"), limits=limits), certain())
        assert 2 * DAY_S < found.p50 < 2.2 * DAY_S

    def test_rows_of_another_authority_go_on_meanwhile(self) -> None:
        limits = self.limits(ca=AuthorityLimit(per_day=10))
        queues = queue("orch1", authority="ca"), queue("orch2", authority="other")
        found = predict(question(*queues, limits=limits), certain("orch1", "orch2"))
        by_name = {o.orchestrator: o for o in found.orchestrators}
        assert by_name["orch1"].p50 > 9 * DAY_S
        assert by_name["orch2"].p95 < HOUR_S


class TestDeadlines:
    def test_one_that_is_met_is_not_late(self) -> None:
        found = predict(question(deadline=DAY_S), certain())
        assert (found.late_s, found.chance, found.late) == (None, 1.0, ())

    def test_one_that_p95_misses_is_late_by_that_much(self) -> None:
        found = predict(question(queue(rows=1000), deadline=HOUR_S), certain())
        assert found.late_s == pytest.approx(found.p95 - HOUR_S)
        assert [o.orchestrator for o in found.late] == ["orch1"]

    def test_only_those_that_miss_it_are_named(self) -> None:
        found = predict(
            question(queue("orch1", 10), queue("orch2", 1000), deadline=HOUR_S),
            certain("orch1", "orch2"),
        )
        assert [o.orchestrator for o in found.late] == ["orch2"]

    def test_a_queue_may_have_its_own(self) -> None:
        queues = queue("orch1", deadline=60.0), queue("orch2")
        found = predict(question(*queues, deadline=DAY_S), certain("orch1", "orch2"))
        assert [o.orchestrator for o in found.late] == ["orch1"]

    def test_rows_due_first_go_first(self) -> None:
        queues = queue(rows=900), queue(rows=50, deadline=HOUR_S)
        assert predict(question(*queues), certain()).late_s is None

    def test_without_any_there_is_no_chance_to_speak_of(self) -> None:
        assert predict(question(), certain()).chance is None


class TestQuestion:
    @pytest.mark.parametrize(
        "wrong", [{"queues": ()}, {"trials": 1}, {"queues": (queue(stage=1),)}]
    )
    def test_nonsense_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"."):
            replace(question(), **wrong)

    def test_limits_come_from_a_campaigns_settings(self) -> None:
        settings = RunSettings(rate_per_s=3.0, per_orchestrator=7, verify=False)
        found = Limits.of(settings)
        assert (found.rate_per_s, found.per_orchestrator) == (3.0, 7)
        assert (found.settle_s, found.verify_s) == (20.0, 0.0)


class TestAdvice:
    def codes(self, asked: Question, history: History) -> list[str]:
        return [advice.code for advice in advised(asked, history)]

    def test_a_slow_heartbeat_wants_more_rows_in_flight(self) -> None:
        history = certain(job_s=2.0, heartbeat_s=300.0)
        found = advised(question(queue(rows=500), deadline=3 * HOUR_S), history)
        assert found[0].code == "per_orchestrator"
        assert found[0].meets_deadline

    def test_the_smallest_change_that_does_is_named(self) -> None:
        history = certain(job_s=2.0, heartbeat_s=300.0)
        found = advised(question(queue(rows=500), deadline=8 * HOUR_S), history)
        changes = {advice.code: advice.change for advice in found}
        assert changes["per_orchestrator"] == (
            "allow 8 rows in flight per orchestrator"
        )

    def test_long_jobs_want_a_split(self) -> None:
        found = self.codes(question(queue(rows=1000), deadline=HOUR_S), certain())
        assert found == ["split"]

    def test_a_slow_pace_wants_a_quicker_one(self) -> None:
        limits = Limits(rate_per_s=0.01)
        asked = question(queue(rows=200), limits=limits, deadline=HOUR_S)
        assert "rate" in self.codes(asked, certain())

    def test_short_windows_want_longer_ones(self) -> None:
        spans = tuple((n * DAY_S, n * DAY_S + HOUR_S) for n in range(30))
        asked = question(queue(rows=1500), spans=spans, deadline=2 * DAY_S)
        assert "window" in self.codes(asked, certain())

    def test_a_later_start_wants_an_earlier_one(self) -> None:
        asked = question(start=DAY_S, earliest=0.0, deadline=DAY_S + 600.0)
        assert "start_earlier" in self.codes(asked, certain())

    def test_what_does_not_help_is_not_named(self) -> None:
        codes = self.codes(question(queue(rows=1000), deadline=HOUR_S), certain())
        assert not {"rate", "max_in_flight", "soak", "window"} & set(codes)

    def test_every_gain_is_one_on_the_prediction_it_stands_beside(self) -> None:
        asked = question(queue(rows=1000), deadline=HOUR_S)
        before = predict(asked, certain())
        for advice in advised(asked, certain()):
            assert advice.gain_s == pytest.approx(before.p95 - advice.p95)
            assert advice.gain_s > 0

    def test_it_is_given_only_where_a_deadline_is_missed(self) -> None:
        late = with_advice(question(queue(rows=1000), deadline=HOUR_S), certain())
        fine = with_advice(question(queue(rows=1000), deadline=DAY_S), certain())
        assert late.advice
        assert not fine.advice

    def test_a_quota_wants_to_be_raised(self) -> None:
        limits = Limits(authorities={"ca": AuthorityLimit(per_day=40)})
        asked = question(queue(authority="ca"), limits=limits, deadline=DAY_S)
        assert "authority_limit" in self.codes(asked, certain())


def test_samples_of_a_heartbeat_are_spread_over_it() -> None:
    waits = [s.pickup_s or 0.0 for s in samples(heartbeat_s=60.0)]
    assert 0.0 < min(waits) < 5.0 < 55.0 < max(waits) < 60.0
