"""A Command that does nothing, fast: what is measured against it is the client.

A bare ``asyncio.Protocol`` in a process of its own, on uvloop. POST is answered 204; a
store's inventory holds one certificate; every other list is empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import cast

import uvloop

_CERTIFICATE = {
    "Thumbprint": "93A06B3D5F7CF1F1E2B4C9D8A7F6E5D4C3B2A190",
    "SerialNumber": "5A00000BC5F7C1D2E3A4B5C6D7E8F9",
    "IssuedDN": "CN=host.example.com,OU=Web,O=Example,C=US",
    "IssuerDN": "CN=Corp Issuing CA 1,O=Example,C=US",
    "NotBefore": "2026-01-15T08:00:00Z",
    "NotAfter": "2027-01-15T08:00:00Z",
}
_INVENTORY = [{"Name": "web", "Certificates": [_CERTIFICATE], "Parameters": {}}]


def _answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", "x-keyfactor-product-version: 10.4.0", *headers]
    if status[:3] != "204":
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def _page(items: list[object]) -> bytes:
    return _answer(
        "200 OK",
        json.dumps(items).encode(),
        "Content-Type: application/json",
        f"X-Total-Count: {len(items)}",
    )


_ACCEPTED = _answer("204 No Content")
_STORE = _page(list(_INVENTORY))
_EMPTY = _page([])


class _Peer(asyncio.Protocol):
    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            whole = end + 4 + _length(self._read[:end])
            if len(self._read) < whole:
                return
            line = self._read[: self._read.find(b"\r")]
            self._read = self._read[whole:]
            self._transport.write(_answer_to(line))


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return 0 if at < 0 else int(head[at + 15 :].split(b"\r", 1)[0])


def _answer_to(line: bytes) -> bytes:
    if line.startswith(b"POST"):
        return _ACCEPTED
    return _STORE if b"/Inventory" in line else _EMPTY


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Peer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


@contextlib.contextmanager
def fast_server() -> Iterator[str]:
    """Yield the base URL of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.fastserver"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/KeyfactorAPI"
        finally:
            server.terminate()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve())
