"""One cause, many rows: streaks and shares at their exact borders."""

from __future__ import annotations

from fractions import Fraction

import pytest

from batch_reenroll.campaign.causes import AUTHORITY, BreakerRules, Ended, History
from batch_reenroll.campaign.fingerprint import fingerprint
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason

DENIED, FULL = "access denied", "disk full"


def failed(
    cause: str = DENIED,
    *,
    source: str = "a",
    reason: Reason = Reason.JOB_FAILED,
    outcome: State = State.FAILED,
) -> Ended:
    return Ended(1, outcome, reason, fingerprint=cause, source=source)


GOOD = Ended(1, State.VERIFIED, Reason.ROTATED)


def verdicts(rules: BreakerRules, rows: list[Ended]) -> list[str | None]:
    history = History(rules)
    return [history.add(row) for row in rows if history.counts(row)]


def first(rules: BreakerRules, rows: list[Ended]) -> int | None:
    """Return how many rows it takes until it is too much, or None."""
    found = verdicts(rules, rows)
    return next((n for n, cause in enumerate(found, start=1) if cause), None)


class TestOneCauseInARow:
    RULES = BreakerRules(in_a_row=None, same_cause_in_a_row=3)

    def test_so_many_are_too_many_and_one_less_is_not(self) -> None:
        assert first(self.RULES, [failed()] * 3) == 3

    def test_it_says_the_cause(self) -> None:
        found = verdicts(self.RULES, [failed()] * 3)[-1]
        assert found == "3 failures in a row, all for: access denied"

    def test_without_a_message_it_says_the_reason(self) -> None:
        found = verdicts(self.RULES, [failed("")] * 3)[-1]
        assert found == "3 failures in a row, all for: job_failed"

    def test_another_cause_starts_the_count_again(self) -> None:
        assert first(self.RULES, [failed(), failed(), failed(FULL), failed()]) is None

    def test_another_reason_with_the_same_words_is_another_cause(self) -> None:
        refused = failed(reason=Reason.REFUSED, outcome=State.REJECTED)
        assert first(self.RULES, [failed(), failed(), refused]) is None

    def test_a_success_starts_the_count_again(self) -> None:
        assert first(self.RULES, [failed(), failed(), GOOD, failed(), failed()]) is None

    def test_messages_that_differ_in_hosts_and_numbers_are_one_cause(self) -> None:
        said = [f"cannot bind web{n:02}.example.com:{n}" for n in range(3)]
        assert first(self.RULES, [failed(fingerprint(text)) for text in said]) == 3


class TestSources:
    RULES = BreakerRules(in_a_row=None, same_cause_in_a_row=3, sources=2)

    def test_one_source_alone_is_not_enough(self) -> None:
        assert first(self.RULES, [failed()] * 9) is None

    def test_a_second_source_makes_it_so(self) -> None:
        assert first(self.RULES, [failed()] * 4 + [failed(source="b")]) == 5

    def test_sources_of_an_earlier_streak_do_not_count(self) -> None:
        assert first(self.RULES, [failed(source="b"), GOOD, *[failed()] * 5]) is None


class TestShares:
    RULES = BreakerRules(in_a_row=None, share=Fraction(1, 2), of_last=10)

    def test_a_share_reached_is_not_exceeded(self) -> None:
        assert first(self.RULES, [GOOD] * 5 + [failed()] * 5) is None

    def test_one_failure_more_exceeds_it(self) -> None:
        rows = [GOOD] * 5 + [failed()] * 6
        assert verdicts(self.RULES, rows)[-1] == "6 of the last 10 rows failed"

    def test_it_does_not_count_before_so_many_rows_have_ended(self) -> None:
        assert first(self.RULES, [failed()] * 10) == 10

    def test_rows_before_the_last_ones_are_forgotten(self) -> None:
        rows = [failed()] * 5 + [GOOD] * 5 + [failed()] * 5
        assert first(self.RULES, rows) is None

    def test_a_success_is_never_what_is_too_much(self) -> None:
        rules = BreakerRules(in_a_row=None, share=Fraction(0), of_last=2)
        assert first(rules, [failed(), GOOD]) is None


class TestOneCausesShare:
    RULES = BreakerRules(in_a_row=None, same_cause_share=Fraction(1, 2), of_last=10)

    def test_one_cause_must_exceed_it(self) -> None:
        rows = [failed(FULL)] * 4 + [GOOD] + [failed()] * 5
        assert first(self.RULES, rows) is None
        assert first(self.RULES, [*rows, failed()]) == 11

    def test_it_says_the_cause(self) -> None:
        found = verdicts(self.RULES, [GOOD] * 4 + [failed()] * 6)[-1]
        assert found == "6 of the last 10 rows failed for: access denied"

    def test_it_needs_its_sources_too(self) -> None:
        rules = BreakerRules(
            in_a_row=None, same_cause_share=Fraction(1, 2), of_last=4, sources=2
        )
        assert first(rules, [failed()] * 4) is None
        assert first(rules, [failed()] * 3 + [failed(source="b")]) == 4


class TestAuthorities:
    def test_one_cause_on_several_orchestrators_opens_it(self) -> None:
        rows = [failed(source=f"agent{n % 2}") for n in range(20)]
        assert first(AUTHORITY, rows) == 20
        assert first(AUTHORITY, rows[:19]) is None

    def test_many_causes_in_a_row_do_not(self) -> None:
        rows = [failed(f"cause {n % 2}", source=f"agent{n}") for n in range(200)]
        assert first(AUTHORITY, rows) is None

    @pytest.mark.parametrize(
        ("outcome", "reason"),
        [
            (State.STALLED, Reason.PICKUP_TIMEOUT),
            (State.UNKNOWN, Reason.UNSETTLED),
            (State.REJECTED, Reason.PERMISSION_DENIED),
        ],
    )
    def test_what_says_nothing_of_a_ca_neither_counts_nor_clears(
        self, outcome: State, reason: Reason
    ) -> None:
        other = Ended(1, outcome, reason, source="c")
        rows = [failed(source=f"agent{n % 2}") for n in range(10)]
        assert first(AUTHORITY, [other] * 50) is None
        assert first(AUTHORITY, [*rows, other, *rows]) == 20
