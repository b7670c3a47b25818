"""Finding a row's job: the upper half of the table in correlate.py."""

from __future__ import annotations

from dataclasses import replace

from unit.campaign.deciding import (
    ANSWERED_S,
    EARLY_S,
    IN_DOUBT,
    PICKUP_S,
    RUNNING,
    SETTINGS,
    SUBMITTED,
    Case,
    decided,
    decision,
    ends,
)
from unit.campaign.making import row_of, running, tried, waiting

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobResult, JobStatus
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Fence


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

    def test_a_job_that_nobody_takes_is_stalled_after_the_pickup_timeout(self) -> None:
        case = Case(
            row=self.ROW,
            scheduled=[waiting("j")],
            now_s=ANSWERED_S + PICKUP_S + 1,
        )
        assert ends(case) == (State.STALLED, Reason.PICKUP_TIMEOUT)

    def test_waiting_jobs_of_two_sister_stores_are_not_two_candidates(self) -> None:
        case = Case(row=self.ROW, scheduled=[waiting("ours"), waiting("sisters")])
        assert decided(case) is None

    def test_a_sister_stores_waiting_job_does_not_spoil_a_job_that_was_found(
        self,
    ) -> None:
        case = Case(
            row=replace(RUNNING, place_unique=False),
            scheduled=[waiting("sisters")],
            history=[running(51, "ours")],
        )
        assert decided(case) is None

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
