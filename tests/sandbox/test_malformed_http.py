"""What is no HTTP, or stops being it, is refused quietly in Command's words."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from sandbox.hosting import hosted
from sandbox.rig import basic

from batch_reenroll.sandbox import FleetPlan, SandboxConfig, SandboxServer

REST = f"Host: x\r\nConnection: close\r\nAuthorization: {basic()}\r\n".encode()
AGENTS = b"GET /KeyfactorAPI/Agents HTTP/1.1\r\n"
POST = (
    b"POST /KeyfactorAPI/CertificateStores/Reenrollment HTTP/1.1\r\n"
    b"x-keyfactor-requested-with: APIClient\r\nContent-Type: application/json\r\n"
)
#: name → what is sent, the status of the answer.
CASES: dict[str, tuple[bytes, int]] = {
    "no protocol": (bytes.fromhex("1603010200010001fc0303") + bytes(50), 400),
    "unknown method": (b"F(O /KeyfactorAPI/Agents HTTP/1.1\r\n" + REST + b"\r\n", 400),
    "unknown version": (b"GET /KeyfactorAPI/Agents HTTP/9.9\r\n" + REST + b"\r\n", 400),
    "no path": (b"GET  HTTP/1.1\r\n" + REST + b"\r\n", 400),
    "raw bytes in the path": (
        b"GET /KeyfactorAPI/\xff\xfe HTTP/1.1\r\n" + REST + b"\r\n",
        400,
    ),
    "another site": (b"GET http://a/b HTTP/1.1\r\n" + REST + b"\r\n", 404),
    "long query": (
        b"GET /KeyfactorAPI/Agents?x="
        + b"y" * 20_000
        + b" HTTP/1.1\r\n"
        + REST
        + b"\r\n",
        404,
    ),
    "endless header": (AGENTS + REST + b"X: " + b"y" * 70_000 + b"\r\n\r\n", 400),
    "too many headers": (
        AGENTS + REST + b"".join(b"X%d: y\r\n" % n for n in range(200)) + b"\r\n",
        400,
    ),
    "control character": (AGENTS + REST + b"X: \x00\r\n\r\n", 400),
    "length in words": (POST + REST + b"Content-Length: two\r\n\r\n{}", 400),
    "two lengths": (
        POST + REST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        400,
    ),
    "broken chunks": (
        POST + REST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    "no gzip": (
        POST + REST + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n{",
        400,
    ),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    plan = FleetPlan(stores=1, orchestrators=1, rsa_pct=0)
    folder = tmp_path_factory.mktemp("sandbox")
    config = SandboxConfig(
        directory=folder, plan=plan, user="sandbox", password="secret"
    )
    with hosted(config) as server:
        yield server


def exchange(server: SandboxServer, data: bytes, *, gone: bool = False) -> bytes:
    """Send ``data``, hang up our half if ``gone``, return all that comes back."""
    port = urlsplit(server.url).port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
        wire.sendall(data)
        if gone:
            wire.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: wire.recv(65_536), b""))


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_commands_error_body_and_nothing_is_logged(
    served: SandboxServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    data, status = CASES[name]
    with caplog.at_level(logging.DEBUG):
        head, _, body = exchange(served, data).partition(b"\r\n\r\n")

    assert int(head.split()[1]) == status
    assert set(json.loads(body)) == {"ErrorCode", "Message"}
    assert [item.name for item in caplog.records if "aiohttp" in item.name] == []


def test_a_client_that_goes_away_within_a_body_is_not_logged_as_a_fault(
    served: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        exchange(served, POST + REST + b"Content-Length: 20\r\n\r\n{}", gone=True)
        exchange(served, AGENTS + REST + b"\r\n")  # by now it has noticed

    assert [item.name for item in caplog.records if "aiohttp" in item.name] == []
