"""How to start a sandbox, as one value."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.faults import FaultScript
from batch_reenroll.sandbox.fleet import FleetPlan
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
        extra_users: (name, password) of others that may sign in, in the same domain.
        workers: Threads that make keys and write files, >= 1.
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
    extra_users: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    workers: int = 2
    eager_stores: int = 2_000

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise SandboxError(f"port {self.port} is not 0 to 65535")
        if self.workers < 1 or self.eager_stores < 0:
            raise SandboxError("workers must be >= 1 and eager_stores >= 0")
        names = [self.user, *(name for name, _ in self.extra_users)]
        if not all(_is_plain(name) for name in names):
            raise SandboxError("a user must be a plain name without ':' and '\\'")
        if len({name.lower() for name in names}) < len(names):
            raise SandboxError("two users have the same name")
        if "" in (self.password, *(password for _, password in self.extra_users)):
            raise SandboxError("a password is empty")

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach the sandbox."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _is_plain(name: str) -> bool:
    return bool(name) and not {":", "\\"} & set(name)
