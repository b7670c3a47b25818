"""A TCP proxy before the embedded Command that spoils chosen exchanges.

It understands of HTTP only where one message ends and the next begins, runs in a
thread of the test, and shares no code with client or server.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self


class Cut(StrEnum):
    """What happens to one exchange."""

    DROP_BEFORE = "closed before the request was forwarded"
    RESET_BEFORE = "reset before the request was forwarded"
    DROP_AFTER = "closed after the request was carried out"
    RESET_AFTER = "reset after the request was carried out"
    LATE_REQUEST = "forwarded after the client has given up"
    LATE_ANSWER = "answered after the client has given up"
    DEAF = "accepted, never forwarded, never answered"
    ONE_WAY = "forwarded, never answered"
    CUT_HEAD = "the answer ends amid its first line"
    CUT_BODY = "the answer ends amid its body, or its head where it has none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as the script is asked about it; ``number`` counts from 1."""

    number: int
    method: str
    path: str
    body: bytes


Script = Callable[[Seen], Cut | None]


@dataclass(frozen=True, slots=True)
class _Message:
    """Head (with the empty line) and body of one HTTP message."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        return self.head + self.body

    @property
    def half(self) -> bytes:
        """Return the head and half of the body; without a body, most of the head."""
        kept = len(self.head) + len(self.body) // 2
        return self.whole[: kept if self.body else kept - 3]


async def _read(reader: asyncio.StreamReader) -> _Message | None:
    """Read one message; None where the other side has hung up before one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    n_bytes = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        assert name.lower() != b"transfer-encoding", "the proxy reads no chunks"
        if name.lower() == b"content-length":
            n_bytes = int(value)
    return _Message(head, await reader.readexactly(n_bytes))


@dataclass(slots=True)
class _Side:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def hung_up(self) -> None:
        """Return when the other side has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Close so that the other side gets RST in place of FIN."""
        plug = self.writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@dataclass(slots=True, kw_only=True)
class Proxy:
    """Listens on a port of its own while it is entered as a context manager.

    Attributes:
        port: Where the server listens.
        script: Asked about each request; None lets it pass.
        hold_s: How late the late ones are, seconds, if not released before.
        used: How often each cut was made.
        listening: Where the proxy listens.
    """

    port: int
    script: Script
    hold_s: float
    used: Counter[Cut] = field(default_factory=Counter)
    listening: int = 0
    _n_seen: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(ready)), name="proxy"
        )
        self._thread.start()
        assert ready.wait(10), "the proxy did not start"
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    _end: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let go of what is held, and hold nothing from now on."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._released.set)

    async def _hold(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.hold_s):
                await self._released.wait()

    async def _run(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            serving: set[asyncio.Task[None]] = set()

            def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                serving.add(tasks.create_task(self._serve(_Side(reader, writer))))

            server = await asyncio.start_server(met, "127.0.0.1", self.listening)
            self.listening = server.sockets[0].getsockname()[1]
            ready.set()
            await self._end.wait()
            server.close()
            for task in serving:
                task.cancel()

    async def _serve(self, client: _Side) -> None:
        server = _Side(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            while (request := await _read(client.reader)) is not None:
                cut = self._decide(request)
                if cut is not None:
                    self.used[cut] += 1
                    await self._spoil(cut, request, client, server)
                    return
                await server.send(request.whole)
                answer = await _read(server.reader)
                if answer is None:
                    return
                await client.send(answer.whole)
        finally:
            await client.close()
            await server.close()

    def _decide(self, request: _Message) -> Cut | None:
        self._n_seen += 1
        method, path, _ = request.head.split(b"\r\n")[0].decode().split(" ")
        seen = Seen(number=self._n_seen, method=method, path=path, body=request.body)
        return self.script(seen)

    async def _spoil(
        self, cut: Cut, request: _Message, client: _Side, server: _Side
    ) -> None:
        """Do what the cut says; the connections are closed after it."""
        if cut is Cut.RESET_BEFORE:
            client.reset()
        if cut in (Cut.DROP_BEFORE, Cut.RESET_BEFORE):
            return None
        if cut is Cut.DEAF:
            return await client.hung_up()
        if cut is Cut.LATE_REQUEST:
            await self._hold()
        await server.send(request.whole)
        answer = await _read(server.reader)
        if answer is None or cut is Cut.DROP_AFTER:
            return None
        return await self._answer(cut, answer, client)

    async def _answer(self, cut: Cut, answer: _Message, client: _Side) -> None:
        if cut is Cut.RESET_AFTER:
            client.reset()
        elif cut is Cut.ONE_WAY:
            await client.hung_up()
        elif cut is Cut.CUT_HEAD:
            await client.send(answer.whole[:12])
        elif cut is Cut.CUT_BODY:
            await client.send(answer.half)
        else:
            if cut is Cut.LATE_ANSWER:
                await self._hold()
            await client.send(answer.whole)
