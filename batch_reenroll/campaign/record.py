"""One campaign as the ledger keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.plan import Verdict
from batch_reenroll.campaign.settings import RunSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is fixed when a campaign is created, and how far it has come.

    Attributes:
        campaign_id: Unique in its ledger.
        command_url: Base URL of the Command it runs against; no credentials.
        purpose: The manifest's ``campaign`` block: name, reason, ticket,
            requested_by, approved_by, deadline (RFC 3339), all text.
        columns: Input columns in the user's order.
        defaults: Manifest defaults as cells by column.
        manifest_name, manifest_path: As given, and absolute, to find it again.
        manifest_sha256, plan_sha256: 64 hex digits.
        settings: Pace, limits and times.
        operator, host, tool_version: Who created it, where, with what.
        created_at: RFC 3339 UTC.
        started_at, finished_at, exit_code, stop_reason: Of the last run; None before.
        requests: Requests sent by kind, over all runs.
        rows: Rows by state, n >= 0 each; missing = 0.
        journal_length, journal_head: Lines, and SHA-256 of the last one.
    """

    campaign_id: str
    command_url: str
    purpose: Mapping[str, str]
    columns: tuple[str, ...]
    defaults: Mapping[str, str]
    manifest_name: str
    manifest_path: str
    manifest_sha256: str = ""
    plan_sha256: str = ""
    settings: RunSettings
    operator: str
    host: str
    tool_version: str
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    exit_code: int | None = None
    stop_reason: str = ""
    requests: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[State, int] = field(default_factory=dict)
    journal_length: int = 0
    journal_head: str = ""

    @property
    def n_rows(self) -> int:
        """Rows of the manifest."""
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRow:
    """A manifest row with its verdict, as it enters the ledger.

    ``verdict.reason`` set means that the row ends ``skipped`` at once. ``deadline`` is
    RFC 3339 UTC; ``endpoint`` is as :class:`~batch_reenroll.campaign.endpoint.Endpoint`
    writes it, "" where the row names none.
    """

    row_no: int
    row_id: str
    cells: tuple[str, ...]
    verdict: Verdict
    skipped: State | None = None
    current_thumbprint: str | None = None
    wave: str | None = None
    deadline: str | None = None
    endpoint: str = ""

    @property
    def request(self) -> ReenrollmentRequest:
        """What will be POSTed."""
        return self.verdict.request
