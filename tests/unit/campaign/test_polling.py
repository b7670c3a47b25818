"""The poll planner picks the cheapest reads that show all that must be seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.campaign.polling import (
    MAX_LIST_ROWS,
    MAX_PAGE_ROWS,
    MIN_PAGE_ROWS,
    Flow,
    Wants,
    plan_history,
    plan_scheduled,
)

FLOW = Flow(rows_per_id=0.5, new_ids=20.0)


class TestHistory:
    def test_a_first_look_reads_the_newest_page_only(self) -> None:
        plan = plan_history(floor_id=None, high_id=0, open_ids=(), flow=FLOW)
        assert (plan.above, plan.limit) == (None, 1000)

    def test_without_open_jobs_a_sweep_ends_at_the_floor(self) -> None:
        plan = plan_history(floor_id=900, high_id=1000, open_ids=(), flow=FLOW)
        assert (plan.above, plan.limit, plan.by_id) == (900, MIN_PAGE_ROWS, 0)

    def test_open_jobs_a_few_rows_below_the_floor_are_swept(self) -> None:
        plan = plan_history(floor_id=900, high_id=1000, open_ids=[880, 850], flow=FLOW)
        assert (plan.above, plan.by_id) == (849, 0)

    def test_an_open_job_far_below_is_asked_for_by_id(self) -> None:
        plan = plan_history(floor_id=900_000, high_id=900_100, open_ids=[7], flow=FLOW)
        assert (plan.above, plan.by_id) == (900_000, 1)

    def test_jobs_of_which_a_query_has_room_are_asked_for_in_it(self) -> None:
        plan = plan_history(
            floor_id=900_000, high_id=900_100, open_ids=[899_990, 7], flow=FLOW
        )
        assert (plan.above, plan.by_id) == (900_000, 2)

    def test_many_running_jobs_are_swept_rather_than_asked_for(self) -> None:
        running = list(range(899_800, 900_000))
        plan = plan_history(
            floor_id=900_000, high_id=900_100, open_ids=[*running, 7], flow=FLOW
        )
        # The query that is needed for the one has room for 24 more.
        assert (plan.above, plan.by_id) == (899_823, 25)

    def test_a_page_has_room_for_what_is_expected(self) -> None:
        busy = Flow(rows_per_id=1.0, new_ids=800.0)
        plan = plan_history(floor_id=0, high_id=200, open_ids=(), flow=busy)
        assert 1000 < plan.limit <= 1500

    @given(
        st.integers(0, 10_000),
        st.integers(0, 20_000),
        st.lists(st.integers(1, 30_000), max_size=60),
        st.floats(0.01, 1.0),
        st.floats(0.0, 50_000.0),
        st.integers(1, MAX_LIST_ROWS),
    )
    def test_the_floor_is_always_reached_and_every_open_job_seen_or_asked_for(
        self,
        floor_id: int,
        grown: int,
        open_ids: list[int],
        rows_per_id: float,
        new_ids: float,
        page_rows: int,
    ) -> None:
        plan = plan_history(
            floor_id=floor_id,
            high_id=floor_id + grown,
            open_ids=open_ids,
            flow=Flow(rows_per_id=rows_per_id, new_ids=new_ids),
            page_rows=page_rows,
        )
        assert plan.above is not None
        assert plan.above <= floor_id
        below = [number for number in open_ids if number <= floor_id]
        assert plan.by_id == sum(number <= plan.above for number in below)
        assert 1 <= plan.limit <= page_rows


class TestFlow:
    def test_other_peoples_inventories_take_ids_but_no_rows(self) -> None:
        flow = Flow().after([100, 102, 104, 109], known_id=99)
        assert flow == Flow(rows_per_id=0.4, new_ids=10.0)

    def test_a_burst_is_expected_again_for_a_while(self) -> None:
        flow = Flow(new_ids=100.0).after([201], known_id=200)
        assert flow.new_ids == 80.0

    def test_a_sweep_without_rows_says_nothing_of_their_share(self) -> None:
        assert Flow(rows_per_id=0.3).after([], known_id=5).rows_per_id == 0.3


class TestScheduled:
    def test_the_list_is_not_read_when_nothing_depends_on_it(self) -> None:
        plan = plan_scheduled(Wants(), rows=50_000)
        assert not plan.whole
        assert plan.alone == ()
        assert plan.shown() == "scheduled: not needed"

    def test_it_is_read_while_rows_are_to_be_sent(self) -> None:
        plan = plan_scheduled(Wants(feeding=True), rows=300)
        assert (plan.whole, plan.alone, plan.limit) == (True, (), 1000)

    def test_a_long_list_is_asked_for_in_one_page(self) -> None:
        assert plan_scheduled(Wants(feeding=True), rows=8_000).limit == 10_025
        assert plan_scheduled(Wants(feeding=True), rows=90_000).limit == MAX_LIST_ROWS

    def test_pressing_orchestrators_are_read_alone_and_others_a_few_at_a_time(
        self,
    ) -> None:
        wants = Wants(feeding=True, urgent=frozenset("ba"), due=("e", "d", "c"))
        assert plan_scheduled(wants, rows=900, pages=2).alone == ("a", "b", "e", "d")

    def test_once_nothing_is_left_to_send_all_are_read_so_that_no_look_has_to(
        self,
    ) -> None:
        wants = Wants(urgent=frozenset("a"), due=("e", "d", "c"))
        assert plan_scheduled(wants, rows=900, pages=2).alone == ("a", "e", "d", "c")


def test_a_page_is_never_larger_than_what_command_was_seen_to_bear() -> None:
    wants = Wants(feeding=True)
    assert plan_scheduled(wants, rows=8_000, page_rows=1000).limit == 1000
    far = plan_history(
        floor_id=0, high_id=10**6, open_ids=(), flow=FLOW, page_rows=MAX_PAGE_ROWS
    )
    assert far.limit == MAX_PAGE_ROWS
