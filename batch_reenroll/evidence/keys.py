"""Keys that sign evidence and approvals, and the signatures they make.

A signature is *detached* and *raw*, over a file's exact bytes, so that stock tools
check it as well:

====================  =========================================  ==================
key                   signature                                  size
====================  =========================================  ==================
Ed25519               RFC 8032, of the bytes themselves          64 bytes
ECDSA P-256           SHA-256, ASN.1 DER (X9.62)                 70 to 72 bytes
ECDSA P-384, P-521    SHA-384, SHA-512, ASN.1 DER                up to 139 bytes
RSA >= 2048 bits      RSASSA-PSS, SHA-256, salt of 32 bytes      as the modulus
====================  =========================================  ==================

``openssl pkeyutl -verify -rawin -pubin -inkey evidence.pub.pem -in evidence.json
-sigfile evidence.json.sig`` (Ed25519), or ``openssl dgst -sha256 -verify
evidence.pub.pem -signature evidence.json.sig evidence.json`` (P-256).

RSA is taken because the identities that a company's CA issues as PKCS#12 often hold
such a key. A key is known by its *fingerprint*: ``sha256:`` and the SHA-256 of its
SubjectPublicKeyInfo in DER, 64 hex digits. No text made here holds a private key or a
passphrase.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_PUBLIC = (ed25519.Ed25519PublicKey, ec.EllipticCurvePublicKey, rsa.RSAPublicKey)

#: The curves of FIPS 186-5 that X.509 tools know, each with the hash of its size.
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}
#: NIST SP 800-131A: shorter RSA keys sign nothing any more.
_MIN_RSA_BITS = 2048


class KeyUnusable(ValueError):
    """A key file cannot be used; says why, and nothing of what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key, with the certificate that names its owner where there is one.

    Attributes:
        private: The key itself; never shown.
        certificate: The owner's, or None.
        chain: What issued it, as far as the identity holds it.
    """

    private: PrivateKey = field(repr=False)
    certificate: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def key_id(self) -> str:
        """The public key's fingerprint."""
        return fingerprint(self.private.public_key())

    @property
    def subject(self) -> str:
        """The certificate's subject (RFC 4514), or ""."""
        return "" if self.certificate is None else subject_of(self.certificate)

    @property
    def public_pem(self) -> bytes:
        """The public key as PEM."""
        return public_pem(self.private.public_key())

    @property
    def certificates_pem(self) -> bytes:
        """The certificate and its chain as PEM, or ``b""``."""
        found = () if self.certificate is None else (self.certificate, *self.chain)
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in found)

    def sign(self, content: bytes) -> bytes:
        """Return the raw signature of ``content``."""
        key = self.private
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(content)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(content, ec.ECDSA(_HASHES[key.curve.name]()))
        return key.sign(content, _pss(), hashes.SHA256())


def checked_public(key: object) -> PublicKey:
    """Return ``key`` if signatures of it count here.

    Raises:
        KeyUnusable: Another algorithm, another curve, or too short.
    """
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in _HASHES:
        message = f"the curve {key.curve.name} is not one of P-256, P-384, P-521"
        raise KeyUnusable(message)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        message = f"an RSA key of {key.key_size} bits, expected >= {_MIN_RSA_BITS}"
        raise KeyUnusable(message)
    if not isinstance(key, _PUBLIC):
        message = "the key is neither Ed25519 nor ECDSA nor RSA"
        raise KeyUnusable(message)
    return key


def holds(key: PublicKey, signature: bytes, content: bytes) -> bool:
    """Return whether ``signature`` is the key's, of ``content``."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(_HASHES[key.curve.name]()))
        else:
            key.verify(signature, content, _pss(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def fingerprint(key: PublicKey) -> str:
    """Return ``sha256:`` and the SHA-256 of the key's SubjectPublicKeyInfo."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def public_pem(key: PublicKey) -> bytes:
    """Return the key as PEM."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def subject_of(certificate: x509.Certificate) -> str:
    """Return the certificate's subject (RFC 4514)."""
    return certificate.subject.rfc4514_string()


def is_valid_at(certificate: x509.Certificate, moment: datetime) -> bool:
    """Return whether ``moment``, aware, lies within the certificate's validity."""
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _pss() -> padding.PSS:
    return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
