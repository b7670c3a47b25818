"""The knobs of the core: times, limits and dialect, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from batch_reenroll.sandbox.dialects import DIALECTS, Dialect
from batch_reenroll.sandbox.exchange import SandboxError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this Command behaves. Durations are in seconds, >= 0.

    Attributes:
        heartbeat_s: How often an orchestrator asks for work, > 0.
        job_min_s, job_max_s: Range of a reenrollment's duration.
        enroll_latency_s: What the CA adds to each reenrollment.
        inventory_min_s, inventory_max_s: Range of an inventory's duration.
        inventory_delay_s: From the end of a reenrollment until the orchestrator
            queues the chained inventory.
        history_lag_s: How long a job may be in neither list: from the moment it
            leaves ScheduledJobs until its JobHistory row can be seen. Drawn for each
            row, evenly between 0 and this, so that a row may appear after one with a
            higher JobHistoryId, as where transactions commit out of order.
        job_retry_count: How often Command puts a failed reenrollment back.
            undocumented: Command's default; we take 0.
        job_retry_delay_s: How long it then waits.
        reschedule_keeps_job_id: A rescheduled job has the JobId of the failed one.
            undocumented: which Command does; we take a new one.
        noise_jobs_per_s: How many history rows of reenrollments outside the fleet
            appear in a second, on average; 0 to 10,000. The history grows for as long
            as the sandbox runs.
        inventory_follows: Each reenrollment is followed by an inventory of its store.
            undocumented: whether it is with every kind of orchestrator.
        nightly_inventory: Each store has a daily inventory schedule (02:00 UTC).
        certificate_contents: Lists of certificates bear ``ContentBytes``.
        failures_age_out_days: For how long a failure or warning counts as open (*Job
            Failures and Warnings Age Out*); 0 = for ever. undocumented: the default.
        dialect: Major version of Command whose ways it has: 10, 11, 24 or 25.
        result_enums: How ``Result`` and ``Status`` are sent; None, here and in the
            next three: as the dialect says.
        zone_suffix: Times end with ``Z``.
        product_version: ``X-Keyfactor-Product-Version``; empty = not sent.
        job_type_prefix: Job types bear the capability: ``PEMReenrollment``.
        return_limit_max: Largest page, or None for no cap (none is documented).
        query_max_bytes: Longest query string; IIS answers 404 beyond 2,048.
        body_max_bytes: Longest body. undocumented: where Command's limit lies.
        job_properties_array: Take the array form of the v10 text as well; None: as the
            dialect says.
        post_checks: What a POST of a reenrollment looks at besides its form.
            ``strict``: whatever the job would fail for is refused with 400. ``lax``: it
            is answered with 204 and the job fails. undocumented: which Command does.
        token_lifetime_s: How long a bearer token holds, > 0.
        speech: What the dialect and the settings that override it come to.
    """

    heartbeat_s: float = 2.0
    job_min_s: float = 0.05
    job_max_s: float = 0.3
    enroll_latency_s: float = 0.0
    inventory_min_s: float = 0.01
    inventory_max_s: float = 0.05
    inventory_delay_s: float = 0.1
    history_lag_s: float = 0.0
    job_retry_count: int = 0
    job_retry_delay_s: float = 5.0
    reschedule_keeps_job_id: bool = False
    noise_jobs_per_s: float = 0.0
    inventory_follows: bool = True
    nightly_inventory: bool = True
    certificate_contents: bool = True
    failures_age_out_days: int = 7
    dialect: str = "25"
    result_enums: Literal["int", "string"] | None = None
    zone_suffix: bool | None = None
    product_version: str | None = None
    job_type_prefix: bool | None = None
    return_limit_max: int | None = None
    query_max_bytes: int = 2048
    body_max_bytes: int = 1_048_576
    job_properties_array: bool | None = None
    post_checks: Literal["strict", "lax"] = "strict"
    token_lifetime_s: int = 3600
    speech: Dialect = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults = [
            (not 0 < self.heartbeat_s <= 86_400, "heartbeat_s must be in (0, 86400]"),
            (not 0 <= self.job_min_s <= self.job_max_s, "job seconds: 0 <= MIN <= MAX"),
            (
                not 0 <= self.inventory_min_s <= self.inventory_max_s,
                "inventory seconds: 0 <= MIN <= MAX",
            ),
            (
                min(self.enroll_latency_s, self.inventory_delay_s) < 0
                or min(self.history_lag_s, self.job_retry_delay_s) < 0,
                "durations must be >= 0",
            ),
            (self.job_retry_count < 0, "job_retry_count must be >= 0"),
            (
                not 0 < self.token_lifetime_s <= 31_536_000,
                "token_lifetime_s: 1 to a year",
            ),
            (self.failures_age_out_days < 0, "failures_age_out_days must be >= 0"),
            (
                self.dialect not in DIALECTS,
                f"dialect must be one of {', '.join(DIALECTS)}",
            ),
            (
                self.post_checks not in ("strict", "lax"),
                "post_checks must be strict or lax",
            ),
            (
                not 0 <= self.noise_jobs_per_s <= 10_000,
                "noise_jobs_per_s must be 0 to 10000",
            ),
            (
                self.return_limit_max is not None and self.return_limit_max < 1,
                "return_limit_max must be >= 1",
            ),
        ]
        wrong = [text for bad, text in faults if bad]
        if wrong:
            raise SandboxError("settings: " + "; ".join(wrong))
        object.__setattr__(self, "speech", self._speech())

    def _speech(self) -> Dialect:
        given = {
            "result_names": None
            if self.result_enums is None
            else self.result_enums == "string",
            "zone_suffix": self.zone_suffix,
            "product_version": self.product_version,
            "job_type_prefix": self.job_type_prefix,
            "properties_array": self.job_properties_array,
        }
        changes: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        return replace(DIALECTS[self.dialect], **changes)
