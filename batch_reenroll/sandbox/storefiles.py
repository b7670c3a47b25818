"""Store files on disk: PEM with key, PKCS#12 and JKS, read and replaced whole."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.fleet import PlannedStore
from batch_reenroll.sandbox.jks import BadKeystore, KeyEntry, read_jks, write_jks
from batch_reenroll.sandbox.storetypes import StoreFormat

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

#: PKCS#12 key derivation rounds: few, because the passwords guard only the sandbox
#: and many stores are to be laid out (each costs three derivations to write).
_KDF_ROUNDS = 2_000


class BadStoreFile(SandboxError):
    """A store file cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreEntry:
    """One key with its certificates, leaf first, n >= 1."""

    alias: str
    key: PrivateKey
    chain: tuple[x509.Certificate, ...]


def file_path(root: Path, store: PlannedStore) -> Path:
    """Return where the store lies under ``root``: by machine, then by its own path."""
    return root / "stores" / store.machine / store.path.lstrip("/")


def write_store(
    path: Path, store: PlannedStore, entries: tuple[StoreEntry, ...]
) -> None:
    """Replace the file at ``path`` by one that holds ``entries``, all or nothing."""
    data = _WRITERS[store.file_format](entries, store.password)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_store(path: Path, store: PlannedStore) -> tuple[StoreEntry, ...]:
    """Return what the file at ``path`` holds.

    Raises:
        BadStoreFile: It is missing, damaged or locked with another password.
    """
    try:
        return _READERS[store.file_format](path.read_bytes(), store.password)
    except OSError as exc:
        raise BadStoreFile(f"Unable to read {store.path}: {exc.strerror}") from exc
    except (ValueError, TypeError, IndexError) as exc:
        raise BadStoreFile(f"{store.path} is no valid store: {exc}") from exc


def _pkcs8(key: PrivateKey, encoding: Encoding) -> bytes:
    return key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())


def _checked(key: object) -> PrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise BadKeystore("the store holds no EC or RSA key")
    return key


def _write_pem(entries: tuple[StoreEntry, ...], _password: str) -> bytes:
    """Write one key and its chain; the alias goes where ``openssl pkcs12`` puts it."""
    (entry,) = entries
    head = f"Bag Attributes\n    friendlyName: {entry.alias}\n".encode()
    parts = [_pkcs8(entry.key, Encoding.PEM)]
    parts += [item.public_bytes(Encoding.PEM) for item in entry.chain]
    return head + b"".join(parts)


def _read_pem(data: bytes, _password: str) -> tuple[StoreEntry, ...]:
    alias = ""
    for line in data.partition(b"-----BEGIN")[0].decode().splitlines():
        if line.strip().startswith("friendlyName:"):
            alias = line.partition(":")[2].strip()
    key = _checked(load_pem_private_key(data, None))
    chain = tuple(x509.load_pem_x509_certificates(data))
    return (StoreEntry(alias=alias, key=key, chain=chain),)


def _locked(password: str) -> KeySerializationEncryption:
    return (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_KDF_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(SHA256())
        .build(password.encode())
    )


def _write_pkcs12(entries: tuple[StoreEntry, ...], password: str) -> bytes:
    (entry,) = entries
    leaf, *rest = entry.chain
    return pkcs12.serialize_key_and_certificates(
        entry.alias.encode(), entry.key, leaf, rest, _locked(password)
    )


def _read_pkcs12(data: bytes, password: str) -> tuple[StoreEntry, ...]:
    bag = pkcs12.load_pkcs12(data, password.encode())
    if bag.cert is None:
        raise BadKeystore("the store holds no certificate")
    chain = (bag.cert.certificate, *(item.certificate for item in bag.additional_certs))
    alias = (bag.cert.friendly_name or b"").decode()
    return (StoreEntry(alias=alias, key=_checked(bag.key), chain=chain),)


def _write_jks(entries: tuple[StoreEntry, ...], password: str) -> bytes:
    return write_jks(
        [
            KeyEntry(
                alias=entry.alias,
                created_ms=int(entry.chain[0].not_valid_before_utc.timestamp() * 1000),
                key=_pkcs8(entry.key, Encoding.DER),
                chain=tuple(item.public_bytes(Encoding.DER) for item in entry.chain),
            )
            for entry in entries
        ],
        password,
    )


def _read_jks(data: bytes, password: str) -> tuple[StoreEntry, ...]:
    return tuple(
        StoreEntry(
            alias=entry.alias,
            key=_checked(load_der_private_key(entry.key, None)),
            chain=tuple(x509.load_der_x509_certificate(item) for item in entry.chain),
        )
        for entry in read_jks(data, password)
    )


_WRITERS = {
    StoreFormat.PEM: _write_pem,
    StoreFormat.PKCS12: _write_pkcs12,
    StoreFormat.JKS: _write_jks,
}
_READERS = {
    StoreFormat.PEM: _read_pem,
    StoreFormat.PKCS12: _read_pkcs12,
    StoreFormat.JKS: _read_jks,
}
