"""What a report is made from: values that the ledger hands over, nothing live.

The report room never opens the ledger and never asks Command: a report written again
a year later says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

#: The result columns of ``results.csv``, in order (design.md, section 5).
RESULT_COLUMNS = (
    "outcome",
    "reason_code",
    "message",
    "http_status",
    "attempts",
    "wave",
    "planned_at",
    "submitted_at",
    "picked_up_at",
    "finished_at",
    "verified_at",
    "duration_s",
    "job_id",
    "job_history_id",
    "alias_after",
    "thumbprint_before",
    "not_after_before",
    "thumbprint_after",
    "not_after_after",
    "orchestrator",
    "client_machine",
    "store_path",
    "store_type",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFacts:
    """One campaign as the ledger knows it when the report is written.

    Attributes:
        campaign_id: The campaign's id; also the folder's name.
        name, reason, ticket, requested_by, approved_by, owner: From the manifest's
            ``campaign`` block; empty where it says nothing.
        approved_at: When it was approved, RFC 3339 UTC; "" without a signed approval.
        approval_key: Fingerprint of the key that signed the approval, or "".
        deadline: RFC 3339 UTC or None.
        operator, host: Who ran it, where.
        command_url: Base URL of Command, without credentials.
        manifest_name, manifest_sha256, plan_sha256: What it was made from.
        journal_head: Hash of the journal's last line.
        tool_version: Of this program.
        exit_code: What the run exits with.
        stop_reason: Why it ended before every row had been tried, or "".
        started_at, finished_at: RFC 3339 UTC; ``finished_at`` is None while it runs.
        written_at: When this report is written, RFC 3339 UTC.
        requests: Requests sent: submit, job_history, scheduled_jobs, inventory, other.
        input_columns: The manifest's columns, in the user's order.
        defaults: Manifest defaults as cells by column name: what an empty or missing
            input cell of that column means.
        verify: ``none`` or ``inventory``.
        settings: Pace and time settings for display, name to text.
        waves: Names of the waves in their order; none = all rows at once.
        resume_command: A shell command that goes on, or "" when all rows have ended.
    """

    campaign_id: str
    name: str = ""
    reason: str = ""
    ticket: str = ""
    requested_by: str = ""
    approved_by: str = ""
    approved_at: str = ""
    approval_key: str = ""
    owner: str = ""
    deadline: str | None = None
    operator: str = ""
    host: str = ""
    command_url: str = ""
    manifest_name: str
    manifest_sha256: str
    plan_sha256: str
    journal_head: str
    tool_version: str
    exit_code: int
    stop_reason: str = ""
    started_at: str
    finished_at: str | None
    written_at: str
    requests: Mapping[str, int]
    input_columns: tuple[str, ...]
    defaults: Mapping[str, str] = field(default_factory=dict)
    verify: str = "inventory"
    settings: Mapping[str, str] = field(default_factory=dict)
    waves: tuple[str, ...] = ()
    resume_command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """One manifest row and what became of it.

    Attributes:
        row_no: 1-based position in the manifest.
        row_id: The user's id, or ``str(row_no)``.
        cells: Input cells as read (already undone from defusing), one per
            ``CampaignFacts.input_columns``, same order.
        result: The values of :data:`RESULT_COLUMNS`; None or a missing key = empty.
            Times are RFC 3339 UTC text, ``attempts`` and ``http_status`` ints,
            ``duration_s`` a float in seconds, the rest text.
        certificate_authority, certificate_template: What was asked for, after
            defaults; "" = Command's own setting.
        verification: What the ledger keeps of the row's verification as JSON, or "";
            :func:`~batch_reenroll.report.verification.standing` reads the level.
    """

    row_no: int
    row_id: str
    cells: tuple[str, ...]
    result: Mapping[str, str | int | float | None]
    certificate_authority: str = ""
    certificate_template: str = ""
    verification: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInput:
    """Everything a report needs.

    ``rows`` and ``journal`` may be called any number of times; each call starts a new
    pass in a fixed order (row number; journal sequence) in bounded memory. Journal
    items are the journal's canonical JSON lines without line feed, byte for byte.
    ``rows_with`` is the same pass over the rows of some outcomes only, where there is
    a quicker way than to pass over all.
    """

    facts: CampaignFacts
    rows: Callable[[], Iterable[RowFacts]]
    journal: Callable[[], Iterable[str]]
    rows_with: Callable[[frozenset[str]], Iterable[RowFacts]] | None = None

    def chosen(self, outcomes: frozenset[str]) -> Iterable[RowFacts]:
        """Return a pass over the rows whose outcome is in ``outcomes``."""
        if self.rows_with is not None:
            return self.rows_with(outcomes)
        return (row for row in self.rows() if row.result.get("outcome") in outcomes)
