"""The embedded CA: a root and two issuing authorities with real keys.

The first issuing CA made what the fleet holds at the start; the second makes what
replaces it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.names import OIDS, parse_subject
from batch_reenroll.sandbox.policy import NEW_CA, OLD_CA, KeyKind, Template

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_ROOT = "Corp Root CA"


class Denied(Exception):
    """The CA does not sign the request; the message says why."""


@dataclass(frozen=True, slots=True)
class Authority:
    """One CA certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthorities:
    r"""The root and its issuing CAs, by the name that requests give (``host\name``)."""

    root: Authority
    issuing: Mapping[str, Authority]

    def issue(
        self,
        request: x509.CertificateSigningRequest,
        *,
        authority: str,
        template: Template | None,
        not_before: float,
        not_after: float,
    ) -> tuple[x509.Certificate, ...]:
        """Sign ``request``; return the leaf and the issuing CA's certificate.

        Args:
            request: Its signature is checked.
            authority: A key of ``issuing``.
            template: None skips the check of the key (certificates of the past).
            not_before: Seconds since the epoch.
            not_after: Seconds since the epoch.

        Raises:
            Denied: The signature is wrong or the key does not fit the template.
        """
        key = request.public_key()
        if not request.is_signature_valid:
            raise Denied("The signature of the request is not valid")
        if template is not None and not _fits(key, template.key):
            raise Denied(f"The template {template.name} requires {template.key} keys")
        issuer = self.issuing[authority]
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(issuer.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_moment(not_before))
            .not_valid_after(_moment(not_after))
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(_usage(leaf=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            .add_extension(_key_id(key), critical=False)
            .add_extension(_issuer_id(issuer.key), critical=False)
        )
        names = _granted_names(request, template)
        if names:
            san = x509.SubjectAlternativeName(names)
            builder = builder.add_extension(san, critical=False)
        if template is not None:
            builder = builder.add_extension(_template_name(template), critical=False)
        leaf = builder.sign(issuer.key, hashes.SHA256())
        return leaf, issuer.certificate


def _granted_names(
    request: x509.CertificateSigningRequest, template: Template | None
) -> list[x509.GeneralName]:
    """Return those of the names in a request that the CA grants."""
    names = [
        name
        for extension in request.extensions
        if isinstance(extension.value, x509.SubjectAlternativeName)
        for name in extension.value
    ]
    if template is None or not template.cn_only:
        return names
    cns = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    kept = {item.value for item in cns}
    return [n for n in names if isinstance(n, x509.DNSName) and n.value in kept]


#: The template's name that Windows CAs put into certificates (szOID_ENROLL_CERTTYPE).
TEMPLATE_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2")


def _template_name(template: Template) -> x509.UnrecognizedExtension:
    data = template.name.encode("utf-16-be")
    return x509.UnrecognizedExtension(TEMPLATE_NAME, bytes((0x1E, len(data))) + data)


def _fits(key: object, wanted: KeyKind) -> bool:
    if wanted is KeyKind.EC_P256:
        return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == (
            "secp256r1"
        )
    return isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048


def _moment(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(at), dt.UTC)


def _key_id(key: object) -> x509.SubjectKeyIdentifier:
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise Denied("The key is neither EC nor RSA")
    return x509.SubjectKeyIdentifier.from_public_key(key)


def _issuer_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        encipher_only=False,
        decipher_only=False,
    )


def subject_name(text: str) -> x509.Name:
    """Return the X.509 name of a subject as written, most general RDN first.

    Raises:
        BadSubject: It is no X.500 name.
    """
    return x509.Name(
        [
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(
                        ObjectIdentifier(OIDS.get(name, name)),
                        value.upper() if name == "C" else value,
                    )
                    for name, value in rdn
                ]
            )
            for rdn in reversed(parse_subject(text))
        ]
    )


#: The user principal name that Windows puts into certificates ([MS-WCCE] 2.2.2.7.7.4).
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def alternative_names(sans: Mapping[str, Iterable[str]]) -> list[x509.GeneralName]:
    """Return X.509 names of SANs by kind.

    Raises:
        ValueError: A value does not fit its kind.
    """
    names: list[x509.GeneralName] = []
    for kind, values in sans.items():
        for value in values:
            if kind in ("ip4", "ip6"):
                names.append(x509.IPAddress(ipaddress.ip_address(value)))
            elif kind == "email":
                names.append(x509.RFC822Name(value))
            elif kind == "upn":
                names.append(x509.OtherName(_UPN, _utf8_string(value)))
            else:
                names.append(x509.DNSName(value))
    return names


def _utf8_string(text: str) -> bytes:
    """Return ``text`` as a DER UTF8String (X.690, 8.1.3 for the length)."""
    data = text.encode()
    n_bytes = len(data)
    if n_bytes < 128:
        return bytes((0x0C, n_bytes)) + data
    length = n_bytes.to_bytes((n_bytes.bit_length() + 7) // 8, "big")
    return bytes((0x0C, 0x80 | len(length))) + length + data


def open_authorities(folder: Path, *, at: float) -> CertificateAuthorities:
    """Return the CAs kept in ``folder``, made now if it holds none.

    Raises:
        SandboxError: What it holds cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = _open(folder, _ROOT, None, at)
    issuing = {
        name: _open(folder, name.rpartition("\\")[2], root, at)
        for name in (OLD_CA, NEW_CA)
    }
    return CertificateAuthorities(root=root, issuing=issuing)


def _open(folder: Path, name: str, issuer: Authority | None, at: float) -> Authority:
    stem = name.lower().replace(" ", "-")
    certificate_path, key_path = folder / f"{stem}.pem", folder / f"{stem}.key"
    if not certificate_path.exists() or not key_path.exists():
        made = _make(name, issuer, at)
        _write_private(key_path, made.key)
        certificate_path.write_bytes(made.certificate.public_bytes(Encoding.PEM))
        return made
    try:
        key = load_pem_private_key(key_path.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    except (OSError, ValueError, TypeError) as exc:
        raise SandboxError(f"{folder}: the CA {name} cannot be read: {exc}") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SandboxError(f"{key_path}: expected an EC key")
    return Authority(certificate, key)


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _make(name: str, issuer: Authority | None, at: float) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Corp (sandbox)"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    # The past reaches behind the first certificates of the fleet (395 days).
    year_s = 365 * 86_400.0
    past, future = (5, 20) if issuer is None else (2, 5)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_moment(at - past * year_s))
        .not_valid_after(_moment(at + future * year_s))
        .add_extension(
            x509.BasicConstraints(True, None if issuer is None else 0), critical=True
        )
        .add_extension(_usage(leaf=False), critical=True)
        .add_extension(_key_id(key.public_key()), critical=False)
        .add_extension(_issuer_id(issuer.key if issuer else key), critical=False)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    return Authority(certificate, key)
