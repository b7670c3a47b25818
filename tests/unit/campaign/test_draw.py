"""The draw of waves: what the canary samples, and what it cannot."""

from __future__ import annotations

from collections import Counter

import pytest

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.draw import (
    Assignment,
    Stratum,
    WaveRow,
    assign,
    orchestrator_group,
    seats,
)
from batch_reenroll.campaign.waves import WavePlan

SEED = "5f" * 32


def row(row_no: int, kind: str = "PEM", wave: str | None = None) -> WaveRow:
    return WaveRow(row_no, kind, f"{kind}-{row_no % 7:02}.example.com", "ca1", wave)


def kinds(**sizes: int) -> list[WaveRow]:
    """Return rows of store types, one type after another."""
    names = [kind for kind, n in sizes.items() for _ in range(n)]
    return [row(n, kind) for n, kind in enumerate(names, start=1)]


def waves(**sizes: str | None) -> list[WavePlan]:
    return [
        WavePlan(name=name, size=None if size is None else Limit.parse(size))
        for name, size in sizes.items()
    ]


def in_wave(found: Assignment, rows: list[WaveRow], wave: str) -> list[WaveRow]:
    return [r for r, name in zip(rows, found.waves, strict=True) if name == wave]


def types_in(found: Assignment, rows: list[WaveRow], wave: str) -> dict[str, int]:
    return dict(Counter(r.store_type for r in in_wave(found, rows, wave)))


class TestCanary:
    def test_it_samples_every_stratum_and_then_in_proportion(self) -> None:
        rows = kinds(PEM=900, IIS=90, JKS=10)
        found = assign(rows, waves(canary="2%", rest=None), seed=SEED)
        assert types_in(found, rows, "canary") == {"PEM": 16, "IIS": 3, "JKS": 1}

    def test_a_store_type_an_orchestrator_group_and_a_ca_make_a_stratum(self) -> None:
        rows = [
            WaveRow(1, "PEM", "web01", "ca1"),
            WaveRow(2, "PEM", "WEB17", "ca1"),
            WaveRow(3, "IIS", "web01", "ca1"),
            WaveRow(4, "PEM", "db01", "ca1"),
            WaveRow(5, "PEM", "web01", "ca2"),
        ]
        found = assign(rows, waves(canary="4", rest=None), seed=SEED)
        assert found.strata == 4
        assert found.coverage[0].sampled == 4
        assert found.waves[2:] == ["canary"] * 3

    def test_with_fewer_places_than_strata_the_largest_come_first(self) -> None:
        rows = kinds(JKS=3, PEM=50, F5=2, IIS=20)
        found = assign(rows, waves(canary="2", rest=None), seed=SEED)
        assert types_in(found, rows, "canary") == {"PEM": 1, "IIS": 1}
        assert [s.store_type for s in found.coverage[0].unsampled] == ["JKS", "F5"]

    def test_the_next_wave_begins_with_what_the_first_could_not_sample(self) -> None:
        rows = kinds(JKS=3, PEM=500, F5=2, IIS=200)
        found = assign(rows, waves(canary="2", early="3", rest=None), seed=SEED)
        assert types_in(found, rows, "early") == {"JKS": 1, "F5": 1, "PEM": 1}
        assert found.coverage[1].unsampled == ()

    def test_strata_of_one_size_do_not_compete_by_the_order_of_the_rows(self) -> None:
        rows, plan = kinds(PEM=5, IIS=5), waves(canary="1", rest=None)
        backwards = rows[::-1]
        one, other = (assign(r, plan, seed=SEED) for r in (rows, backwards))
        assert in_wave(one, rows, "canary") == in_wave(other, backwards, "canary")

    def test_it_is_not_the_first_rows(self) -> None:
        rows = kinds(PEM=1_000)
        found = assign(rows, waves(canary="10", rest=None), seed=SEED)
        assert max(r.row_no for r in in_wave(found, rows, "canary")) > 100

    def test_another_manifest_draws_other_rows(self) -> None:
        rows = kinds(PEM=1_000)
        plan = waves(canary="10", rest=None)
        one, other = (assign(rows, plan, seed=seed) for seed in ("a", "b"))
        assert one.waves != other.waves

    def test_the_draw_stays_the_same_from_version_to_version(self) -> None:
        # A resumed campaign must find its rows in the waves that were approved.
        rows = kinds(PEM=40)
        found = assign(rows, waves(canary="4", rest=None), seed=SEED)
        assert [r.row_no for r in in_wave(found, rows, "canary")] == [5, 11, 29, 39]


class TestNames:
    def test_a_row_that_names_its_wave_goes_there(self) -> None:
        rows = [*kinds(PEM=5), row(6, wave="rest"), row(7, wave="canary")]
        found = assign(rows, waves(canary="1", rest=None), seed=SEED)
        assert found.waves == ["rest"] * 6 + ["canary"]

    def test_rows_that_name_the_wave_count_toward_its_size(self) -> None:
        rows = [*kinds(PEM=8), row(9, wave="canary"), row(10, wave="canary")]
        found = assign(rows, waves(canary="30%", rest=None), seed=SEED)
        assert (found.coverage[0].named, found.coverage[0].drawn) == (2, 1)

    def test_more_than_its_size_may_name_it(self) -> None:
        rows = [row(n, wave="canary") for n in range(1, 6)]
        found = assign(rows, waves(canary="2", rest=None), seed=SEED)
        assert (found.coverage[0].named, found.coverage[0].drawn) == (5, 0)

    def test_a_stratum_that_a_named_row_samples_needs_no_drawn_one(self) -> None:
        rows = [*kinds(PEM=10, IIS=5), row(16, "PEM", wave="canary")]
        found = assign(rows, waves(canary="2", rest=None), seed=SEED)
        assert types_in(found, rows, "canary") == {"PEM": 1, "IIS": 1}

    def test_a_stratum_kept_for_a_later_wave_is_not_sampled(self) -> None:
        rows = [*kinds(PEM=10), row(11, "IIS", wave="rest")]
        found = assign(rows, waves(canary="5", rest=None), seed=SEED)
        assert found.coverage[0].unsampled == (
            Stratum("IIS", "iis-#.example.com", "ca1"),
        )

    def test_an_earlier_wave_without_a_size_draws_none(self) -> None:
        rows = [*kinds(PEM=3), row(4, wave="first")]
        found = assign(rows, waves(first=None, rest=None), seed=SEED)
        assert found.waves == ["rest"] * 3 + ["first"]

    def test_a_wave_that_is_not_planned_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"row 1: no wave is named 'canari'"):
            assign([row(1, wave="canari")], waves(canary="1"), seed=SEED)


class TestLastWave:
    def test_without_a_size_it_takes_all_that_are_left(self) -> None:
        found = assign(kinds(PEM=10), waves(a="3", b="4", rest=None), seed=SEED)
        assert Counter(found.waves) == {"a": 3, "b": 4, "rest": 3}
        assert found.waves.count(None) == 0

    def test_with_a_size_it_may_leave_rows_without_a_wave(self) -> None:
        found = assign(kinds(PEM=10), waves(a="3", b="4"), seed=SEED)
        assert found.waves.count(None) == 3

    def test_sizes_beyond_the_manifest_end_with_its_rows(self) -> None:
        found = assign(kinds(PEM=5), waves(a="4", b="4", rest=None), seed=SEED)
        assert Counter(found.waves) == {"a": 4, "b": 1}
        assert [c.drawn for c in found.coverage] == [4, 1, 0]


class TestSeats:
    @pytest.mark.parametrize(
        ("places", "left", "fresh", "expected"),
        [
            pytest.param(10, [60, 30, 10], [], [6, 3, 1], id="whole shares"),
            pytest.param(4, [5, 3, 2], [], [2, 1, 1], id="largest remainders"),
            pytest.param(1, [4, 2, 2], [], [1, 0, 0], id="the largest of all"),
            pytest.param(2, [1, 3], [], [0, 2], id="a tie goes to the larger"),
            pytest.param(1, [3, 3], [], [1, 0], id="or else to the first"),
            pytest.param(3, [97, 2, 1], [0, 1, 2], [1, 1, 1], id="one each"),
            pytest.param(2, [97, 2, 1], [0, 1, 2], [1, 1, 0], id="in this order"),
            pytest.param(1, [97, 0, 1], [1, 2, 0], [0, 0, 1], id="none left of it"),
            pytest.param(9, [2, 0, 1], [0], [2, 0, 1], id="no more than are left"),
            pytest.param(0, [2, 1], [0, 1], [0, 0], id="no places"),
            pytest.param(5, [], [], [], id="no strata"),
        ],
    )
    def test_seats(
        self, places: int, left: list[int], fresh: list[int], expected: list[int]
    ) -> None:
        assert seats(places, left, fresh) == expected


class TestGroups:
    @pytest.mark.parametrize(
        ("name", "group"),
        [
            ("IIS-EU-014.Example.com", "iis-eu-#.example.com"),
            ("10.20.30.40", "#.#.#.#"),
            ("", ""),
            (
                "7C9E6679-7425-40DE-944B-E07FC1F90AE7",
                "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            ),
        ],
    )
    def test_numbers_and_case_make_no_other_group(self, name: str, group: str) -> None:
        assert orchestrator_group(name) == group
