"""The OAuth2 token endpoint and the bearer tokens it gives out.

Client credentials (RFC 6749 section 4.4) with the client's id and secret in the form or
in a Basic header, errors as in section 5.2. Tokens are opaque. Nothing here is
Keyfactor's: Command takes tokens of whatever identity provider it was given.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from batch_reenroll.sandbox.exchange import Request, Response, json_body
from batch_reenroll.sandbox.identity import Identities, Identity

#: Where the endpoint is; not below the API, as no identity provider's is.
TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path

_FORM = "application/x-www-form-urlencoded"
#: RFC 6749 section 5.1.
_NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
_GRANT = "client_credentials"
_BODY_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    holder: str
    ends_at: float


class _Refused(Exception):
    """A refusal as in RFC 6749 section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.status = status


class TokenOffice:
    """Gives tokens out, knows them again and takes them back.

    Args:
        identities: Whose clients they are for.
        mint: Returns a fresh token, printable ASCII; the served sandbox draws it from
            the system, a simulation from its seed.
        lifetime_s: Returns how long a token of now will hold, > 0.
    """

    def __init__(
        self,
        identities: Identities,
        *,
        mint: Callable[[], str],
        lifetime_s: Callable[[], int],
    ) -> None:
        self._identities = identities
        self._mint = mint
        self._lifetime_s = lifetime_s
        self._tokens: dict[str, _Token] = {}

    def answer(self, request: Request, now: float) -> Response:
        """Answer a request to the token endpoint; never raises for what it holds."""
        if request.method != "POST":
            return Response(status=405, headers=(("Allow", "POST"),))
        try:
            return self._grant(request, now)
        except _Refused as refused:
            body = {"error": refused.error, "error_description": str(refused)}
            challenge: tuple[tuple[str, str], ...] = ()
            if refused.status == 401:
                challenge = (("WWW-Authenticate", 'Basic realm="token"'),)
            return _json(refused.status, body, challenge)

    def holder(self, token: str, now: float) -> Identity | None:
        """Return whose token it is; None when it is none, has ended or was revoked."""
        known = self._tokens.get(token)
        if known is None or now >= known.ends_at:
            return None
        return self._identities.named(known.holder)

    def revoke(self, identity: Identity) -> int:
        """Take back all tokens of ``identity``; return how many there were."""
        gone = [t for t, known in self._tokens.items() if known.holder == identity.name]
        for token in gone:
            del self._tokens[token]
        return len(gone)

    def count(self, identity: Identity, now: float) -> int:
        """Return how many tokens of ``identity`` hold at ``now``."""
        held = [t for t in self._tokens.values() if t.holder == identity.name]
        return sum(token.ends_at > now for token in held)

    def _grant(self, request: Request, now: float) -> Response:
        form = _read_form(request)
        identity = self._client(request, form)
        if form.get("grant_type") != _GRANT:
            if not form.get("grant_type"):
                raise _Refused("invalid_request", "grant_type is required")
            raise _Refused("unsupported_grant_type", f"only {_GRANT} is supported")
        scopes = _scopes(identity, form.get("scope", ""))
        if identity.audience and form.get("audience") != identity.audience:
            # RFC 8693 section 2.2.2; RFC 6749 knows no audience.
            raise _Refused("invalid_target", "the audience is not the configured one")
        token, lifetime_s = self._mint(), self._lifetime_s()
        self._forget_ended(now)
        self._tokens[token] = _Token(holder=identity.name, ends_at=now + lifetime_s)
        body: dict[str, object] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime_s,
        }
        return _json(200, body | ({"scope": " ".join(scopes)} if scopes else {}))

    def _client(self, request: Request, form: Mapping[str, str]) -> Identity:
        header = request.headers.get("authorization")
        if header is not None and "client_secret" in form:
            raise _Refused("invalid_request", "the client authenticates in two ways")
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if header is not None:
            client_id, secret = _basic_client(header)
        identity = self._identities.with_secret(client_id, secret)
        if identity is None:
            raise _Refused("invalid_client", "the client is not known", status=401)
        return identity

    def _forget_ended(self, now: float) -> None:
        ended = [t for t, known in self._tokens.items() if known.ends_at <= now]
        for token in ended:
            del self._tokens[token]


def _json(
    status: int, body: object, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    content = ("Content-Type", "application/json; charset=utf-8")
    return Response(
        status=status, headers=(content, *_NO_STORE, *headers), body=json_body(body)
    )


def _read_form(request: Request) -> dict[str, str]:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != _FORM:
        raise _Refused("invalid_request", f"the content type must be {_FORM}")
    if len(request.body) > _BODY_MAX_BYTES:
        raise _Refused("invalid_request", "the body is too large", status=413)
    try:
        pairs = parse_qsl(
            request.body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=50,
            errors="strict",
        )
    except ValueError as exc:
        raise _Refused("invalid_request", "the body is no form") from exc
    form = dict(pairs)
    if len(form) < len(pairs):
        raise _Refused("invalid_request", "a parameter is given twice")
    return form


def _basic_client(header: str) -> tuple[str, str]:
    """Return id and secret of a Basic header, each form-encoded (section 2.3.1)."""
    scheme, _, value = header.partition(" ")
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
        client_id, colon, secret = text.partition(":")
        pair = unquote_plus(client_id, errors="strict"), unquote_plus(secret)
    except (binascii.Error, ValueError):
        colon, pair = "", ("", "")
    if scheme.lower() != "basic" or not colon:
        raise _Refused("invalid_client", "the client is not known", status=401)
    return pair


def _scopes(identity: Identity, asked: str) -> tuple[str, ...]:
    """Return the scopes of a token: those asked for, or else all there are."""
    wanted = tuple(asked.split(" ")) if asked else ()
    if any(not scope for scope in wanted):
        raise _Refused("invalid_scope", "the scope is malformed")
    if identity.scopes and not set(wanted) <= set(identity.scopes):
        raise _Refused("invalid_scope", "the client may not have this scope")
    return wanted or identity.scopes
