"""What a connection to Command is made of: values, where they came from, no secret.

Built by :mod:`batch_reenroll.command.settings`, or by hand for an embedded Command.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from batch_reenroll.command.dialect import Family
from batch_reenroll.command.secret import Secret

#: Keyfactor's own tools wait this long (keyfactor-command.md 6.2).
DEFAULT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """User name and password. ``domain`` may be empty (a local account)."""

    username: str
    password: Secret
    domain: str = ""

    @property
    def account(self) -> str:
        r"""Return the account as it is sent: ``DOMAIN\user`` or ``user``."""
        return f"{self.domain}\\{self.username}" if self.domain else self.username


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """OAuth2 client credentials (RFC 6749 section 4.4).

    Attributes:
        client_id, client_secret: Who we are at the token endpoint.
        token_url: The token endpoint; https, or http on a loopback address.
        scopes, audience: Sent only when set.
    """

    client_id: str
    client_secret: Secret
    token_url: str
    scopes: tuple[str, ...] = ()
    audience: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A ready bearer token; it cannot be refreshed."""

    token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuth:
    """Nobody but the holder of the client certificate that :class:`TlsChoice` names."""


AuthChoice = BasicAuth | ClientCredentials | AccessToken | CertificateAuth


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsChoice:
    """How TLS peers are known.

    Attributes:
        skip_verify: Trust anybody. Said aloud each time a connection is set up.
        ca_cert: PEM file trusted in addition to the system's, or None.
        auth_ca_cert: The same for the token endpoint; None = ``ca_cert``.
        client_cert: File of a client certificate, PEM or PKCS#12, or None.
        client_key: PEM file of its key; None: the key stands in ``client_cert``.
        client_password: Opens the key or the PKCS#12 file, or None.
    """

    skip_verify: bool = False
    ca_cert: str | None = None
    auth_ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    client_password: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value of a connection, to be shown.

    Attributes:
        name: The profile file's key for it (``host``), ours where it has none.
        shown: The value; asterisks for a secret.
        origin: ``flag --profile``, ``env NAME``, ``file PATH:profile.key``,
            ``default``.
    """

    name: str
    shown: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach one Command.

    Attributes:
        base_url: With the API path, without a slash at the end.
        auth: Who we are.
        tls: How the server is known.
        timeout_s: Longest time for one request and its answer, > 0.
        dialect: Family of query names, or None to find out.
        job_properties_as_array: Send ``JobProperties`` as an array of one-pair objects.
        trust_env: Use ``HTTPS_PROXY`` and ``NO_PROXY`` of the environment.
        origins: Every value with its origin, in a fixed order; empty when built by
            hand.
    """

    base_url: str
    auth: AuthChoice
    tls: TlsChoice = field(default_factory=TlsChoice)
    timeout_s: float = DEFAULT_TIMEOUT_S
    dialect: Family | None = None
    job_properties_as_array: bool = False
    trust_env: bool = False
    origins: tuple[Setting, ...] = ()
