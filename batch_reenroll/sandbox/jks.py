"""Java keystores (JKS, version 2): the container and its key protection.

Written from the public description of the format (the class comment of OpenJDK's
``JavaKeyStore`` and ``KeyProtector``): big-endian, an entry list, and a SHA-1 over
password, the words "Mighty Aphrodite" and the data. Its cryptography is weak; that is
why Java left it, and why it is here only to be like the stores that people have.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_MAGIC = 0xFEEDFEED
_VERSION = 2
_KEY_TAG = 1
_WHITENER = b"Mighty Aphrodite"
_DIGEST_BYTES = 20
#: AlgorithmIdentifier of Sun's key protector, 1.3.6.1.4.1.42.2.17.1.1 with NULL.
_PROTECTOR = bytes.fromhex("300e060a2b060104012a021101010500")
#: A keystore of ours is a few KiB; longer fields are a damaged file.
_MAX_FIELD_BYTES = 1_000_000


class BadKeystore(ValueError):
    """The bytes are no JKS keystore, or the password is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """One private key with its chain.

    Attributes:
        alias: Lower case, as Java keeps it.
        created_ms: Milliseconds since the epoch.
        key: PKCS#8 in DER, not encrypted.
        chain: Certificates in DER, leaf first, n >= 1.
    """

    alias: str
    created_ms: int
    key: bytes
    chain: tuple[bytes, ...]


def write_jks(entries: Sequence[KeyEntry], password: str) -> bytes:
    """Return a keystore with ``entries``; store and keys have the one password."""
    out = bytearray(struct.pack(">III", _MAGIC, _VERSION, len(entries)))
    for entry in entries:
        out += struct.pack(">I", _KEY_TAG)
        out += _text(entry.alias.lower())
        out += struct.pack(">Q", entry.created_ms)
        out += _block(_protect(entry.key, password))
        out += struct.pack(">I", len(entry.chain))
        for certificate in entry.chain:
            out += _text("X.509") + _block(certificate)
    return bytes(out) + _seal(bytes(out), password)


def read_jks(data: bytes, password: str) -> tuple[KeyEntry, ...]:
    """Return the key entries of a keystore, in the file's order.

    Raises:
        BadKeystore: Damaged, of another version, or not of this password.
    """
    body, seal = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not hmac.compare_digest(_seal(body, password), seal):
        raise BadKeystore("the keystore is damaged or its password is another")
    reader = _Reader(body)
    magic, version, count = reader.unpack(">III")
    if (magic, version) != (_MAGIC, _VERSION):
        raise BadKeystore("not a JKS keystore of version 2")
    return tuple(_read_entry(reader, password) for _ in range(count))


def _read_entry(reader: _Reader, password: str) -> KeyEntry:
    (tag,) = reader.unpack(">I")
    if tag != _KEY_TAG:
        raise BadKeystore("only private key entries are known here")
    alias = reader.text()
    (created_ms,) = reader.unpack(">Q")
    key = _unprotect(reader.block(), password)
    (count,) = reader.unpack(">I")
    chain = []
    for _ in range(count):
        reader.text()
        chain.append(reader.block())
    return KeyEntry(alias=alias, created_ms=created_ms, key=key, chain=tuple(chain))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, n_bytes: int) -> bytes:
        end = self._at + n_bytes
        if n_bytes > _MAX_FIELD_BYTES or end > len(self._data):
            raise BadKeystore("the keystore ends too early")
        chunk = self._data[self._at : end]
        self._at = end
        return chunk

    def unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def text(self) -> str:
        units = self.take(self.unpack(">H")[0]).decode("utf-8", "surrogatepass")
        return units.encode("utf-16-be", "surrogatepass").decode("utf-16-be")

    def block(self) -> bytes:
        return self.take(self.unpack(">I")[0])


def _text(text: str) -> bytes:
    # Java's modified UTF-8 differs for NUL and beyond the BMP only; aliases with
    # control characters are refused earlier, and each surrogate is written alone.
    utf16 = text.encode("utf-16-be", "surrogatepass")
    units = "".join(chr(unit) for (unit,) in struct.iter_unpack(">H", utf16))
    raw = units.encode("utf-8", "surrogatepass")
    return struct.pack(">H", len(raw)) + raw


def _block(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts)).digest()  # noqa: S324 - the format's digest


def _seal(body: bytes, password: str) -> bytes:
    return _sha1(password.encode("utf-16-be"), _WHITENER, body)


def _mask(data: bytes, secret: bytes, salt: bytes) -> bytes:
    """XOR ``data`` with the protector's key stream."""
    stream = bytearray()
    digest = salt
    while len(stream) < len(data):
        digest = _sha1(secret, digest)
        stream += digest
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def _protect(key: bytes, password: str) -> bytes:
    """Return ``key`` as Sun's EncryptedPrivateKeyInfo in DER."""
    secret = password.encode("utf-16-be")
    salt = secrets.token_bytes(_DIGEST_BYTES)
    sealed = salt + _mask(key, secret, salt) + _sha1(secret, key)
    return _der(0x30, _PROTECTOR + _der(0x04, sealed))


def _unprotect(data: bytes, password: str) -> bytes:
    content = _der_content(data, 0x30)
    if not content.startswith(_PROTECTOR):
        raise BadKeystore("the key is protected in another way")
    sealed = _der_content(content[len(_PROTECTOR) :], 0x04)
    secret = password.encode("utf-16-be")
    salt, check = sealed[:_DIGEST_BYTES], sealed[-_DIGEST_BYTES:]
    key = _mask(sealed[_DIGEST_BYTES:-_DIGEST_BYTES], secret, salt)
    if not hmac.compare_digest(_sha1(secret, key), check):
        raise BadKeystore("the key's password is another")
    return key


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(raw))) + raw + content


def _der_content(data: bytes, tag: int) -> bytes:
    if len(data) < 2 or data[0] != tag:
        raise BadKeystore("the protected key is damaged")
    if data[1] < 0x80:
        return data[2 : 2 + data[1]]
    n_bytes = data[1] & 0x7F
    size = int.from_bytes(data[2 : 2 + n_bytes], "big")
    return data[2 + n_bytes : 2 + n_bytes + size]
