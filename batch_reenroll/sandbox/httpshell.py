"""The HTTP shell: aiohttp requests in, core requests out.

What never becomes a request, because it is no HTTP, is refused here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from batch_reenroll.sandbox.exchange import (
    ApiError,
    Request,
    Response,
    error_response,
)
from batch_reenroll.sandbox.frontdoor import FrontDoor

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

NOT_HTTP = "0xA01104FF"
#: Longest request line and header field. IIS takes 16 KiB by default; what is longer
#: than a Command takes shall be refused by the core, which says so in Command's words.
_LINE_MAX_BYTES = 65_536


class HttpServer(web.Server):
    """An aiohttp server that refuses what is no HTTP with Command's error body."""

    def __init__(self, handle: Handler) -> None:
        # Bodies stay compressed: neither core nor IIS unpacks them.
        super().__init__(
            handle,
            access_log=None,
            auto_decompress=False,
            max_line_size=_LINE_MAX_BYTES,
            max_field_size=_LINE_MAX_BYTES,
        )

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of one connection."""
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Protocol(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read to its end; a fault of our own stays a 500."""
        unread = isinstance(exc, web.RequestPayloadError | ConnectionError)
        if status >= 500 and not unread:
            return super().handle_error(request, status, exc, message)
        # undocumented: IIS answers in HTML before Command sees anything.
        refusal = ApiError(400, NOT_HTTP, "The request is not valid HTTP.")
        answer = outgoing(error_response(refusal))
        answer.force_close()
        return answer


async def received(incoming: web.BaseRequest, *, body_max_bytes: int) -> Request:
    """Return the request; its body is cut one byte beyond the limit, to be refused."""
    body = bytearray()
    async for chunk in incoming.content.iter_any():
        body += chunk
        if len(body) > body_max_bytes:
            break
    return Request(
        method=incoming.method.upper(),
        target=incoming.raw_path,
        headers={name.lower(): value for name, value in incoming.headers.items()},
        body=bytes(body[: body_max_bytes + 1]),
    )


def outgoing(response: Response) -> web.Response:
    """Return the response as aiohttp sends it."""
    return web.Response(
        status=response.status, headers=response.headers, body=response.body
    )


class HttpShell:
    """One aiohttp handler for every path.

    Args:
        door: Faults, core and log.
        now: The server's clock, seconds since the epoch.
        changed: Called after each request, when events may have been entered.
    """

    def __init__(
        self, door: FrontDoor, *, now: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self._door = door
        self._now = now
        self._changed = changed

    async def handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or close its connection when the script says so."""
        limit = self._door.core.world.settings.body_max_bytes
        request = await received(incoming, body_max_bytes=limit)
        action = self._door.admit(request)
        if action.delay_s:
            await asyncio.sleep(action.delay_s)
        reply = self._door.answer(request, action, self._now())
        self._changed()
        if action.delay_after_s:
            await asyncio.sleep(action.delay_after_s)
        if reply.response is None:
            return self._cut(incoming)
        if reply.send_bytes is not None:
            return await self._truncated(incoming, reply.response, reply.send_bytes)
        return outgoing(reply.response)

    @staticmethod
    def _cut(incoming: web.BaseRequest) -> web.StreamResponse:
        if incoming.transport is not None:
            incoming.transport.abort()
        return web.Response(status=500)  # nobody is there to read it

    @staticmethod
    async def _truncated(
        incoming: web.BaseRequest, response: Response, n_bytes: int
    ) -> web.StreamResponse:
        stream = web.StreamResponse(status=response.status, headers=response.headers)
        stream.content_length = len(response.body)
        await stream.prepare(incoming)
        await stream.write(response.body[:n_bytes])
        if incoming.transport is not None:
            incoming.transport.close()
        return stream
