"""How a campaign and its rows enter the ledger, inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.rows import Move
from batch_reenroll.ledger.codec import request_text
from batch_reenroll.text import canonical_json, rfc3339, sha256_hex, well_formed


def insert_campaign(writer: sqlite3.Connection, campaign: Campaign) -> int:
    """Insert one campaign; return its number."""
    cursor = writer.execute(
        "INSERT INTO campaign (campaign_id, command_url, purpose, columns, "
        "defaults, manifest_name, manifest_path, manifest_sha256, plan_sha256, "
        "settings, operator, host, tool_version, created_at, requests) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, '', '', ?, ?, ?, ?, ?, ?)",
        (
            campaign.campaign_id,
            campaign.command_url,
            json.dumps(dict(campaign.purpose)),
            json.dumps(campaign.columns),
            json.dumps(dict(campaign.defaults)),
            campaign.manifest_name,
            campaign.manifest_path,
            json.dumps(campaign.settings.as_json()),
            campaign.operator,
            campaign.host,
            campaign.tool_version,
            campaign.created_at,
            json.dumps(dict(campaign.requests)),
        ),
    )
    return int(cursor.lastrowid or 0)


def insert_rows(
    writer: sqlite3.Connection,
    number: int,
    campaign: Campaign,
    rows: Iterable[PlannedRow],
    at: datetime,
) -> tuple[int, list[Move]]:
    """Insert all rows as pending, and the tally.

    Returns:
        The number of rows, and the moves of those that end before they start.
    """
    planned_at = rfc3339(at)
    skipped: list[Move] = []
    n_rows = 0

    def records() -> Iterator[tuple[Any, ...]]:
        nonlocal n_rows
        for row in rows:
            n_rows += 1
            if row.skipped is not None:
                skipped.append(_skip(row, at))
            yield _row_record(number, campaign.command_url, row, planned_at)

    writer.executemany(_INSERT_ROW, records())
    writer.executemany(
        "INSERT INTO tally VALUES (?, ?, ?)",
        [
            (number, str(state), n_rows if state is State.PENDING else 0)
            for state in State
        ],
    )
    return n_rows, skipped


def genesis(campaign: Campaign, n_rows: int) -> dict[str, Any]:
    """Return what the journal's first line says: what all the rest stands on."""
    settings = canonical_json(
        {key: str(value) for key, value in campaign.settings.as_json().items()}
    )
    return {
        "campaign": campaign.campaign_id,
        "command": campaign.command_url,
        "configuration_sha256": sha256_hex(settings),
        "host": campaign.host,
        "manifest": campaign.manifest_name,
        "manifest_sha256": campaign.manifest_sha256,
        "operator": campaign.operator,
        "plan_sha256": campaign.plan_sha256,
        "purpose": dict(campaign.purpose),
        "rows": n_rows,
        "tool_version": campaign.tool_version,
    }


def _skip(row: PlannedRow, at: datetime) -> Move:
    return Move(
        row_no=row.row_no,
        origin=State.PENDING,
        target=row.skipped or State.SKIPPED_PREFLIGHT,
        at=at,
        reason=row.verdict.reason,
        message=row.verdict.message,
    )


_ROW_COLUMNS = (
    "campaign",
    "row_no",
    "row_id",
    "command_url",
    "keystore_id",
    "agent_id",
    "request",
    "cells",
    "orchestrator",
    "client_machine",
    "store_path",
    "store_type",
    "capability",
    "place_unique",
    "current_thumbprint",
    "wave",
    "deadline",
    "endpoint",
    "inventory_scheduled",
    "state",
    "planned_at",
)

_INSERT_ROW = (
    f"INSERT INTO row ({', '.join(_ROW_COLUMNS)}) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(_ROW_COLUMNS))})"
)


def _row_record(
    number: int, command_url: str, row: PlannedRow, planned_at: str
) -> tuple[Any, ...]:
    verdict = row.verdict
    return (
        number,
        row.row_no,
        row.row_id,
        command_url,
        row.request.keystore_id,
        row.request.agent_guid,
        request_text(row.request),
        json.dumps(row.cells),
        well_formed(verdict.orchestrator),
        well_formed(verdict.client_machine),
        well_formed(verdict.store_path),
        well_formed(verdict.store_type),
        well_formed(verdict.capability),
        int(verdict.place_unique),
        row.current_thumbprint,
        row.wave,
        row.deadline,
        row.endpoint,
        verdict.inventory_scheduled,
        str(State.PENDING),
        planned_at,
    )
