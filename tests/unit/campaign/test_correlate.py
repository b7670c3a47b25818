"""From board to decision: the table of the module's docstring, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from unit.campaign.making import NOON, row_of, running, tried, waiting, watching

from batch_reenroll.campaign.correlate import Timing, decide
from batch_reenroll.campaign.lifecycle import State, is_legal
from batch_reenroll.campaign.nouns import (
    JobRecord,
    JobResult,
    JobStatus,
    ScheduledJob,
)
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Fence, Row
from batch_reenroll.campaign.settings import RunSettings

ANSWERED_S = 100.0
SETTLE_S = 10.0
EARLY_S = ANSWERED_S + SETTLE_S - 0.001
PICKUP_S = 3600.0
JOB_S = 1800.0

SETTINGS = RunSettings(
    settle_time_s=SETTLE_S, pickup_timeout_s=PICKUP_S, job_timeout_s=JOB_S, max_losses=3
)
SUBMITTED = row_of(fence=Fence(history_id=50))
IN_DOUBT = replace(SUBMITTED, state=State.IN_DOUBT)
QUEUED = replace(SUBMITTED, state=State.QUEUED, job_id="ours")
RUNNING = replace(QUEUED, state=State.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the lists showed first at ``seen_s``, and the row's clock at ``now_s``.

    ``look_s`` is when the last complete look began: plainly, just late enough.
    """

    row: Row
    scheduled: Sequence[ScheduledJob] = ()
    history: Sequence[JobRecord] = ()
    look_s: float | None = ANSWERED_S + SETTLE_S
    now_s: float = ANSWERED_S + SETTLE_S + 1
    seen_s: float = ANSWERED_S + 1
    running_s: float | None = None
    settings: RunSettings = field(default=SETTINGS)


def decided(case: Case) -> Decision | None:
    board = watching(case.row, replace(case.row, client_machine="web2"))
    board.see_scheduled(case.scheduled, case.seen_s)
    board.see_history(case.history, case.seen_s)
    if case.look_s is not None:
        board.finish_look(case.look_s)
    timing = Timing(
        now_s=case.now_s,
        answered_s=ANSWERED_S,
        rivals_until_s=ANSWERED_S + SETTLE_S,
        running_s=case.running_s,
    )
    return decide(case.row, board, timing, case.settings)


def decision(case: Case) -> Decision:
    made = decided(case)
    assert made is not None, "expected a decision, got: wait"
    assert is_legal(case.row.state, made.target)
    return made


def ends(case: Case) -> tuple[State, Reason | None]:
    made = decision(case)
    return made.target, made.reason


class TestSubmitted:
    """A 204 was received: Command has made a job for the store."""

    def test_the_one_waiting_job_beyond_the_fence_is_ours(self) -> None:
        made = decision(Case(row=SUBMITTED, scheduled=[waiting("j")]))
        assert (made.target, made.reason) == (State.QUEUED, Reason.ADOPTED)
        assert made.changes["job_id"] == "j"

    def test_the_one_running_job_beyond_the_fence_is_ours(self) -> None:
        made = decision(Case(row=SUBMITTED, history=[running(51, "j")]))
        assert (made.target, made.reason) == (State.RUNNING, Reason.ADOPTED)
        assert made.changes["job_id"] == "j"

    def test_a_job_first_seen_at_its_end_takes_the_row_straight_there(self) -> None:
        made = decision(Case(row=SUBMITTED, history=[tried(51, "j")]))
        assert (made.target, made.reason) == (State.VERIFYING, Reason.JOB_SUCCEEDED)
        assert made.changes["job_id"] == "j"

    def test_the_journal_is_told_how_a_job_first_seen_at_its_end_was_found(
        self,
    ) -> None:
        made = decision(Case(row=SUBMITTED, history=[tried(51, "j")]))
        assert made.note["adopted"] == Reason.ADOPTED
        assert made.note["in_doubt"] is False

    def test_two_jobs_beyond_the_fence_are_unknown_and_both_named(self) -> None:
        made = decision(
            Case(row=SUBMITTED, scheduled=[waiting("b")], history=[tried(51, "a")])
        )
        assert (made.target, made.reason) == (State.UNKNOWN, Reason.TWO_CANDIDATES)
        assert made.message is not None
        assert made.message.endswith(": a, b")
        assert made.note["job_ids"] == ["a", "b"]

    def test_no_job_yet_means_wait(self) -> None:
        assert decided(Case(row=SUBMITTED)) is None

    def test_absence_never_sends_an_accepted_request_again(self) -> None:
        case = Case(
            row=SUBMITTED, look_s=ANSWERED_S + 900, now_s=ANSWERED_S + PICKUP_S - 1
        )
        assert decided(case) is None

    def test_no_job_at_the_pickup_timeout_still_means_wait(self) -> None:
        assert decided(Case(row=SUBMITTED, now_s=ANSWERED_S + PICKUP_S)) is None

    def test_no_job_after_the_pickup_timeout_is_stalled(self) -> None:
        case = Case(row=SUBMITTED, now_s=ANSWERED_S + PICKUP_S + 0.001)
        assert ends(case) == (State.STALLED, Reason.PICKUP_TIMEOUT)

    def test_a_foreign_job_known_before_the_fence_is_not_adopted(self) -> None:
        row = row_of(fence=Fence(history_id=50, jobs=frozenset({"foreign"})))
        case = Case(row=row, history=[running(51, "foreign")])
        assert decided(case) is None

    def test_a_foreign_job_known_before_the_fence_does_not_hide_ours(self) -> None:
        row = row_of(fence=Fence(history_id=50, jobs=frozenset({"foreign"})))
        case = Case(row=row, history=[tried(51, "foreign"), running(52, "ours")])
        assert decision(case).changes["job_id"] == "ours"

    def test_a_job_whose_first_try_lies_below_the_fence_is_not_adopted(self) -> None:
        retry = tried(50, "old", status=JobStatus.COMPLETED_WILL_RETRY)
        assert decided(Case(row=SUBMITTED, history=[retry, running(51, "old")])) is None


class TestSubmittedWherePathsRepeat:
    """Several stores of the orchestrator have the path: a target may mean any."""

    ROW = replace(SUBMITTED, place_unique=False)

    def test_a_waiting_job_is_not_adopted(self) -> None:
        assert decided(Case(row=self.ROW, scheduled=[waiting("j")])) is None

    def test_a_record_that_names_the_machine_is_adopted(self) -> None:
        case = Case(row=self.ROW, history=[running(51, "j")])
        assert ends(case) == (State.RUNNING, Reason.ADOPTED)

    def test_a_record_that_names_another_machine_is_not(self) -> None:
        case = Case(row=self.ROW, history=[running(51, "j", client_machine="web2")])
        assert decided(case) is None

    @pytest.mark.xfail(strict=True, reason="an unsure candidate outlasts the timeout")
    def test_a_job_that_nobody_takes_is_stalled_after_the_pickup_timeout(self) -> None:
        case = Case(
            row=self.ROW,
            scheduled=[waiting("j")],
            now_s=ANSWERED_S + PICKUP_S + 1,
        )
        assert ends(case) == (State.STALLED, Reason.PICKUP_TIMEOUT)

    @pytest.mark.xfail(strict=True, reason="waiting jobs of sister stores are counted")
    def test_waiting_jobs_of_two_sister_stores_are_not_two_candidates(self) -> None:
        case = Case(row=self.ROW, scheduled=[waiting("ours"), waiting("sisters")])
        assert decided(case) is None

    @pytest.mark.xfail(strict=True, reason="waiting jobs of sister stores are counted")
    def test_a_sister_stores_waiting_job_does_not_spoil_a_job_that_was_found(
        self,
    ) -> None:
        case = Case(
            row=replace(RUNNING, place_unique=False),
            scheduled=[waiting("sisters")],
            history=[running(51, "ours")],
        )
        assert decided(case) is None

    @pytest.mark.xfail(strict=True, reason="jobs_at lets a stale target count")
    def test_the_end_of_a_sister_stores_job_is_not_taken_for_ours(self) -> None:
        # Waiting when the first list was read, ended when the second was.
        end = tried(51, "sisters", client_machine="web2", result=JobResult.FAILURE)
        case = Case(row=self.ROW, scheduled=[waiting("sisters")], history=[end])
        assert decided(case) is None


class TestInDoubt:
    """No answer came: nothing but a look leads out."""

    def test_the_one_job_beyond_the_fence_is_adopted_and_said_so(self) -> None:
        made = decision(Case(row=IN_DOUBT, scheduled=[waiting("j")]))
        assert (made.target, made.reason) == (State.QUEUED, Reason.ADOPTED_IN_DOUBT)
        assert made.note == {"job_id": "j", "in_doubt": True}

    def test_the_journal_says_so_too_when_the_job_has_ended(self) -> None:
        made = decision(Case(row=IN_DOUBT, history=[tried(51, "j")]))
        assert made.note["adopted"] == Reason.ADOPTED_IN_DOUBT

    def test_two_jobs_are_unknown_and_both_named(self) -> None:
        made = decision(Case(row=IN_DOUBT, scheduled=[waiting("b"), waiting("a")]))
        assert (made.target, made.reason) == (State.UNKNOWN, Reason.TWO_CANDIDATES)
        assert made.note["job_ids"] == ["a", "b"]

    def test_without_any_complete_look_nothing_is_decided(self) -> None:
        case = Case(row=IN_DOUBT, look_s=None, now_s=ANSWERED_S + PICKUP_S)
        assert decided(case) is None

    def test_a_look_begun_before_the_settle_time_proves_no_absence(self) -> None:
        case = Case(row=IN_DOUBT, look_s=EARLY_S, now_s=ANSWERED_S + 60)
        assert decided(case) is None

    def test_a_look_begun_a_settle_time_after_the_doubt_proves_absence(self) -> None:
        case = Case(row=IN_DOUBT)
        assert ends(case) == (State.PENDING, Reason.CONFIRMED_ABSENT)

    def test_a_row_sent_back_has_no_fence_and_one_loss_more(self) -> None:
        row = replace(IN_DOUBT, losses=1)
        assert decision(Case(row=row)).changes == {
            "losses": 2,
            "fence": None,
            "submitted_at": None,
        }

    def test_the_journal_keeps_how_far_the_history_was_read(self) -> None:
        foreign = tried(77, "x", store_path="WebHosting")
        case = Case(row=IN_DOUBT, history=[foreign])
        assert decision(case).note == {"high_history_id": 77}

    def test_a_job_known_before_the_fence_does_not_disprove_absence(self) -> None:
        row = replace(IN_DOUBT, fence=Fence(history_id=50, jobs=frozenset({"foreign"})))
        case = Case(row=row, scheduled=[waiting("foreign")])
        assert ends(case) == (State.PENDING, Reason.CONFIRMED_ABSENT)

    def test_the_last_attempt_that_may_be_lost_ends_the_row(self) -> None:
        case = Case(row=replace(IN_DOUBT, losses=2))
        assert ends(case) == (State.FAILED, Reason.ATTEMPTS_EXHAUSTED)

    def test_the_last_but_one_does_not(self) -> None:
        case = Case(row=replace(IN_DOUBT, losses=1))
        assert decision(case).target is State.PENDING

    def test_where_one_loss_is_allowed_the_first_ends_the_row(self) -> None:
        case = Case(
            row=IN_DOUBT,
            settings=replace(SETTINGS, max_losses=1),
        )
        made = decision(case)
        assert (made.target, made.changes["losses"]) == (State.FAILED, 1)

    def test_lists_that_cannot_be_read_until_the_pickup_timeout_mean_wait(
        self,
    ) -> None:
        case = Case(row=IN_DOUBT, look_s=EARLY_S, now_s=ANSWERED_S + PICKUP_S)
        assert decided(case) is None

    def test_lists_that_cannot_be_read_for_longer_are_for_a_person(self) -> None:
        case = Case(row=IN_DOUBT, look_s=EARLY_S, now_s=ANSWERED_S + PICKUP_S + 0.001)
        assert ends(case) == (State.UNKNOWN, Reason.UNSETTLED)

    def test_a_doubtful_waiting_job_neither_proves_nor_disproves_absence(self) -> None:
        case = Case(
            row=replace(IN_DOUBT, place_unique=False),
            scheduled=[waiting("j")],
        )
        assert decided(case) is None

    @pytest.mark.xfail(strict=True, reason="an unsure candidate outlasts the timeout")
    def test_a_doubtful_waiting_job_leaves_it_to_a_person_after_the_pickup_timeout(
        self,
    ) -> None:
        case = Case(
            row=replace(IN_DOUBT, place_unique=False),
            scheduled=[waiting("j")],
            look_s=ANSWERED_S + PICKUP_S,
            now_s=ANSWERED_S + PICKUP_S + 1,
        )
        assert ends(case) == (State.UNKNOWN, Reason.UNSETTLED)


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

    @pytest.mark.xfail(strict=True, reason="a record that waits outlasts the timeout")
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

    @pytest.mark.xfail(strict=True, reason="an end not yet counted runs into a timeout")
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
