"""The knobs of one campaign, as decided once and kept in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.quota import AuthorityLimit
from batch_reenroll.campaign.waves import WavePlan
from batch_reenroll.campaign.windows import Blackout, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Pace, limits and times of a campaign. Durations are seconds, all > 0.

    Attributes:
        rate_per_s: Ceiling of submissions per second.
        burst: Submissions that may leave at once after idle time, >= 1.
        max_in_flight: Rows with Command at one time.
        per_orchestrator: The same for each orchestrator; orchestrators run jobs one
            after another, and some extensions break when jobs overlap
            (keyfactor-command.md 7).
        poll_interval_s: From the start of one sweep to the start of the next.
        pickup_timeout_s: Longest wait for an orchestrator to take a job. Long by
            default: a cron-run agent asks for work only when cron starts it
            (keyfactor-command.md 9).
        job_timeout_s: Longest run of a job once taken.
        settle_time_s: How long a lost answer is left before its absence counts; None
            = the larger of 10 s and two poll intervals (design.md 4).
        verify: Whether a job's success is checked against the inventory.
        verify_timeout_s: How long the inventory may lag behind the job.
        max_losses: Attempts of one row that may get lost without a trace.
        unreachable_timeout_s: How long Command may be away before the run ends.
        grace_s: How long an orderly stop may take to settle lost answers.
        budget_limit: Failures allowed; the run stops when they exceed it.
        budget_min_rows: Ended rows before a percentage counts.
        breaker_failures: Failures in a row that stop feeding an orchestrator.
        silent_heartbeats: Heartbeats that an orchestrator may miss before it is no
            longer fed; 0 = any number. Counts where ``heartbeat_s`` is given.
        heartbeat_s: How often orchestrators ask for work, as their owner says; None =
            nobody said.
        unschedule_stalled: Jobs that no orchestrator takes in time are taken back.
        breaker_rest_s: How long an open breaker rests before one row may try; it
            doubles with each that fails. None = it stays open for the run.
        authorities: Limits by CA, as the manifest names it; case does not count.
        windows, blackouts: When rows may be submitted; see
            :class:`~batch_reenroll.campaign.calendar.Calendar`.
        until_window_end: The end of a window ends the run.
        waves: In their order; none = all rows at once.
        confirm_waves: The run ends after each wave; a person resumes it.
    """

    rate_per_s: float = 20.0
    burst: int = 1
    max_in_flight: int = 500
    per_orchestrator: int = 4
    poll_interval_s: float = 10.0
    pickup_timeout_s: float = 3600.0
    job_timeout_s: float = 1800.0
    settle_time_s: float | None = None
    verify: bool = True
    verify_timeout_s: float = 120.0
    max_losses: int = 3
    unreachable_timeout_s: float = 3600.0
    grace_s: float = 30.0
    budget_limit: str = "20%"
    budget_min_rows: int = 50
    breaker_failures: int = 10
    breaker_rest_s: float | None = None
    silent_heartbeats: int = 12
    heartbeat_s: float | None = None
    unschedule_stalled: bool = False
    authorities: Mapping[str, AuthorityLimit] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    blackouts: tuple[Blackout, ...] = ()
    until_window_end: bool = False
    waves: tuple[WavePlan, ...] = ()
    confirm_waves: bool = False

    @property
    def settle_s(self) -> float:
        """The settle time in force, in seconds."""
        if self.settle_time_s is not None:
            return self.settle_time_s
        return max(10.0, 2 * self.poll_interval_s)

    @property
    def silence_s(self) -> float | None:
        """How long an orchestrator may be silent, in seconds; None = for ever.

        Only where somebody said how often orchestrators ask for work: one that cron
        starts is well and yet not seen for hours, and Command's own interval is not
        documented (keyfactor-command.md 9). No number of unknown intervals is safe;
        without one the pick-up timeout alone tells (design.md 5.1).
        """
        if not self.silent_heartbeats or self.heartbeat_s is None:
            return None
        return self.silent_heartbeats * self.heartbeat_s

    @property
    def listen_s(self) -> float:
        """From one question who has been heard of to the next, in seconds."""
        return max(self.heartbeat_s or 0.0, self.poll_interval_s)

    @property
    def budget(self) -> Limit:
        """The budget as a value."""
        return Limit.parse(self.budget_limit)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that :meth:`from_json` reads back."""
        value = {f.name: getattr(self, f.name) for f in fields(self)}
        lists = {name: [item.as_json() for item in value[name]] for name in _LISTS}
        limits = {name: limit.as_json() for name, limit in self.authorities.items()}
        return {**value, **lists, "authorities": limits}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunSettings:
        """Return the settings in ``value``; keys it does not know are ignored."""
        known = {f.name for f in fields(cls)}
        said = {key: item for key, item in value.items() if key in known}
        lists = {
            name: tuple(map(kind.from_json, said[name]))
            for name, kind in _LISTS.items()
            if name in said
        }
        limits = {
            name: AuthorityLimit.from_json(limit)
            for name, limit in said.get("authorities", {}).items()
        }
        return cls(**{**said, **lists, "authorities": limits})


_LISTS: Mapping[str, type[Window] | type[Blackout] | type[WavePlan]] = {
    "windows": Window,
    "blackouts": Blackout,
    "waves": WavePlan,
}
