"""What a wave asks for, and its gate at the exact borders."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from unit.campaign.wallclock import utc

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.waves import (
    Ask,
    Gate,
    Halt,
    OpenNext,
    Wait,
    WavePlan,
    WaveTally,
    gate,
    rows_in,
)
from batch_reenroll.campaign.windows import Window

ENDED = utc(2026, 11, 23, 20)
SOAK = timedelta(minutes=30)


def limit(text: str) -> Limit:
    return Limit.parse(text)


def after(
    max_failures: str | None,
    *,
    ended: int,
    failed: int,
    still_open: int = 0,
    waited: timedelta = SOAK,
    confirm: bool = False,
) -> Gate:
    wave = WavePlan(
        name="canary",
        soak_s=int(SOAK.total_seconds()),
        max_failures=None if max_failures is None else limit(max_failures),
    )
    return gate(
        wave,
        WaveTally(ended=ended, failed=failed, open=still_open),
        ended_at=ENDED if ended and not still_open else None,
        now=ENDED + waited,
        confirm=confirm,
    )


class TestSizes:
    @pytest.mark.parametrize(
        ("size", "n_rows", "expected"),
        [
            ("25", 10, 25),
            ("0", 10, 0),
            ("10%", 100, 10),
            ("10%", 101, 11),
            ("10%", 109, 11),
            ("1%", 1, 1),
            ("0.57%", 10_000, 57),
            ("0.000001%", 1_000_000, 1),
            ("0%", 1_000, 0),
            ("100%", 7, 7),
            ("1%", 0, 0),
        ],
    )
    def test_a_percentage_is_exact_and_rounded_up(
        self, size: str, n_rows: int, expected: int
    ) -> None:
        assert rows_in(limit(size), n_rows) == expected

    def test_the_last_wave_without_a_size_wants_everything(self) -> None:
        assert WavePlan(name="rest").places(17, is_last=True) == 17

    def test_an_earlier_one_wants_only_rows_that_name_it(self) -> None:
        assert WavePlan(name="rest").places(17, is_last=False) == 0

    def test_the_last_wave_with_a_size_wants_no_more_than_that(self) -> None:
        wave = WavePlan(name="last", size=limit("10%"))
        assert wave.places(100, is_last=True) == 10


class TestLimitsOfFailures:
    def test_as_many_failures_as_allowed_open_the_next_wave(self) -> None:
        assert after("3", ended=10, failed=3) == OpenNext()

    def test_one_more_ends_the_campaign(self) -> None:
        found = after("3", ended=10, failed=4)
        assert found == Halt("wave canary: 4 of 10 rows failed; its limit is 3")

    def test_none_allowed_means_the_first(self) -> None:
        assert after("0", ended=10, failed=0) == OpenNext()
        assert isinstance(after("0", ended=10, failed=1), Halt)

    def test_a_percentage_reached_is_not_exceeded(self) -> None:
        assert after("2%", ended=100, failed=2) == OpenNext()

    def test_a_percentage_exceeded_by_one_row_is(self) -> None:
        assert isinstance(after("2%", ended=100, failed=3), Halt)
        assert isinstance(after("2%", ended=149, failed=3), Halt)
        assert after("2%", ended=150, failed=3) == OpenNext()

    def test_a_percentage_needs_no_least_number_of_rows(self) -> None:
        assert isinstance(after("50%", ended=1, failed=1), Halt)

    def test_without_a_limit_a_wave_of_failures_passes(self) -> None:
        assert after(None, ended=9, failed=9) == OpenNext()

    def test_a_number_exceeded_halts_though_rows_are_open(self) -> None:
        assert isinstance(after("0", ended=1, failed=1, still_open=99), Halt)

    def test_a_percentage_waits_while_the_open_rows_could_mend_it(self) -> None:
        assert after("2%", ended=1, failed=1, still_open=49) == Wait(None)

    def test_a_percentage_halts_as_soon_as_they_could_not(self) -> None:
        assert isinstance(after("2%", ended=1, failed=1, still_open=48), Halt)

    def test_a_halt_goes_before_the_question(self) -> None:
        assert isinstance(after("0", ended=5, failed=1, confirm=True), Halt)


class TestSoaking:
    def test_open_rows_keep_the_gate_shut_without_a_time(self) -> None:
        assert after(None, ended=5, failed=0, still_open=1) == Wait(None)

    def test_the_soak_counts_from_the_last_rows_end(self) -> None:
        found = after(None, ended=5, failed=0, waited=timedelta(0))
        assert found == Wait(ENDED + SOAK)

    def test_just_before_its_end_the_gate_is_shut(self) -> None:
        nearly = SOAK - timedelta(microseconds=1)
        assert after(None, ended=5, failed=0, waited=nearly) == Wait(ENDED + SOAK)

    def test_at_its_end_the_gate_opens(self) -> None:
        assert after(None, ended=5, failed=0, waited=SOAK) == OpenNext()

    def test_a_wave_of_which_nothing_was_tried_needs_no_soak(self) -> None:
        assert after("0", ended=0, failed=0, waited=timedelta(0)) == OpenNext()

    def test_an_end_that_is_not_said_is_a_mistake_of_the_caller(self) -> None:
        tally = WaveTally(ended=1, failed=0, open=0)
        with pytest.raises(ValueError, match="not said"):
            gate(WavePlan(name="a"), tally, ended_at=None, now=ENDED)


class TestConfirming:
    def test_it_asks_only_when_the_soak_is_over(self) -> None:
        early = after(None, ended=5, failed=1, waited=timedelta(0), confirm=True)
        assert early == Wait(ENDED + SOAK)

    def test_the_question_says_how_the_wave_went(self) -> None:
        found = after(None, ended=5, failed=1, confirm=True)
        well = "4 rows ended well, 1 failed"
        assert found == Ask(f"wave canary is done: {well}. Open the next wave?")


class TestJson:
    @pytest.mark.parametrize("size", [None, "12", "2.5%", "0.000001%", "100%"])
    def test_a_wave_is_read_back(self, size: str | None) -> None:
        wave = WavePlan(
            name="early",
            size=None if size is None else limit(size),
            soak_s=60,
            max_failures=limit("0.57%"),
            windows=(Window(cron="0 1 * * *", timezone="UTC", duration_s=60),),
        )
        assert WavePlan.from_json(wave.as_json()) == wave

    def test_a_limit_is_written_as_people_write_it(self) -> None:
        wave = WavePlan(name="a", size=limit("2.50 %"), max_failures=limit("3"))
        assert (wave.as_json()["size"], wave.as_json()["max_failures"]) == ("2.5%", "3")

    def test_a_limit_without_an_end_is_written_exactly(self) -> None:
        third = Limit(Fraction(1, 3), percent=True)
        assert Limit.parse(str(third)) == third
