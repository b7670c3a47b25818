"""TLS contexts: whom we trust, and who we are (reads PEM files)."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from batch_reenroll.errors import UsageError
from batch_reenroll.text import visible


def tls_context(
    *,
    ca_cert: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    skip_verify: bool = False,
    peer: str,
    warn: Callable[[str], None],
) -> ssl.SSLContext:
    """Return the context for connections to ``peer``, which is only for texts.

    ``ca_cert`` is trusted in addition to the system's authorities. With
    ``skip_verify`` everybody is, and ``warn`` is told each time.

    Raises:
        UsageError: A file is missing or does not hold what it should.
    """
    context = ssl.create_default_context()
    if ca_cert is not None:
        _load_ca(context, ca_cert)
    if client_cert is not None:
        _load_client(context, client_cert, client_key)
    if skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        warn(
            f"TLS verification is OFF for {peer}: anyone in between can read the "
            "credentials and answer in its place"
        )
    return context


def _load_ca(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as exc:
        raise _bad_file("CA certificate", path, exc) from exc


def _load_client(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    try:
        # An empty pass phrase: OpenSSL would otherwise ask on the terminal.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as exc:
        raise _bad_file("client certificate or key", cert, exc) from exc


def _bad_file(what: str, path: str, exc: Exception) -> UsageError:
    # SSLError is an OSError whose strerror is OpenSSL's, not the system's.
    if isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError):
        reason = exc.strerror or "it cannot be read"
    else:
        reason = "it is not PEM, or key and certificate do not belong together"
    return UsageError(
        f"the {what} {visible(path, 200)!r} cannot be used: {reason}",
        code="tls_file",
        hint="expected a PEM file; the key must not be encrypted",
    )
