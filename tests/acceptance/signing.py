"""Every way of signing in, each by an account that holds exactly what is needed."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from acceptance.accounts import NEEDED, Site, account, password_of
from acceptance.gate import Gate
from integration.command.certs import make_authority

#: How long the tokens of these sites hold, and those that are not to end by themselves.
TOKEN_S = 2
LONG_S = 3600

SECRET = "Client-Secret/4 everyone"
AUDIENCE = "https://command.example.com/api"


class Way(StrEnum):
    """How an account signs in."""

    #: Basic, ``DOMAIN\user``.
    DOWN_LEVEL = "down-level-name"
    #: Basic, ``user@domain``.
    PRINCIPAL = "principal-name"
    CLIENT = "client-credentials"
    #: A bearer token that somebody else has fetched.
    TOKEN = "access-token"
    #: Of TLS, before something that signs in for its holder.
    CERTIFICATE = "client-certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    r"""One account about to sign in.

    Attributes:
        by: The account as Command knows it, ``DOMAIN\user``.
        env: What it sets for the program.
        secrets: What must not be seen anywhere.
        gate: What stands before Command, or None.
    """

    by: str
    env: Mapping[str, str]
    secrets: frozenset[str]
    gate: Gate | None = None


def exact_accounts(dialect: str) -> list[dict[str, Any]]:
    """Return the accounts that sign in, for an identity file."""

    def exact(user: str, **more: Any) -> dict[str, Any]:
        return account(user, NEEDED, dialect, **more)

    oauth: dict[str, Any] = {
        "password": None,
        "client_secret": SECRET,
        "audience": AUDIENCE,
    }
    return [
        exact("level"),
        exact("principal", domain="corp.example.com"),
        exact("client", client_id="client-id", **oauth, scopes=["command", "more"]),
        exact("bearer", client_id="bearer-id", **oauth),
        exact("holder"),
    ]


@contextmanager
def _down_level(place: Site, _: Path) -> Iterator[SignIn]:
    yield SignIn(
        by=r"EXAMPLE\level",
        env=place.as_user("level"),
        secrets=_basic(r"EXAMPLE\level", password_of("level")),
    )


@contextmanager
def _principal(place: Site, _: Path) -> Iterator[SignIn]:
    name, password = "principal@corp.example.com", password_of("principal")
    known = r"corp.example.com\principal"
    yield SignIn(
        by=known,
        env={
            **place.where,
            "KEYFACTOR_USERNAME": name,
            "KEYFACTOR_PASSWORD": password,
        },
        secrets=_basic(name, password) | _basic(known, password),
    )


@contextmanager
def _client(place: Site, _: Path) -> Iterator[SignIn]:
    yield SignIn(
        by=r"EXAMPLE\client",
        env={
            **place.where,
            "KEYFACTOR_AUTH_CLIENT_ID": "client-id",
            "KEYFACTOR_AUTH_CLIENT_SECRET": SECRET,
            "KEYFACTOR_AUTH_TOKEN_URL": f"{place.url}/oauth2/token",
            "KEYFACTOR_AUTH_SCOPES": "command,more",
            "KEYFACTOR_AUTH_AUDIENCE": AUDIENCE,
        },
        secrets=_basic("client-id", SECRET),
    )


@contextmanager
def _token(place: Site, _: Path) -> Iterator[SignIn]:
    place.tokens_hold(LONG_S)
    token = place.token("bearer-id", SECRET, audience=AUDIENCE)
    place.tokens_hold(TOKEN_S)
    yield SignIn(
        by=r"EXAMPLE\bearer",
        env={**place.where, "KEYFACTOR_AUTH_ACCESS_TOKEN": token},
        secrets=frozenset({token, SECRET}),
    )


@contextmanager
def _certificate(place: Site, folder: Path) -> Iterator[SignIn]:
    authority = make_authority(folder)
    tls = authority.server_context("127.0.0.1")
    tls.load_verify_locations(authority.ca_path)
    tls.verify_mode = ssl.CERT_REQUIRED
    password = password_of("holder")
    opening = "opens-the-PKCS12-file-8"
    pair = base64.b64encode(rf"EXAMPLE\holder:{password}".encode()).decode()
    accounts = {"robot": f"Basic {pair}"}
    with Gate(tls=tls, behind=place.url, accounts=accounts) as gate:
        profile = {
            "host": f"https://127.0.0.1:{gate.port}",
            "ca_cert_path": str(authority.ca_path),
            "client_cert_path": str(authority.issue_pkcs12("robot", opening)),
        }
        config = folder / "profiles.json"
        config.write_text(json.dumps({"servers": {"default": profile}}))
        yield SignIn(
            by=r"EXAMPLE\holder",
            env={
                "KEYFACTOR_AUTH_CONFIG_FILE": str(config),
                "BATCH_REENROLL_CLIENT_CERT_PASSWORD": opening,
            },
            secrets=frozenset({opening, password, pair}),
            gate=gate,
        )


def _basic(name: str, secret: str) -> frozenset[str]:
    """Return a secret plain and as it goes over the wire."""
    pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return frozenset({secret, pair, base64.b64encode(secret.encode()).decode()})


_WAYS: Mapping[Way, Callable[[Site, Path], AbstractContextManager[SignIn]]] = {
    Way.DOWN_LEVEL: _down_level,
    Way.PRINCIPAL: _principal,
    Way.CLIENT: _client,
    Way.TOKEN: _token,
    Way.CERTIFICATE: _certificate,
}


def signing_in(way: Way, place: Site, folder: Path) -> AbstractContextManager[SignIn]:
    """Return what it takes to sign in; what it needs on disk is put into ``folder``."""
    return _WAYS[way](place, folder)
