"""The budget at its exact borders."""

from __future__ import annotations

from fractions import Fraction

import pytest

from batch_reenroll.campaign.budget import FAILURES, TRIED, Limit, Tally
from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.report import sets


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "limit"),
        [
            ("0", Limit(Fraction(0), percent=False)),
            ("12", Limit(Fraction(12), percent=False)),
            (" 12 ", Limit(Fraction(12), percent=False)),
            ("0%", Limit(Fraction(0), percent=True)),
            ("2%", Limit(Fraction(2), percent=True)),
            ("2.5 %", Limit(Fraction(5, 2), percent=True)),
            ("100%", Limit(Fraction(100), percent=True)),
        ],
    )
    def test_a_number_or_a_percentage_is_read(self, text: str, limit: Limit) -> None:
        assert Limit.parse(text) == limit

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "%",
            "-1",
            "-1%",
            "2.5",
            "1/3",
            "100.1%",
            "2%%",
            "%2",
            "two",
            "nan",
            "inf%",
        ],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError):
            Limit.parse(text)

    @pytest.mark.parametrize("text", ["1/0", "1/0%"])
    def test_a_fraction_of_nothing_is_refused(self, text: str) -> None:
        try:
            Limit.parse(text)
        except ArithmeticError as exc:
            pytest.fail(repr(exc))
        except ValueError:
            return


class TestLimits:
    def test_a_number_is_not_exceeded_when_it_is_reached(self) -> None:
        assert not Limit.parse("3").exceeded(3, 3, min_rows=50)

    def test_a_number_is_exceeded_by_one_more_however_few_rows_ended(self) -> None:
        assert Limit.parse("3").exceeded(4, 4, min_rows=50)

    def test_zero_is_exceeded_by_the_first_failure(self) -> None:
        assert not Limit.parse("0").exceeded(0, 100, min_rows=50)
        assert Limit.parse("0").exceeded(1, 100, min_rows=50)

    def test_a_percentage_is_not_exceeded_when_it_is_reached(self) -> None:
        assert not Limit.parse("2%").exceeded(2, 100, min_rows=50)

    def test_a_percentage_is_exceeded_by_one_more(self) -> None:
        assert Limit.parse("2%").exceeded(3, 100, min_rows=50)

    def test_a_percentage_does_not_count_before_enough_rows_have_ended(self) -> None:
        assert not Limit.parse("2%").exceeded(49, 49, min_rows=50)

    def test_a_percentage_counts_once_they_have(self) -> None:
        assert Limit.parse("2%").exceeded(2, 50, min_rows=50)
        assert not Limit.parse("2%").exceeded(1, 50, min_rows=50)

    def test_a_percentage_that_floats_cannot_hold_is_exact(self) -> None:
        # In binary floating point 0.57 * 10000 is a little less than 5700.
        assert not Limit.parse("0.57%").exceeded(57, 10_000, min_rows=1)
        assert Limit.parse("0.57%").exceeded(58, 10_000, min_rows=1)

    def test_a_hundred_percent_is_never_exceeded(self) -> None:
        assert not Limit.parse("100%").exceeded(10, 10, min_rows=1)

    def test_no_ended_rows_exceed_no_percentage(self) -> None:
        assert not Limit.parse("0%").exceeded(0, 0, min_rows=0)


class TestWhatCounts:
    def test_failures_are_what_reports_file_so_but_for_the_pre_flight(self) -> None:
        assert {str(state) for state in FAILURES} == set(sets.FAILURE) - {
            "skipped_preflight"
        }

    def test_the_tally_counts_failures_and_tried_rows(self) -> None:
        tally = Tally()
        for n, outcome in enumerate(OUTCOMES):
            tally.add(outcome, 2**n)
        assert tally.failures == sum(
            2**n for n, outcome in enumerate(OUTCOMES) if outcome in FAILURES
        )
        assert tally.tried == sum(
            2**n for n, outcome in enumerate(OUTCOMES) if outcome in TRIED
        )

    def test_counts_of_one_outcome_add_up(self) -> None:
        tally = Tally()
        tally.add(State.FAILED)
        tally.add(State.FAILED, 2)
        assert tally.failures == 3
