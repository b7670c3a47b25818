"""TLS contexts: whom we trust, and who we are (reads PEM and PKCS#12 files)."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from batch_reenroll.command.secret import Secret
from batch_reenroll.errors import UsageError
from batch_reenroll.text import visible

_CLIENT_HINT = (
    "expected a PEM or PKCS#12 file with its key; the password of an encrypted one is "
    "BATCH_REENROLL_CLIENT_CERT_PASSWORD"
)


def tls_context(
    *,
    ca_cert: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    client_password: Secret | None = None,
    skip_verify: bool = False,
    peer: str,
    warn: Callable[[str], None],
) -> ssl.SSLContext:
    """Return the context for connections to ``peer``, which is only for texts.

    ``ca_cert`` is trusted in addition to the system's authorities. With
    ``skip_verify`` everybody is, and ``warn`` is told each time. A client certificate
    is PEM, or PKCS#12 with its key and chain.

    Raises:
        UsageError: A file is missing or does not hold what it should.
    """
    context = ssl.create_default_context()
    if ca_cert is not None:
        _load_ca(context, ca_cert)
    if client_cert is not None:
        _load_client(context, client_cert, client_key, client_password)
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
        hint = "expected a PEM file"
        raise _bad_file("CA certificate", path, exc, hint) from exc


def _load_client(
    context: ssl.SSLContext, cert: str, key: str | None, password: Secret | None
) -> None:
    what = "client certificate or key"
    # Never None: OpenSSL would otherwise ask for a pass phrase on the terminal.
    opening = password.reveal() if password else ""
    try:
        raw = Path(cert).read_bytes()
        if b"-----BEGIN " in raw:
            context.load_cert_chain(cert, key, password=opening)
        else:
            _load_pkcs12(context, raw, opening)
    except (OSError, ValueError, TypeError) as exc:
        raise _bad_file(what, cert, exc, _CLIENT_HINT) from exc


def _load_pkcs12(context: ssl.SSLContext, raw: bytes, password: str) -> None:
    """Load key, certificate and chain of a PKCS#12 file.

    The ssl module reads files only. The one it is given lives for a moment in a folder
    that only we may enter, its key encrypted under a password that nobody keeps.

    Raises:
        ValueError: A wrong password, no PKCS#12, or no key with a certificate in it.
    """
    held = load_pkcs12(raw, password.encode() or None)
    if held.key is None or held.cert is None:
        message = "it holds no key with its certificate"
        raise ValueError(message)
    passing = secrets.token_hex(32)
    pem = held.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passing.encode())
    )
    for one in (held.cert, *held.additional_certs):
        pem += one.certificate.public_bytes(Encoding.PEM)
    with TemporaryDirectory(prefix="batch-reenroll-") as folder:
        path = Path(folder) / "client.pem"
        path.write_bytes(pem)
        context.load_cert_chain(path, password=passing)


def _bad_file(what: str, path: str, exc: Exception, hint: str) -> UsageError:
    # SSLError is an OSError whose strerror is OpenSSL's, not the system's.
    if isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError):
        reason = exc.strerror or "it cannot be read"
    else:
        reason = (
            "it is of another kind, the password is wrong, or key and certificate do "
            "not belong together"
        )
    return UsageError(
        f"the {what} {visible(path, 200)!r} cannot be used: {reason}",
        code="tls_file",
        hint=hint,
    )
