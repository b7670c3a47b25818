"""Mistakes that a plausible change could make, as patches of the program.

What each is called, and the trouble that shows it, stands in
:mod:`simulation.mutations`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from batch_reenroll.campaign import board, correlate
from batch_reenroll.campaign.ends import Ends, Place
from batch_reenroll.campaign.lanes import Lanes
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.limiter import Gcra
from batch_reenroll.campaign.looks import Looks
from batch_reenroll.campaign.nouns import JobStatus, ReenrollmentRequest
from batch_reenroll.campaign.pace import Pace
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Fence, Row
from batch_reenroll.command import CommandClient, auth
from batch_reenroll.errors import CommandError, OutcomeUnknown
from batch_reenroll.ledger import CampaignLedger, SqliteLedger
from batch_reenroll.runner import prepare, submit, track
from batch_reenroll.runner.context import Context, Tracked


def intent_after_the_post(patch: pytest.MonkeyPatch) -> None:
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


def no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(board.JobBoard, "fence_for", lambda *_: Fence(history_id=0))


def resend_on_timeout(patch: pytest.MonkeyPatch) -> None:
    post = CommandClient.submit

    async def stubborn(self: CommandClient, request: ReenrollmentRequest) -> int:
        try:
            return await post(self, request)
        except OutcomeUnknown:
            return await post(self, request)

    patch.setattr(CommandClient, "submit", stubborn)


def adopt_the_newest(patch: pytest.MonkeyPatch) -> None:
    candidates = board.JobBoard.candidates

    def newest(self: board.JobBoard, row: Row) -> frozenset[str]:
        found = sorted(candidates(self, row), key=lambda j: self.first_seen_s(j) or 0)
        return frozenset(found[-1:])

    patch.setattr(board.JobBoard, "candidates", newest)


def forget_completed_will_retry(patch: pytest.MonkeyPatch) -> None:
    final = frozenset({*board._FINAL, JobStatus.COMPLETED_WILL_RETRY})
    patch.setattr(board, "_FINAL", final)


def no_settle_time(patch: pytest.MonkeyPatch) -> None:
    absent = correlate._absent
    patch.setattr(
        correlate,
        "_absent",
        lambda row, seen, timing, settings: absent(
            row, seen, replace(timing, answered_s=-1e9), settings
        ),
    )


def conclude_before_rivals_show(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(correlate, "_open_view", lambda record, *_: record)


def take_5xx_for_a_refusal(patch: pytest.MonkeyPatch) -> None:
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


def trust_a_lagging_inventory(patch: pytest.MonkeyPatch) -> None:
    for module in (prepare, submit):
        patch.setattr(module, "inventory_may_lag", lambda *_: False)


def believe_a_shrinking_list(patch: pytest.MonkeyPatch) -> None:
    async def believed(self: track.Tracker, began_s: float) -> bool:
        jobs, _ = await self._scheduled(None)
        self.ctx.board.see_scheduled(jobs.values(), began_s)
        return True

    patch.setattr(track.Tracker, "_look_at_scheduled", believed)


class _Nothing(set[str]):
    """Forgets what is added to it."""

    def add(self, _: str, /) -> None:
        """Do nothing."""


def forget_that_a_job_has_ended(patch: pytest.MonkeyPatch) -> None:
    """An earlier try of an ended job is taken for a job that goes on."""
    see = board.JobBoard.see_scheduled

    def forgetful(self: board.JobBoard, jobs: Any, at_s: float) -> None:
        see(self, jobs, at_s)
        self._gone = _Nothing()

    patch.setattr(board.JobBoard, "see_scheduled", forgetful)


def burst_by_intervals(patch: pytest.MonkeyPatch) -> None:
    """The burst is a number of intervals: slowing down lets one out."""

    def ready_s(self: Gcra, now_s: float) -> float:
        return max(now_s, self.tat_s - (self.burst - 1) / self.rate_per_s)

    patch.setattr(Gcra, "ready_s", ready_s)


def forget_the_cap(patch: pytest.MonkeyPatch) -> None:
    """A resumed row holds no slot."""
    resume = Lanes.resume

    def slotless(self: Lanes, *row: Any, slot: bool) -> None:
        resume(self, *row, slot=False)

    patch.setattr(Lanes, "resume", slotless)


def begin_afresh_after_each_crash(patch: pytest.MonkeyPatch) -> None:
    """A new process knows nothing of what the last one has just sent."""
    patch.setattr(Pace, "after_another", lambda *_: None)


def never_refresh(patch: pytest.MonkeyPatch) -> None:
    async def refuse(self: auth.TokenAuth, refused: Any) -> bool:
        return False

    patch.setattr(auth.TokenAuth, "refresh", refuse)


def refresh_for_everybody(patch: pytest.MonkeyPatch) -> None:
    """Each request that a dead token was refused for fetches a token of its own."""

    async def refresh(self: auth.TokenAuth, refused: Any) -> bool:
        await self._renew()
        return True

    patch.setattr(auth.TokenAuth, "refresh", refresh)


def wait_for_each_new_token(patch: pytest.MonkeyPatch) -> None:
    """Requests that waited for a token leave together, faster than the pace."""

    async def headers(self: auth.TokenAuth) -> dict[str, str]:
        if self._token is None or self._is_past(self._renew_at_s):
            await self._renew()
        return self._header()

    patch.setattr(auth.TokenAuth, "headers", headers)


def conclude_from_one_look(patch: pytest.MonkeyPatch) -> None:
    """A job on its way from one list to the other is taken for absent."""

    def one_is_enough(self: Looks, since_s: float, settle_s: float) -> bool:
        return self.first_since(since_s + settle_s) is not None

    patch.setattr(Looks, "prove_absence", one_is_enough)


def let_rivals_be_late(patch: pytest.MonkeyPatch) -> None:
    """A job that no look could have shown in time is taken for a later one."""
    patch.setattr(Looks, "first_since", lambda self, at_s: at_s)


def keep_an_old_inventory(patch: pytest.MonkeyPatch) -> None:
    """What a store held is measured long before the row is sent."""
    patch.setattr(prepare, "_is_stale", lambda *_: False)


def believe_an_orchestrators_clock(patch: pytest.MonkeyPatch) -> None:
    """A job ended when its orchestrator says, whatever its clock shows."""

    def note(
        self: Ends, place: Place, job_id: str, *, seen_s: float, age_s: float
    ) -> None:
        ended_s = seen_s - max(0.0, age_s)
        if self._known.setdefault(job_id, ended_s) == ended_s:
            self._at.setdefault(place, {})[job_id] = ended_s

    patch.setattr(Ends, "note", note)


def date_ends_by_the_looks_beginning(patch: pytest.MonkeyPatch) -> None:
    """Looks over many pages take their time; an end lies in the midst of one."""
    see = board.JobBoard.see_history

    def as_it_began(
        self: board.JobBoard, records: Any, at_s: float, *rest: Any, **_: Any
    ) -> None:
        see(self, records, at_s, *rest)

    patch.setattr(board.JobBoard, "see_history", as_it_began)


def look_for_jobs_of_other_rows(patch: pytest.MonkeyPatch) -> None:
    """A retried row takes the job of another alias of its store for its own."""
    patch.setattr(SqliteLedger, "jobs_by_store", lambda *_: {})


def spin_on_a_full_disk(patch: pytest.MonkeyPatch) -> None:
    """Moves behind a writer that has ended wait for ever."""

    async def commit(self: CampaignLedger, batch: Any) -> None:
        moves = [move for move, _ in batch]
        results = await self._run(
            lambda: self._ledger.apply(self._number, moves, self._requests())
        )
        for (_, written), refusal in zip(batch, results, strict=True):
            if not written.done():
                written.set_result(None) if refusal is None else None

    patch.setattr(CampaignLedger, "_commit", commit)
