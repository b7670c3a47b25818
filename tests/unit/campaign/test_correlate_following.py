"""Following a job that was found: the lower half of the table in correlate.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from unit.campaign.deciding import (
    ANSWERED_S,
    EARLY_S,
    IN_DOUBT,
    JOB_S,
    PICKUP_S,
    QUEUED,
    RUNNING,
    SETTINGS,
    SETTLE_S,
    SUBMITTED,
    Case,
    decided,
    decision,
    ends,
)
from unit.campaign.making import NOON, running, tried, waiting

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobResult, JobStatus
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Fence, Row


class TestRivals:
    """Our job is known, and another one beyond the fence shows up."""

    @pytest.mark.parametrize("row", [QUEUED, RUNNING], ids=["queued", "running"])
    def test_one_first_seen_within_the_settle_time_makes_both_doubtful(
        self, row: Row
    ) -> None:
        made = decision(
            Case(
                row=row,
                history=[running(51, "ours"), running(52, "rival")],
                seen_s=ANSWERED_S + SETTLE_S,
            )
        )
        assert (made.target, made.reason) == (State.UNKNOWN, Reason.TWO_CANDIDATES)
        assert made.note["job_ids"] == ["ours", "rival"]

    def test_a_waiting_one_first_seen_within_the_settle_time_does_so_too(self) -> None:
        case = Case(row=QUEUED, scheduled=[waiting("ours"), waiting("rival")])
        assert ends(case) == (State.UNKNOWN, Reason.TWO_CANDIDATES)

    def test_one_first_seen_later_leaves_ours_alone(self) -> None:
        case = Case(
            row=RUNNING,
            history=[running(51, "ours"), running(52, "rival")],
            seen_s=ANSWERED_S + SETTLE_S + 0.001,
        )
        assert decided(case) is None

    def test_one_known_before_the_fence_leaves_ours_alone(self) -> None:
        row = replace(RUNNING, fence=Fence(history_id=50, jobs=frozenset({"rival"})))
        case = Case(row=row, history=[running(51, "ours"), running(52, "rival")])
        assert decided(case) is None


class TestFollowing:
    """Our job is known, and alone."""

    def test_a_waiting_job_means_wait(self) -> None:
        assert decided(Case(row=QUEUED, scheduled=[waiting("ours")])) is None

    def test_a_job_between_the_two_lists_means_wait(self) -> None:
        assert decided(Case(row=QUEUED)) is None

    def test_a_job_that_was_taken_makes_the_row_running(self) -> None:
        made = decision(Case(row=QUEUED, history=[running(51, "ours")]))
        assert made.target is State.RUNNING
        assert made.changes == {"job_history_id": 51, "picked_up_at": NOON}

    def test_a_job_that_still_runs_means_wait(self) -> None:
        case = Case(row=RUNNING, history=[running(51, "ours")], running_s=ANSWERED_S)
        assert decided(case) is None

    def test_a_try_that_will_be_repeated_is_no_end(self) -> None:
        retry = tried(51, "ours", status=JobStatus.COMPLETED_WILL_RETRY)
        assert decided(Case(row=RUNNING, history=[retry])) is None

    def test_the_last_try_decides(self) -> None:
        retry = tried(
            51,
            "ours",
            status=JobStatus.COMPLETED_WILL_RETRY,
            result=JobResult.FAILURE,
        )
        case = Case(row=RUNNING, history=[tried(52, "ours"), retry])
        made = decision(case)
        assert (made.target, made.reason) == (State.VERIFYING, Reason.JOB_SUCCEEDED)
        assert made.changes["job_history_id"] == 52

    @pytest.mark.parametrize("row", [QUEUED, RUNNING], ids=["queued", "running"])
    def test_a_record_of_another_store_gives_the_job_back(self, row: Row) -> None:
        case = Case(row=row, history=[running(51, "ours", client_machine="web2")])
        assert ends(case) == (State.SUBMITTED, Reason.ADOPTED_WRONGLY)

    def test_a_job_given_back_is_never_adopted_again(self) -> None:
        foreign = running(51, "ours", client_machine="web2")
        changes = decision(Case(row=RUNNING, history=[foreign])).changes
        assert changes == {
            "job_id": None,
            "job_history_id": None,
            "picked_up_at": None,
            "fence": Fence(history_id=50, jobs=frozenset({"ours"})),
        }

    def test_the_fence_of_a_job_given_back_keeps_what_it_held(self) -> None:
        row = replace(RUNNING, fence=Fence(history_id=50, jobs=frozenset({"old"})))
        foreign = running(51, "ours", client_machine="web2")
        changes = decision(Case(row=row, history=[foreign])).changes
        assert changes["fence"].jobs == {"old", "ours"}

    @pytest.mark.parametrize("status", [JobStatus.UNKNOWN, JobStatus.WAITING])
    def test_a_record_that_only_waits_is_bounded_by_the_pickup_timeout(
        self, status: JobStatus
    ) -> None:
        case = Case(
            row=QUEUED,
            history=[running(51, "ours", status=status)],
            now_s=ANSWERED_S + PICKUP_S + 1,
        )
        assert ends(case) == (State.STALLED, Reason.PICKUP_TIMEOUT)


class TestAnEndThatIsSeenEarly:
    """Until the settle time is over a second new job may show up."""

    def test_a_row_without_a_job_adopts_it_as_one_that_runs(self) -> None:
        made = decision(Case(row=SUBMITTED, history=[tried(51, "j")], look_s=EARLY_S))
        assert (made.target, made.reason) == (State.RUNNING, Reason.ADOPTED)
        assert "job_result" not in made.changes

    def test_a_row_in_doubt_does_so_too(self) -> None:
        case = Case(row=IN_DOUBT, history=[tried(51, "j")], look_s=EARLY_S)
        assert ends(case) == (State.RUNNING, Reason.ADOPTED_IN_DOUBT)

    @pytest.mark.parametrize("result", JobResult)
    def test_a_running_row_waits_whatever_the_result(self, result: JobResult) -> None:
        end = tried(51, "ours", result=result)
        assert decided(Case(row=RUNNING, history=[end], look_s=EARLY_S)) is None

    def test_without_any_complete_look_it_waits(self) -> None:
        case = Case(row=RUNNING, history=[tried(51, "ours")], look_s=None)
        assert decided(case) is None

    def test_a_look_begun_when_the_settle_time_is_over_lets_it_count(self) -> None:
        case = Case(
            row=RUNNING, history=[tried(51, "ours")], look_s=ANSWERED_S + SETTLE_S
        )
        assert decision(case).target is State.VERIFYING

    def test_a_job_that_has_ended_is_never_said_not_to_have_ended(self) -> None:
        case = Case(
            row=RUNNING,
            history=[tried(51, "ours")],
            look_s=None,
            running_s=500.0,
            now_s=500.0 + JOB_S + 1,
        )
        assert decided(case) is None


class TestTimeouts:
    def test_a_waiting_job_is_given_the_whole_pickup_timeout(self) -> None:
        case = Case(
            row=QUEUED, scheduled=[waiting("ours")], now_s=ANSWERED_S + PICKUP_S
        )
        assert decided(case) is None

    def test_a_job_not_taken_after_it_is_stalled_and_named(self) -> None:
        case = Case(
            row=QUEUED,
            scheduled=[waiting("ours")],
            now_s=ANSWERED_S + PICKUP_S + 0.001,
        )
        made = decision(case)
        assert (made.target, made.reason) == (State.STALLED, Reason.PICKUP_TIMEOUT)
        assert made.message == "job ours was not picked up within 3600 s"

    def test_a_running_job_is_given_the_whole_job_timeout(self) -> None:
        case = Case(
            row=RUNNING,
            history=[running(51, "ours")],
            running_s=500.0,
            now_s=500.0 + JOB_S,
        )
        assert decided(case) is None

    def test_a_job_that_runs_longer_is_stalled(self) -> None:
        case = Case(
            row=RUNNING,
            history=[running(51, "ours")],
            running_s=500.0,
            now_s=500.0 + JOB_S + 0.001,
        )
        assert ends(case) == (State.STALLED, Reason.JOB_TIMEOUT)

    def test_the_job_timeout_does_not_run_before_the_job_does(self) -> None:
        case = Case(
            row=RUNNING, history=[running(51, "ours")], now_s=ANSWERED_S + 10 * JOB_S
        )
        assert decided(case) is None

    def test_a_job_that_ended_is_not_stalled_however_late_it_is_seen(self) -> None:
        case = Case(
            row=RUNNING,
            history=[tried(51, "ours")],
            running_s=500.0,
            now_s=500.0 + 10 * JOB_S,
        )
        assert decision(case).target is State.VERIFYING

    def test_a_job_seen_first_after_the_pickup_timeout_is_still_adopted(self) -> None:
        case = Case(
            row=SUBMITTED,
            history=[running(51, "j")],
            now_s=ANSWERED_S + 2 * PICKUP_S,
        )
        assert decision(case).target is State.RUNNING


ENDS = [
    (JobResult.SUCCESS, True, State.VERIFYING, Reason.JOB_SUCCEEDED),
    (JobResult.SUCCESS, False, State.SUCCEEDED, Reason.NOT_VERIFIED),
    (JobResult.WARNING, True, State.WARNING, Reason.JOB_WARNING),
    (JobResult.WARNING, False, State.WARNING, Reason.JOB_WARNING),
    (JobResult.FAILURE, True, State.FAILED, Reason.JOB_FAILED),
    (JobResult.FAILURE, False, State.FAILED, Reason.JOB_FAILED),
    (JobResult.UNKNOWN, True, State.VERIFYING, Reason.JOB_RESULT_UNKNOWN),
    (JobResult.UNKNOWN, False, State.UNKNOWN, Reason.JOB_RESULT_UNKNOWN),
    (JobResult.PROCESSING, True, State.VERIFYING, Reason.JOB_RESULT_UNKNOWN),
    (JobResult.PROCESSING, False, State.UNKNOWN, Reason.JOB_RESULT_UNKNOWN),
]


class TestEnds:
    @pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.ACKNOWLEDGED])
    @pytest.mark.parametrize(("result", "verify", "target", "reason"), ENDS)
    def test_what_a_result_makes_of_the_row(
        self,
        result: JobResult,
        verify: bool,
        target: State,
        reason: Reason,
        status: JobStatus,
    ) -> None:
        case = Case(
            row=RUNNING,
            history=[tried(51, "ours", result=result, status=status)],
            settings=replace(SETTINGS, verify=verify),
        )
        assert ends(case) == (target, reason)

    def test_every_result_is_in_the_table_above(self) -> None:
        both = {(result, verify) for result in JobResult for verify in (True, False)}
        assert {(result, verify) for result, verify, _, _ in ENDS} == both

    def test_an_ends_times_and_ids_are_kept(self) -> None:
        made = decision(Case(row=RUNNING, history=[tried(51, "ours")]))
        assert made.changes == {
            "job_history_id": 51,
            "picked_up_at": NOON,
            "finished_at": NOON + timedelta(seconds=40),
            "job_result": 2,
        }

    def test_a_time_that_command_does_not_tell_is_not_overwritten(self) -> None:
        silent = tried(51, "ours", started_at=None, ended_at=None)
        made = decision(Case(row=RUNNING, history=[silent]))
        assert set(made.changes) == {"job_history_id", "job_result"}

    def test_commands_message_is_made_visible(self) -> None:
        loud = tried(51, "ours", result=JobResult.FAILURE, message="no\x1b[2J\r\nCA")
        made = decision(Case(row=RUNNING, history=[loud]))
        assert made.message == "no\\x1b[2J\\r\\nCA"

    def test_a_message_of_a_megabyte_is_cut(self) -> None:
        long = tried(51, "ours", result=JobResult.FAILURE, message="x" * 1_000_000)
        made = decision(Case(row=RUNNING, history=[long]))
        assert made.message is not None
        assert len(made.message) < 10_000
