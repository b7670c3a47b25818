"""The CA refuses what it must, and keeps its keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from batch_reenroll.sandbox import SandboxError
from batch_reenroll.sandbox.ca import (
    CertificateAuthorities,
    Denied,
    open_authorities,
    subject_name,
)
from batch_reenroll.sandbox.policy import NEW_CA, WEB_SERVER, WEB_SERVER_RSA, Template

AT = 1_800_000_000.0


@pytest.fixture
def authorities(tmp_path: Path) -> CertificateAuthorities:
    return open_authorities(tmp_path / "ca", at=AT)


def request_for(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder(subject_name("CN=a.example.com"))
    return builder.sign(key, hashes.SHA256())


def issue(
    authorities: CertificateAuthorities,
    request: x509.CertificateSigningRequest,
    template: Template,
) -> x509.Certificate:
    return authorities.issue(
        request,
        authority=NEW_CA,
        template=template,
        not_before=AT,
        not_after=AT + 86_400,
    )[0]


def test_serial_numbers_do_not_repeat(authorities: CertificateAuthorities) -> None:
    request = request_for(ec.generate_private_key(ec.SECP256R1()))
    serials = {issue(authorities, request, WEB_SERVER).serial_number for _ in range(50)}

    assert len(serials) == 50


@pytest.mark.parametrize(
    ("curve", "template"),
    [(ec.SECP384R1(), WEB_SERVER), (ec.SECP256R1(), WEB_SERVER_RSA)],
)
def test_a_key_that_does_not_fit_the_template_is_refused(
    authorities: CertificateAuthorities, curve: ec.EllipticCurve, template: Template
) -> None:
    with pytest.raises(Denied, match=template.name):
        issue(authorities, request_for(ec.generate_private_key(curve)), template)


def test_a_request_that_was_tampered_with_is_refused(
    authorities: CertificateAuthorities,
) -> None:
    request = request_for(ec.generate_private_key(ec.SECP256R1()))
    der = request.public_bytes(Encoding.DER).replace(b"a.example", b"b.example")

    with pytest.raises(Denied, match="signature"):
        issue(authorities, x509.load_der_x509_csr(der), WEB_SERVER)


def test_the_keys_are_kept_and_private(tmp_path: Path) -> None:
    first = open_authorities(tmp_path, at=AT)
    again = open_authorities(tmp_path, at=AT + 1)

    assert again.root.certificate == first.root.certificate
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.key")}
    assert modes == {0o600}


@pytest.mark.parametrize("suffix", ["key", "pem"])
def test_a_damaged_ca_is_said_so(tmp_path: Path, suffix: str) -> None:
    open_authorities(tmp_path, at=AT)
    (tmp_path / f"corp-root-ca.{suffix}").write_text("damaged")

    with pytest.raises(SandboxError, match="Corp Root CA"):
        open_authorities(tmp_path, at=AT)
