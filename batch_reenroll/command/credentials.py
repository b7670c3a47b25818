"""Which credentials count, when the settings hold several kinds (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from batch_reenroll.command.address import parse_token_url
from batch_reenroll.command.connection import (
    AccessToken,
    AuthChoice,
    BasicAuth,
    CertificateAuth,
    ClientCredentials,
)
from batch_reenroll.command.lookup import ENV, Lookup
from batch_reenroll.command.secret import Secret
from batch_reenroll.text import visible

# In the order of preference inside one source.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "token": ("access_token",),
    "oauth": ("client_id", "client_secret"),
    "basic": ("username", "password"),
}
_NOBODY = AccessToken(token=Secret(""))
_CREDENTIALS_HINT = (
    "set KEYFACTOR_USERNAME and KEYFACTOR_PASSWORD, or KEYFACTOR_AUTH_CLIENT_ID, "
    "_CLIENT_SECRET and _TOKEN_URL, or KEYFACTOR_AUTH_ACCESS_TOKEN, or name a client "
    "certificate in the profile (client_cert_path)"
)
_SUPPORTED_HINT = (
    "use basic authentication, OAuth2 client credentials or an access token"
)


def choose_auth(lookup: Lookup) -> AuthChoice:
    """Return who we are; credentials of the environment win over the profile's.

    undocumented: which credentials count when one source holds several kinds. Chosen:
    what ``auth_type`` names, then complete ones, then a ready token before client
    credentials before basic, as Keyfactor's own client prefers them.
    """
    levels = {
        kind: [lookup.level(name) for name in names] for kind, names in _KINDS.items()
    }
    best = {kind: _best(found) for kind, found in levels.items()}
    present = {kind: level for kind, level in best.items() if level is not None}
    unsupported = _unsupported(lookup, nothing_else=not present)
    if unsupported and not any(level <= ENV for level in present.values()):
        lookup.faults.add(unsupported, _SUPPORTED_HINT)
        return _NOBODY
    if not present and lookup.text("client_cert_path"):
        # undocumented: whether Command signs in the holder of a client certificate.
        # What stands in front of it may; where nothing does, it answers 401.
        return CertificateAuth()
    if not present:
        lookup.faults.add("no credentials are given", _CREDENTIALS_HINT)
        return _NOBODY
    wanted = lookup.text("auth_type").lower()
    order = list(_KINDS)
    kind = min(
        present,
        key=lambda kind: (
            present[kind],
            wanted != "" and not wanted.startswith(kind),
            None in levels[kind],
            order.index(kind),
        ),
    )
    return _READERS[kind](lookup)


def split_account(name: str) -> tuple[str, str]:
    r"""Return user and domain of ``user``, ``user@domain`` or ``DOMAIN\user``.

    Keyfactor's own client splits both forms and sends ``domain\user``
    (keyfactor-command.md 6.1).
    """
    if "\\" in name:
        domain, _, user = name.partition("\\")
        return user, domain
    user, _, domain = name.partition("@")
    return (user, domain) if domain and "@" not in domain else (name, "")


def _best(levels: list[int | None]) -> int | None:
    return min((level for level in levels if level is not None), default=None)


def _unsupported(lookup: Lookup, *, nothing_else: bool) -> str:
    wanted = lookup.text("auth_type").lower()
    if wanted.startswith(("kerberos", "krb")) or (nothing_else and lookup.kerberos()):
        return "Kerberos authentication is not supported"
    if wanted and not wanted.startswith(tuple(_KINDS)):
        return f"auth_type {visible(wanted, 40)!r} is not supported"
    provider = lookup.text("provider")
    if provider and nothing_else:
        return f"the auth provider {visible(provider, 40)!r} is not supported"
    return ""


def _basic(lookup: Lookup) -> BasicAuth:
    name, password = lookup.required("username"), lookup.required("password")
    user, domain = split_account(name)
    domain = domain or lookup.text("domain")
    # A colon ends the user name on the wire (RFC 7617 section 2).
    if any(char in user for char in ":\\@") or ":" in domain:
        lookup.faults.add(
            f"{visible(name, 80)!r} is no user name",
            r"expected user, DOMAIN\user or user@domain",
        )
    return BasicAuth(username=user, password=Secret(password), domain=domain)


def _oauth(lookup: Lookup) -> ClientCredentials:
    client_id = lookup.required("client_id")
    secret = lookup.required("client_secret")
    lookup.required("token_url")
    return ClientCredentials(
        client_id=client_id,
        client_secret=Secret(secret),
        token_url=lookup.value("token_url", lambda raw: parse_token_url(str(raw)), ""),
        scopes=lookup.value("scopes", _scopes, ()),
        audience=lookup.text("audience"),
    )


def _token(lookup: Lookup) -> AccessToken:
    token = lookup.required("access_token")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        lookup.faults.add("the access token holds a blank or a control character")
    return AccessToken(token=Secret(token))


_READERS: Mapping[str, Callable[[Lookup], AuthChoice]] = {
    "token": _token,
    "oauth": _oauth,
    "basic": _basic,
}


def _scopes(raw: str | list[Any]) -> tuple[str, ...]:
    parts = [str(item) for item in raw] if isinstance(raw, list) else [raw]
    return tuple(
        scope for part in parts for scope in re.split(r"[,\s]+", part) if scope
    )
