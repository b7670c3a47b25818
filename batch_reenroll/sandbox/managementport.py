"""The management port on a socket: aiohttp requests in, management requests out."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from batch_reenroll.sandbox.exchange import Request
from batch_reenroll.sandbox.management import BODY_MAX_BYTES, Management


class ManagementShell:
    """One aiohttp handler for every path.

    Args:
        management: Answers.
        now: The server's clock, seconds since the epoch.
        changed: Called after each request, when events may have been entered.
    """

    def __init__(
        self,
        management: Management,
        *,
        now: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._management = management
        self._now = now
        self._changed = changed

    async def handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        request = Request(
            method=incoming.method.upper(),
            target=incoming.raw_path,
            headers={name.lower(): value for name, value in incoming.headers.items()},
            body=await _body(incoming),
        )
        response = self._management.answer(request, self._now())
        self._changed()
        return web.Response(
            status=response.status, headers=response.headers, body=response.body
        )


async def _body(incoming: web.BaseRequest) -> bytes:
    """Return the body, cut one byte beyond the limit, which is then refused."""
    body = bytearray()
    async for chunk in incoming.content.iter_any():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            break
    return bytes(body[: BODY_MAX_BYTES + 1])
