"""Real keys for tests, made once each: generating them is the slow part."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from unit.ledger.books import NOW

from batch_reenroll.evidence.keyfile import signer_from
from batch_reenroll.evidence.keys import PrivateKey, Signer

PASSPHRASE = b"hunter2-never-shown"
KINDS = ("ed25519", "p256", "p384", "p521", "rsa2048")


def key(kind: str, number: int = 1) -> PrivateKey:
    """Return a key of its kind; another one for another number."""
    return _key(kind, number)


@cache
def _key(kind: str, number: int) -> PrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


def pem(private: PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return the private key as PKCS#8 PEM."""
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption(),
    )


def public_pem(private: PrivateKey) -> bytes:
    """Return the public key as PEM."""
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def certificate(
    private: PrivateKey, name: str, *, begins: datetime = NOW - timedelta(days=1)
) -> x509.Certificate:
    """Return a certificate over the key, of itself, for two years from ``begins``."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    algorithm = (
        None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(4711)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=730))
        .sign(private, algorithm)
    )


def certificate_pem(of: x509.Certificate) -> bytes:
    """Return the certificate as PEM."""
    return of.public_bytes(serialization.Encoding.PEM)


def p12(private: PrivateKey, name: str, passphrase: bytes | None = PASSPHRASE) -> bytes:
    """Return a PKCS#12 identity, with an issuer beside it."""
    issuer = certificate(key("p384", 99), "Corp CA")
    return pkcs12.serialize_key_and_certificates(
        name.encode(),
        private,
        certificate(private, name),
        [issuer],
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption(),
    )


def signer(kind: str = "ed25519", number: int = 1) -> Signer:
    """Return a bare key as a signer."""
    return signer_from(pem(key(kind, number)), None)
