"""Between the ledger's columns and the campaign's values. Pure."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.rows import Fence, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.text import parse_time, rfc3339, well_formed

#: Columns that a move may set besides state, reason_code and message.
SETTABLE = frozenset(
    {
        "http_status",
        "attempts",
        "losses",
        "retries",
        "fence",
        "before",
        "submitted_at",
        "picked_up_at",
        "finished_at",
        "verified_at",
        "job_id",
        "job_history_id",
        "job_result",
        "alias_after",
        "thumbprint_before",
        "not_before_before",
        "not_after_before",
        "thumbprint_after",
        "not_after_after",
        "verification",
    }
)


def encode(value: Any) -> str | int | None:
    """Return ``value`` as a column holds it."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Fence):
        return _json(value.as_json())
    if isinstance(value, Mapping):
        return _json(dict(value))
    if isinstance(value, str):
        return well_formed(value)
    if value is None or isinstance(value, int):
        return value
    message = f"no column holds a {type(value).__name__}"
    raise TypeError(message)


def _json(value: Any) -> str:
    # ASCII, so that half a surrogate pair from Command can be stored.
    return json.dumps(value, separators=(",", ":"))


def request_text(request: ReenrollmentRequest) -> str:
    """Return the request as JSON that :func:`request_value` reads back."""
    return _json({k: v for k, v in asdict(request).items() if v is not None})


def request_value(text: str) -> ReenrollmentRequest:
    """Return the request in ``text``."""
    return ReenrollmentRequest(**json.loads(text))


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def row_value(record: sqlite3.Row) -> Row:
    """Return the row in a database record of table ``row``."""
    fence, before = record["fence"], record["before"]
    scheduled, verification = record["inventory_scheduled"], record["verification"]
    return Row(
        row_no=record["row_no"],
        row_id=record["row_id"],
        state=State(record["state"]),
        reason=Reason(record["reason_code"]) if record["reason_code"] else None,
        request=request_value(record["request"]),
        orchestrator=record["orchestrator"],
        client_machine=record["client_machine"],
        store_path=record["store_path"],
        store_type=record["store_type"],
        capability=record["capability"],
        place_unique=bool(record["place_unique"]),
        current_thumbprint=record["current_thumbprint"],
        wave=record["wave"],
        attempts=record["attempts"],
        losses=record["losses"],
        retries=record["retries"],
        fence=Fence.from_json(json.loads(fence)) if fence else None,
        before=json.loads(before) if before else None,
        thumbprint_before=record["thumbprint_before"],
        not_before_before=_time(record["not_before_before"]),
        not_after_before=_time(record["not_after_before"]),
        job_id=record["job_id"],
        job_history_id=record["job_history_id"],
        job_result=record["job_result"],
        submitted_at=_time(record["submitted_at"]),
        picked_up_at=_time(record["picked_up_at"]),
        finished_at=_time(record["finished_at"]),
        endpoint=record["endpoint"],
        inventory_scheduled=None if scheduled is None else bool(scheduled),
        verification=json.loads(verification) if verification else None,
    )


def campaign_value(record: sqlite3.Row, rows: Mapping[State, int]) -> Campaign:
    """Return the campaign in a database record of table ``campaign``."""
    return Campaign(
        campaign_id=record["campaign_id"],
        command_url=record["command_url"],
        purpose=json.loads(record["purpose"]),
        columns=tuple(json.loads(record["columns"])),
        defaults=json.loads(record["defaults"]),
        manifest_name=record["manifest_name"],
        manifest_path=record["manifest_path"],
        manifest_sha256=record["manifest_sha256"],
        plan_sha256=record["plan_sha256"],
        settings=RunSettings.from_json(json.loads(record["settings"])),
        operator=record["operator"],
        host=record["host"],
        tool_version=record["tool_version"],
        created_at=record["created_at"],
        started_at=record["started_at"],
        finished_at=record["finished_at"],
        exit_code=record["exit_code"],
        stop_reason=record["stop_reason"],
        requests=json.loads(record["requests"]),
        rows=rows,
        journal_length=record["journal_length"],
        journal_head=record["journal_head"],
    )
