"""Signing in to the API: HTTP Basic, or a bearer token of our token endpoint."""

from __future__ import annotations

import base64
import binascii

from batch_reenroll.sandbox.access import Caller
from batch_reenroll.sandbox.exchange import ApiError, Request
from batch_reenroll.sandbox.identity import Identities, Identity
from batch_reenroll.sandbox.tokens import TokenOffice

UNAUTHORISED = "0xA0110401"

_BASIC = 'Basic realm="Keyfactor"'
_BEARER = 'Bearer realm="Keyfactor"'


def sign_in(
    request: Request,
    identities: Identities,
    tokens: TokenOffice,
    *,
    now: float,
    major: int,
) -> Caller:
    """Return the caller of ``request``.

    undocumented: the words and the code of a 401; the challenges are HTTP's own
    (RFC 9110 section 11.6.1, RFC 6750 section 3).

    Args:
        request: With an ``Authorization`` header, or without.
        identities: Who may sign in.
        tokens: Which tokens hold.
        now: Seconds since the epoch.
        major: Version of Command whose names of rights a refusal will give.

    Raises:
        ApiError: 401; no, malformed, wrong or ended credentials.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    identity: Identity | None = None
    if scheme.lower() == "basic":
        identity = identities.with_password(*_decode(value))
    elif scheme.lower() == "bearer":
        identity = tokens.holder(value.strip(), now)
        if identity is None and _takes_tokens(identities):
            challenge = _BEARER + ', error="invalid_token"'
            raise _refusal("The access token is not valid or has ended.", challenge)
    if identity is None:
        challenges = _challenges(identities)
        raise _refusal("The credentials are not valid.", *challenges)
    return Caller(name=identity.name, rights=identity.rights, major=major)


def _takes_tokens(identities: Identities) -> bool:
    return any(item.client_id for item in identities)


def _challenges(identities: Identities) -> list[str]:
    """Return one for each way in which anybody can sign in; Basic if nobody can."""
    clients = _takes_tokens(identities)
    users = any(item.password is not None for item in identities)
    return [_BASIC] * (users or not clients) + [_BEARER] * clients


def _refusal(message: str, *challenges: str) -> ApiError:
    headers = tuple(("WWW-Authenticate", challenge) for challenge in challenges)
    return ApiError(401, UNAUTHORISED, message, headers)


def _decode(value: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    name, _, password = text.partition(":")
    return name, password
