"""A transport that answers by a script and keeps what was asked of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.query import Params

PLAIN = {"x-keyfactor-product-version": "25.4.1+ab"}
PREFIXED = {"x-keyfactor-product-version": "10.3.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    method: str
    path: str
    params: Mapping[str, str]
    body: Mapping[str, Any] | None
    headers: Mapping[str, str]


Reply = Answer | Exception | Callable[[Asked], Answer]


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    return Answer(
        status=status,
        headers=PLAIN if headers is None else headers,
        body=json.dumps(value).encode(),
    )


def page_of(rows: list[Any], *, cap: int = 1000) -> Callable[[Asked], Answer]:
    """Return a server of ``rows`` that pages as asked, at most ``cap`` at a time."""

    def reply(asked: Asked) -> Answer:
        names = {name.split(".")[-1].lower(): v for name, v in asked.params.items()}
        limit = min(int(names["returnlimit"]), cap)
        start = (int(names["pagereturned"]) - 1) * limit
        headers = {**PLAIN, "x-total-count": str(len(rows))}
        return json_answer(rows[start : start + limit], headers=headers)

    return reply


@dataclass
class ScriptedTransport:
    """Gives the replies one after another; the last one stays."""

    replies: list[Reply]
    asked: list[Asked] = field(default_factory=list)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json_body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        asked = Asked(
            method=method,
            path=path,
            params=dict(params),
            body=json_body,
            headers=dict(headers or {}),
        )
        self.asked.append(asked)
        await asyncio.sleep(0)  # others get their turn, as on a network
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, Answer) else reply(asked)


@dataclass
class ScriptedAuth:
    """Gives ``tokens`` in turn; each refresh takes the next, if any."""

    tokens: list[str] = field(default_factory=lambda: ["token-one"])
    refreshes: int = 0

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.tokens[0]}"}

    async def refresh(self, refused: Mapping[str, str]) -> bool:
        self.refreshes += 1
        if len(self.tokens) == 1:
            return False
        self.tokens.pop(0)
        return True
