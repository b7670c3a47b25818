"""Store works with real keys, real CSRs, a real CA and real files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from batch_reenroll.sandbox.ca import (
    TEMPLATE_NAME,
    CertificateAuthorities,
    Denied,
    alternative_names,
    subject_name,
)
from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.fleet import PlannedStore
from batch_reenroll.sandbox.names import (
    OIDS,
    BadSubject,
    common_name,
    parse_subject,
    render,
)
from batch_reenroll.sandbox.policy import OLD_CA, KeyKind
from batch_reenroll.sandbox.storefiles import (
    BadStoreFile,
    PrivateKey,
    StoreEntry,
    file_path,
    read_store,
    write_store,
)
from batch_reenroll.sandbox.storetypes import StoreFormat
from batch_reenroll.sandbox.works import (
    SAN_TYPES,
    Certificate,
    Enrolled,
    Entry,
    Inventoried,
    InventoryOrder,
    Order,
    ReenrollOrder,
    WorkFailed,
    WorkResult,
    alias_fault,
    first_times,
    issue_times,
    kept_alias,
    san_fault,
)

_NAMES = {oid: name for name, oid in OIDS.items() if name not in ("S", "EMAILADDRESS")}


def make_key(kind: KeyKind) -> PrivateKey:
    """Return a fresh key; RSA takes some 60 ms, EC a tenth of one."""
    if kind is KeyKind.EC_P256:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class RealWorks:
    """Stores as files under one folder.

    Safe to call from several threads for different stores.
    """

    def __init__(self, root: Path, authorities: CertificateAuthorities) -> None:
        self._root = root
        self._authorities = authorities

    def lay_out(self, store: PlannedStore, *, at: float) -> tuple[Entry, ...]:
        """Make the store file unless it is there; return what it holds.

        Raises:
            SandboxError: It cannot be written or read.
        """
        path = file_path(self._root, store)
        if path.exists():
            return _described(read_store(path, store))
        key = make_key(store.template.key)
        not_before, not_after = first_times(store, at)
        chain = self._authorities.issue(
            _csr(key, store.subject, {"dns": store.sans}),
            authority=OLD_CA,
            template=None,
            not_before=not_before,
            not_after=not_after,
        )
        alias = kept_alias(store, store.alias, _thumbprint(chain[0]))
        entries = (StoreEntry(alias=alias, key=key, chain=chain),)
        try:
            write_store(path, store, entries)
        except OSError as exc:
            raise SandboxError(f"{path}: {exc.strerror}") from exc
        return _described(entries)

    def perform(self, order: Order) -> WorkResult:
        """Carry ``order`` out; what it asks in vain is a :class:`WorkFailed`."""
        path = file_path(self._root, order.store)
        try:
            if isinstance(order, InventoryOrder):
                return Inventoried(entries=_described(read_store(path, order.store)))
            return self._reenroll(order, path)
        except BadSubject as exc:
            return WorkFailed(message=f"Unable to create a CSR: {exc}")
        except (BadStoreFile, Denied) as exc:
            return WorkFailed(message=str(exc))
        except OSError as exc:
            return WorkFailed(
                message=f"Unable to write {order.store.path}: {exc.strerror}"
            )

    def _reenroll(self, order: ReenrollOrder, path: Path) -> WorkResult:
        if fault := alias_fault(order.alias) or san_fault(order.sans):
            return WorkFailed(message=fault)
        key = make_key(order.template.key)
        try:
            csr = _csr(key, order.subject, order.sans)
        except BadSubject:
            raise
        except ValueError as exc:
            return WorkFailed(message=f"Unable to create a CSR: {exc}")
        not_before, not_after = issue_times(order)
        chain = self._authorities.issue(
            csr,
            authority=order.authority,
            template=order.template,
            not_before=not_before,
            not_after=not_after,
        )
        alias = kept_alias(order.store, order.alias, _thumbprint(chain[0]))
        fresh = StoreEntry(alias=alias, key=key, chain=chain)
        rest: tuple[StoreEntry, ...] = ()
        if order.store.file_format is StoreFormat.JKS:
            held = read_store(path, order.store)
            rest = tuple(entry for entry in held if entry.alias != fresh.alias)
        write_store(path, order.store, (*rest, fresh))
        return Enrolled(certificate=_certificate(chain[0]), alias=alias)


def _csr(
    key: PrivateKey, subject: str, sans: Mapping[str, Iterable[str]]
) -> x509.CertificateSigningRequest:
    """Return a signed request.

    undocumented: without SANs in the request, the CN becomes a DNS name when it can.
    """
    names = alternative_names(sans)
    if not names:
        cn = common_name(parse_subject(subject)) or ""
        if cn.isascii() and "." in cn and " " not in cn:
            names = [x509.DNSName(cn)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        subject_name(subject)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
    return builder.sign(key, hashes.SHA256())


def _described(entries: tuple[StoreEntry, ...]) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            alias=entry.alias,
            certificates=tuple(_certificate(item) for item in entry.chain),
        )
        for entry in entries
    )


# Every store holds one of few CA certificates, which is read and kept once.
@lru_cache(maxsize=64)
def _certificate(item: x509.Certificate) -> Certificate:
    # Windows calls them so, and Command is a Windows program.
    algorithm = item.signature_algorithm_oid
    return Certificate(
        subject=_dn(item.subject),
        issuer=_dn(item.issuer),
        serial=f"{item.serial_number:X}",
        not_before=_seconds(item.not_valid_before_utc),
        not_after=_seconds(item.not_valid_after_utc),
        algorithm=_ALGORITHMS.get(algorithm.dotted_string, algorithm.dotted_string),
        thumbprint=_thumbprint(item),
        names=tuple(_names(item)),
        usages=_usages(item),
        **_key_of(item),
        template=_template_of(item),
        content=item.public_bytes(Encoding.DER),
    )


def _names(item: x509.Certificate) -> Iterable[tuple[int, str]]:
    for name in _extension(item, x509.SubjectAlternativeName) or ():
        match name:
            case x509.IPAddress():
                yield SAN_TYPES["ip4"], str(name.value)
            case x509.RFC822Name():
                yield SAN_TYPES["email"], name.value
            case x509.DNSName():
                yield SAN_TYPES["dns"], name.value
            case x509.OtherName():
                yield SAN_TYPES["upn"], name.value[2:].decode("utf-8", "replace")


def _usages(item: x509.Certificate) -> tuple[str, ...]:
    usages = _extension(item, x509.ExtendedKeyUsage) or ()
    return tuple(usage.dotted_string for usage in usages)


E = TypeVar("E", bound=x509.ExtensionType)


def _extension(item: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return item.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _key_of(item: x509.Certificate) -> dict[str, Any]:
    key = item.public_key()
    is_rsa = isinstance(key, rsa.RSAPublicKey)
    bits = key.key_size if isinstance(key, rsa.RSAPublicKey) else 256
    return {"key_type": "RSA" if is_rsa else "ECC", "key_bits": bits}


def _template_of(item: x509.Certificate) -> str:
    for extension in item.extensions:
        if extension.oid == TEMPLATE_NAME:
            value = extension.value
            assert isinstance(value, x509.UnrecognizedExtension)  # noqa: S101
            return value.value[2:].decode("utf-16-be", "replace")
    return ""


def _thumbprint(item: x509.Certificate) -> str:
    return item.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303


_ALGORITHMS = {
    "1.2.840.10045.4.3.2": "sha256ECDSA",
    "1.2.840.113549.1.1.11": "sha256RSA",
}


def _seconds(moment: dt.datetime) -> float:
    return moment.timestamp()


def _dn(name: x509.Name) -> str:
    """Return a name as Windows prints it, most specific RDN first."""
    return render(
        [
            tuple(
                (
                    _NAMES.get(item.oid.dotted_string, item.oid.dotted_string),
                    _value(item),
                )
                for item in rdn
            )
            for rdn in reversed(name.rdns)
        ]
    )


def _value(item: x509.NameAttribute[str | bytes]) -> str:
    return item.value if isinstance(item.value, str) else item.value.hex()
