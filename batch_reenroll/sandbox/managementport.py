"""The management port on a socket: aiohttp requests in, management requests out."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from batch_reenroll.sandbox.httpshell import outgoing, received
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
        request = await received(incoming, body_max_bytes=BODY_MAX_BYTES)
        response = self._management.answer(request, self._now())
        self._changed()
        return outgoing(response)
