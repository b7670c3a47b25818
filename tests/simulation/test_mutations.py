"""The simulation must catch the mistakes that would matter most.

Each test breaks the program on purpose and asks for a seed that notices. Were one to
pass unnoticed, the simulation would prove nothing about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from simulation.judge import faults
from simulation.play import play
from simulation.scenario import draw

from batch_reenroll.campaign import board, correlate
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobStatus, ReenrollmentRequest
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Fence, Row
from batch_reenroll.command import CommandClient
from batch_reenroll.errors import CommandError, OutcomeUnknown
from batch_reenroll.runner import submit
from batch_reenroll.runner.context import Context, Tracked

Patch = Callable[[pytest.MonkeyPatch], None]


def _intent_after_the_post(patch: pytest.MonkeyPatch) -> None:
    intend = submit._intend

    async def post_first(ctx: Context, tracked: Tracked) -> None:
        sent_s = ctx.clock.monotonic()
        try:
            await ctx.command.submit(tracked.row.request)
        except CommandError as exc:
            if await intend(ctx, tracked):
                submit._answered(ctx, tracked)
                await submit._not_accepted(ctx, tracked, exc, sent_s)
            return
        if await intend(ctx, tracked):
            submit._answered(ctx, tracked)
            await ctx.advance(tracked, Decision(target=State.SUBMITTED))

    patch.setattr(submit, "_submit", post_first)


def _no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(board.JobBoard, "fence_for", lambda *_: Fence(history_id=0))


def _resend_on_timeout(patch: pytest.MonkeyPatch) -> None:
    post = CommandClient.submit

    async def stubborn(self: CommandClient, request: ReenrollmentRequest) -> int:
        try:
            return await post(self, request)
        except OutcomeUnknown:
            return await post(self, request)

    patch.setattr(CommandClient, "submit", stubborn)


def _adopt_the_newest(patch: pytest.MonkeyPatch) -> None:
    candidates = board.JobBoard.candidates

    def newest(self: board.JobBoard, row: Row) -> frozenset[str]:
        found = sorted(candidates(self, row), key=lambda j: self.first_seen_s(j) or 0)
        return frozenset(found[-1:])

    patch.setattr(board.JobBoard, "candidates", newest)


def _forget_completed_will_retry(patch: pytest.MonkeyPatch) -> None:
    final = frozenset({*board._FINAL, JobStatus.COMPLETED_WILL_RETRY})
    patch.setattr(board, "_FINAL", final)


def _no_settle_time(patch: pytest.MonkeyPatch) -> None:
    absent = correlate._absent
    patch.setattr(
        correlate,
        "_absent",
        lambda row, seen, timing, settings: absent(
            row, seen, replace(timing, answered_s=-1e9), settings
        ),
    )


def _conclude_before_rivals_show(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(correlate, "_open_view", lambda record, *_: record)


def _take_5xx_for_a_refusal(patch: pytest.MonkeyPatch) -> None:
    after = submit._after

    def refused(ctx: Context, exc: CommandError) -> Decision:
        if isinstance(exc, OutcomeUnknown) and exc.status:
            return Decision(
                target=State.PENDING,
                reason=Reason.NOT_CARRIED_OUT,
                changes={"fence": None},
            )
        return after(ctx, exc)

    patch.setattr(submit, "_after", refused)


def _trust_a_lagging_inventory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(submit, "_inventory_may_lag", lambda *_: False)


@pytest.mark.parametrize(
    ("mutation", "seeds"),
    [
        (_intent_after_the_post, (15, 20, 25)),
        (_no_fence, (9, 10, 11)),
        (_resend_on_timeout, (1, 6, 8)),
        (_adopt_the_newest, (52, 60, 83)),
        (_forget_completed_will_retry, (2, 7, 10)),
        (_no_settle_time, (15, 46, 47)),
        (_conclude_before_rivals_show, (193, 309, 687)),
        (_take_5xx_for_a_refusal, (6, 8, 10)),
        (_trust_a_lagging_inventory, (531, 716, 1095)),
    ],
)
def test_the_simulation_notices(
    mutation: Patch, seeds: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds that are known to notice; after a change of the scenarios, find new ones.

    All of them hold as the program stands, so it is the mutation that they notice.
    """
    assert not any(_notices(seed) for seed in seeds)
    mutation(monkeypatch)
    assert any(_notices(seed) for seed in seeds)


def _notices(seed: int) -> bool:
    try:
        return bool(faults(play(draw(seed))))
    except Exception:  # noqa: BLE001 - a crash of the broken program is noticed, too
        return True
