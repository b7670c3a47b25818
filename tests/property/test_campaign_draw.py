"""Laws of the draw: every row once, every stratum early, in proportion, repeatable."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.draw import WaveRow, assign, seats
from batch_reenroll.campaign.waves import WavePlan

NAMES = ["one", "two", "three", "four"]

limits = st.builds("{}{}".format, st.integers(0, 40), st.sampled_from(["", "%"]))
sizes = st.none() | limits.map(Limit.parse)
plans = st.lists(sizes, min_size=1, max_size=len(NAMES)).map(
    lambda given: [
        WavePlan(name=name, size=size) for name, size in zip(NAMES, given, strict=False)
    ]
)


@st.composite
def campaigns(draw: st.DrawFn) -> tuple[list[WaveRow], list[WavePlan]]:
    plan = draw(plans)
    names = st.none() | st.none() | st.sampled_from([wave.name for wave in plan])
    rows = draw(
        st.lists(
            st.builds(
                WaveRow,
                st.just(0),
                st.sampled_from(["PEM", "IIS", "JKS"]),
                st.sampled_from(["web01", "WEB02", "db1"]),
                st.sampled_from(["ca1", "ca2"]),
                names,
            ),
            max_size=80,
        )
    )
    return [row._replace(row_no=n) for n, row in enumerate(rows, start=1)], plan


def stratum(row: WaveRow) -> tuple[str, str, str]:
    return (
        row.store_type,
        row.orchestrator.casefold().rstrip("0123456789"),
        row.authority,
    )


@given(campaigns())
def test_every_wave_has_its_size_as_far_as_rows_go(
    campaign: tuple[list[WaveRow], list[WavePlan]],
) -> None:
    rows, plan = campaign
    found = assign(rows, plan, seed="s")
    got, named = Counter(found.waves), Counter(row.wave for row in rows)
    free = named[None]
    for at, wave in enumerate(plan):
        wanted = wave.places(len(rows), is_last=at == len(plan) - 1)
        drawn = min(free, max(0, wanted - named[wave.name]))
        free -= drawn
        assert got[wave.name] == named[wave.name] + drawn
    assert found.waves.count(None) == free


@given(campaigns())
def test_a_row_that_names_its_wave_is_in_it(
    campaign: tuple[list[WaveRow], list[WavePlan]],
) -> None:
    rows, plan = campaign
    for row, wave in zip(rows, assign(rows, plan, seed="s").waves, strict=True):
        assert row.wave in (None, wave)


@given(campaigns(), st.randoms(use_true_random=False))
def test_neither_the_order_of_the_rows_nor_a_second_draw_changes_anything(
    campaign: tuple[list[WaveRow], list[WavePlan]], random: Random
) -> None:
    rows, plan = campaign
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = assign(rows, plan, seed="s"), assign(shuffled, plan, seed="s")
    by_row = dict(zip(rows, one.waves, strict=True))
    assert by_row == dict(zip(shuffled, other.waves, strict=True))
    assert one.coverage == other.coverage


@given(campaigns())
def test_no_wave_takes_a_second_drawn_row_of_a_stratum_while_another_is_untried(
    campaign: tuple[list[WaveRow], list[WavePlan]],
) -> None:
    rows, plan = campaign
    found = assign(rows, plan, seed="s")
    tried: set[tuple[str, str, str]] = set()
    later = Counter(stratum(row) for row in rows if row.wave is None)
    for wave in plan:
        mine = [
            (r, w) for r, w in zip(rows, found.waves, strict=True) if w == wave.name
        ]
        tried |= {stratum(r) for r, _ in mine if r.wave is not None}
        drawn = Counter(stratum(r) for r, _ in mine if r.wave is None)
        fresh = {key for key, n in later.items() if n and key not in tried}
        if fresh - drawn.keys():
            assert drawn.keys() <= fresh
            assert set(drawn.values()) <= {1}
        tried |= drawn.keys()
        later -= drawn


@given(campaigns())
def test_the_report_names_just_the_strata_that_no_wave_so_far_has_tried(
    campaign: tuple[list[WaveRow], list[WavePlan]],
) -> None:
    rows, plan = campaign
    found = assign(rows, plan, seed="s")
    everything = Counter(stratum(row) for row in rows)
    assert found.strata == len(everything)
    tried: set[tuple[str, str, str]] = set()
    for wave, coverage in zip(plan, found.coverage, strict=True):
        mine = [r for r, w in zip(rows, found.waves, strict=True) if w == wave.name]
        tried |= {stratum(r) for r in mine}
        assert coverage.sampled == len({stratum(r) for r in mine})
        assert coverage.named + coverage.drawn == len(mine)
        assert len(coverage.unsampled) == len(everything) - len(tried)
        counts = [everything[s[0], s[1].rstrip("#"), s[2]] for s in coverage.unsampled]
        assert counts == sorted(counts, reverse=True)


@given(st.integers(0, 300), st.lists(st.integers(0, 90), max_size=12), st.data())
def test_seats_are_all_given_and_each_share_is_proportional_to_within_a_row(
    places: int, left: list[int], data: st.DataObject
) -> None:
    fresh = (
        data.draw(st.lists(st.sampled_from(range(len(left))), unique=True))
        if left
        else []
    )
    taken = seats(places, left, fresh)
    assert sum(taken) == min(places, sum(left))
    assert all(0 <= n <= rows for n, rows in zip(taken, left, strict=True))
    first = [n for n in fresh if left[n]][:places]
    assert all(taken[n] >= 1 for n in first)
    others = min(places, sum(left)) - len(first)
    weights = [rows - (n in first) for n, rows in enumerate(left)]
    for n, weight in enumerate(weights):
        share = others * weight / max(1, sum(weights))
        assert abs(taken[n] - (n in first) - share) < 1
