"""Rows, jobs and certificates made for tests: plain ones, changed where it matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import (
    InventoryCertificate,
    JobRecord,
    JobResult,
    JobStatus,
    ReenrollmentRequest,
    ScheduledJob,
)
from batch_reenroll.campaign.rows import Fence, Row

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

REQUEST = ReenrollmentRequest(
    keystore_id="5" * 8 + "-0000-0000-0000-000000000001",
    subject_name="CN=web1.example.com",
    agent_guid="a" * 8 + "-0000-0000-0000-000000000001",
    alias="web",
)


def row_of(**changes: Any) -> Row:
    """Return a submitted row of store ``web1 My`` on orchestrator ``orch1``."""
    plain = Row(
        row_no=1,
        row_id="1",
        state=State.SUBMITTED,
        request=REQUEST,
        orchestrator="orch1",
        client_machine="web1",
        store_path="My",
        capability="WinCert",
        place_unique=True,
        attempts=1,
        fence=Fence(history_id=0),
    )
    return replace(plain, **changes)


def aliased(alias: str, **changes: Any) -> Row:
    """Return a row whose certificate stands under ``alias``."""
    return row_of(request=replace(REQUEST, alias=alias), **changes)


def waiting(job_id: str, **changes: Any) -> ScheduledJob:
    """Return a job of ``row_of()``'s store that no orchestrator has taken."""
    plain = ScheduledJob(
        job_id=job_id,
        client_machine="orch1",
        target="My",
        job_type="WinCertReenrollment",
        requested=None,
    )
    return replace(plain, **changes)


def tried(history_id: int, job_id: str, **changes: Any) -> JobRecord:
    """Return one try, completed with success, of a job of ``row_of()``'s store."""
    plain = JobRecord(
        history_id=history_id,
        job_id=job_id,
        agent_machine="orch1",
        client_machine="web1",
        store_path="My",
        job_type="WinCertReenrollment",
        started_at=NOON,
        ended_at=NOON + timedelta(seconds=40),
        message="",
        result=JobResult.SUCCESS,
        status=JobStatus.COMPLETED,
    )
    return replace(plain, **changes)


def running(history_id: int, job_id: str, **changes: Any) -> JobRecord:
    """Return one try of a job that has been taken and has not ended."""
    taken: dict[str, Any] = {
        "ended_at": None,
        "result": JobResult.UNKNOWN,
        "status": JobStatus.IN_PROCESS,
    }
    return tried(history_id, job_id, **{**taken, **changes})


def watching(*rows: Row) -> JobBoard:
    """Return an empty board that keeps ended jobs of these rows' stores."""
    board = JobBoard()
    for row in rows:
        board.watch(row)
    return board


def certificate(
    alias: str, thumbprint: str, not_before: datetime | None = NOON
) -> InventoryCertificate:
    """Return a leaf of a store's inventory."""
    return InventoryCertificate(
        alias=alias,
        thumbprint=thumbprint,
        subject="CN=web1.example.com",
        issuer="CN=Corp Issuing CA 2",
        serial="01",
        not_before=not_before,
        not_after=None if not_before is None else not_before + timedelta(days=47),
    )
