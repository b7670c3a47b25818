"""What is asked about certificates, and what is read of them."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from unit.command.scripted import PREFIXED, json_answer
from unit.command.test_client import client_of

from batch_reenroll.command.certificates import certificate
from batch_reenroll.command.dialect import Family
from batch_reenroll.command.query import MAX_QUERY_STRING_BYTES, encode
from batch_reenroll.errors import ContractViolation
from batch_reenroll.runner.ports import MAX_THUMBPRINTS

_FROM = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def _name(cn: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])


@pytest.fixture(scope="module")
def real() -> x509.Certificate:
    """A certificate with names of every kind that people ask for."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = [
        x509.DNSName("WWW.Example.com"),
        x509.DNSName("*.xn--strae-oqa.example"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        x509.RFC822Name("pki@example.com"),
        x509.UniformResourceIdentifier("https://example.com/a"),
        x509.OtherName(_UPN, b"\x0c\x0bu@CORP.test"),
        x509.DirectoryName(_name("elsewhere")),
    ]
    return (
        x509.CertificateBuilder()
        .subject_name(_name("www.example.com"))
        .issuer_name(_name("Corp Issuing CA 2"))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(_FROM)
        .not_valid_after(_FROM + dt.timedelta(days=47))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _listed(**more: object) -> dict[str, object]:
    return {
        "Id": 4,
        "Thumbprint": "AB" * 20,
        "IssuedDN": "CN=www.example.com",
        "IssuerDN": "CN=Corp Issuing CA 2, O=Example",
        "NotBefore": "2026-11-24T00:00:00",
        "NotAfter": "2027-01-10T00:00:00Z",
        "CertificateAuthorityName": r"ca01.example.com\Corp Issuing CA 2",
        "TemplateName": "WebServer",
        **more,
    }


@pytest.mark.parametrize("armour", [False, True])
def test_the_bytes_say_everything(real: x509.Certificate, armour: bool) -> None:
    der = base64.b64encode(real.public_bytes(Encoding.DER)).decode()
    pem = real.public_bytes(Encoding.PEM).decode()
    # The fields lie; the bytes count.
    lie = [{"Value": "other.example.com", "Type": 2}]
    facts = certificate(
        _listed(ContentBytes=pem if armour else der, SubjectAltNameElements=lie)
    )
    assert sorted(facts.sans or ()) == [
        *("directory:CN=elsewhere", "dns:*.straße.example", "dns:www.example.com"),
        *("email:pki@example.com", "ip:2001:db8::1", "upn:u@corp.test"),
        "uri:https://example.com/a",
    ]
    assert list(facts.ekus or ()) == ["1.3.6.1.5.5.7.3.1"]
    assert (facts.key_type, facts.key_bits) == ("RSA", 2048)
    assert len(facts.key_id) == 64
    assert facts.issuer_cn == "Corp Issuing CA 2"
    assert facts.not_before == _FROM


@pytest.mark.parametrize("content", ["", None, "bm8gY2VydGlmaWNhdGU=", "%%%"])
def test_without_bytes_the_fields_say_what_they_can(content: object) -> None:
    names = [
        {"Value": "WWW.example.com", "Type": 2},
        {"Value": "10.0.0.7", "Type": 7},
        {"Value": "u@corp.test", "Type": "100"},
        {"Value": "of no known kind", "Type": 5},
        "no object",
    ]
    facts = certificate(
        _listed(
            ContentBytes=content,
            SubjectAltNameElements=names,
            ExtendedKeyUsages=[{"Oid": "1.3.6.1.5.5.7.3.1"}],
            KeyTypeString="ECC",
            KeySizeInBits="256",
        )
    )
    names_read = sorted(facts.sans or ())
    assert names_read == ["dns:www.example.com", "ip:10.0.0.7", "upn:u@corp.test"]
    assert list(facts.ekus or ()) == ["1.3.6.1.5.5.7.3.1"]
    assert (facts.key_type, facts.key_bits, facts.key_id) == ("EC", 256, "")
    assert facts.issuer_cn == "Corp Issuing CA 2"
    assert facts.authority.endswith("Corp Issuing CA 2")


def test_an_empty_list_among_the_fields_is_nothing_known() -> None:
    facts = certificate(_listed(SubjectAltNameElements=[], ExtendedKeyUsages=None))
    assert (facts.sans, facts.ekus) == (None, None)


@pytest.mark.asyncio
@pytest.mark.parametrize("family", Family)
async def test_a_full_batch_is_one_request_that_iis_passes(family: Family) -> None:
    asked = [f"{n:040x}" for n in range(MAX_THUMBPRINTS)]
    rows: list[Any] = [_listed(Thumbprint=one.upper()) for one in asked]
    client, transport = client_of(json_answer(rows), dialect=family)
    found = await client.certificates(asked)
    assert [facts.thumbprint for facts in found] == asked
    (sent,) = transport.asked
    assert sent.path == "/Certificates"
    names = {name.rpartition(".")[2].lower(): v for name, v in sent.params.items()}
    assert (names["includeexpired"], names["includerevoked"]) == ("true", "true")
    assert len(encode(list(sent.params.items()))) <= MAX_QUERY_STRING_BYTES
    assert client.requests["other"] == 1


@pytest.mark.asyncio
async def test_certificates_that_nobody_asked_for_are_no_answer() -> None:
    others = json_answer([_listed(), _listed()], headers=PREFIXED)
    client, _ = client_of(others, dialect=Family.PREFIXED)
    with pytest.raises(ContractViolation, match="ignores QueryString"):
        await client.certificates(["cd" * 20])
