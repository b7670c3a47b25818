"""Rows that just wait are left alone until something can move them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from unit.campaign.making import row_of, running

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.runner.calm import Calm
from batch_reenroll.runner.context import Context, Tracked


@dataclass
class _Clock:
    now_s: float = 200.0

    def monotonic(self) -> float:
        return self.now_s


@dataclass
class _Run:
    """As much of a run as decides who is calm."""

    rows: dict[int, Tracked] = field(default_factory=dict)
    board: JobBoard = field(default_factory=JobBoard)
    clock: _Clock = field(default_factory=_Clock)
    settings: RunSettings = field(default_factory=RunSettings)
    withdraw: bool = False
    reclaims: bool = False


def queued(run: _Run, row_no: int) -> Tracked:
    row = replace(row_of(state=State.QUEUED, job_id=f"job{row_no}"), row_no=row_no)
    tracked = Tracked(row=row, answered_s=100.0, rivals_until_s=120.0)
    run.rows[row_no] = tracked
    return tracked


def calmed() -> tuple[_Run, Calm, Tracked]:
    """Return a run with one row that was left alone a look ago."""
    run = _Run()
    calm = Calm(cast(Context, run))
    tracked = queued(run, 1)
    run.board.finish_look(150.0)
    calm.begin_look()
    assert calm.restless() == [tracked]
    calm.begin(tracked)
    return run, calm, tracked


def test_a_queued_row_that_is_settled_is_left_alone() -> None:
    _, calm, _ = calmed()
    assert calm.restless() == []


def test_a_row_whose_settle_time_no_look_has_seen_over_is_not() -> None:
    run = _Run()
    calm = Calm(cast(Context, run))
    tracked = queued(run, 1)
    run.board.finish_look(119.0)
    calm.begin(tracked)
    assert calm.restless() == [tracked]


def test_a_row_of_history_ends_the_calm() -> None:
    run, calm, tracked = calmed()
    run.board.see_history([running(5, "job1")], 160.0)
    assert calm.restless() == [tracked]


def test_the_pickup_timeout_ends_the_calm() -> None:
    run, calm, tracked = calmed()
    run.clock.now_s = 100.0 + run.settings.pickup_timeout_s + 1.0
    assert calm.restless() == [tracked]


def test_a_wish_to_take_jobs_back_ends_the_calm() -> None:
    for wish in ("withdraw", "reclaims"):
        run, calm, tracked = calmed()
        setattr(run, wish, True)
        assert calm.restless() == [tracked]


def test_a_row_that_was_given_another_job_is_not_taken_for_the_calm_one() -> None:
    run, calm, tracked = calmed()
    calm.end(1)
    tracked.row = replace(tracked.row, job_id="other")
    assert calm.restless() == [tracked]
    run.board.see_history([running(5, "job1")], 160.0)
    calm.begin(tracked)
    assert calm.restless() == []


def test_rows_that_left_are_forgotten() -> None:
    run, calm, _ = calmed()
    del run.rows[1]
    calm.begin_look()
    again = queued(run, 1)
    assert calm.restless() == [again]


def test_now_and_then_all_rows_are_thought_about() -> None:
    _, calm, tracked = calmed()
    seen = []
    for _ in range(30):
        calm.begin_look()
        seen += calm.restless()
    assert seen == [tracked]
