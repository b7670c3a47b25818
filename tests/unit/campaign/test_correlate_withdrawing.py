"""Taking a waiting job back: for a retry, or because a person stopped the campaign."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from unit.campaign.deciding import (
    ANSWERED_S,
    EARLY_S,
    IN_DOUBT,
    PICKUP_S,
    QUEUED,
    RUNNING,
    SETTLE_S,
    SUBMITTED,
    Case,
    decided,
    decision,
    ends,
)
from unit.campaign.making import running, waiting

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.reasons import Reason

RETRIED = replace(IN_DOUBT, job_id="ours", retries=1)
WITHDRAWING = replace(RETRIED, state=State.WITHDRAWING)
OURS_GOING = replace(
    QUEUED, state=State.WITHDRAWING, submitted_at=datetime(2026, 11, 23, tzinfo=UTC)
)


class TestAStopThatWithdraws:
    """A person stopped the campaign and wants waiting jobs taken back."""

    def test_a_job_that_waits_is_withdrawn(self) -> None:
        case = Case(row=QUEUED, scheduled=[waiting("ours")], withdraw=True)
        assert ends(case) == (State.WITHDRAWING, Reason.CANCELLING)

    def test_without_the_wish_it_waits_on(self) -> None:
        assert decided(Case(row=QUEUED, scheduled=[waiting("ours")])) is None

    def test_not_while_it_may_still_be_somebody_elses(self) -> None:
        case = Case(
            row=QUEUED, scheduled=[waiting("ours")], look_s=EARLY_S, withdraw=True
        )
        assert decided(case) is None

    def test_a_job_that_left_the_list_is_not(self) -> None:
        assert decided(Case(row=QUEUED, withdraw=True)) is None

    def test_a_job_that_runs_is_left_alone(self) -> None:
        case = Case(row=RUNNING, history=[running(51, "ours")], withdraw=True)
        assert decided(case) is None

    def test_a_job_that_has_not_been_found_is_looked_for_first(self) -> None:
        case = Case(row=SUBMITTED, scheduled=[waiting("ours")], withdraw=True)
        assert decision(case).target is State.QUEUED

    def test_once_it_is_gone_the_row_is_cancelled(self) -> None:
        case = Case(row=WITHDRAWING, withdraw=True)
        assert ends(case) == (State.CANCELLED, Reason.TAKEN_BACK)


class TestWithdrawing:
    """Unschedule was sent; its 204 proves nothing."""

    def test_the_old_job_of_a_retried_row_is_withdrawn(self) -> None:
        case = Case(row=RETRIED, scheduled=[waiting("ours")])
        assert ends(case) == (State.WITHDRAWING, Reason.WITHDRAWING)

    def test_once_it_is_gone_a_retried_row_is_sent_again(self) -> None:
        made = decision(Case(row=WITHDRAWING))
        assert (made.target, made.reason) == (State.PENDING, Reason.WITHDRAWN)
        assert made.changes["job_id"] is None

    @pytest.mark.parametrize("withdraw", [False, True])
    def test_gone_counts_only_in_a_look_begun_a_settle_time_after(
        self, withdraw: bool
    ) -> None:
        case = Case(row=WITHDRAWING, look_s=EARLY_S, withdraw=withdraw)
        assert decided(case) is None

    @pytest.mark.parametrize("withdraw", [False, True])
    def test_a_job_that_still_waits_is_waited_for(self, withdraw: bool) -> None:
        case = Case(row=WITHDRAWING, scheduled=[waiting("ours")], withdraw=withdraw)
        assert decided(case) is None

    def test_one_that_waits_for_ever_ends_the_row(self) -> None:
        late_s = ANSWERED_S + PICKUP_S + 1
        case = Case(row=WITHDRAWING, scheduled=[waiting("ours")], now_s=late_s)
        assert ends(case) == (State.STALLED, Reason.PICKUP_TIMEOUT)

    @pytest.mark.parametrize("withdraw", [False, True])
    def test_one_that_had_begun_is_followed(self, withdraw: bool) -> None:
        case = Case(
            row=WITHDRAWING,
            history=[running(51, "ours")],
            look_s=ANSWERED_S + SETTLE_S,
            withdraw=withdraw,
        )
        assert decision(case).target is State.RUNNING


class TestWhatNobodyTakes:
    """The run itself takes back what no orchestrator takes in time."""

    LATE_S = ANSWERED_S + PICKUP_S + 1

    def test_it_is_taken_back_once_the_pickup_timeout_is_over(self) -> None:
        case = Case(
            row=QUEUED, scheduled=[waiting("ours")], now_s=self.LATE_S, reclaim=""
        )
        assert ends(case) == (State.WITHDRAWING, Reason.PICKUP_TIMEOUT)

    def test_not_before(self) -> None:
        case = Case(row=QUEUED, scheduled=[waiting("ours")], reclaim="")
        assert decided(case) is None

    def test_it_stays_where_nobody_wants_it_back(self) -> None:
        case = Case(row=QUEUED, scheduled=[waiting("ours")], now_s=self.LATE_S)
        assert ends(case) == (State.STALLED, Reason.PICKUP_TIMEOUT)

    def test_at_once_where_its_orchestrator_is_taken_for_dead(self) -> None:
        case = Case(row=QUEUED, scheduled=[waiting("ours")], reclaim="not seen")
        assert ends(case) == (State.WITHDRAWING, Reason.WITHDRAWING)

    def test_not_while_it_may_still_be_somebody_elses(self) -> None:
        case = Case(
            row=QUEUED, scheduled=[waiting("ours")], look_s=EARLY_S, reclaim="not seen"
        )
        assert decided(case) is None

    def test_what_has_begun_is_followed(self) -> None:
        case = Case(row=QUEUED, history=[running(51, "ours")], reclaim="not seen")
        assert decision(case).target is State.RUNNING

    def test_once_it_is_gone_the_row_has_stalled(self) -> None:
        case = Case(row=OURS_GOING, reclaim="")
        assert ends(case) == (State.STALLED, Reason.UNSCHEDULED)

    def test_gone_counts_only_in_a_look_begun_a_settle_time_after(self) -> None:
        case = Case(row=OURS_GOING, look_s=EARLY_S, reclaim="")
        assert decided(case) is None

    def test_a_person_who_stops_meanwhile_has_it_cancelled(self) -> None:
        case = Case(row=OURS_GOING, withdraw=True, reclaim="")
        assert ends(case) == (State.CANCELLED, Reason.TAKEN_BACK)

    def test_the_job_of_an_earlier_attempt_still_makes_way_for_the_next(self) -> None:
        case = Case(row=WITHDRAWING, reclaim="")
        assert ends(case) == (State.PENDING, Reason.WITHDRAWN)
