"""Whatever a plan holds, its page is whole, quiet and says nothing in their voice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.report.planned import plan_facts, saturdays
from unit.report.reading import Outline

from batch_reenroll.report import plan_page
from batch_reenroll.report.plan_charts import finishes, weeks
from batch_reenroll.report.plan_facts import (
    AdviceFacts,
    ExampleFacts,
    ForecastFacts,
    KindFacts,
    OrchestratorFacts,
    PlanFacts,
    ReasonFacts,
    ScheduleFacts,
    StretchFacts,
    WaveFacts,
)

PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "</style></script><script>alert(1)</script>",
    "\x1b[2J\x1b]0;x\x07",
    "a\r\nb\rc\nd",
    "\u202egnp.exe",
    "\ud800",
    "\ufffe",
    "x" * 70_000,
    '"><b onmouseover=x>',
    "\x00",
)
foreign = st.one_of(st.text(st.characters(), max_size=20), st.sampled_from(PAYLOADS))
moments = st.datetimes(timezones=st.just(UTC))
finish = st.one_of(st.none(), moments)
# A plan's own numbers: a duration may be anything, counts are counts.
seconds = st.floats()
lateness = st.one_of(st.none(), st.floats(min_value=0, exclude_min=True))
counts = st.integers(0, 10**9)


def few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=3).map(tuple)


examples = st.builds(ExampleFacts, row_id=foreign, message=foreign)
reasons = st.builds(
    ReasonFacts,
    code=foreign,
    meaning=foreign,
    advice=foreign,
    rows=st.integers(1, 10**9),
    examples=few(examples),
)
kinds = st.builds(
    KindFacts, store_type=foreign, orchestrators=foreign, authority=foreign
)
waves_ = st.builds(
    WaveFacts,
    name=foreign,
    named=counts,
    drawn=counts,
    sampled=counts,
    unsampled=few(kinds),
    soak_s=seconds,
    max_failures=foreign,
    windows=few(foreign),
)
stretches = (
    st.tuples(moments, moments)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: StretchFacts(start=min(pair), end=max(pair)))
)
schedules = st.builds(
    ScheduleFacts,
    windows=few(foreign),
    blackouts=few(stretches),
    frame=stretches,
    open=few(stretches),
    opens_at=finish,
)
orchestrators = st.builds(
    OrchestratorFacts,
    name=foreign,
    rows=counts,
    job_s=seconds,
    n_samples=counts,
    p50=finish,
    p95=finish,
    late_s=lateness,
)
advice = st.builds(
    AdviceFacts,
    change=foreign,
    p50=finish,
    p95=finish,
    gain_s=seconds,
    meets_deadline=st.one_of(st.none(), st.booleans()),
)
forecasts = st.builds(
    ForecastFacts,
    start=moments,
    p50=finish,
    p95=finish,
    deadline=finish,
    late_s=lateness,
    chance=st.one_of(st.none(), st.floats()),
    lower_bound=finish,
    bound_by=foreign,
    orchestrators=few(orchestrators),
    advice=few(advice),
)
plans = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ("refusal", "name", "operator", "manifest_name", "plan_name"), foreign
        ),
        "counts": st.dictionaries(st.one_of(st.just("pending"), foreign), counts),
        "skipped": few(reasons),
        "cautions": few(reasons),
        "waves": few(waves_),
        "schedule": schedules,
        "forecast": st.one_of(st.none(), forecasts),
        "planned_at": moments,
        "deadline": finish,
        "limits": st.dictionaries(foreign, foreign, max_size=2),
        "requests": st.dictionaries(foreign, counts, max_size=2),
    },
).map(lambda changes: plan_facts(**changes))


@settings(deadline=None, max_examples=60)
@given(plans)
def test_the_page_holds_no_markup_and_no_control_of_theirs(facts: PlanFacts) -> None:
    content = plan_page(facts)
    text = content.decode()
    outline = Outline(text)
    assert not {"img", "script"} & set(outline.tags)
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]
    bad = {c for c in text if c < " " and c != "\n"} | set(text) & set("\u202e\x7f")
    assert not bad
    assert outline.tags.count("main") == 1
    assert text.endswith("</html>")
    assert len(content) < 250_000


@given(forecasts)
def test_bars_and_marks_stay_inside_their_frame(forecast: ForecastFacts) -> None:
    picture = finishes(forecast)
    for lane in (picture.campaign, *picture.lanes):
        assert 0 <= lane.light <= lane.light + lane.full <= 100.01
    for x in (picture.deadline_x, picture.bound_x):
        assert x is None or 0 <= x <= 100


@given(schedules, st.dictionaries(st.sampled_from("ab"), finish))
def test_weeks_stay_inside_their_frame(
    schedule: ScheduleFacts, marks: dict[str, datetime | None]
) -> None:
    found = weeks(schedule, marks)
    assert len(found) <= 14
    for week in found:
        for stripe in (*week.open, *week.blackouts):
            assert 0 <= stripe.x <= stripe.x + stripe.width <= 100.01
        assert all(0 <= mark.x <= 100 for mark in week.marks)


@given(st.lists(st.integers(0, 40_000), min_size=2, max_size=40, unique=True))
def test_what_is_open_in_the_weeks_is_what_the_schedule_says(
    minutes: list[int],
) -> None:
    """The drawn time is the open time, but for what is too narrow to be drawn."""
    schedule = saturdays()
    start = schedule.frame.start
    edges = [start.timestamp() + 60 * minute for minute in sorted(minutes)]
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    spans = tuple(
        StretchFacts(
            start=datetime.fromtimestamp(a, UTC), end=datetime.fromtimestamp(b, UTC)
        )
        for a, b in pairs
    )
    drawn = weeks(
        ScheduleFacts(
            windows=("w",),
            blackouts=(),
            frame=schedule.frame,
            open=spans,
            opens_at=None,
        ),
        {},
    )
    width = sum(stripe.width for week in drawn for stripe in week.open)
    exact = sum(b - a for a, b in pairs) * 100 / 604_800
    # Each stretch may be widened to 0.4, and a gap of less than 0.1 be filled; one
    # that lies over a Monday is two.
    assert abs(width - exact) <= 0.4 * (len(spans) + len(drawn)) + 0.01
