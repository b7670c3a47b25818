"""What leaves, what comes back, and which error says so: real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from integration.command.certs import Authority, make_authority

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.http import HttpPolicy, HttpSession
from batch_reenroll.command.tls import tls_context
from batch_reenroll.errors import NotSent, OutcomeUnknown, UsageError

pytestmark = pytest.mark.asyncio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """An asyncio server that counts what it read and answers as a script says."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/x"


@asynccontextmanager
async def raw_server(
    script: Callable[[RawServer], Serve], tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    state = RawServer()
    serve = script(state)

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        state.connections += 1
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    async with server:
        yield state


def trusting(
    ca: Path | None = None, *, timeout_s: float = 5.0, connect_timeout_s: float = 5.0
) -> HttpSession:
    return HttpSession(
        tls=tls_context(
            ca_cert=str(ca) if ca else None, peer="test", warn=lambda _: None
        ),
        policy=HttpPolicy(timeout_s=timeout_s, connect_timeout_s=connect_timeout_s),
    )


async def post(session: HttpSession, url: str) -> Answer:
    return await session.exchange("POST", url, headers={}, body=b"{}")


def hang_up(state: RawServer) -> Serve:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await state.read_request(reader)

    return serve


def answer_once_then_hang_up(state: RawServer) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.read_request(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        await state.read_request(reader)

    return serve


def answer_with(raw: bytes) -> Callable[[RawServer], Serve]:
    def script(state: RawServer) -> Serve:
        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await state.read_request(reader)
            writer.write(raw)
            await writer.drain()

        return serve

    return script


def silence(state: RawServer) -> Serve:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await state.read_request(reader)
        await reader.read()  # until the client gives up

    return serve


async def test_a_post_that_is_hung_up_on_is_sent_once_and_its_outcome_is_unknown() -> (
    None
):
    async with raw_server(hang_up) as server, trusting() as session:
        with pytest.raises(OutcomeUnknown) as caught:
            await post(session, server.url)
    assert caught.value.code == "connection_lost"
    assert len(server.requests) == 1


async def test_a_post_on_a_connection_that_was_kept_alive_is_not_sent_again() -> None:
    async with raw_server(answer_once_then_hang_up) as server, trusting() as session:
        await post(session, server.url)
        with pytest.raises(OutcomeUnknown):
            await post(session, server.url)
    # The second came over the first one's connection: the case where a library
    # would be tempted to try again.
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_a_refused_connection_is_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets it
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        async with trusting() as session:
            with pytest.raises(NotSent) as caught:
                await post(session, url)
    assert caught.value.code == "connect_failed"


async def test_an_answer_cut_off_in_its_body_leaves_the_outcome_unknown() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,"
    async with raw_server(answer_with(raw)) as server, trusting() as session:
        with pytest.raises(OutcomeUnknown) as caught:
            await post(session, server.url)
    assert caught.value.status == 200


async def test_bytes_that_are_not_http_leave_the_outcome_unknown() -> None:
    async with (
        raw_server(answer_with(b"hello\r\n\r\n")) as server,
        trusting() as session,
    ):
        with pytest.raises(OutcomeUnknown):
            await post(session, server.url)
    assert len(server.requests) == 1


async def test_no_answer_in_time_leaves_the_outcome_unknown() -> None:
    async with raw_server(silence) as server, trusting(timeout_s=0.2) as session:
        with pytest.raises(OutcomeUnknown) as caught:
            await post(session, server.url)
    assert caught.value.code == "answer_timeout"
    assert len(server.requests) == 1


async def test_no_connection_in_time_is_not_sent() -> None:
    # A listener that never speaks TLS: the connection as we need it never stands.
    async with (
        raw_server(silence) as server,
        trusting(connect_timeout_s=0.2) as session,
    ):
        with pytest.raises(NotSent) as caught:
            await post(session, f"https://127.0.0.1:{server.port}/x")
    assert caught.value.code == "connect_timeout"
    assert server.requests == []


async def test_a_total_timeout_before_the_connection_stands_is_not_sent() -> None:
    async with (
        raw_server(silence) as server,
        trusting(timeout_s=0.2, connect_timeout_s=9) as session,
    ):
        with pytest.raises(NotSent):
            await post(session, f"https://127.0.0.1:{server.port}/x")


async def test_a_name_without_address_is_not_sent() -> None:
    async with trusting() as session:
        with pytest.raises(NotSent) as caught:
            await post(session, "https://command.invalid/x")  # RFC 2606
    assert caught.value.code == "name_not_found"


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    raw = (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    async with raw_server(answer_with(raw)) as server, trusting() as session:
        answer = await post(session, server.url)
    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1:1/")
    assert len(server.requests) == 1


async def test_cookies_are_not_sent_back() -> None:
    raw = b"HTTP/1.1 204 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\n"
    async with raw_server(answer_with(raw)) as server, trusting() as session:
        await post(session, server.url)
        await post(session, server.url)
    assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_a_body_beyond_the_cap_is_cut_and_marked() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
    async with raw_server(answer_with(raw)) as server:
        session = HttpSession(
            tls=tls_context(peer="test", warn=lambda _: None),
            policy=HttpPolicy(max_body_bytes=60),
        )
        async with session:
            answer = await post(session, server.url)
    assert (answer.body, answer.truncated) == (b"x" * 60, True)


async def test_a_body_as_long_as_the_cap_is_whole() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n" + b"x" * 60
    async with raw_server(answer_with(raw)) as server:
        session = HttpSession(
            tls=tls_context(peer="test", warn=lambda _: None),
            policy=HttpPolicy(max_body_bytes=60),
        )
        async with session:
            answer = await post(session, server.url)
    assert (len(answer.body), answer.truncated) == (60, False)


async def test_an_url_is_sent_as_it_was_encoded() -> None:
    raw = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with raw_server(answer_with(raw)) as server, trusting() as session:
        await post(session, f"{server.url}?q=a%20b%22%2B%25")
    assert server.requests[0].startswith(b"POST /x?q=a%20b%22%2B%25 HTTP/1.1\r\n")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


async def test_a_private_ca_is_trusted_when_it_is_named(authority: Authority) -> None:
    raw = b"HTTP/1.1 204 No Content\r\n\r\n"
    tls = authority.server_context("127.0.0.1")
    async with (
        raw_server(answer_with(raw), tls) as server,
        trusting(authority.ca_path) as session,
    ):
        answer = await post(session, f"https://127.0.0.1:{server.port}/x")
    assert answer.status == 204


async def test_an_unknown_ca_is_not_sent_and_hints_at_the_ca_file(
    authority: Authority,
) -> None:
    tls = authority.server_context("127.0.0.1")
    async with raw_server(hang_up, tls) as server, trusting() as session:
        with pytest.raises(NotSent) as caught:
            await post(session, f"https://127.0.0.1:{server.port}/x")
    assert caught.value.code == "tls_untrusted"
    assert "KEYFACTOR_CA_CERT" in caught.value.hint


async def test_another_host_name_is_not_sent_and_hints_at_the_host(
    authority: Authority,
) -> None:
    tls = authority.server_context("command.example.com")
    async with (
        raw_server(hang_up, tls) as server,
        trusting(authority.ca_path) as session,
    ):
        with pytest.raises(NotSent) as caught:
            await post(session, f"https://127.0.0.1:{server.port}/x")
    assert caught.value.code == "tls_hostname"
    assert "KEYFACTOR_HOSTNAME" in caught.value.hint


async def test_tls_to_a_port_without_it_is_not_sent() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with raw_server(lambda _: plain) as server, trusting() as session:
        with pytest.raises(NotSent) as caught:
            await post(session, f"https://127.0.0.1:{server.port}/x")
    assert caught.value.code == "tls_failed"


async def test_verification_switched_off_is_said_aloud(authority: Authority) -> None:
    warnings: list[str] = []
    raw = b"HTTP/1.1 204 No Content\r\n\r\n"
    tls = authority.server_context("command.example.com")
    async with raw_server(answer_with(raw), tls) as server:
        context = tls_context(
            skip_verify=True, peer="command.example.com", warn=warnings.append
        )
        async with HttpSession(tls=context) as session:
            answer = await post(session, f"https://127.0.0.1:{server.port}/x")
    assert answer.status == 204
    assert len(warnings) == 1
    assert "OFF for command.example.com" in warnings[0]


async def test_a_client_certificate_is_shown_to_a_server_that_asks(
    authority: Authority,
) -> None:
    raw = b"HTTP/1.1 204 No Content\r\n\r\n"
    tls = authority.server_context("127.0.0.1")
    tls.load_verify_locations(authority.ca_path)
    tls.verify_mode = ssl.CERT_REQUIRED
    cert, key = authority.issue("client")
    async with raw_server(answer_with(raw), tls) as server:
        context = tls_context(
            ca_cert=str(authority.ca_path),
            client_cert=str(cert),
            client_key=str(key),
            peer="test",
            warn=lambda _: None,
        )
        async with HttpSession(tls=context) as session:
            answer = await post(session, f"https://127.0.0.1:{server.port}/x")
    assert answer.status == 204


async def test_a_session_that_is_not_open_is_our_mistake() -> None:
    with pytest.raises(RuntimeError):
        await post(trusting(), "http://127.0.0.1:1/")


async def test_a_client_certificate_that_cannot_be_used_is_a_usage_error(
    authority: Authority,
) -> None:
    cert, _ = authority.issue("one")
    _, other_key = authority.issue("two")
    with pytest.raises(UsageError) as caught:
        tls_context(
            client_cert=str(cert),
            client_key=str(other_key),
            peer="test",
            warn=lambda _: None,
        )
    assert "belong together" in caught.value.message


@pytest.mark.parametrize("text", [None, "not a certificate"])
async def test_a_ca_file_that_cannot_be_used_is_a_usage_error(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as caught:
        tls_context(ca_cert=str(path), peer="test", warn=lambda _: None)
    assert caught.value.code == "tls_file"
