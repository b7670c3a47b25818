"""Laws of the breaker: one probe at a time, none in a rest, rests that are bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.campaign.breaker import Breaker, Phase
from batch_reenroll.campaign.causes import BreakerRules, Ended, History
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason

REST_S, LONGEST_S = 64.0, 300.0

steps = st.lists(
    st.tuples(
        st.sampled_from(["send", "good", "bad", "skip", "back"]),
        st.integers(0, 200),
        st.integers(0, 10),
    ),
    max_size=80,
)


def end(row_no: int, how: str) -> Ended:
    outcomes = {
        "good": (State.VERIFIED, Reason.ROTATED),
        "bad": (State.FAILED, Reason.JOB_FAILED),
        "skip": (State.SKIPPED_ALREADY_ROTATED, Reason.ALREADY_ROTATED),
    }
    return Ended(row_no, *outcomes[how])


@given(st.integers(1, 4), steps)
def test_an_open_breaker_lets_one_row_through_and_only_after_its_rest(
    in_a_row: int, moves: list[tuple[str, int, int]]
) -> None:
    rules = BreakerRules(in_a_row=in_a_row, rest_s=REST_S, longest_rest_s=LONGEST_S)
    breaker, now_s = Breaker(rules), 0.0
    flying: list[int] = []
    probe: int | None = None
    rest_s, until_s, n_rows = REST_S, 0.0, 0
    for what, later_s, which in moves:
        now_s += later_s
        was = breaker.phase
        if what == "send":
            n_rows += 1
            admitted = breaker.admit(n_rows, now_s)
            resting = was is Phase.OPEN and now_s < until_s
            assert admitted == (was is not Phase.PROBING and not resting)
            if admitted:
                flying.append(n_rows)
                probe = n_rows if was is Phase.OPEN else probe
        elif flying:
            row_no = flying.pop(which % len(flying))
            if what == "back":
                breaker.give_back(row_no)
                opened = False
            else:
                opened = breaker.record(end(row_no, what), now_s)
            if was is Phase.PROBING and row_no == probe and what == "good":
                assert breaker.phase is Phase.CLOSED
                rest_s = REST_S
            if was is Phase.PROBING and row_no != probe:
                assert breaker.phase is Phase.PROBING
            if opened:
                rest_s = rest_s if was is Phase.CLOSED else min(2 * rest_s, LONGEST_S)
                until_s = now_s + rest_s
                assert breaker.rest_until_s == until_s
        assert (breaker.cause is None) == (breaker.phase is Phase.CLOSED)


@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.lists(
        st.tuples(st.sampled_from(["", "x", "y"]), st.sampled_from("abc")), max_size=40
    ),
)
def test_one_cause_is_too_much_just_where_its_last_rows_say_so(
    enough: int, sources: int, rows: list[tuple[str, str]]
) -> None:
    rules = BreakerRules(in_a_row=None, same_cause_in_a_row=enough, sources=sources)
    history = History(rules)
    for n, (cause, source) in enumerate(rows):
        state = State.FAILED if cause else State.VERIFIED
        found = history.add(Ended(n, state, Reason.JOB_FAILED, cause, source))
        streak = []
        for other, at in reversed(rows[: n + 1]):
            if other != cause:
                break
            streak.append(at)
        expected = bool(cause) and len(streak) >= enough and len(set(streak)) >= sources
        assert (found is not None) == expected
