"""How to start a sandbox, as one value."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.faults import FaultScript
from batch_reenroll.sandbox.fleet import FleetPlan
from batch_reenroll.sandbox.identity import Identities, Identity
from batch_reenroll.sandbox.policy import CaPolicy
from batch_reenroll.sandbox.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    r"""Everything ``sandbox serve`` can be told.

    Attributes:
        directory: Where stores, CA and log lie; made if missing.
        plan: The fleet; a folder that holds another one is refused.
        settings: Times, limits, dialect.
        policy: What the CA issues.
        faults: Scripted misbehaviour.
        host: Address to listen on; loopback unless told otherwise.
        port: 0 = any free one.
        user: Name for Basic authentication.
        domain: ``DOMAIN\user`` is taken as well.
        password: None = a random one, told by ``SandboxServer.env``.
        auth: How the identity that may do everything signs in: by ``user`` and
            ``password`` or as an OAuth2 client.
        client_id: Name of that client.
        client_secret: None = a random one, told by ``SandboxServer.env``.
        scopes, audience: What its tokens may be asked for; empty = anything.
        extra_users: (name, password) of others that may sign in, in the same domain,
            and do everything.
        identities: Others, with rights of their own.
        management_port: Port of the management API on 127.0.0.1; 0 = any free one,
            None = there is none.
        management_key: Its bearer key; None = a random one.
        workers: Threads that make keys and write files, >= 1.
        tls_services: TLS services on loopback that serve the first stores of the fleet,
            one each.
        tls_stale: How many of them, the last ones, are never reloaded.
        eager_stores: Up to this many stores all files are made at the start; beyond
            it each is made when it is first asked for.
    """

    directory: Path
    plan: FleetPlan = field(default_factory=FleetPlan)
    settings: Settings = field(default_factory=Settings)
    policy: CaPolicy = field(default_factory=CaPolicy)
    faults: FaultScript = field(default_factory=FaultScript)
    host: str = "127.0.0.1"
    port: int = 0
    user: str = "sandbox"
    domain: str = "EXAMPLE"
    password: str | None = field(default=None, repr=False)
    auth: Literal["basic", "oauth"] = "basic"
    client_id: str = "sandbox-client"
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    audience: str = ""
    extra_users: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    identities: tuple[Identity, ...] = ()
    management_port: int | None = None
    management_key: str | None = field(default=None, repr=False)
    workers: int = 2
    tls_services: int = 0
    tls_stale: int = 0
    eager_stores: int = 2_000

    def __post_init__(self) -> None:
        for port in (self.port, self.management_port or 0):
            if not 0 <= port <= 65_535:
                raise SandboxError(f"port {port} is not 0 to 65535")
        if self.workers < 1 or self.eager_stores < 0:
            raise SandboxError("workers must be >= 1 and eager_stores >= 0")
        if not 0 <= self.tls_stale <= self.tls_services <= self.plan.stores:
            raise SandboxError("0 <= tls_stale <= tls_services <= stores")
        if self.auth not in ("basic", "oauth"):
            raise SandboxError("auth must be basic or oauth")
        if "" in (self.password, self.client_id, self.client_secret):
            raise SandboxError("a password, a client id or its secret is empty")
        if self.management_key == "":
            raise SandboxError("the management key is empty")
        self._check_accounts()

    def _check_accounts(self) -> None:
        known = Identities(self.accounts(password="-", client_secret="-"))  # noqa: S106
        for ca, account in self.policy.accounts.items():
            if known.named(account) is None:
                raise SandboxError(f"{ca}: there is no identity {account}")

    def accounts(self, *, password: str, client_secret: str) -> tuple[Identity, ...]:
        """Return all identities, first the one that may do everything.

        Args:
            password: Of the first, where it signs in so.
            client_secret: The same for an OAuth2 client.

        Raises:
            SandboxError: One of them cannot be.
        """
        first = Identity(user=self.user, domain=self.domain, password=password)
        if self.auth == "oauth":
            first = replace(
                first,
                password=None,
                client_id=self.client_id,
                client_secret=client_secret,
                scopes=self.scopes,
                audience=self.audience,
            )
        others = (
            Identity(user=name, password=secret, domain=self.domain)
            for name, secret in self.extra_users
        )
        return (first, *others, *self.identities)

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach the sandbox."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
