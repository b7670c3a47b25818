"""Sweeps of JobHistory are complete, whatever order the server gives its rows."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime

import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st
from unit.command.historian import (
    JOB,
    Historian,
    Mischief,
    as_asked,
    reverse,
    shuffle,
    swept,
    twice,
)
from unit.command.scripted import ScriptedAuth, ScriptedTransport, json_answer

from batch_reenroll.command.client import CommandClient
from batch_reenroll.command.dialect import Family
from batch_reenroll.command.history import MAX_PASSES
from batch_reenroll.command.paging import PROOF_ROWS
from batch_reenroll.errors import ContractViolation, OutcomeUnknown

pytestmark = pytest.mark.asyncio


def ascending(ids: list[int], rng: random.Random) -> list[int]:
    return sorted(ids)


def by_digits(ids: list[int], rng: random.Random) -> list[int]:
    """Return a fixed order that has nothing to do with age."""
    return sorted(ids, key=lambda n: (n * 7919) % 1009)


def anew(ids: list[int], rng: random.Random) -> list[int]:
    """Return another order for each answer."""
    return rng.sample(ids, len(ids))


class TestServerThatSorts:
    async def test_reading_ends_at_the_known_row(self) -> None:
        server = Historian(list(range(1, 101)), cap=10)
        assert await swept(server.client(), above=85) == list(range(100, 80, -1))
        assert len(server.asked) == 2

    async def test_the_newest_page_is_enough_when_nothing_is_known(self) -> None:
        server = Historian(list(range(1, 101)), cap=10)
        assert await swept(server.client(), above=None) == list(range(100, 90, -1))

    async def test_a_head_below_the_known_row_is_not_believed(self) -> None:
        server = Historian(
            list(range(1, 101)), order=ascending, cap=10, mischief={1: reverse}
        )
        assert set(await swept(server.client(), above=95)) >= set(range(96, 101))

    async def test_few_rows_in_order_prove_no_order(self) -> None:
        server = Historian(list(range(1, 101)), cap=1)
        found = await swept(server.client(), above=99)
        assert found == list(range(100, 100 - PROOF_ROWS, -1))

    async def test_a_short_page_is_no_end_without_a_total(self) -> None:
        server = Historian([1, 2, 3], totals=False)
        assert await swept(server.client(), limit=100) == [3, 2, 1]
        assert len(server.asked) == 2

    async def test_a_total_saves_the_empty_page(self) -> None:
        server = Historian([1, 2, 3])
        await swept(server.client(), limit=100)
        assert len(server.asked) == 1

    async def test_an_empty_history_is_whole(self) -> None:
        for totals in (True, False):
            server = Historian([], totals=totals)
            assert await swept(server.client()) == []
            assert len(server.asked) == 1

    async def test_rows_added_meanwhile_neither_hide_nor_repeat_others(self) -> None:
        server = Historian(
            list(range(1, 41)), cap=5, totals=False, grows={1: 2, 2: 6, 3: 1}
        )
        found = await swept(server.client(), above=12)
        assert set(found) >= set(range(13, 41))

    async def test_repeated_items_are_given_once(self) -> None:
        server = Historian(list(range(1, 41)), cap=10, always=twice)
        assert set(await swept(server.client())) == set(range(1, 41))

    async def test_a_failed_page_is_read_again_and_the_sweep_goes_on(self) -> None:
        rows = [{"JobHistoryId": n, "JobId": JOB} for n in range(20, 0, -1)]
        transport = ScriptedTransport(
            [
                json_answer(rows[:10]),
                OutcomeUnknown("no answer"),
                json_answer(rows[10:]),
                json_answer([]),
            ]
        )
        sweep = CommandClient(
            transport, ScriptedAuth(), now_utc=_never, dialect=Family.PLAIN
        ).job_history(limit=10, above=0)
        await sweep.read()
        with pytest.raises(OutcomeUnknown):
            await sweep.read()
        page = await sweep.read()
        assert page is not None
        assert [row.history_id for row in page.items] == list(range(10, 0, -1))
        pages = [asked.params["PageReturned"] for asked in transport.asked]
        assert pages == ["1", "2", "2"]


class TestServerThatSortsTheOtherWay:
    async def test_it_is_read_from_its_last_page_up(self) -> None:
        server = Historian(list(range(1, 1004)), order=ascending, cap=10)
        found = await swept(server.client(), above=990)
        assert set(found) >= set(range(991, 1004))
        assert len(server.asked) == 4  # the first page, then 1001 to 1003 and upwards

    async def test_its_newest_row_is_found(self) -> None:
        server = Historian(list(range(1, 1001)), order=ascending, cap=10)
        assert max(await swept(server.client(), above=None)) == 1000
        assert len(server.asked) == 2

    async def test_it_is_read_whole_without_a_total(self) -> None:
        server = Historian(list(range(1, 101)), order=ascending, cap=10, totals=False)
        assert set(await swept(server.client(), above=95)) == set(range(1, 101))

    async def test_rows_added_meanwhile_hide_no_others(self) -> None:
        server = Historian(
            list(range(1, 98)), order=ascending, cap=10, grows={1: 5, 2: 25, 3: 4}
        )
        assert set(await swept(server.client(), above=60)) >= set(range(61, 98))


class TestServerWithoutOrder:
    @pytest.mark.parametrize("totals", [True, False])
    async def test_it_is_read_whole(self, totals: bool) -> None:
        server = Historian(list(range(1, 101)), order=by_digits, cap=10, totals=totals)
        assert set(await swept(server.client(), above=95)) == set(range(1, 101))

    async def test_an_order_anew_for_each_answer_is_read_until_the_total_is(
        self,
    ) -> None:
        server = Historian(list(range(1, 41)), order=anew, cap=10)
        assert set(await swept(server.client(), above=39)) == set(range(1, 41))
        assert len(server.asked) > 4

    async def test_an_order_anew_for_each_answer_is_not_believed_without_total(
        self,
    ) -> None:
        server = Historian(list(range(1, 41)), order=anew, cap=10, totals=False)
        with pytest.raises(ContractViolation) as caught:
            await swept(server.client(), above=39)
        assert caught.value.code == "sort_ignored"
        assert len(server.asked) == 5 * MAX_PASSES

    async def test_a_server_that_ignores_the_page_is_not_read_for_ever(self) -> None:
        row = {"JobHistoryId": 9, "JobId": JOB}
        transport = ScriptedTransport([json_answer([row])])
        client = CommandClient(
            transport, ScriptedAuth(), now_utc=_never, dialect=Family.PLAIN
        )
        with pytest.raises(ContractViolation) as caught:
            await swept(client)
        assert caught.value.code == "paging_ignored"
        assert len(transport.asked) < 20


class TestOddPages:
    @pytest.mark.parametrize("odd", [reverse, shuffle])
    @pytest.mark.parametrize("totals", [True, False])
    async def test_one_odd_page_hides_no_row_and_is_forgotten(
        self, odd: Mischief, totals: bool
    ) -> None:
        server = Historian(
            list(range(1, 101)), cap=10, mischief={1: odd}, totals=totals
        )
        client = server.client()
        assert set(await swept(client, above=85)) >= set(range(86, 101))
        before = len(server.asked)
        assert await swept(client, above=85) == list(range(100, 80, -1))
        assert len(server.asked) - before == 2

    @pytest.mark.parametrize("odd", [reverse, shuffle])
    async def test_every_page_odd_hides_no_row(self, odd: Mischief) -> None:
        for totals in (True, False):
            server = Historian(list(range(1, 101)), cap=10, always=odd, totals=totals)
            assert set(await swept(server.client(), above=95)) == set(range(1, 101))

    async def test_pages_each_the_wrong_way_round_are_no_list_the_wrong_way_round(
        self,
    ) -> None:
        server = Historian(list(range(1, 101)), cap=10, always=reverse)
        assert set(await swept(server.client(), above=5)) >= set(range(6, 101))

    @pytest.mark.parametrize("totals", [True, False])
    @pytest.mark.parametrize("caps", [{1: 5}, {2: 5}, {2: 20}, {3: 9}])
    async def test_one_page_of_another_size_leaves_no_gap(
        self, totals: bool, caps: dict[int, int]
    ) -> None:
        server = Historian(list(range(1, 101)), cap=10, caps=caps, totals=totals)
        assert set(await swept(server.client(), above=40)) >= set(range(41, 101))


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(0, 60),
    order=st.sampled_from([None, ascending, by_digits]),
    cap=st.sampled_from([1, 2, 7, 20, 1000]),
    totals=st.booleans(),
    mischief=st.dictionaries(
        st.integers(1, 12), st.sampled_from([reverse, shuffle, twice])
    ),
    always=st.sampled_from([as_asked, as_asked, reverse, shuffle, twice]),
    caps=st.dictionaries(st.integers(1, 6), st.sampled_from([1, 5]), max_size=1),
    grows=st.dictionaries(st.integers(1, 8), st.integers(0, 4), max_size=4),
    above=st.integers(0, 60),
    seed=st.integers(0, 9999),
)
async def test_a_sweep_is_complete_or_says_that_it_is_not(
    rows: int,
    order: object,
    cap: int,
    totals: bool,
    mischief: dict[int, Mischief],
    always: Mischief,
    caps: dict[int, int],
    grows: dict[int, int],
    above: int,
    seed: int,
) -> None:
    server = Historian(
        list(range(1, rows + 1)),
        cap=cap,
        totals=totals,
        mischief=mischief,
        always=always,
        caps=caps,
        grows=grows,
        rng=random.Random(seed),
    )
    if order is not None:
        server.order = order  # type: ignore[assignment]
    note(f"{server=} {above=}")
    # One page of another size shows in the total only; two wrongs may make a right.
    assume(totals or not caps)
    assume(all(capped <= cap for capped in caps.values()))
    assume(order is None or reverse not in (always, *mischief.values()))
    try:
        found = await asyncio.wait_for(swept(server.client(), above=above), 30)
    except ContractViolation:
        # Pages that never join are beyond reading, and without a total an order that
        # rows are added to while it is read.
        assert caps or (not totals and grows)
        return
    assert set(found) >= set(range(above + 1, rows + 1))


def _never() -> datetime:
    raise AssertionError("nobody needs the time here")
