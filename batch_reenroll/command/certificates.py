"""What Command knows of certificates: ``GET /Certificates``, by thumbprint, in batches.

The bytes of a certificate (``ContentBytes``) say everything; where Command leaves them
out, its fields say some of it. An empty list among the fields may only mean that it was
not asked for, so it is taken for nothing known.

Source: keyfactor-command.md 4.6; ``ContentBytes``, ``KeySizeInBits`` and
``ExtendedKeyUsages`` are in the schemas of 10.x to 25.x, the numbers of
``SubjectAltNameElements`` in Keyfactor's terraform provider.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from batch_reenroll.campaign.certificate import CertificateFacts, san
from batch_reenroll.command.dialect import Endpoint
from batch_reenroll.command.listing import Listing, Lists, keep_wanted
from batch_reenroll.command.query import any_of, condition
from batch_reenroll.command.refusal import Right
from batch_reenroll.command.wire import Fields
from batch_reenroll.text import visible

# A page of the documented default size: nobody caps below it.
_PAGE_ROWS = 50
_NAME_LIMIT = 512
_MAX_NAMES = 1_000

_SAN_KINDS: Mapping[int, str] = {1: "email", 2: "dns", 6: "uri", 7: "ip", 100: "upn"}
_KEY_TYPES: Mapping[str, str] = {"ecc": "EC", "ec": "EC", "ecdsa": "EC", "rsa": "RSA"}
#: The user principal name that Windows puts into certificates ([MS-WCCE] 2.2.2.7.7.4).
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


async def read_certificates(
    lists: Lists, thumbprints: Sequence[str]
) -> tuple[CertificateFacts, ...]:
    """Return what Command knows of certificates; those that it does not are left out.

    Args:
        lists: Asks.
        thumbprints: SHA-1, lower-case hex; as many as one query holds.

    Raises:
        CommandError: As the answer says.
        ValueError: More than one query holds.
    """
    asked = set(thumbprints)
    by_thumbprint = (condition("Thumbprint", "eq", one) for one in sorted(asked))
    listing = Listing(
        endpoint=Endpoint.CERTIFICATES,
        path="/Certificates",
        kind="other",
        right=Right.READ_CERTIFICATES,
        decode=certificate,
        query=any_of(by_thumbprint),
        wanted=lambda facts: facts.thumbprint in asked,
        # Both are left out of lists where nobody asks for them.
        more=(("IncludeExpired", "true"), ("IncludeRevoked", "true")),
    )
    found = await lists.page(listing, page=1, limit=_PAGE_ROWS)
    return keep_wanted(listing, found).items


def certificate(raw: object) -> CertificateFacts:
    """Return one certificate of a list."""
    row = Fields(raw)
    parsed = _parsed(row.text("ContentBytes"))
    said = _by_fields(row) if parsed is None else _by_bytes(parsed)
    return CertificateFacts(
        thumbprint=re.sub(r"[\s:]", "", row.text("Thumbprint")).lower(),
        subject=visible(row.text("IssuedDN"), _NAME_LIMIT),
        issuer=visible(row.text("IssuerDN"), _NAME_LIMIT),
        authority=visible(row.text("CertificateAuthorityName"), _NAME_LIMIT),
        template=visible(row.text("TemplateName"), _NAME_LIMIT),
        not_before=row.moment("NotBefore"),
        not_after=row.moment("NotAfter"),
        **said,
    )


def _parsed(text: str) -> x509.Certificate | None:
    """Return the certificate in ``ContentBytes``: base64, with or without armour."""
    bare = re.sub(r"-----[A-Z ]+-----|\s", "", text)
    if not bare:
        return None
    try:
        with warnings.catch_warnings():
            # Odd certificates of old CAs; nothing is trusted because of them.
            warnings.simplefilter("ignore")
            found = x509.load_der_x509_certificate(
                base64.b64decode(bare, validate=True)
            )
            _ = found.extensions
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return found


def _by_bytes(found: x509.Certificate) -> dict[str, Any]:
    key = _key(found)
    return {
        "issuer_cn": _common_name(found),
        "sans": frozenset(visible(name, _NAME_LIMIT) for name in _names(found)),
        "ekus": _usages(found),
        **key,
    }


def _common_name(found: x509.Certificate) -> str:
    names = found.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    value = names[0].value if names else ""
    return visible(value, _NAME_LIMIT) if isinstance(value, str) else ""


def _names(found: x509.Certificate) -> Iterator[str]:
    """Yield the SANs; kinds that nobody asks for by name in a form of their own."""
    extension = x509.SubjectAlternativeName
    try:
        names = found.extensions.get_extension_for_class(extension).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        yield _name(name)


def _name(name: x509.GeneralName) -> str:
    match name:
        case x509.DNSName():
            found = san("dns", name.value)
        case x509.IPAddress():
            found = san("ip", str(name.value))
        case x509.RFC822Name():
            found = san("email", name.value)
        case x509.UniformResourceIdentifier():
            found = san("uri", name.value)
        case x509.OtherName() if name.type_id == _UPN:
            found = san("upn", _utf8_string(name.value))
        case x509.OtherName():
            found = f"other:{name.type_id.dotted_string}:{name.value.hex()}"
        case x509.DirectoryName():
            found = f"directory:{name.value.rfc4514_string()}"
        case _:
            found = f"other:{name.value}"
    return found or ""


def _utf8_string(der: bytes) -> str:
    """Return the text of a DER string, whatever the length's form (X.690, 8.1.3)."""
    head = 2 + (der[1] & 0x7F if len(der) > 1 and der[1] & 0x80 else 0)
    return der[head:].decode("utf-8", "replace")


def _usages(found: x509.Certificate) -> frozenset[str]:
    try:
        usages = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(usage.dotted_string for usage in usages)


def _key(found: x509.Certificate) -> dict[str, Any]:
    try:
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return {}
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    said: dict[str, Any] = {"key_id": hashlib.sha256(der).hexdigest()}
    match key:
        case rsa.RSAPublicKey():
            said |= {"key_type": "RSA", "key_bits": key.key_size}
        case ec.EllipticCurvePublicKey():
            said |= {"key_type": "EC", "key_bits": key.key_size}
        case dsa.DSAPublicKey():
            said |= {"key_type": "DSA", "key_bits": key.key_size}
        case ed25519.Ed25519PublicKey():
            said |= {"key_type": "Ed25519", "key_bits": 256}
        case ed448.Ed448PublicKey():
            said |= {"key_type": "Ed448", "key_bits": 448}
        case _:
            said |= {"key_type": type(key).__name__, "key_bits": len(der) * 8}
    return said


def _by_fields(row: Fields) -> dict[str, Any]:
    # CN of a name as Windows prints it; only a hint, so that quotes do not matter.
    cn = re.search(r"(?:^|[,+]\s*)CN=([^,+]+)", row.text("IssuerDN"), re.IGNORECASE)
    kind = row.text("KeyTypeString").strip()
    return {
        "issuer_cn": visible(cn[1].strip(), _NAME_LIMIT) if cn else "",
        "sans": _listed_names(row.items("SubjectAltNameElements")),
        "ekus": _listed_usages(row.items("ExtendedKeyUsages")),
        "key_type": visible(_KEY_TYPES.get(kind.lower(), kind), 40),
        "key_bits": row.integer("KeySizeInBits") or None,
    }


def _listed_names(items: list[object]) -> frozenset[str] | None:
    elements = [Fields(one) for one in items[:_MAX_NAMES] if isinstance(one, Mapping)]
    found = (
        san(_SAN_KINDS.get(number, ""), visible(one.text("Value"), _NAME_LIMIT))
        for one in elements
        if (number := one.integer("Type")) is not None
    )
    return frozenset(name for name in found if name is not None) or None


def _listed_usages(items: list[object]) -> frozenset[str] | None:
    usages = [Fields(one) for one in items[:_MAX_NAMES] if isinstance(one, Mapping)]
    return frozenset(one.text("Oid") for one in usages if one.text("Oid")) or None
