"""Laws of budget, breaker and exit code over any counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.campaign.breaker import Breaker
from batch_reenroll.campaign.budget import FAILURES, TRIED, Limit
from batch_reenroll.campaign.causes import BreakerRules, Ended
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.verdict import Stop, exit_code

counts = st.dictionaries(st.sampled_from(OUTCOMES), st.integers(0, 500))

WELL = {State.VERIFIED, State.SKIPPED_ALREADY_ROTATED, State.SKIPPED_EXCLUDED}
#: Codes that rows alone can lead to, gravest first (design.md, section 4).
BY_ROWS = (
    (7, {State.UNKNOWN, State.STALLED, State.NOT_ATTEMPTED, State.CANCELLED}),
    (5, {State.FAILED, State.REJECTED, State.WARNING, State.SKIPPED_PREFLIGHT}),
)


@given(counts, st.booleans())
def test_the_first_code_of_the_contract_that_holds_is_the_one(
    rows: dict[State, int], verify: bool
) -> None:
    present = {state for state, n in rows.items() if n}
    unproven = {State.SUCCEEDED} if verify else set()
    holding = [
        code
        for code, states in BY_ROWS
        if present & (states | (unproven if code == 7 else set()))
    ]
    assert exit_code(rows, verify=verify, stop=None) == (*holding, 0)[0]


@given(counts, st.booleans())
def test_zero_means_that_every_row_ended_well(
    rows: dict[State, int], verify: bool
) -> None:
    well = WELL | (set() if verify else {State.SUCCEEDED})
    ended_well = all(state in well for state, n in rows.items() if n)
    assert (exit_code(rows, verify=verify, stop=None) == 0) == ended_well


@given(counts, st.booleans(), st.sampled_from(Stop))
def test_a_stop_counts_before_anything_the_rows_say(
    rows: dict[State, int], verify: bool, stop: Stop
) -> None:
    alone = exit_code({}, verify=verify, stop=stop)
    assert exit_code(rows, verify=verify, stop=stop) == alone


@given(counts, st.booleans(), st.sampled_from(OUTCOMES))
def test_more_rows_of_an_outcome_that_is_there_change_nothing(
    rows: dict[State, int], verify: bool, outcome: State
) -> None:
    one = {**rows, outcome: 1}
    many = {**rows, outcome: 10_000}
    assert exit_code(one, verify=verify, stop=None) == exit_code(
        many, verify=verify, stop=None
    )


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 100))
def test_a_number_is_exceeded_by_more_and_only_by_more(
    limit: int, failures: int, min_rows: int
) -> None:
    exceeded = Limit.parse(str(limit)).exceeded(failures, failures, min_rows=min_rows)
    assert exceeded == (failures > limit)


@given(
    st.integers(0, 10_000),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.integers(0, 100),
)
def test_a_percentage_is_exceeded_by_more_and_only_once_enough_rows_have_ended(
    hundredths: int, failures: int, others: int, min_rows: int
) -> None:
    ended = failures + others
    limit = Limit.parse(f"{hundredths // 100}.{hundredths % 100:02}%")
    exceeded = limit.exceeded(failures, ended, min_rows=min_rows)
    too_many = failures * 10_000 > hundredths * ended
    assert exceeded == (too_many and ended >= min_rows)


@given(st.text(max_size=8) | st.from_regex(r"\A[0-9.]{1,4} ?%?\Z"))
def test_any_text_is_a_limit_within_its_range_or_a_value_error(text: str) -> None:
    try:
        limit = Limit.parse(text)
    except ValueError:
        return
    assert limit.value >= 0
    if limit.percent:
        assert limit.value <= 100
    else:
        assert limit.value.denominator == 1


@given(st.integers(1, 12), st.lists(st.sampled_from(OUTCOMES), max_size=60))
def test_a_breaker_opens_once_at_the_first_run_of_failures_that_is_long_enough(
    threshold: int, outcomes: list[State]
) -> None:
    breaker = Breaker(BreakerRules(in_a_row=threshold))
    opened = [
        n
        for n, outcome in enumerate(outcomes)
        if breaker.record(Ended(n, outcome, Reason.JOB_FAILED), float(n))
    ]
    assert opened == first_long_run(threshold, outcomes)
    assert (breaker.cause is not None) == bool(opened)


def first_long_run(threshold: int, outcomes: list[State]) -> list[int]:
    length = 0
    for n, outcome in enumerate(outcomes):
        if outcome in TRIED:
            length = length + 1 if outcome in FAILURES else 0
        if length == threshold:
            return [n]
    return []
