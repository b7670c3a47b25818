"""From a :class:`Connection` to a client that is ready, and its orderly end."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import assert_never
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from batch_reenroll.command.address import is_loopback
from batch_reenroll.command.auth import Authenticator, FixedAuth, TokenAuth
from batch_reenroll.command.client import CommandClient
from batch_reenroll.command.connection import (
    AccessToken,
    AuthChoice,
    BasicAuth,
    CertificateAuth,
    ClientCredentials,
    Connection,
)
from batch_reenroll.command.http import HttpPolicy, HttpSession
from batch_reenroll.command.secret import Redactor
from batch_reenroll.command.tls import tls_context
from batch_reenroll.command.token import Token, fetch_token
from batch_reenroll.command.transport import HttpTransport

_log = logging.getLogger(__name__)


def _now_utc() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def connect(
    connection: Connection,
    *,
    now_utc: Callable[[], datetime] = _now_utc,
    monotonic: Callable[[], float] = time.monotonic,
    warn: Callable[[str], None] = _log.warning,
    max_in_flight: int = 256,
) -> AsyncIterator[CommandClient]:
    """Yield a client for ``connection``; its sockets are closed at the end.

    Nothing is sent before the first call.

    Args:
        connection: Where, who and how.
        now_utc: Our wall clock.
        monotonic: Our clock for the age of tokens, in seconds.
        warn: Told, each time, that TLS verification is off.
        max_in_flight: Requests that may run at once; more wait for a connection.

    Raises:
        UsageError: A certificate file cannot be used.
    """
    redactor = Redactor([*_secrets(connection.auth), *_key_password(connection)])
    open_session = partial(
        _session, connection, warn=warn, max_connections=max_in_flight
    )
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            open_session(connection.base_url, peer="Command", ca=connection.tls.ca_cert)
        )
        auth = await _authenticator(
            connection,
            stack,
            open_session=open_session,
            redactor=redactor,
            now_utc=now_utc,
            monotonic=monotonic,
        )
        yield CommandClient(
            HttpTransport(session, connection.base_url),
            auth,
            now_utc=now_utc,
            redactor=redactor,
            dialect=connection.dialect,
            job_properties_as_array=connection.job_properties_as_array,
        )


def _session(
    connection: Connection,
    url: str,
    *,
    peer: str,
    ca: str | None,
    warn: Callable[[str], None],
    max_connections: int,
) -> HttpSession:
    tls = connection.tls
    parts = urlsplit(url)
    return HttpSession(
        tls=tls_context(
            ca_cert=ca,
            client_cert=tls.client_cert,
            client_key=tls.client_key,
            client_password=tls.client_password,
            skip_verify=tls.skip_verify and parts.scheme == "https",
            peer=parts.netloc,
            warn=warn,
        ),
        policy=HttpPolicy(
            timeout_s=connection.timeout_s, max_connections=max_connections
        ),
        proxy=_proxy_for(url) if connection.trust_env else None,
        peer=peer,
    )


async def _authenticator(
    connection: Connection,
    stack: AsyncExitStack,
    *,
    open_session: Callable[..., HttpSession],
    redactor: Redactor,
    now_utc: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> Authenticator:
    match connection.auth:
        case BasicAuth() as account:
            return FixedAuth.basic(account)
        case AccessToken(token=token):
            return FixedAuth.bearer(token)
        case CertificateAuth():
            return FixedAuth()
        case ClientCredentials() as credentials:
            tls = connection.tls
            session = await stack.enter_async_context(
                open_session(
                    credentials.token_url,
                    peer="the token endpoint",
                    ca=tls.auth_ca_cert or tls.ca_cert,
                )
            )

            async def fetch() -> Token:
                return await fetch_token(
                    session, credentials, redactor=redactor, now_utc=now_utc()
                )

            auth = TokenAuth(fetch, monotonic=monotonic, redactor=redactor)
            stack.push_async_callback(auth.close)
            return auth
        case _:
            assert_never(connection.auth)


def _secrets(auth: AuthChoice) -> list[str]:
    match auth:
        case BasicAuth():
            password = auth.password.reveal()
            return [password, f"{auth.account}:{password}"]
        case AccessToken():
            return [auth.token.reveal()]
        case ClientCredentials():
            return [auth.client_secret.reveal()]
        case CertificateAuth():
            return []
    assert_never(auth)


def _key_password(connection: Connection) -> list[str]:
    password = connection.tls.client_password
    return [password.reveal()] if password else []


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for ``url``, or None."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies_environment().get(parts.scheme)
