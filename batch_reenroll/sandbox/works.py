"""The port behind which keys are made and store files are written.

The core hands out orders and takes results; whether they are carried out with real
X.509 (``realworks``) or in memory (``simworks``) it cannot tell. Both pass one
contract test.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from batch_reenroll.sandbox.fleet import PlannedStore
from batch_reenroll.sandbox.policy import Template
from batch_reenroll.sandbox.storetypes import StoreFormat

#: Real CAs backdate NotBefore to bear with clocks that are slow (AD CS: 10 minutes).
BACKDATE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What Command keeps of a certificate; times are seconds since the epoch.

    ``thumbprint`` is SHA-1 in upper-case hex, ``serial`` upper-case hex.

    Attributes:
        template: Its short name; empty where the certificate does not bear it.
        names: Its SANs: kind as Command numbers it (``SAN_TYPES``), and value.
        usages: OIDs of its extended key usages.
        key_type: ``RSA`` or ``ECC``.
        content: Its DER encoding; empty where there is none.
    """

    subject: str
    issuer: str
    serial: str
    not_before: float
    not_after: float
    algorithm: str
    thumbprint: str
    names: tuple[tuple[int, str], ...] = ()
    usages: tuple[str, ...] = ()
    key_type: str = "ECC"
    key_bits: int = 256
    template: str = ""
    content: bytes = b""


#: ``Type`` of a subject alternative name, as Keyfactor's terraform provider reads it.
SAN_TYPES: Mapping[str, int] = {
    "email": 1,
    "dns": 2,
    "ip4": 7,
    "ip6": 7,
    "upn": 100,
}
#: Server authentication (RFC 5280, 4.2.1.12).
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One alias of a store, leaf first and then its chain as far as it lies there."""

    alias: str
    certificates: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReenrollOrder:
    """Make a key and a CSR, have it signed, put both into the store.

    Attributes:
        sans: Kind (``dns``, ``ip4``, ``ip6``, ``email``, ``upn``) to values.
        at: The moment of issue, seconds since the epoch.
        later_than: NotBefore of what the store holds; the new one's is later.
    """

    order_id: int
    store: PlannedStore
    alias: str
    subject: str
    sans: Mapping[str, tuple[str, ...]]
    authority: str
    template: Template
    at: float
    later_than: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryOrder:
    """Read the store back."""

    order_id: int
    store: PlannedStore


Order = ReenrollOrder | InventoryOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The store now holds this certificate, under this alias."""

    certificate: Certificate
    alias: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventoried:
    """What the store holds, in the file's order."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFailed:
    """The order could not be carried out; the store is as it was."""

    message: str


WorkResult = Enrolled | Inventoried | WorkFailed


class StoreWorks(Protocol):
    """Carries out orders. Calls for different stores may overlap in threads."""

    def lay_out(self, store: PlannedStore, *, at: float) -> tuple[Entry, ...]:
        """Make the store and its first certificate unless it is there; return it.

        Raises:
            SandboxError: It cannot be made or read.
        """
        ...

    def perform(self, order: Order) -> WorkResult:
        """Carry ``order`` out; never raises for what the order asks."""
        ...


class Hands(Protocol):
    """Takes orders from the core."""

    def take(self, order: Order) -> WorkResult | None:
        """Return the result, or None when it comes later through ``Core.deliver``."""
        ...


class InlineHands:
    """Carries every order out at once, in the caller's thread."""

    def __init__(self, works: StoreWorks) -> None:
        self._works = works

    def take(self, order: Order) -> WorkResult | None:
        """Return the result of ``order``."""
        return self._works.perform(order)


def kept_alias(store: PlannedStore, alias: str, thumbprint: str) -> str:
    """Return the alias under which ``store`` keeps a certificate.

    Java folds case; a type that forbids custom aliases goes by the thumbprint.
    """
    if store.store_type.alias_is_thumbprint:
        return thumbprint
    return alias.lower() if store.file_format is StoreFormat.JKS else alias


def issue_times(order: ReenrollOrder) -> tuple[float, float]:
    """Return NotBefore and NotAfter of what ``order`` issues, whole seconds."""
    not_before = max(
        float(int(order.at - BACKDATE_S)), float(int(order.later_than)) + 1
    )
    return not_before, float(int(order.at)) + order.template.validity_days * 86_400.0


def first_times(store: PlannedStore, at: float) -> tuple[float, float]:
    """Return NotBefore and NotAfter of a store's first certificate."""
    whole = float(int(at))
    return whole - store.age_days * 86_400.0, whole + store.days_left * 86_400.0


def alias_fault(alias: str) -> str | None:
    """Return why no store file can hold ``alias``, or None."""
    if alias != alias.strip() or not 1 <= len(alias) <= 200:
        return "The alias is empty, longer than 200 characters, or ends with spaces"
    if any(ord(char) < 32 or "\ud800" <= char <= "\udfff" for char in alias):
        return "The alias holds control characters"
    return None


def san_fault(sans: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return why no CSR can hold these SANs, or None."""
    for kind, values in sans.items():
        for value in values:
            if not _SAN_TESTS[kind](value):
                return f"Unable to create a CSR: {value[:60]!r} is no {kind} name"
    return None


def _is_ip(version: int) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return test


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


_SAN_TESTS: Mapping[str, Callable[[str], bool]] = {
    "dns": _is_plain,
    "email": lambda text: _is_plain(text) and "@" in text[1:-1],
    "ip4": _is_ip(4),
    "ip6": _is_ip(6),
    "upn": lambda text: text.isprintable() and "@" in text[1:-1],
}
