"""Which certificate a TLS endpoint serves: a handshake, and nothing else is sent.

Nothing is trusted because of it: the leaf is compared with what Command issued. So
neither the chain nor the name is checked, and old protocols and ciphers are accepted.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl

from batch_reenroll.campaign.endpoint import Contact, Endpoint, Served
from batch_reenroll.text import visible

#: From the first packet to the end of the handshake. Twice what slow appliances take.
_TIMEOUT_S = 10.0
_MESSAGE_LIMIT = 300


class TlsHandshakes:
    """Shakes hands with endpoints. Any number of calls may run at the same time."""

    def __init__(self, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._context = _context()

    async def served(self, endpoint: Endpoint) -> Served:
        """Return what ``endpoint`` serves now; see the port.

        Never raises for what the network or the endpoint does.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                der = await self._leaf(endpoint)
        except TimeoutError:
            message = f"no handshake within {self._timeout_s:g} s"
            return Served(contact=Contact.TIMEOUT, message=message)
        except (OSError, ValueError) as exc:
            return _failed(exc)
        if not der:
            message = "the handshake showed no certificate"
            return Served(contact=Contact.NO_HANDSHAKE, message=message)
        # SHA-1 as Command's thumbprints are; it only tells certificates apart.
        digest = hashlib.sha1(der, usedforsecurity=False)
        return Served(contact=Contact.SERVED, thumbprint=digest.hexdigest())

    async def _leaf(self, endpoint: Endpoint) -> bytes | None:
        # For an address as the name, ssl itself sends no SNI.
        _, writer = await asyncio.open_connection(
            endpoint.host,
            endpoint.port,
            ssl=self._context,
            server_hostname=endpoint.name or endpoint.host,
            ssl_handshake_timeout=self._timeout_s,
        )
        try:
            session: ssl.SSLObject = writer.get_extra_info("ssl_object")
            return session.getpeercert(binary_form=True)
        finally:
            writer.transport.abort()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _failed(exc: OSError | ValueError) -> Served:
    contact = Contact.UNREACHABLE
    if isinstance(exc, ConnectionRefusedError):
        contact = Contact.REFUSED
    elif isinstance(exc, socket.gaierror | UnicodeError):
        contact = Contact.UNRESOLVED
    elif isinstance(exc, ssl.SSLError | ConnectionResetError | ConnectionAbortedError):
        contact = Contact.NO_HANDSHAKE
    elif isinstance(exc, TimeoutError):
        contact = Contact.TIMEOUT
    words = getattr(exc, "reason", None) or exc.args[-1] if exc.args else ""
    message = visible(str(words or type(exc).__name__), _MESSAGE_LIMIT)
    return Served(contact=contact, message=message)
