"""A throw-away certificate authority for TLS tests on loopback."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

_START = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
_END = _START + dt.timedelta(days=30)


@dataclass(frozen=True)
class Authority:
    folder: Path
    ca_path: Path
    key: ec.EllipticCurvePrivateKey
    cert: x509.Certificate

    def issue(self, name: str) -> tuple[Path, Path]:
        """Write a leaf for ``name`` and its key; return both paths."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = (
            _builder(name, self.cert.subject, key)
            .add_extension(
                x509.SubjectAlternativeName([_general_name(name)]), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )
        cert_path = self.folder / f"{name}.pem"
        key_path = self.folder / f"{name}.key"
        cert_path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert_path, key_path

    def issue_pkcs12(self, name: str, password: str) -> Path:
        """Write a leaf for ``name``, its key and our CA as one PKCS#12 file."""
        cert_path, key_path = self.issue(name)
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        path = self.folder / f"{name}.pfx"
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(
                name.encode(),
                key,
                x509.load_pem_x509_certificate(cert_path.read_bytes()),
                [self.cert],
                serialization.BestAvailableEncryption(password.encode()),
            )
        )
        return path

    def server_context(self, name: str) -> ssl.SSLContext:
        """Return a server's context with a certificate for ``name``."""
        cert, key = self.issue(name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


def make_authority(folder: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Test CA")
    cert = (
        _builder("Test CA", name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "ca.pem"
    path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    return Authority(folder=folder, ca_path=path, key=key, cert=cert)


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_START)
        .not_valid_after(_END)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
