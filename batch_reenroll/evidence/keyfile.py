"""Key files: private keys in PEM or PKCS#12, public keys, certificates."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from batch_reenroll.evidence.keys import (
    KeyUnusable,
    PrivateKey,
    PublicKey,
    Signer,
    checked_public,
    fingerprint,
)

_PRIVATE = (ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)

_PRIVATE_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL
)


def signer_from(content: bytes, passphrase: bytes | None) -> Signer:
    """Return the key in a PEM or PKCS#12 file.

    Args:
        content: The file's bytes. A PEM may hold certificates beside the key: the one
            that fits the key, and its chain.
        passphrase: Of the key, or None where it has none.

    Raises:
        KeyUnusable: It holds no key that signs here, or the passphrase is wrong.
    """
    try:
        block = _PRIVATE_BLOCK.search(content)
        if block is not None:
            key: object = _private_key(block.group(), passphrase)
            held = _certificates(content)
        else:
            found = pkcs12.load_pkcs12(content, passphrase)
            key = found.key
            own = [] if found.cert is None else [found.cert]
            held = [c.certificate for c in (*own, *found.additional_certs)]
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        # The library's own words may quote the file.
        raise KeyUnusable(_why(passphrase, exc)) from None
    if not isinstance(key, _PRIVATE):
        message = "it holds no private key of Ed25519, ECDSA or RSA"
        raise KeyUnusable(message)
    checked_public(key.public_key())
    return _signer(key, held)


def _private_key(block: bytes, passphrase: bytes | None) -> object:
    # A passphrase that is not needed is no fault: one variable may serve several keys.
    is_encrypted = b"ENCRYPTED" in block
    return serialization.load_pem_private_key(
        block, passphrase if is_encrypted else None
    )


def _why(passphrase: bytes | None, exc: Exception) -> str:
    if isinstance(exc, TypeError):
        return "it is encrypted, and no passphrase is given"
    if isinstance(exc, UnsupportedAlgorithm):
        return "its algorithm is not supported"
    given = "the passphrase is wrong, or " if passphrase else "it is encrypted, or "
    return f"{given}it is no private key in PEM or PKCS#12"


def _signer(key: PrivateKey, held: list[x509.Certificate]) -> Signer:
    key_id = fingerprint(key.public_key())
    own = [c for c in held if _key_id_of(c) == key_id]
    chain = tuple(c for c in held if c not in own)
    return Signer(private=key, certificate=own[0] if own else None, chain=chain)


def _key_id_of(certificate: x509.Certificate) -> str:
    try:
        return fingerprint(checked_public(certificate.public_key()))
    except (KeyUnusable, ValueError, UnsupportedAlgorithm):
        return ""


def public_keys(content: bytes) -> list[PublicKey]:
    """Return the keys that a file names: public keys or certificates, n >= 1.

    PEM, as many as there are, or one certificate in DER.

    Raises:
        KeyUnusable: It names none, or one that cannot be used.
    """
    try:
        keys: list[object] = [c.public_key() for c in _certificates(content)]
        keys += [
            serialization.load_pem_public_key(block)
            for block in _blocks(content, b"PUBLIC KEY")
        ]
    except (ValueError, UnsupportedAlgorithm) as exc:
        message = "a key in it cannot be read"
        raise KeyUnusable(message) from exc
    if not keys:
        message = "it holds neither a public key in PEM nor a certificate"
        raise KeyUnusable(message)
    return [checked_public(key) for key in keys]


def certificates(content: bytes) -> list[x509.Certificate]:
    """Return the PEM certificates in a file, n >= 1, the owner's first.

    Raises:
        KeyUnusable: There is none, or one cannot be read.
    """
    try:
        found = _certificates(content)
        for certificate in found:
            checked_public(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm) as exc:
        message = "a certificate in it cannot be read"
        raise KeyUnusable(message) from exc
    if not found:
        message = "it holds no PEM certificate"
        raise KeyUnusable(message)
    return found


#: What a certificate in DER begins with: an ASN.1 sequence.
_DER_MARK = b"\x30"


def _certificates(content: bytes) -> list[x509.Certificate]:
    if content.startswith(_DER_MARK):
        return [x509.load_der_x509_certificate(content)]
    return [
        x509.load_pem_x509_certificate(block)
        for block in _blocks(content, b"CERTIFICATE")
    ]


def _blocks(content: bytes, label: bytes) -> list[bytes]:
    """Return the PEM blocks with ``label``, each whole."""
    begin, end = b"-----BEGIN " + label + b"-----", b"-----END " + label + b"-----"
    found = []
    for part in content.split(begin)[1:]:
        body, closed, _ = part.partition(end)
        if closed:
            found.append(begin + body + end + b"\n")
    return found
