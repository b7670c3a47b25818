"""Mistakes that a plausible change could make, as patches of the program.

What each is called, and the trouble that shows it, stands in
:mod:`simulation.mutations`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from batch_reenroll.campaign import board, correlate
from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.ends import Ends, Place
from batch_reenroll.campaign.lanes import Lanes
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.limiter import Gcra
from batch_reenroll.campaign.looks import Looks
from batch_reenroll.campaign.nouns import JobStatus, ReenrollmentRequest
from batch_reenroll.campaign.pace import Pace
from batch_reenroll.campaign.quota import AuthorityGate
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Fence, Row
from batch_reenroll.campaign.waves import WavePlan, gate
from batch_reenroll.command import CommandClient, auth
from batch_reenroll.errors import CommandError, OutcomeUnknown, SignInRenewed
from batch_reenroll.ledger import CampaignLedger, SqliteLedger, reader
from batch_reenroll.ledger.codec import row_value
from batch_reenroll.runner import gates, prepare, reading, submit, track, waves
from batch_reenroll.runner.context import Context, Tracked
from batch_reenroll.runner.waves import Waves


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
    patch.setattr(correlate, "_open_view", lambda _, record, *__: record)


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
        jobs, _ = await reading.scheduled_jobs(self.ctx, None)
        self.ctx.board.see_scheduled(jobs.values(), began_s)
        return True

    patch.setattr(track.Tracker, "_look_at_scheduled", believed)


#: Rows of a page where that mistake is made.
_SHORT_PAGE = 2


def believe_an_empty_second_page(patch: pytest.MonkeyPatch) -> None:
    """A list of two pages lost its last job between them, and passes for one page."""
    pages_read = reading.scheduled_jobs

    async def believed(*asked: Any) -> Any:
        jobs, pages = await pages_read(*asked)
        second_was_empty = pages == 2 and len(jobs) <= _SHORT_PAGE
        return jobs, 1 if second_was_empty else pages

    patch.setattr(track, "scheduled_jobs", believed)


def forget_jobs_between_the_lists(patch: pytest.MonkeyPatch) -> None:
    """A job that has left ScheduledJobs is over until JobHistory shows that it runs."""
    see = board.JobBoard.see_scheduled

    def at_once(self: board.JobBoard, *seen: Any, **how: Any) -> None:
        see(self, *seen, **how)
        self._let_go(float("inf"))

    patch.setattr(board.JobBoard, "see_scheduled", at_once)


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


def look_at_the_window_when_a_row_is_taken(patch: pytest.MonkeyPatch) -> None:
    """By the time its permit comes the window may have ended."""
    patch.setattr(Calendar, "is_open", lambda *_: True)


def run_on_in_the_next_window(patch: pytest.MonkeyPatch) -> None:
    """While all slots are taken, a window ends and the next one opens."""
    patch.setattr(submit, "_window_ends_s", lambda *_: [])


def open_waves_unsoaked(patch: pytest.MonkeyPatch) -> None:

    def at_once(wave: WavePlan, *rest: Any, **more: Any) -> Any:
        return gate(replace(wave, soak_s=0), *rest, **more)

    patch.setattr(waves, "gate", at_once)


def open_waves_over_budget(patch: pytest.MonkeyPatch) -> None:

    def generous(wave: WavePlan, *rest: Any, **more: Any) -> Any:
        return gate(replace(wave, max_failures=None), *rest, **more)

    patch.setattr(waves, "gate", generous)


def take_every_resume_for_consent(patch: pytest.MonkeyPatch) -> None:
    """Nobody has been asked where the process died before it could ask."""
    take_up = Waves.take_up

    async def consenting(self: Waves) -> None:
        await take_up(self)
        self._confirmed = bool(self.ctx.settings.waves)

    patch.setattr(Waves, "take_up", consenting)


def forget_that_a_wave_was_opened(patch: pytest.MonkeyPatch) -> None:
    """A wave of which no row had to be sent is opened anew, and asked for, for ever."""
    told = CampaignLedger.wave_events

    async def of_questions(self: CampaignLedger) -> list[tuple[str, str]]:
        return [line for line in await told(self) if line[0] == "wave_asked"]

    patch.setattr(CampaignLedger, "wave_events", of_questions)


def forget_the_quota(patch: pytest.MonkeyPatch) -> None:
    """A new process knows nothing of what a CA was sent today."""
    patch.setattr(Pace, "recall", lambda *_: None)


def forget_the_rate_of_a_ca(patch: pytest.MonkeyPatch) -> None:
    """A new process knows nothing of what a CA has just been sent."""
    patch.setattr(AuthorityGate, "after_another", lambda *_: None)


def feed_on_behind_a_breaker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gates, "_opens_s", lambda _: float("-inf"))


def forget_what_a_stop_was_taking_back(patch: pytest.MonkeyPatch) -> None:
    """A row whose job is taken back after all is sent again by the next run."""
    moved = Row.moved

    def forgetful(self: Row, move: Any) -> Row:
        return replace(moved(self, move), reason=None)

    patch.setattr(Row, "moved", forgetful)
    patch.setattr(reader, "row_value", lambda r: replace(row_value(r), reason=None))


def resend_after_a_401(patch: pytest.MonkeyPatch) -> None:
    """The second request takes no turn of its own."""
    post = CommandClient.submit

    async def at_once(self: CommandClient, request: ReenrollmentRequest) -> int:
        try:
            return await post(self, request)
        except SignInRenewed:
            return await post(self, request)

    patch.setattr(CommandClient, "submit", at_once)


def remember_429s_over_a_closed_time(patch: pytest.MonkeyPatch) -> None:
    """Two 429s with a blackout between them pass for a Command that is away."""
    closed_s = submit._closed_s

    def remembering(ctx: Context) -> float:
        since_s = ctx.throttled_since_s
        waits_s = closed_s(ctx)
        ctx.throttled_since_s = since_s
        return waits_s

    patch.setattr(submit, "_closed_s", remembering)
