"""Recorded shapes of both dialects: each file names its source and what it becomes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from unit.command.scripted import ScriptedAuth, ScriptedTransport

from batch_reenroll.campaign.nouns import Page
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.client import CommandClient

FOLDER = Path(__file__).parent / "exchanges"
EXCHANGES = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}


def plain(value: object) -> Any:
    """Return nouns as JSON would hold them."""
    if isinstance(value, Page):
        page = {"total": value.total, "server_time": plain(value.server_time)}
        return {**page, "items": plain(value.items)}
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(item) for name, item in asdict(value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def test_there_are_exchanges_of_both_dialects() -> None:
    assert any("_10" in name for name in EXCHANGES)
    assert any("_25" in name for name in EXCHANGES)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", sorted(EXCHANGES))
async def test_an_exchange_is_asked_and_understood_exactly(name: str) -> None:
    exchange = EXCHANGES[name]
    assert exchange["source"].startswith("keyfactor-command.md ")
    recorded = exchange["answer"]
    headers = {name.lower(): value for name, value in recorded["headers"].items()}
    answer = Answer(
        status=recorded["status"],
        headers=headers,
        body=json.dumps(recorded["body"]).encode(),
    )
    probe = Answer(status=200, headers=headers, body=b"[]")
    transport = ScriptedTransport([probe, answer])
    client = CommandClient(
        transport, ScriptedAuth(), now_utc=lambda: datetime(2026, 1, 1, tzinfo=UTC)
    )
    await client.product_version()
    call = exchange["call"]
    got = await getattr(client, call["method"])(**call["arguments"])

    asked = transport.asked[-1]
    request = {"method": asked.method, "path": asked.path, "params": asked.params}
    assert request == exchange["request"]
    assert plain(got) == exchange["expected"]
