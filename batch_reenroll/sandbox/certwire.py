"""How certificates are listed: ``GET /Certificates`` (keyfactor-command.md 4.6).

Keys as in the schemas of 10.x to 25.x. undocumented: which of them come without being
asked for; here all do, and Locations stay empty.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import NotRequired, TypedDict

from batch_reenroll.sandbox.marks import Time
from batch_reenroll.sandbox.names import BadSubject, common_name, parse_subject
from batch_reenroll.sandbox.params import CERTIFICATES, Listing
from batch_reenroll.sandbox.query import Field, Kind
from batch_reenroll.sandbox.wire import wire_time
from batch_reenroll.sandbox.works import Certificate
from batch_reenroll.sandbox.world import World

#: ``CertState`` of a certificate that is in force (keyfactor-command.md 4.6).
_ACTIVE = 1
_KEY_TYPES: Mapping[str, int] = {"RSA": 1, "ECC": 3}
_USAGES: Mapping[str, str] = {
    "1.3.6.1.5.5.7.3.1": "Server Authentication",
    "1.3.6.1.5.5.7.3.2": "Client Authentication",
}


class NameJson(TypedDict):
    """One subject alternative name."""

    Id: int
    Value: str
    Type: int
    ValueHash: str


class UsageJson(TypedDict):
    """One extended key usage."""

    Id: int
    Oid: str
    DisplayName: str


class KnownCertificateJson(TypedDict):
    """One certificate that Command knows."""

    Id: int
    Thumbprint: str
    SerialNumber: str
    IssuedDN: str
    IssuedCN: str
    ImportDate: Time
    NotBefore: Time
    NotAfter: Time
    IssuerDN: str
    CertState: int
    KeySizeInBits: int
    KeyType: int
    KeyTypeString: str
    SigningAlgorithm: str
    CertificateAuthorityName: NotRequired[str]
    TemplateName: NotRequired[str]
    ContentBytes: NotRequired[str]
    ExtendedKeyUsages: list[UsageJson]
    SubjectAltNameElements: list[NameJson]
    Metadata: dict[str, str]


def known_certificate_json(world: World, item: Certificate) -> KnownCertificateJson:
    """Return one item of ``GET /Certificates``."""
    number = world.certificate_id(item.thumbprint)
    shape: KnownCertificateJson = {
        "Id": number,
        "Thumbprint": item.thumbprint,
        "SerialNumber": item.serial,
        "IssuedDN": item.subject,
        "IssuedCN": _cn(item.subject),
        "ImportDate": wire_time(world, item.not_before),
        "NotBefore": wire_time(world, item.not_before),
        "NotAfter": wire_time(world, item.not_after),
        "IssuerDN": item.issuer,
        "CertState": _ACTIVE,
        "KeySizeInBits": item.key_bits,
        "KeyType": _KEY_TYPES.get(item.key_type, 0),
        "KeyTypeString": item.key_type,
        "SigningAlgorithm": item.algorithm,
        "ExtendedKeyUsages": [
            {"Id": n, "Oid": oid, "DisplayName": _USAGES.get(oid, oid)}
            for n, oid in enumerate(item.usages, 1)
        ],
        "SubjectAltNameElements": [
            {"Id": n, "Value": value, "Type": kind, "ValueHash": ""}
            for n, (kind, value) in enumerate(item.names, 1)
        ],
        "Metadata": {},
    }
    authority = authority_of(world, item)
    if authority:
        shape["CertificateAuthorityName"] = authority
    if item.template:
        shape["TemplateName"] = item.template
    if item.content and world.settings.certificate_contents:
        shape["ContentBytes"] = base64.b64encode(item.content).decode()
    return shape


def authority_of(world: World, item: Certificate) -> str:
    r"""Return the CA that issued a certificate, as ``host\logical name``, or ""."""
    issuer = _cn(item.issuer).lower()
    for name in world.policy.authorities:
        if name.rpartition("\\")[2].lower() == issuer:
            return name
    return ""


def _cn(name: str) -> str:
    try:
        return common_name(parse_subject(name)) or ""
    except BadSubject:
        return ""


def certificate_listing(world: World) -> Listing[Certificate]:
    """Return how certificates are queried.

    undocumented: ``SerialNumber`` and ``IssuerDN``, which scripts use, and the sort
    names; ``CertId`` is one that a live server took.
    """
    fields: dict[str, Field[Certificate]] = {
        "thumbprint": Field(Kind.TEXT, lambda item: item.thumbprint),
        "issuedcn": Field(Kind.TEXT, lambda item: _cn(item.subject)),
        "issueddate": Field(Kind.DATE, lambda item: item.not_before),
        "importdate": Field(Kind.DATE, lambda item: item.not_before),
        "expirationdate": Field(Kind.DATE, lambda item: item.not_after),
        "certstate": Field(Kind.INTEGER, lambda _item: _ACTIVE),
        "serialnumber": Field(Kind.TEXT, lambda item: item.serial),
        "issuerdn": Field(Kind.TEXT, lambda item: item.issuer),
    }
    sorts = {name: field.get for name, field in fields.items()} | {
        "certid": lambda item: world.certificate_id(item.thumbprint)
    }
    return Listing(
        fields=fields, sorts=sorts, default_sort="certid", prefix=CERTIFICATES
    )
