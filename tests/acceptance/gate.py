"""What ends TLS before the embedded Command and signs in for holders of certificates.

The embedded Command speaks plain HTTP and knows no certificates; before a real one a
proxy may do just this. It runs in a thread of the test.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

#: Headers of one connection, which are not passed on.
_OF_THE_HOP = {"connection", "content-length", "host", "transfer-encoding"}


@dataclass(slots=True, kw_only=True)
class Gate:
    """Listens on a port of its own while it is entered as a context manager.

    Attributes:
        tls: The server's context; it asks for a certificate.
        behind: Where the server listens, without a path.
        accounts: Common name of a holder → ``Authorization`` of the account.
        port: Where the gate listens.
        seen: How many requests came, by the holder's name and ``Authorization`` that
            the client itself sent.
    """

    tls: ssl.SSLContext
    behind: str
    accounts: Mapping[str, str]
    port: int = 0
    seen: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _end: asyncio.Event = field(default_factory=asyncio.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._live, args=[ready], name="gate")
        self._thread.start()
        assert ready.wait(10), "the gate did not open"
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()

    def _live(self, ready: threading.Event) -> None:
        self._loop.run_until_complete(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:

            async def pass_on(request: web.BaseRequest) -> web.StreamResponse:
                return await self._pass_on(request, session)

            runner = web.ServerRunner(web.Server(pass_on, access_log=None))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls).start()
            self.port = runner.addresses[0][1]
            ready.set()
            await self._end.wait()
            await runner.cleanup()

    async def _pass_on(
        self, request: web.BaseRequest, session: aiohttp.ClientSession
    ) -> web.StreamResponse:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert")
        holder = dict(pair for part in peer["subject"] for pair in part)["commonName"]
        self.seen[holder, request.headers.get("Authorization")] += 1
        headers = _kept(request.headers)
        if holder in self.accounts:
            headers["Authorization"] = self.accounts[holder]
        async with session.request(
            request.method,
            self.behind + request.raw_path,
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            body = await answer.read()
            return web.Response(
                status=answer.status, headers=_kept(answer.headers), body=body
            )


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() not in _OF_THE_HOP}
