r"""Identities as JSON: how a file and the management port write them.

::

    {"user": "pki", "domain": "EXAMPLE", "password": "…",
     "client_id": "pki-client", "client_secret": "…", "scopes": [], "audience": "",
     "rights": ["/certificates/enrollment/csr/", "CertificateStoreManagement: Read"],
     "containers": {"2": ["Modify"]},
     "authorities": ["ca01.example.com\\Corp Issuing CA 2"], "templates": ["WebServer"]}

Only ``user`` is needed; without ``rights`` and ``containers`` it may do nothing,
without ``authorities`` and ``templates`` it may enroll on all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from batch_reenroll.sandbox.identity import Identity
from batch_reenroll.sandbox.rights import Enrollment, read_rights


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsEntry:
    """What an identity may do.

    Attributes:
        rights: Names of Command 10 or of 11 and later; ``all`` = everything.
        containers: Container id → ``Read``, ``Modify``, ``Schedule``.
        authorities, templates: Where it may enroll; None = everywhere.
    """

    rights: tuple[str, ...] = ()
    containers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    authorities: tuple[str, ...] | None = None
    templates: tuple[str, ...] | None = None

    def given_to(self, identity: Identity) -> Identity:
        """Return ``identity`` with these rights and no others.

        Raises:
            SandboxError: A name is no permission.
        """
        return replace(
            identity,
            rights=read_rights(self.rights, self.containers),
            enrollment=Enrollment.on(self.authorities, self.templates),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEntry(RightsEntry):
    """One identity; see :class:`~batch_reenroll.sandbox.identity.Identity`."""

    user: str
    domain: str = "EXAMPLE"
    password: str | None = field(default=None, repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    audience: str = ""

    def identity(self) -> Identity:
        """Return the identity.

        Raises:
            SandboxError: It cannot be.
        """
        return self.given_to(
            Identity(
                user=self.user,
                password=self.password,
                domain=self.domain,
                client_id=self.client_id,
                client_secret=self.client_secret,
                scopes=self.scopes,
                audience=self.audience,
            )
        )


def described(identity: Identity, major: int) -> dict[str, object]:
    """Return an identity without its secrets, rights in the words of ``major``."""
    held = identity.enrollment
    return {
        "name": identity.name,
        "user": identity.user,
        "domain": identity.domain,
        "has_password": identity.password is not None,
        "client_id": identity.client_id,
        "scopes": list(identity.scopes),
        "audience": identity.audience,
        "rights": identity.rights.names(major),
        "authorities": _listed(held.authorities),
        "templates": _listed(held.templates),
    }


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
