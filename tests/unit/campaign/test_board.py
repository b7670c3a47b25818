"""The board: what two job lists, read again and again, say about a store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from unit.campaign.making import NOON, row_of, running, tried, waiting, watching

from batch_reenroll.campaign.board import JobBoard, is_final
from batch_reenroll.campaign.nouns import JobRecord, JobStatus, ScheduledJob
from batch_reenroll.campaign.rows import Fence

ROW = row_of()
OTHER = row_of(row_no=2, client_machine="web2")


def look(
    board: JobBoard,
    at_s: float,
    scheduled: Iterable[ScheduledJob] = (),
    history: Iterable[JobRecord] = (),
) -> None:
    board.see_scheduled(scheduled, at_s)
    board.see_history(history, at_s)
    board.finish_look(at_s)


class TestFinality:
    @pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.ACKNOWLEDGED])
    def test_completed_and_acknowledged_are_ends(self, status: JobStatus) -> None:
        assert is_final(tried(1, "j", status=status))

    @pytest.mark.parametrize(
        "status", sorted(set(JobStatus) - {JobStatus.COMPLETED, JobStatus.ACKNOWLEDGED})
    )
    def test_no_other_status_is_an_end(self, status: JobStatus) -> None:
        assert not is_final(tried(1, "j", status=status))

    def test_completed_will_retry_leaves_the_job_pending(self) -> None:
        board = watching(ROW)
        look(board, 1.0, (), [tried(7, "j", status=JobStatus.COMPLETED_WILL_RETRY)])
        assert board.pending_at(ROW) == {"j"}


class TestAJobBetweenTheLists:
    def test_a_job_taken_between_two_looks_is_still_a_candidate(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("j")])
        look(board, 2.0, (), [running(1, "j")])
        assert board.candidates(ROW) == {"j"}

    def test_a_job_that_ended_between_two_looks_is_still_a_candidate(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("j")])
        look(board, 2.0, (), [tried(1, "j")])
        assert board.candidates(ROW) == {"j"}

    def test_a_job_taken_between_the_two_reads_of_a_look_is_one_job(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("j")], [running(1, "j")])
        assert board.candidates(ROW) == {"j"}

    def test_a_job_in_both_lists_is_known_by_its_record(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("j")], [running(1, "j")])
        assert board.latest("j") == running(1, "j")

    def test_a_job_that_left_the_waiting_list_waits_no_more(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("j")])
        assert board.is_waiting("j")
        look(board, 2.0, (), [running(1, "j")])
        assert not board.is_waiting("j")

    def test_a_job_that_was_withdrawn_is_forgotten(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("j")])
        look(board, 2.0)
        assert board.jobs_at(ROW) == frozenset()

    def test_a_job_keeps_the_moment_of_its_first_sight(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("j")])
        look(board, 2.0, [waiting("j")], [running(1, "j")])
        assert board.first_seen_s("j") == 1.0

    def test_a_job_never_seen_has_no_first_sight(self) -> None:
        assert JobBoard().first_seen_s("j") is None

    def test_the_moment_of_the_last_complete_look_is_kept(self) -> None:
        board = JobBoard()
        assert board.look_began_s is None
        look(board, 1.0)
        look(board, 4.0)
        assert board.look_began_s == 4.0

    def test_a_record_of_another_machine_outweighs_a_doubtful_waiting_target(
        self,
    ) -> None:
        # Taken between the two reads of one look: it stands in both lists.
        board = watching(ROW, OTHER)
        look(board, 1.0, [waiting("j")], [tried(1, "j", client_machine="web2")])
        assert board.jobs_at(ROW) == frozenset()


class TestTriesOfOneJob:
    def test_the_highest_history_id_is_the_state(self) -> None:
        board = watching(ROW)
        retry = tried(5, "j", status=JobStatus.COMPLETED_WILL_RETRY)
        board.see_history([tried(9, "j"), retry], 1.0)
        assert board.latest("j") == tried(9, "j")

    def test_a_row_of_history_that_changed_replaces_what_it_said_before(self) -> None:
        board = watching(ROW)
        board.see_history([running(5, "j")], 1.0)
        board.see_history([tried(5, "j")], 2.0)
        assert board.latest("j") == tried(5, "j")

    def test_the_highest_id_of_all_is_kept_whatever_became_of_its_job(self) -> None:
        board = JobBoard()
        board.see_history([tried(9, "foreign"), tried(3, "other")], 1.0)
        assert board.high_id == 9

    def test_a_job_is_beyond_the_fence_only_if_its_first_try_is(self) -> None:
        board = watching(ROW)
        retry = tried(5, "j", status=JobStatus.COMPLETED_WILL_RETRY)
        board.see_history([tried(9, "j"), retry], 1.0)
        assert board.candidates(row_of(fence=Fence(history_id=5))) == frozenset()
        assert board.candidates(row_of(fence=Fence(history_id=4))) == {"j"}

    def test_a_retried_job_that_has_ended_is_not_pending_when_read_newest_first(
        self,
    ) -> None:
        board = JobBoard()
        retry = tried(5, "j", status=JobStatus.COMPLETED_WILL_RETRY)
        look(board, 1.0, (), [tried(9, "j"), retry])
        assert board.pending_at(ROW) == frozenset()

    def test_a_retried_job_that_has_ended_is_not_asked_for_again(self) -> None:
        board = JobBoard()
        retry = tried(5, "j", status=JobStatus.COMPLETED_WILL_RETRY)
        board.see_scheduled([], 1.0)
        board.see_history([tried(9, "j")], 1.0)  # the first page
        board.see_history([retry], 1.0)  # the second
        assert board.unfinished(9) == []


class TestMemory:
    def test_an_ended_job_of_a_place_nobody_watches_is_not_kept(self) -> None:
        board = JobBoard()
        board.see_history([tried(1, "j")], 1.0)
        assert board.latest("j") is None

    def test_a_running_job_of_a_place_nobody_watches_is_kept(self) -> None:
        board = JobBoard()
        board.see_history([running(1, "j")], 1.0)
        assert board.pending_at(ROW) == {"j"}

    def test_a_running_job_of_a_place_nobody_watches_is_forgotten_at_its_end(
        self,
    ) -> None:
        board = JobBoard()
        board.see_history([running(1, "j")], 1.0)
        board.see_history([tried(1, "j")], 2.0)
        assert board.latest("j") is None

    def test_an_ended_job_is_kept_until_the_last_watcher_leaves(self) -> None:
        board = watching(ROW, ROW)
        board.see_history([tried(1, "j")], 1.0)
        board.unwatch(ROW)
        assert board.latest("j") == tried(1, "j")
        board.unwatch(ROW)
        assert board.latest("j") is None

    def test_a_running_job_outlives_its_watcher(self) -> None:
        board = watching(ROW)
        board.see_history([running(1, "j")], 1.0)
        board.unwatch(ROW)
        assert board.latest("j") == running(1, "j")

    def test_a_waiting_job_outlives_its_watcher(self) -> None:
        board = watching(ROW)
        board.see_scheduled([waiting("j")], 1.0)
        board.unwatch(ROW)
        assert board.pending_at(ROW) == {"j"}

    def test_another_store_watched_does_not_keep_this_ones_jobs(self) -> None:
        board = watching(OTHER)
        board.see_history([tried(1, "j")], 1.0)
        assert board.latest("j") is None

    def test_a_place_is_watched_whatever_its_letter_case(self) -> None:
        board = watching(row_of(client_machine="WEB1", store_path="MY"))
        board.see_history([tried(1, "j")], 1.0)
        assert board.latest("j") == tried(1, "j")

    def test_nothing_is_left_of_a_thousand_ended_jobs(self) -> None:
        board = watching(ROW)
        names = [f"j{n}" for n in range(1000)]
        look(board, 1.0, [waiting(name) for name in names])
        look(board, 2.0, (), [tried(n + 1, name) for n, name in enumerate(names)])
        board.unwatch(ROW)
        assert board == JobBoard(high_id=1000, look_began_s=2.0)


class TestStrangers:
    """Ends of jobs that were not ours: the inventory may not show them yet."""

    OURS = row_of(job_id="j")

    @staticmethod
    def ended(job_id: str, ago_s: float, history_id: int = 1) -> JobRecord:
        return tried(history_id, job_id, ended_at=NOON - timedelta(seconds=ago_s))

    @pytest.mark.parametrize("ago_s", [1800.0, 30.0, -600.0])
    def test_an_end_is_dated_by_the_look_that_first_showed_it(
        self, ago_s: float
    ) -> None:
        board = JobBoard()
        board.see_history([self.ended("j", ago_s)], 100.0, NOON)
        assert board.stranger_ended_s(ROW) == 100.0

    def test_in_a_long_look_an_end_is_dated_when_its_page_is_read(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("j", 1.0)], 100.0, NOON, read_s=160.0)
        assert board.stranger_ended_s(ROW) == 160.0

    def test_what_ended_long_ago_by_any_clock_is_not_noted(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("j", 1801.0)], 100.0, NOON)
        assert board.stranger_ended_s(ROW) is None

    def test_the_latest_of_several_ends_counts(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("a", 30.0)], 100.0, NOON)
        board.see_history(
            [self.ended("b", 10.0, 2), self.ended("a", 50.0)], 120.0, NOON
        )
        assert board.stranger_ended_s(ROW) == 120.0

    def test_an_end_read_again_is_not_dated_anew(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("j", 30.0)], 100.0, NOON)
        board.see_history([self.ended("j", 30.0)], 140.0, NOON + timedelta(seconds=41))
        assert board.stranger_ended_s(ROW) == 100.0

    @pytest.mark.parametrize(
        "record",
        [
            running(1, "j"),
            tried(1, "j", status=JobStatus.COMPLETED_WILL_RETRY),
            tried(1, "j", ended_at=None),
            tried(1, "j", client_machine="web2"),
        ],
        ids=["running", "will retry", "no time", "another store"],
    )
    def test_nothing_else_is_an_end_of_the_stores(self, record: JobRecord) -> None:
        board = JobBoard()
        board.see_history([record], 100.0, NOON)
        assert board.stranger_ended_s(ROW) is None

    def test_without_commands_clock_no_end_is_dated(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("j", 30.0)], 100.0)
        assert board.stranger_ended_s(ROW) is None

    def test_our_own_end_is_no_strangers(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("j", 30.0)], 100.0, NOON)
        board.claim(self.OURS)
        assert board.stranger_ended_s(ROW) is None

    def test_claiming_our_job_leaves_a_strangers_end(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("foreign", 30.0)], 100.0, NOON)
        board.claim(self.OURS)
        assert board.stranger_ended_s(ROW) == 100.0

    def test_our_own_end_is_no_strangers_when_it_is_read_again(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("j", 30.0)], 100.0, NOON)
        board.claim(self.OURS)
        board.see_history([self.ended("j", 30.0)], 110.0, NOON + timedelta(seconds=10))
        assert board.stranger_ended_s(ROW) is None

    def test_an_end_is_forgotten_only_when_it_is_older_than_asked(self) -> None:
        board = JobBoard()
        board.see_history([self.ended("j", 30.0)], 100.0, NOON)
        board.forget_ends(100.0)
        assert board.stranger_ended_s(ROW) == 100.0
        board.forget_ends(100.001)
        assert board.stranger_ended_s(ROW) is None

    def test_an_end_that_was_forgotten_is_none_when_it_is_read_again(self) -> None:
        board = JobBoard()
        for at_s in range(0, 10_000, 100):
            now = NOON + timedelta(seconds=at_s)
            board.see_history([self.ended("j", 600.0)], float(at_s), now)
            board.forget_ends(at_s - 120.0)
            assert (board.stranger_ended_s(ROW) is None) is (at_s > 120)


class TestFence:
    def test_a_fence_holds_the_highest_id_and_the_stores_known_jobs(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("a")], [running(4, "b"), tried(8, "c")])
        assert board.fence_for(ROW) == Fence(
            history_id=8, jobs=frozenset({"a", "b", "c"})
        )

    def test_a_waiting_job_known_before_the_fence_is_no_candidate_ever(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("foreign")])
        fenced = row_of(fence=board.fence_for(ROW))
        look(board, 2.0, (), [running(5, "foreign")])
        assert board.candidates(fenced) == frozenset()

    def test_a_job_that_ran_before_the_fence_is_no_candidate_when_it_is_retried(
        self,
    ) -> None:
        board = watching(ROW)
        look(board, 1.0, (), [running(5, "foreign")])
        fenced = row_of(fence=board.fence_for(ROW))
        look(board, 2.0, (), [running(6, "foreign")])
        assert board.candidates(fenced) == frozenset()

    def test_a_row_without_a_fence_has_no_candidates(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("j")])
        assert board.candidates(row_of(fence=None)) == frozenset()


class TestPending:
    def test_a_waiting_and_a_running_job_are_pending(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("a")], [running(1, "b"), tried(2, "c")])
        assert board.pending_at(ROW) == {"a", "b"}

    def test_a_waiting_job_counts_only_where_the_path_names_one_store(self) -> None:
        board = watching(ROW)
        look(board, 1.0, [waiting("a")])
        assert board.pending_at(row_of(place_unique=False)) == frozenset()

    def test_a_running_job_counts_where_several_stores_have_the_path(self) -> None:
        board = watching(ROW)
        look(board, 1.0, (), [running(1, "b")])
        assert board.pending_at(row_of(place_unique=False)) == {"b"}

    def test_unfinished_jobs_at_or_below_an_id_are_named_in_order(self) -> None:
        board = watching(ROW)
        history = [running(3, "c"), running(2, "a"), tried(1, "b"), running(4, "d")]
        board.see_history(history, 1.0)
        assert board.unfinished(3) == ["a", "c"]


class TestListsThatMayLoseAJob:
    """A list of several pages may lose a job that moves up between two of them."""

    def test_it_waits_no_more_but_is_remembered_as_seen_before(self) -> None:
        board = watching(ROW)
        board.see_scheduled([waiting("j")], 1.0)
        self.look(board, 2.0, surely=False)
        assert not board.is_waiting("j")
        assert board.jobs_at(ROW) == frozenset()
        board.see_scheduled([waiting("j")], 3.0, surely=False)
        assert board.first_seen_s("j") == 1.0

    def test_missed_twice_it_is_forgotten(self) -> None:
        board = watching(ROW)
        board.see_scheduled([waiting("j")], 1.0)
        for at_s in (2.0, 3.0):
            self.look(board, at_s, surely=False)
        assert board.first_seen_s("j") is None

    def test_a_list_that_loses_nothing_settles_it_at_once(self) -> None:
        board = watching(ROW)
        board.see_scheduled([waiting("j")], 1.0)
        self.look(board, 2.0, surely=False)
        self.look(board, 3.0)
        assert board.first_seen_s("j") is None

    @staticmethod
    def look(board: JobBoard, at_s: float, *, surely: bool = True) -> None:
        """Let a look show nothing."""
        board.see_scheduled([], at_s, surely=surely)
        board.finish_look(at_s)


class TestJobsBetweenTheLists:
    """A job that has left ScheduledJobs may be on its way to JobHistory."""

    def test_it_counts_until_the_other_list_was_read_too(self) -> None:
        board = watching(ROW)
        board.see_scheduled([waiting("j")], 1.0)
        board.see_scheduled([], 2.0)
        assert not board.is_waiting("j")
        assert board.pending_at(ROW) == {"j"}
        assert board.fence_for(ROW).jobs == {"j"}
        board.finish_look(2.0)
        assert board.jobs_at(ROW) == frozenset()

    def test_it_counts_for_as_long_as_the_lists_lag(self) -> None:
        board = watching(ROW)
        board.lag_s = 3.0
        board.see_scheduled([waiting("j")], 1.0)
        for at_s, shown in ((2.0, {"j"}), (4.9, {"j"}), (5.0, set())):
            look(board, at_s)
            assert board.pending_at(ROW) == shown

    def test_its_row_of_history_takes_its_place(self) -> None:
        board = watching(ROW)
        board.lag_s = 3.0
        board.see_scheduled([waiting("j")], 1.0)
        look(board, 2.0, (), [tried(1, "j")])
        assert board.pending_at(ROW) == frozenset()
        assert board.jobs_at(ROW) == {"j"}

    def test_nothing_is_left_of_one_that_ended_unwatched(self) -> None:
        board = JobBoard(lag_s=3.0)
        look(board, 1.0, [waiting("j")])
        look(board, 2.0, (), [tried(1, "j")])
        look(board, 3.0)
        assert board.first_seen_s("j") is None
        assert board.jobs_at(ROW) == frozenset()


class TestLooksAtSomeOrchestrators:
    def test_they_are_complete_for_these_only(self) -> None:
        board = JobBoard()
        board.finish_look(5.0, alone=["a"])
        assert board.looks_of("a").any_since(5.0)
        assert not board.looks_of("b").any_since(0.0)
        assert board.look_began_s is None

    def test_a_look_at_all_counts_for_each_of_them(self) -> None:
        board = JobBoard()
        board.finish_look(5.0, alone=["a"])
        board.finish_look(9.0)
        assert board.looks_of("a").any_since(9.0)
        assert board.looks_of("b").any_since(9.0)

    def test_a_look_that_leaves_the_list_unread_keeps_what_waits(self) -> None:
        board = watching(ROW)
        board.see_scheduled([waiting("j")], 1.0)
        board.begin_look(2.0)
        assert board.is_waiting("j")
        assert board.candidates(row_of(fence=Fence(history_id=0))) == {"j"}


def test_a_job_that_this_look_has_read_is_not_asked_for_again() -> None:
    board = watching(ROW)
    board.see_history([running(1, "a"), running(2, "b")], 1.0)
    board.begin_look(2.0)
    board.see_history([running(2, "b")], 2.0)
    assert board.unfinished(9, 2.0) == ["a"]
    assert board.unfinished(9) == ["a", "b"]
    assert sorted(board.open_ids(9)) == [1, 2]
    assert board.touched == {"b"}
