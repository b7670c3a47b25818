"""How a request travels to Command: the port, and HTTP behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.http import HttpSession
from batch_reenroll.command.query import Params, encode

#: keyfactor-command.md 6.1; without the first, writes are refused.
COMMAND_HEADERS: Mapping[str, str] = {
    "x-keyfactor-requested-with": "APIClient",
    "x-keyfactor-api-version": "1",
    "Accept": "application/json",
}

# One encoder for all requests: json.dumps would make one for each.
_encoded = json.JSONEncoder(separators=(",", ":")).encode


class Transport(Protocol):
    """Carries one request to Command and one whole answer back."""

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json_body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request, once; any status is an answer.

        Args:
            method: ``GET`` or ``POST``.
            path: Below the API path, with a slash in front, percent-encoded.
            params: Query names and values, not encoded.
            json_body: Sent as JSON, or None for no body.
            headers: Sent in addition (``Authorization``).

        Raises:
            NotSent: Nothing reached Command.
            OutcomeUnknown: It may have been carried out.
        """
        ...


class HttpTransport:
    """The transport over HTTP."""

    def __init__(self, session: HttpSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json_body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request, once; see :class:`Transport`."""
        query = encode(params)
        url = f"{self._base_url}{path}{'?' + query if query else ''}"
        sent = {**COMMAND_HEADERS, **(headers or {})}
        body = None
        if json_body is not None:
            body = _encoded(json_body).encode()
            sent["Content-Type"] = "application/json"
        return await self._session.exchange(method, url, headers=sent, body=body)
