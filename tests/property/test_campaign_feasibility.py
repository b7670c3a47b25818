"""Laws of predictions: more never takes less time, and nothing beats the bound."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.campaign.predicting import DAY_S, HOUR_S, KIND

from batch_reenroll.campaign.durations import JobSample
from batch_reenroll.campaign.feasibility import predict
from batch_reenroll.campaign.forecast import Limits, Question, Queue, Stage
from batch_reenroll.campaign.luck import History
from batch_reenroll.campaign.quota import AuthorityLimit

#: Steps of the flow are about a hundredth of the whole.
NOISE = 1.02

EXAMPLES = settings(max_examples=12, deadline=None)


@st.composite
def histories(draw: st.DrawFn) -> History:
    found = []
    for n in range(draw(st.integers(0, 4))):
        job_s = draw(st.floats(1.0, 120.0))
        pickup_s = draw(st.none() | st.floats(1.0, 300.0))
        sample = JobSample(
            orchestrator=f"o{n}", job_type=KIND, duration_s=job_s, pickup_s=pickup_s
        )
        found += [sample] * draw(st.integers(1, 30))
    return History.of(found)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    authority = AuthorityLimit(
        rate_per_s=draw(st.none() | st.floats(0.05, 10.0)),
        per_day=draw(st.none() | st.integers(50, 500)),
    )
    return Limits(
        rate_per_s=draw(st.floats(0.05, 50.0)),
        max_in_flight=draw(st.integers(2, 200)),
        per_orchestrator=draw(st.integers(1, 12)),
        look_s=draw(st.sampled_from([2.0, 10.0, 60.0])),
        authorities={"ca": authority} if draw(st.booleans()) else {},
    )


@st.composite
def questions(draw: st.DrawFn) -> Question:
    n_stages = draw(st.integers(1, 2))
    queues = [
        Queue(
            orchestrator=f"o{n % 5}",
            job_type=KIND,
            rows=draw(st.integers(1, 120)),
            authority=draw(st.sampled_from(["ca", ""])),
            stage=draw(st.integers(0, n_stages - 1)),
        )
        for n in range(draw(st.integers(1, 7)))
    ]
    length_s = draw(st.none() | st.floats(4 * HOUR_S, DAY_S * 0.9))
    return Question(
        queues=tuple(queues),
        limits=draw(limits()),
        start=draw(st.floats(0.0, DAY_S)),
        spans=None
        if length_s is None
        else tuple((n * DAY_S, n * DAY_S + length_s) for n in range(60)),
        stages=tuple(
            Stage(soak_s=draw(st.floats(0.0, HOUR_S))) for _ in range(n_stages)
        ),
        lost_share=draw(st.floats(0.0, 0.1)),
        trials=20,
        seed=draw(st.integers(0, 99)),
    )


def span_s(asked: Question, history: History) -> float:
    return predict(asked, history).p50 - asked.start


@EXAMPLES
@given(questions(), histories())
def test_nothing_ends_before_the_lower_bound(asked: Question, history: History) -> None:
    found = predict(asked, history)
    assert found.lower_bound >= asked.start
    assert found.p50 >= found.lower_bound - 1e-6
    assert found.p95 >= found.p50


@EXAMPLES
@given(questions(), histories())
def test_the_last_orchestrator_ends_the_campaign(
    asked: Question, history: History
) -> None:
    found = predict(asked, history)
    assert sum(o.rows for o in found.orchestrators) == sum(
        queue.rows for queue in asked.queues
    )
    assert max(o.p95 for o in found.orchestrators) <= found.p95 + 1e-6


@EXAMPLES
@given(questions(), histories())
def test_no_orchestrator_ends_before_its_own_work(
    asked: Question, history: History
) -> None:
    for found in predict(asked, history).orchestrators:
        # Medians of an even number of trials: the one between two, and the lower one.
        assert found.p50 - asked.start >= 0.8 * found.rows * found.job_s


@EXAMPLES
@given(questions(), histories(), st.sampled_from(["rate", "flight", "windows", "ca"]))
def test_more_capacity_never_takes_longer(
    asked: Question, history: History, kind: str
) -> None:
    bounds = asked.limits
    more = {
        "rate": replace(
            asked, limits=replace(bounds, rate_per_s=bounds.rate_per_s * 3)
        ),
        "flight": replace(
            asked, limits=replace(bounds, max_in_flight=bounds.max_in_flight * 3)
        ),
        "windows": replace(asked, spans=None),
        "ca": replace(asked, limits=replace(bounds, authorities={})),
    }[kind]
    # The start of the last batch may fall on either side of a closing window.
    slack_s = 120.0 if asked.spans is None else 900.0
    assert span_s(more, history) <= span_s(asked, history) * NOISE + slack_s


@EXAMPLES
@given(questions(), histories())
def test_fewer_rows_never_take_longer(asked: Question, history: History) -> None:
    fewer = replace(
        asked,
        queues=tuple(replace(q, rows=(q.rows + 1) // 2) for q in asked.queues),
    )
    # Halves are drawn with their own luck: a few rows vary more than many.
    assert span_s(fewer, history) <= span_s(asked, history) * 1.5 + 900.0


@EXAMPLES
@given(questions(), histories())
def test_without_an_open_window_it_never_ends(
    asked: Question, history: History
) -> None:
    found = predict(replace(asked, spans=()), history)
    assert found.p50 == found.p95 == found.lower_bound == math.inf
