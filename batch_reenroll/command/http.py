"""HTTP by aiohttp: one session, no cookies, no redirects, no silent second try.

What matters here is one question: did the request leave? Everything before a
connection stands is :class:`NotSent`; everything after it, until the answer is whole,
is :class:`OutcomeUnknown`. aiohttp repeats a request on a stale connection only for
idempotent methods (``client.py`` of 3.14: ``IDEMPOTENT_METHODS``), so a GET once and a
POST never; a test against a server that hangs up proves it for the installed version.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from batch_reenroll.command.answer import Answer
from batch_reenroll.errors import CommandError, NotSent, OutcomeUnknown
from batch_reenroll.text import visible

#: Longest body of an answer that is kept.
MAX_BODY_BYTES = 64 * 1024 * 1024

#: Longest wait for a connection. A TCP SYN is repeated after 1, 3 and 7 s.
CONNECT_TIMEOUT_S = 10.0

# nginx closes an idle connection after 75 s and IIS after 120 s. One that we close
# first can never be a POST written into a connection that is just being closed.
_KEEPALIVE_S = 15.0

# Fewer connections than workers cost 14 % (measurements.md 1).
_DEFAULT_CONNECTIONS = 256

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPolicy:
    """Limits of one HTTP session.

    Attributes:
        timeout_s: For a request and its whole answer, > 0.
        connect_timeout_s: For the connection with TLS, > 0.
        max_body_bytes: Longest body kept; a longer one is cut and marked so.
        max_connections: At least the number of requests in flight.
    """

    timeout_s: float = 60.0
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    max_body_bytes: int = MAX_BODY_BYTES
    max_connections: int = _DEFAULT_CONNECTIONS


class HttpSession:
    """One pool of connections to one peer. Use it as an async context manager."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        policy: HttpPolicy | None = None,
        proxy: str | None = None,
        peer: str = "Command",
    ) -> None:
        """Prepare; connections are made when needed.

        Args:
            tls: Whom to trust.
            policy: Limits.
            proxy: URL of an HTTP proxy, or None. Never taken from the environment
                here: aiohttp's own ``trust_env`` would read ``~/.netrc``, too.
            peer: What errors call the other side.
        """
        self._tls = tls
        self._policy = policy or HttpPolicy()
        self._proxy = proxy
        self._peer = peer
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        policy = self._policy
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                ssl=self._tls,
                limit=policy.max_connections,
                keepalive_timeout=_KEEPALIVE_S,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=policy.timeout_s,
                connect=min(policy.connect_timeout_s, policy.timeout_s),
            ),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Send one request and return its whole answer, whatever its status.

        ``url`` is sent as it is: it must be percent-encoded. On cancellation the
        connection is closed, and whether the request was carried out is unknown.

        Raises:
            NotSent: No connection came about.
            OutcomeUnknown: It did, but no whole answer came back in time.
        """
        if self._session is None:
            message = "the session is not open"
            raise RuntimeError(message)
        progress = _Progress()
        _progress.set(progress)
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                progress.status = response.status
                return await self._read(response)
        except (TimeoutError, aiohttp.ClientError, OSError) as exc:
            raise self._failure(exc, progress) from exc

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        headers: dict[str, str] = {}
        for name, value in response.headers.items():
            headers.setdefault(name.lower(), value)
        chunks: list[bytes] = []
        room = self._policy.max_body_bytes
        truncated = False
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            chunks.append(chunk[:room])
            truncated = len(chunk) > room
            room -= len(chunks[-1])
            if truncated:
                response.close()
                break
        return Answer(
            status=response.status,
            headers=headers,
            body=b"".join(chunks),
            truncated=truncated,
        )

    def _failure(self, exc: Exception, progress: _Progress) -> CommandError:
        if not progress.connected:
            return _not_sent(exc, self._peer)
        if isinstance(exc, TimeoutError):
            reason = f"no whole answer within {self._policy.timeout_s:g} s"
            code = "answer_timeout"
        else:
            reason = f"the connection broke ({type(exc).__name__})"
            code = "connection_lost"
        return OutcomeUnknown(
            f"{self._peer} may have carried the request out: {reason}",
            status=progress.status,
            code=code,
        )


class _Progress:
    """How far one request came."""

    __slots__ = ("connected", "status")

    def __init__(self) -> None:
        self.connected = False
        self.status: int | None = None


# Of the request that the current task is sending.
_progress: ContextVar[_Progress] = ContextVar("progress")


class _Connector(aiohttp.TCPConnector):
    """Notes that a connection stands. aiohttp's own tracing takes 5 % of a request."""

    async def connect(
        self,
        req: Any,
        traces: Any,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> Any:
        connection = await super().connect(req, traces, timeout)
        _progress.get().connected = True
        return connection


def _not_sent(exc: Exception, peer: str) -> NotSent:
    code, reason, hint = _why_not_sent(exc)
    return NotSent(f"{peer} was not reached: {reason}", code=code, hint=hint)


def _why_not_sent(exc: Exception) -> tuple[str, str, str]:
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return _why_untrusted(exc.certificate_error)
        case aiohttp.ClientConnectorSSLError():
            reason = getattr(exc.os_error, "reason", None) or "handshake failed"
            hint = "is this port TLS, and does the server ask for a certificate?"
            return "tls_failed", f"TLS: {reason}", hint
        case aiohttp.ClientConnectorDNSError():
            hint = "check KEYFACTOR_HOSTNAME and the resolver"
            return "name_not_found", f"no address for {visible(exc.host, 80)}", hint
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            hint = "check HTTPS_PROXY and NO_PROXY"
            return "proxy_failed", "the proxy could not connect", hint
        case aiohttp.ClientConnectorError():
            reason = exc.strerror or type(exc.os_error).__name__
            where = f"{visible(exc.host, 80)} port {exc.port}"
            hint = "is the host right, and does a firewall let us through?"
            return "connect_failed", f"{where}: {visible(reason, 200)}", hint
        case TimeoutError():
            hint = "is the host right, and does a firewall let us through?"
            return "connect_timeout", "no connection in time", hint
    return "not_sent", f"{type(exc).__name__} before the connection stood", ""


def _why_untrusted(error: Exception) -> tuple[str, str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = visible(error.verify_message, 200)
        # X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
        if error.verify_code in {62, 64}:
            hint = "KEYFACTOR_HOSTNAME must be a name in the server's certificate"
            return "tls_hostname", f"TLS: {reason}", hint
        if error.verify_code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
            hint = "the server's certificate must be renewed"
            return "tls_expired", f"TLS: {reason}", hint
    else:
        reason = visible(str(error), 200)
    hint = "name the CA that issued the server's certificate by KEYFACTOR_CA_CERT"
    return "tls_untrusted", f"TLS: {reason}", hint
