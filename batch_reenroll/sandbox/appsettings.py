"""Command's application settings, and those of our own that may change while it runs.

Command shows the first five on its settings page (keyfactor-command.md 9).
undocumented: their defaults, their ranges and their short names. The names here are
those of the page; nothing of this is served under Command's own ``/AppSetting``, of
which the values for these five are not known.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from batch_reenroll.sandbox.jsonread import BadShape, build
from batch_reenroll.sandbox.policy import CaPolicy
from batch_reenroll.sandbox.settings import Settings

_OURS = (
    *("token_lifetime_s", "job_min_s", "job_max_s", "enroll_latency_s"),
    *("inventory_delay_s", "history_lag_s", "job_retry_count", "job_retry_delay_s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """What can be read and set.

    Attributes:
        certificate_authority_for_submitted_csrs: *Certificate Authority For Submitted
            CSRs*; empty = none. A CA that does not exist is taken: the jobs fail.
        template_for_submitted_csrs: *Template For Submitted CSRs*; the same holds.
        heartbeat_minutes: How often orchestrators ask for work, > 0, to 1,440; each
            learns of a change at its next heartbeat.
        job_retry_count: How often a failed reenrollment is put back, >= 0.
        job_failures_and_warnings_age_out_days: *Job Failures and Warnings Age Out
            (days)*; 0 = never.
        token_lifetime_s, job_min_s, job_max_s, enroll_latency_s, inventory_delay_s,
            history_lag_s, job_retry_delay_s: The sandbox's own, see
            :class:`~batch_reenroll.sandbox.settings.Settings`.
    """

    certificate_authority_for_submitted_csrs: str
    template_for_submitted_csrs: str
    heartbeat_minutes: float
    job_retry_count: int
    job_failures_and_warnings_age_out_days: int
    token_lifetime_s: int
    job_min_s: float
    job_max_s: float
    enroll_latency_s: float
    inventory_delay_s: float
    history_lag_s: float
    job_retry_delay_s: float


def current(settings: Settings, policy: CaPolicy) -> AppSettings:
    """Return the settings in force."""
    return AppSettings(
        certificate_authority_for_submitted_csrs=policy.default_authority,
        template_for_submitted_csrs=policy.default_template,
        heartbeat_minutes=settings.heartbeat_s / 60,
        job_failures_and_warnings_age_out_days=settings.failures_age_out_days,
        **{name: getattr(settings, name) for name in _OURS},
    )


def changed(
    settings: Settings, policy: CaPolicy, changes: object
) -> tuple[Settings, CaPolicy]:
    """Return both with some settings changed.

    Args:
        settings: In force.
        policy: In force.
        changes: A JSON object with some of the keys of :class:`AppSettings`.

    Raises:
        SandboxError: Something is no setting or no value of it; nothing was changed.
    """
    if not isinstance(changes, dict):
        raise BadShape(["settings: expected an object"])
    before = current(settings, policy)
    after = build(AppSettings, asdict(before) | changes, "settings")
    values = {name: getattr(after, name) for name in _OURS}
    if after.heartbeat_minutes != before.heartbeat_minutes:
        values["heartbeat_s"] = after.heartbeat_minutes * 60
    days = after.job_failures_and_warnings_age_out_days
    return (
        replace(settings, failures_age_out_days=days, **values),
        replace(
            policy,
            default_authority=after.certificate_authority_for_submitted_csrs,
            default_template=after.template_for_submitted_csrs,
        ),
    )
