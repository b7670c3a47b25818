"""TLS services on loopback, each of which serves what one store holds.

As real services do, they read their certificate when they start, and again only when
they are reloaded: after ``reload_s`` seconds, or never. Not for production.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from batch_reenroll.sandbox.fleet import PlannedStore
from batch_reenroll.sandbox.storefiles import file_path, read_store

_HOST = "127.0.0.1"


@dataclass(slots=True)
class _Service:
    """One service: its store, and what it serves now."""

    root: Path
    store: PlannedStore
    reload_s: float | None
    context: ssl.SSLContext = field(init=False)
    _read_at: float = field(init=False, default=0.0)
    _seen: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.context = self._load()

    def _load(self) -> ssl.SSLContext:
        path = file_path(self.root, self.store)
        self._seen = path.stat().st_mtime_ns
        entry = read_store(path, self.store)[-1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(
                entry.key.private_bytes(
                    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
                )
            )
            for item in entry.chain:
                file.write(item.public_bytes(Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
        context.sni_callback = self._choose
        return context

    def _choose(
        self, session: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _: object
    ) -> None:
        """Serve what the service was last told to."""
        session.context = self.context

    def look(self, now_s: float) -> None:
        """Reload where the store has changed long enough ago."""
        if self.reload_s is None:
            return
        changed = file_path(self.root, self.store).stat().st_mtime_ns != self._seen
        if not changed:
            self._read_at = now_s
        elif now_s - self._read_at >= self.reload_s:
            self.context = self._load()
            self._read_at = now_s


class TlsEndpoints:
    """Serves stores over TLS on ports of its own; an async context manager.

    Args:
        root: The sandbox's folder.
    """

    #: How often services look at their stores, in seconds.
    _LOOK_S = 0.05

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stack = AsyncExitStack()
        self._services: list[_Service] = []
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._look(), name="tls services")
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await self._stack.aclose()

    async def serve(self, store: PlannedStore, *, reload_s: float | None = 0.0) -> str:
        """Serve a store that is laid out; return the endpoint as ``host:port``.

        Args:
            store: Its newest entry is served.
            reload_s: How long after the store changed; None = never.
        """
        service = _Service(self._root, store, reload_s)
        server = await asyncio.start_server(
            _hang_up, _HOST, 0, ssl=service.context, ssl_handshake_timeout=5.0
        )
        self._services.append(service)

        async def close() -> None:
            server.close()
            await server.wait_closed()

        self._stack.push_async_callback(close)
        return f"{_HOST}:{server.sockets[0].getsockname()[1]}"

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for service in self._services:
                service.look(loop.time())
            await asyncio.sleep(self._LOOK_S)


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End a connection as soon as its handshake has."""
    writer.transport.abort()
