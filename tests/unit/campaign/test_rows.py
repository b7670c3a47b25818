"""Rows, moves, settings and campaigns as values."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from unit.campaign.making import NOON, REQUEST, row_of

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.quota import AuthorityLimit
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.rows import Decision, Fence
from batch_reenroll.campaign.settings import RunSettings


class TestFence:
    def test_it_survives_json(self) -> None:
        fence = Fence(history_id=7, jobs=frozenset({"b", "a"}))
        assert Fence.from_json(json.loads(json.dumps(fence.as_json()))) == fence

    def test_its_json_does_not_depend_on_the_order_of_a_set(self) -> None:
        jobs = frozenset(f"j{n}" for n in range(50))
        assert Fence(history_id=1, jobs=jobs).as_json()["jobs"] == sorted(jobs)


class TestMoving:
    def test_a_move_changes_the_state_and_what_it_says(self) -> None:
        row = row_of(state=State.SUBMITTED)
        found = Decision(target=State.QUEUED, changes={"job_id": "j"})
        moved = row.moved(found.move(row, NOON))
        assert (moved.state, moved.job_id) == (State.QUEUED, "j")

    def test_a_move_changes_nothing_else(self) -> None:
        row = row_of(state=State.SUBMITTED)
        moved = row.moved(Decision(target=State.QUEUED).move(row, NOON))
        assert moved == row_of(state=State.QUEUED)

    def test_a_change_to_none_is_a_change(self) -> None:
        row = row_of(state=State.QUEUED, job_id="j")
        back = Decision(target=State.SUBMITTED, changes={"job_id": None})
        assert row.moved(back.move(row, NOON)).job_id is None

    def test_a_result_column_that_is_no_field_of_the_row_is_left_to_the_ledger(
        self,
    ) -> None:
        row = row_of(state=State.VERIFYING)
        end = Decision(
            target=State.VERIFIED,
            changes={"verified_at": datetime(2026, 1, 1, tzinfo=UTC)},
        )
        assert row.moved(end.move(row, NOON)) == row_of(state=State.VERIFIED)

    def test_a_dated_decision_says_from_where_and_why(self) -> None:
        row = row_of(row_no=9, state=State.RUNNING)
        move = Decision(
            target=State.FAILED,
            reason=Reason.JOB_FAILED,
            message="no CA",
            changes={"job_result": 4},
            note={"result": 4},
        ).move(row, NOON)
        assert (move.row_no, move.origin, move.target) == (
            9,
            State.RUNNING,
            State.FAILED,
        )
        assert (move.at, move.reason, move.message) == (
            NOON,
            Reason.JOB_FAILED,
            "no CA",
        )
        assert (move.changes, move.note) == ({"job_result": 4}, {"result": 4})

    def test_a_row_is_known_by_the_guids_of_its_request(self) -> None:
        row = row_of()
        assert (row.store_id, row.agent_id) == (REQUEST.keystore_id, REQUEST.agent_guid)


class TestSettings:
    def test_they_survive_json(self) -> None:
        settings = RunSettings(
            rate_per_s=3.5,
            settle_time_s=4.0,
            verify=False,
            budget_limit="2.5%",
            breaker_rest_s=60.0,
            authorities={
                r"ca01\Corp": AuthorityLimit(rate_per_s=0.5, per_day=5000),
                r"ca02\Corp": AuthorityLimit(per_day=1),
            },
        )
        text = json.dumps(settings.as_json())
        assert RunSettings.from_json(json.loads(text)) == settings

    def test_a_setting_of_a_newer_version_is_ignored(self) -> None:
        value = {**RunSettings().as_json(), "invented_later": 1}
        assert RunSettings.from_json(value) == RunSettings()

    def test_a_setting_that_an_older_version_did_not_have_is_the_default(self) -> None:
        assert RunSettings.from_json({"max_losses": 9}) == RunSettings(max_losses=9)

    @pytest.mark.parametrize(
        ("poll_s", "settle_s"), [(1.0, 10.0), (5.0, 10.0), (5.5, 11.0), (60.0, 120.0)]
    )
    def test_the_settle_time_is_ten_seconds_or_two_polls_if_longer(
        self, poll_s: float, settle_s: float
    ) -> None:
        assert RunSettings(poll_interval_s=poll_s).settle_s == settle_s

    @pytest.mark.parametrize("given_s", [0.5, 300.0])
    def test_a_settle_time_that_was_asked_for_is_kept(self, given_s: float) -> None:
        assert RunSettings(settle_time_s=given_s).settle_s == given_s

    def test_the_defaults_of_the_contract(self) -> None:
        settings = RunSettings()
        assert settings.budget == Limit.parse("20%")
        assert settings.budget_min_rows == 50
        assert (settings.breaker_failures, settings.verify_timeout_s) == (10, 120.0)


def test_a_campaigns_rows_are_those_of_all_states() -> None:
    campaign = Campaign(
        campaign_id="c",
        command_url="https://command.example.com",
        purpose={},
        columns=(),
        defaults={},
        manifest_name="m.csv",
        manifest_path="m.csv",
        settings=RunSettings(),
        operator="op",
        host="h",
        tool_version="1",
        created_at="2026-11-23T12:00:00.000Z",
        rows={State.PENDING: 2, State.VERIFIED: 3},
    )
    assert campaign.n_rows == 5
