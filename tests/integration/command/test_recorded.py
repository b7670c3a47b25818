"""Recorded shapes of both dialects, played by a real server to a client from settings.

Each file in ``recorded/`` names its source by the keys of the project's API notes, and
says what is asked, what is answered, and what the answer becomes. Values are invented;
names, types and spellings are as the source has them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from batch_reenroll.campaign.nouns import Page, ReenrollmentRequest
from batch_reenroll.command import (
    AccessToken,
    CommandClient,
    Connection,
    Secret,
    connect,
)
from batch_reenroll.errors import CommandError

FOLDER = Path(__file__).parent / "recorded"
RECORDED = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
SOURCES = (
    *("SEED", "DOC", "SDKv1", "SDK25", "TFCASS", "TFSRC", "GOCLIENT", "KFUTIL"),
    *("SAMPLE", "AE", "terraform provider tests"),
)
API = "/KeyfactorAPI"


@dataclass
class Player:
    """Answers the exchanges in turn, and keeps what was asked."""

    exchanges: list[dict[str, Any]]
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = self.exchanges[0]["answer"]["headers"]
        if request.path == f"{API}/Status/Endpoints":
            version = "X-Keyfactor-Product-Version"
            shown = {version: headers[version]} if version in headers else {}
            return web.json_response(["/"], headers=shown)
        asked: dict[str, Any] = {
            "method": request.method,
            "path": request.path.removeprefix(API),
            "params": dict(request.query),
        }
        if request.can_read_body:
            asked["body"] = await request.json()
        recorded = self.exchanges[len(self.asked)]["answer"]
        self.asked.append(asked)
        text = json.dumps(recorded["body"]) if "body" in recorded else None
        return web.Response(
            status=recorded["status"],
            headers=recorded["headers"],
            body=(text or recorded.get("text", "")).encode(),
        )


@asynccontextmanager
async def playing(recorded: Mapping[str, Any]) -> AsyncIterator[tuple[Player, str]]:
    player = Player(recorded["exchanges"])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", player.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield player, f"http://127.0.0.1:{runner.addresses[0][1]}{API}"
    finally:
        await runner.cleanup()


async def called(client: CommandClient, method: str, arguments: dict[str, Any]) -> Any:
    """Return what the call gives as JSON would hold it, an error by what it says."""
    if "request" in arguments:
        arguments = {"request": ReenrollmentRequest(**arguments["request"])}
    try:
        if method == "job_history":
            sweep = client.job_history(**arguments)
            pages = []
            while (page := await sweep.read()) is not None:
                pages.append(plain(page))
            return pages
        return plain(await getattr(client, method)(**arguments))
    except CommandError as error:
        return {
            "error": type(error).__name__,
            "status": error.status,
            "error_code": error.error_code,
            "contains": error.message,
        }


def plain(value: object) -> Any:
    if isinstance(value, Page):
        page = {"total": value.total, "server_time": plain(value.server_time)}
        return {**page, "items": plain(value.items)}
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(item) for name, item in asdict(value).items()}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def named_only(got: Any, expected: Any) -> Any:
    """Return ``got`` less what ``expected`` does not name; a text may be longer."""
    if isinstance(got, dict) and isinstance(expected, dict):
        return {
            name: expected[name]
            if name == "contains" and expected[name] in got[name]
            else named_only(got[name], expected[name])
            for name in got
            if name in expected
        }
    if isinstance(got, list) and isinstance(expected, list):
        if len(got) != len(expected):
            return got
        return [named_only(g, e) for g, e in zip(got, expected, strict=True)]
    return got


def test_both_dialects_are_recorded() -> None:
    asked = [e["request"]["params"] for r in RECORDED.values() for e in r["exchanges"]]
    names = {name for params in asked for name in params}
    assert {"pq.queryString", "certificateStoreQuery.pageReturned"} <= names
    assert {"cstquery.pageReturned", "query.pageReturned"} <= names
    assert {"QueryString", "PageReturned", "ReturnLimit", "SortField"} <= names


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_each_recording_names_its_source(name: str) -> None:
    assert RECORDED[name]["source"].startswith(SOURCES)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", sorted(RECORDED))
async def test_a_recording_is_asked_and_understood_exactly(name: str) -> None:
    recorded = RECORDED[name]
    call = recorded["call"]
    async with playing(recorded) as (player, url):
        connection = Connection(
            base_url=url,
            auth=AccessToken(token=Secret("tok-recorded")),
            job_properties_as_array=call.get("job_properties_as_array", False),
        )
        async with connect(connection) as client:
            got = await called(client, call["method"], call["arguments"])
    assert player.asked == [e["request"] for e in recorded["exchanges"]]
    assert named_only(got, recorded["expected"]) == recorded["expected"]
