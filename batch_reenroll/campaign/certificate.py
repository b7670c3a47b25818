"""What a certificate says, made comparable, and what two of them differ in.

Facts come from the certificate's own bytes where Command gives them, else from the
fields of its list; what neither tells is None or "", and never counts as a difference.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from batch_reenroll.text import parse_time, rfc3339

#: Kinds of SANs by the words that requests and people use for them. undocumented: the
#: legal keys of ``SANs``; those of PFX enrollment are among these.
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("dns", "dnsname"), "dns"),
    **dict.fromkeys(("ip", "ip4", "ip6", "ipaddress", "ipv4", "ipv6"), "ip"),
    **dict.fromkeys(("email", "rfc822", "rfc822name", "mail"), "email"),
    **dict.fromkeys(("uri", "url"), "uri"),
    "upn": "upn",
}


def san(kind: str, value: str) -> str | None:
    """Return a SAN in its one comparable form, ``kind:value``.

    DNS names compare without regard to case and a final dot, international ones as
    people write them; addresses by their value.

    Args:
        kind: ``dns``, ``ip4``, … in any case.
        value: As written.

    Returns:
        None for a kind that is not known, and can therefore not be looked for.
    """
    known = _KINDS.get(kind.strip().casefold())
    if known is None:
        return None
    text = value.strip()
    if known == "dns":
        text = _dns(text)
    elif known == "ip":
        text = _ip(text)
    elif known != "uri":
        text = text.casefold()
    return f"{known}:{text}"


def _dns(text: str) -> str:
    return ".".join(map(_label, text.removesuffix(".").split(".")))


def _label(text: str) -> str:
    # Decoded rather than encoded: the two generations of IDNA encode ß differently,
    # but what a label means can be read the same way by both.
    lower = unicodedata.normalize("NFC", text).lower()
    if lower.startswith("xn--"):
        try:
            return unicodedata.normalize("NFC", lower[4:].encode().decode("punycode"))
        except (UnicodeError, ValueError, OverflowError):
            return lower
    return lower


def _ip(text: str) -> str:
    try:
        return ipaddress.ip_address(text.strip("[]")).compressed
    except ValueError:
        return text.casefold()


def sans_of(names: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the SANs of a request, comparable; unknown kinds are left out."""
    found = (san(kind, value) for kind, values in names.items() for value in values)
    return frozenset(one for one in found if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    r"""One certificate.

    Attributes:
        thumbprint: SHA-1, lower-case hex.
        subject, issuer: Distinguished names, for people.
        authority: The CA as Command names it (``host\logical name``), or "".
        issuer_cn: The issuer's common name, or "".
        template: As Command names it, or "".
        sans: As :func:`san` writes them; None = not known.
        ekus: OIDs of the extended key usages; None = not known.
        key_type: ``RSA``, ``EC``, …, or "".
        key_bits: Its size, or None.
        key_id: SHA-256 of the public key, hex, or "".
        not_before, not_after: Aware, or None.
    """

    thumbprint: str
    subject: str = ""
    issuer: str = ""
    authority: str = ""
    issuer_cn: str = ""
    template: str = ""
    sans: frozenset[str] | None = None
    ekus: frozenset[str] | None = None
    key_type: str = ""
    key_bits: int | None = None
    key_id: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that :meth:`from_json` reads back."""
        value = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: _plain(item) for name, item in value.items() if item not in (None, "")
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CertificateFacts:
        """Return the facts in ``value``; keys that are not known are ignored."""
        known = {f.name for f in fields(cls)}
        said = {name: item for name, item in value.items() if name in known}
        for name in ("sans", "ekus"):
            if name in said:
                said[name] = frozenset(said[name])
        for name in ("not_before", "not_after"):
            if name in said:
                said[name] = parse_time(said[name])
        return cls(**said)


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return rfc3339(value) if isinstance(value, datetime) else value


class Difference(StrEnum):
    """In what a new certificate differs from the one it replaces."""

    SAN_LOST = "san_lost"
    SAN_ADDED = "san_added"
    EKU_LOST = "eku_lost"
    EKU_ADDED = "eku_added"
    KEY_TYPE = "key_type"
    KEY_SMALLER = "key_smaller"
    KEY_LARGER = "key_larger"
    KEY_REUSED = "key_reused"
    EXPIRES_EARLIER = "expires_earlier"
    TEMPLATE = "template"


#: Differences that break what relies on the old certificate.
BREAKING = frozenset(
    {
        Difference.SAN_LOST,
        Difference.EKU_LOST,
        Difference.KEY_TYPE,
        Difference.KEY_SMALLER,
    }
)

Differences = tuple[tuple[Difference, str], ...]


def differences(
    before: CertificateFacts | None,
    after: CertificateFacts,
    *,
    wanted: frozenset[str] | None = None,
) -> Differences:
    """Return in what ``after`` differs, each with what it is about.

    Args:
        before: What it replaces, or None where that is not known.
        after: The new certificate.
        wanted: SANs that were asked for; they count instead of those of ``before``.
    """
    found = list(_of_names(before, after, wanted))
    if before is not None:
        found += _of_sets(
            before.ekus, after.ekus, Difference.EKU_LOST, Difference.EKU_ADDED
        )
        found += _of_keys(before, after)
        found += _of_others(before, after)
    return tuple(found)


def _of_names(
    before: CertificateFacts | None,
    after: CertificateFacts,
    wanted: frozenset[str] | None,
) -> Differences:
    old = wanted
    if old is None and before is not None:
        old = before.sans
    return _of_sets(old, after.sans, Difference.SAN_LOST, Difference.SAN_ADDED)


def _of_sets(
    old: frozenset[str] | None,
    new: frozenset[str] | None,
    lost: Difference,
    added: Difference,
) -> Differences:
    if old is None or new is None:
        return ()
    return (
        *((lost, one) for one in sorted(old - new)),
        *((added, one) for one in sorted(new - old)),
    )


def _of_keys(before: CertificateFacts, after: CertificateFacts) -> Differences:
    found: list[tuple[Difference, str]] = []
    if before.key_type and after.key_type and before.key_type != after.key_type:
        found.append((Difference.KEY_TYPE, f"{before.key_type} → {after.key_type}"))
    elif before.key_bits and after.key_bits and before.key_bits != after.key_bits:
        smaller = after.key_bits < before.key_bits
        kind = Difference.KEY_SMALLER if smaller else Difference.KEY_LARGER
        found.append((kind, f"{before.key_bits} → {after.key_bits} bits"))
    if before.key_id and before.key_id == after.key_id:
        found.append((Difference.KEY_REUSED, "the public key is the old one"))
    return tuple(found)


def _of_others(before: CertificateFacts, after: CertificateFacts) -> Differences:
    found: list[tuple[Difference, str]] = []
    old, new = before.not_after, after.not_after
    if old is not None and new is not None and new <= old:
        text = f"{rfc3339(new)}, the old one {rfc3339(old)}"
        found.append((Difference.EXPIRES_EARLIER, text))
    if before.template and after.template and before.template != after.template:
        text = f"{before.template} → {after.template}"
        found.append((Difference.TEMPLATE, text))
    return tuple(found)
