"""Handshakes with real TLS services, and with what is none."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from integration.command.certs import make_authority

from batch_reenroll.campaign.endpoint import Contact, Endpoint
from batch_reenroll.handshake import TlsHandshakes

pytestmark = pytest.mark.asyncio

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def listening(
    handle: Handle, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Listen on loopback; give the port."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)  # type: ignore[arg-type]
    async with server:
        yield server.sockets[0].getsockname()[1]


def served_by(folder: Path, *names: str) -> tuple[ssl.SSLContext, dict[str, str]]:
    """Return a context that serves by server name, the first without one."""
    authority = make_authority(folder)
    contexts, thumbprints = {}, {}
    for name in names:
        certificate, key = authority.issue(name)
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(certificate, key)
        leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
        der = leaf.public_bytes(Encoding.DER)
        thumbprints[name] = hashlib.sha1(der, usedforsecurity=False).hexdigest()
    first = contexts[names[0]]

    def choose(session: ssl.SSLObject, name: str | None, _: object) -> None:
        session.context = contexts.get(name or "", first)

    first.sni_callback = choose
    return first, thumbprints


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_the_leaf_is_told_by_its_thumbprint_whoever_signed_it(
    tmp_path: Path,
) -> None:
    context, thumbprints = served_by(tmp_path, "localhost", "www.example.com")
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received.put_nowait(await reader.read())
        except ConnectionError:
            received.put_nowait(b"")
        writer.transport.abort()

    async with listening(hear, context) as port:
        for name, expected in (("", "localhost"), ("www.example.com",) * 2):
            served = await TlsHandshakes().served(
                Endpoint(host="127.0.0.1", port=port, name=name)
            )
            assert served.contact is Contact.SERVED
            assert served.thumbprint == thumbprints[expected]
        # Nothing but the handshake was sent.
        assert [await received.get(), await received.get()] == [b"", b""]


async def test_nobody_listening_is_told_as_such() -> None:
    async with listening(_hang_up) as port:
        pass
    served = await TlsHandshakes().served(Endpoint(host="127.0.0.1", port=port))
    assert (served.contact, served.thumbprint) == (Contact.REFUSED, "")
    assert served.message


async def test_a_name_that_nobody_knows_is_told_as_such() -> None:
    served = await TlsHandshakes().served(Endpoint(host="nowhere.invalid", port=443))
    assert served.contact is Contact.UNRESOLVED


async def test_a_service_without_tls_is_told_as_such() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with listening(greet) as port:
        served = await TlsHandshakes().served(Endpoint(host="127.0.0.1", port=port))
    assert served.contact is Contact.NO_HANDSHAKE


async def test_a_service_that_says_nothing_does_not_hang_us() -> None:
    async def nothing(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await reader.read()
        finally:
            writer.transport.abort()

    async with listening(nothing) as port:
        served = await TlsHandshakes(timeout_s=0.1).served(
            Endpoint(host="127.0.0.1", port=port)
        )
    assert served.contact is Contact.TIMEOUT
