"""From the ledger to a :class:`ReportInput`: names are matched here, nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from batch_reenroll.campaign.lifecycle import State, reported_outcome
from batch_reenroll.campaign.reasons import EXPLANATIONS, Reason
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.standing import is_unfinished
from batch_reenroll.evidence import Signer, signature_files
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.report import (
    RESULT_COLUMNS,
    SIGNATURE_FILES,
    CampaignFacts,
    Format,
    ReportInput,
    RowFacts,
    write_folder,
)
from batch_reenroll.text import parse_time, rfc3339

REQUEST_KINDS = ("submit", "job_history", "scheduled_jobs", "inventory", "other")


def write_report(
    ledger: SqliteLedger,
    campaign_id: str,
    reports: Path,
    *,
    resume: str,
    console: Console,
    formats: Sequence[Format] = (),
    signer: Signer | None = None,
) -> Path:
    """Write the campaign's report folder; return it.

    All of it is of one moment, also while another process runs the campaign.

    Args:
        ledger: To read.
        campaign_id: Which.
        reports: The folder goes into this one.
        resume: The shell command that goes on with the campaign.
        console: For warnings that an earlier signature, or a form of the results that
            is not written again, goes.
        formats: Further forms of the results, each once.
        signer: Signs ``evidence.json``, or None.

    Raises:
        UsageError: The folder cannot be written, or one of ``formats`` not be made.
    """
    folder = reports / campaign_id
    for form in Format:
        if form not in formats and (folder / form.file_name).exists():
            console.warn(
                f"{form.file_name} was of the earlier report and is taken away; "
                f"batch-reenroll report {campaign_id} --format {form} writes it again"
            )
    sign = None if signer is None else partial(signature_files, signer=signer)
    if sign is None and (folder / SIGNATURE_FILES[0]).exists():
        console.warn("the report was signed and is written again without --sign")
    with ledger.snapshot():
        campaign = ledger.campaign(campaign_id)
        report = report_input(ledger, campaign, resume=resume)
        write_folder(folder, report, EXPLANATIONS, formats=formats, sign=sign)
    return folder


def report_input(
    ledger: SqliteLedger, campaign: Campaign, *, resume: str
) -> ReportInput:
    """Return what a report of the campaign is made from."""
    number = ledger.number(campaign.campaign_id)
    return ReportInput(
        facts=_facts(campaign, resume=resume),
        rows=lambda: map(_row, ledger.records(number, _COLUMNS)),
        rows_with=lambda outcomes: map(
            _row, ledger.records(number, _COLUMNS, _states(outcomes))
        ),
        journal=lambda: ledger.journal(number),
    )


def _facts(campaign: Campaign, *, resume: str) -> CampaignFacts:
    purpose = campaign.purpose
    settings = campaign.settings
    return CampaignFacts(
        campaign_id=campaign.campaign_id,
        name=purpose.get("name", ""),
        reason=purpose.get("reason", ""),
        ticket=purpose.get("ticket", ""),
        requested_by=purpose.get("requested_by", ""),
        approved_by=purpose.get("approved_by", ""),
        approved_at=purpose.get("approved_at", ""),
        approval_key=purpose.get("approval_key", ""),
        owner=purpose.get("owner", ""),
        deadline=purpose.get("deadline") or None,
        operator=campaign.operator,
        host=campaign.host,
        command_url=campaign.command_url,
        manifest_name=campaign.manifest_name,
        manifest_sha256=campaign.manifest_sha256,
        plan_sha256=campaign.plan_sha256,
        journal_head=campaign.journal_head,
        tool_version=campaign.tool_version,
        exit_code=campaign.exit_code if campaign.exit_code is not None else 10,
        stop_reason=campaign.stop_reason,
        started_at=campaign.started_at or campaign.created_at,
        finished_at=campaign.finished_at,
        written_at=rfc3339(datetime.now(UTC)),
        requests={kind: campaign.requests.get(kind, 0) for kind in REQUEST_KINDS},
        input_columns=campaign.columns,
        defaults=campaign.defaults,
        verify="inventory" if settings.verify else "none",
        settings={
            "rate": f"{settings.rate_per_s:g} per second",
            "max in flight": str(settings.max_in_flight),
            "per orchestrator": str(settings.per_orchestrator),
            "poll interval": f"{settings.poll_interval_s:g} s",
            "pick-up timeout": f"{settings.pickup_timeout_s:g} s",
            "job timeout": f"{settings.job_timeout_s:g} s",
            "settle time": f"{settings.settle_s:g} s",
            "verify timeout": f"{settings.verify_timeout_s:g} s",
            "budget": settings.budget_limit,
        },
        waves=tuple(wave.name for wave in settings.waves),
        resume_command=resume if is_unfinished(campaign) else "",
    )


#: Result columns that the ledger's record holds under the same name.
_COPIED = tuple(
    name
    for name in RESULT_COLUMNS
    if name not in ("outcome", "reason_code", "duration_s")
)


#: What is read of a row's record, in this order; ``before`` and others can be long.
_COLUMNS = (
    *("row_no", "row_id", "cells", "request", "state", "reason_code", "verification"),
    *_COPIED,
)


def _states(outcomes: frozenset[str]) -> list[State]:
    return [state for state in State if reported_outcome(state) in outcomes]


def _row(record: sqlite3.Row) -> RowFacts:
    row_no, row_id, cells, request, state_name, reason, verification, *copied = record
    state = State(state_name)
    outcome = reported_outcome(state)
    if outcome is not state:
        reason = Reason.STOPPED if state is State.PENDING else Reason.IN_FLIGHT
    result = dict(zip(_COPIED, copied, strict=True))
    result["outcome"] = str(outcome)
    result["reason_code"] = str(reason) if reason else None
    result["duration_s"] = _duration_s(result)
    asked: dict[str, Any] = json.loads(request)
    return RowFacts(
        row_no=row_no,
        row_id=row_id,
        cells=tuple(json.loads(cells)),
        result=result,
        certificate_authority=asked.get("certificate_authority") or "",
        certificate_template=asked.get("certificate_template") or "",
        verification=verification or "",
    )


def _duration_s(result: Mapping[str, Any]) -> float | None:
    """Return how long the job ran: both times are Command's, so no clock differs."""
    began = parse_time(result["picked_up_at"] or "")
    ended = parse_time(result["finished_at"] or "")
    if began is None or ended is None or result["job_id"] is None:
        return None
    return round((ended - began).total_seconds(), 3)


def rows_of(ledger: SqliteLedger, campaign_id: str) -> Iterator[RowFacts]:
    """Yield the campaign's rows as a report shows them."""
    return map(_row, ledger.records(ledger.number(campaign_id), _COLUMNS))
