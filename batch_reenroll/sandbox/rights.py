"""What a caller may do: Command's permissions, global and per container.

Pure. Command 10 gives permissions to roles (``CertificateStoreManagement: Modify``),
11 and later as claims (``/certificate_stores/modify/``, or ``/certificate_stores/
modify/2/`` for one container). Both are read here into the same values, and written
back in the words of the server's dialect (keyfactor-command.md 1.6, 2.7, 3.2, 4.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from batch_reenroll.sandbox.exchange import SandboxError


class Right(StrEnum):
    """One permission, by the name that 11 and later give it."""

    ENROLL_CSR = "/certificates/enrollment/csr/"
    READ_STORES = "/certificate_stores/read/"
    MODIFY_STORES = "/certificate_stores/modify/"
    SCHEDULE_STORES = "/certificate_stores/schedule/"
    READ_AGENTS = "/agents/management/read/"
    MODIFY_AGENTS = "/agents/management/modify/"
    READ_AUTHORITIES = "/certificate_authorities/read/"
    READ_TEMPLATES = "/certificate_templates/read/"
    READ_CERTIFICATES = "/certificates/collections/read/"


#: The names of Command 10, which has one for CAs and templates together (its pages
#: "GET Certificate Authority" and "GET Templates"; of 25.1 the claims).
ROLES: Mapping[Right, str] = MappingProxyType(
    {
        Right.ENROLL_CSR: "CertificateEnrollment: EnrollCSR",
        Right.READ_STORES: "CertificateStoreManagement: Read",
        Right.MODIFY_STORES: "CertificateStoreManagement: Modify",
        Right.SCHEDULE_STORES: "CertificateStoreManagement: Schedule",
        Right.READ_AGENTS: "AgentManagement: Read",
        Right.MODIFY_AGENTS: "AgentManagement: Modify",
        Right.READ_AUTHORITIES: "PkiManagement: Read",
        Right.READ_TEMPLATES: "PkiManagement: Read",
        Right.READ_CERTIFICATES: "Certificates: Read",
    }
)
#: All rights, in our own files.
EVERYTHING = "all"
#: Rights that can also be given for the stores of one container.
CONTAINED = frozenset({Right.READ_STORES, Right.MODIFY_STORES, Right.SCHEDULE_STORES})


def _folded_name(name: str) -> str:
    return re.sub(r"\s", "", name).lower()


def _by_name() -> dict[str, frozenset[Right]]:
    """Return what each name gives, by the name without blanks in lower case."""
    found = {right.value: frozenset({right}) for right in Right}
    for role in ROLES.values():
        given = frozenset(right for right in Right if ROLES[right] == role)
        found[_folded_name(role)] = given
    return found


_BY_NAME = _by_name()
_IN_CONTAINER = re.compile(
    r"(?P<claim>/certificate_stores/\w+/)(?P<claimed>[1-9]\d{0,8})/"
    r"|(?P<role>certificatestoremanagement:\w+)/(?P<granted>[1-9]\d{0,8})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """The rights of one caller; nothing is implied by anything else.

    Attributes:
        everywhere: Held for all containers and for stores without one.
        contained: (right, container id) pairs; the right is one of :data:`CONTAINED`.
    """

    everywhere: frozenset[Right] = frozenset()
    contained: frozenset[tuple[Right, int]] = frozenset()

    def __post_init__(self) -> None:
        if any(
            right not in CONTAINED or number < 1 for right, number in self.contained
        ):
            raise SandboxError("rights: only store rights have a container, id >= 1")

    def may(self, right: Right) -> bool:
        """Return whether the right is held for everything."""
        return right in self.everywhere

    def may_in(self, right: Right, container_id: int) -> bool:
        """Return whether the right is held for a container; 0 = for no container."""
        return right in self.everywhere or (right, container_id) in self.contained

    def may_somewhere(self, right: Right) -> bool:
        """Return whether the right is held for anything at all."""
        return right in self.everywhere or any(r is right for r, _ in self.contained)

    def lacking(self, needed: Iterable[Right]) -> tuple[Right, ...]:
        """Return those of ``needed`` that are held nowhere, in their order."""
        return tuple(right for right in needed if not self.may_somewhere(right))

    def names(self, major: int) -> list[str]:
        """Return all rights in the words of Command ``major``, sorted.

        A container's id stands behind a name of Command 10 as it stands in a claim. A
        name of Command 10 that would give more than is held is left to the claim.
        """
        whole = {
            name_of(right, major)
            if _BY_NAME[_folded_name(ROLES[right])] <= self.everywhere
            else right.value
            for right in self.everywhere
        }
        parts = [name_of(right, major, number) for right, number in self.contained]
        return sorted(whole) + sorted(parts)


ALL_RIGHTS = Rights(everywhere=frozenset(Right))


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """On what an account may enroll, as the CA keeps it; not a right in Command.

    Attributes:
        authorities: CAs by name in lower case; None = on every CA.
        templates: Templates by short name in lower case; None = every template.
    """

    authorities: frozenset[str] | None = None
    templates: frozenset[str] | None = None

    @classmethod
    def on(
        cls, authorities: Iterable[str] | None, templates: Iterable[str] | None
    ) -> Enrollment:
        """Return the rights on CAs and templates named in any case."""
        return cls(authorities=_folded(authorities), templates=_folded(templates))

    def on_authority(self, name: str) -> bool:
        """Return whether the account may enroll on the CA."""
        return self.authorities is None or name.lower() in self.authorities

    def on_template(self, name: str) -> bool:
        """Return whether the account may enroll for the template."""
        return self.templates is None or name.lower() in self.templates


#: On every CA, for every template.
EVERYWHERE = Enrollment()


def _folded(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(name.lower() for name in names)


def name_of(right: Right, major: int, container_id: int = 0) -> str:
    """Return a right as Command ``major`` writes it.

    undocumented: how Command 10 would write a container; we put its id behind.
    """
    if major <= 10:
        return f"{ROLES[right]}/{container_id}" if container_id else ROLES[right]
    return f"{right.value}{container_id}/" if container_id else right.value


def read_rights(
    names: Iterable[str], containers: Mapping[str, Iterable[str]] | None = None
) -> Rights:
    """Return the rights that roles of 10 and claims of 11 and later name, mixed or not.

    Args:
        names: ``CertificateStoreManagement: Read``, ``/certificate_stores/read/``,
            ``/certificate_stores/read/2/``, in any case; ``all`` (a word of ours) for
            everything everywhere.
        containers: Container id → ``Read``, ``Modify``, ``Schedule``, as Command 10
            gives permissions on a container.

    Raises:
        SandboxError: All names and ids that are none.
    """
    everywhere: set[Right] = set()
    contained: set[tuple[Right, int]] = set()
    wrong: list[str] = []
    for name in names:
        rights, number = _read_name(name)
        if name == EVERYTHING:
            everywhere |= set(Right)
        elif not rights:
            wrong.append(f"{name[:80]!r} is no permission")
        elif number is None:
            everywhere |= rights
        else:
            contained |= {(right, number) for right in rights}
    for key, verbs in (containers or {}).items():
        found, bad = _read_container(key, verbs)
        contained |= found
        wrong += bad
    if wrong:
        raise SandboxError("rights: " + "; ".join(wrong))
    return Rights(everywhere=frozenset(everywhere), contained=frozenset(contained))


def _read_name(name: str) -> tuple[frozenset[Right], int | None]:
    """Return the rights that ``name`` gives, and the container or None."""
    text = _folded_name(name)
    found = _IN_CONTAINER.fullmatch(text)
    if found is None:
        return _BY_NAME.get(text, frozenset()), None
    number = int(found["claimed"] or found["granted"])
    return _BY_NAME.get(found["claim"] or found["role"], frozenset()), number


def _read_container(
    key: str, verbs: Iterable[str]
) -> tuple[set[tuple[Right, int]], list[str]]:
    if not re.fullmatch(r"[1-9]\d{0,8}", key, re.ASCII):
        return set(), [f"container {key[:20]!r} is no id >= 1"]
    found: set[tuple[Right, int]] = set()
    wrong: list[str] = []
    for verb in verbs:
        rights = _BY_NAME.get(f"certificatestoremanagement:{verb.strip().lower()}")
        if rights is None:
            wrong.append(f"{verb[:40]!r} is no permission on a container")
        else:
            found |= {(right, int(key)) for right in rights}
    return found, wrong
