"""Key files and signatures, with real keys and with OpenSSL as a second reader."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from unit.evidence.signing import (
    KINDS,
    PASSPHRASE,
    certificate,
    certificate_pem,
    key,
    p12,
    pem,
    public_pem,
    signer,
)

from batch_reenroll.evidence.keyfile import public_keys, signer_from
from batch_reenroll.evidence.keys import KeyUnusable, Signer, fingerprint, holds

CONTENT = b'{\n  "version": 1\n}\n'


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_holds_for_its_key_and_its_bytes_alone(kind: str) -> None:
    made = signer(kind)
    signature = made.sign(CONTENT)
    (public,) = public_keys(made.public_pem)
    (other,) = public_keys(public_pem(key(kind, 2)))
    assert holds(public, signature, CONTENT)
    assert not holds(public, signature, CONTENT + b" ")
    assert not holds(public, signature[:-1] + bytes([signature[-1] ^ 1]), CONTENT)
    assert not holds(public, b"", CONTENT)
    assert not holds(other, signature, CONTENT)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ed25519", ("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "k", "-in")),
        ("p256", ("dgst", "-sha256", "-verify", "k")),
        ("p384", ("dgst", "-sha384", "-verify", "k")),
        (
            "rsa2048",
            ("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-verify", "k"),
        ),
    ],
)
def test_openssl_verifies_a_signature(
    tmp_path: Path, kind: str, words: tuple[str, ...]
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl")
    made = signer(kind)
    (tmp_path / "k").write_bytes(made.public_pem)
    (tmp_path / "c").write_bytes(CONTENT)
    (tmp_path / "s").write_bytes(made.sign(CONTENT))
    rest = ("c", "-sigfile", "s") if words[0] == "pkeyutl" else ("-signature", "s", "c")
    done = subprocess.run(
        [openssl, *words, *rest], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_encrypted_pem_opens_with_its_passphrase_alone() -> None:
    content = pem(key("p256"), PASSPHRASE)
    assert signer_from(content, PASSPHRASE).key_id == signer("p256").key_id
    with pytest.raises(KeyUnusable, match="passphrase is wrong"):
        signer_from(content, b"other")
    with pytest.raises(KeyUnusable, match="encrypted"):
        signer_from(content, None)


def test_a_passphrase_that_is_not_needed_does_no_harm() -> None:
    assert signer_from(pem(key("ed25519")), b"x").key_id == signer("ed25519").key_id


@pytest.mark.parametrize("kind", ["p256", "rsa2048", "ed25519"])
def test_an_identity_brings_its_certificate_and_chain(kind: str) -> None:
    found = signer_from(p12(key(kind), "Q. Auditor"), PASSPHRASE)
    assert found.subject == "CN=Q. Auditor"
    assert found.certificates_pem.count(b"BEGIN CERTIFICATE") == 2
    assert fingerprint(public_keys(found.certificates_pem)[0]) == found.key_id
    with pytest.raises(KeyUnusable, match="passphrase is wrong"):
        signer_from(p12(key(kind), "x"), b"other")
    with pytest.raises(KeyUnusable, match="encrypted"):
        signer_from(p12(key(kind), "x"), None)


def test_certificates_beside_a_pem_key_are_told_apart_by_the_key() -> None:
    own = certificate_pem(certificate(key("p256"), "me"))
    other = certificate_pem(certificate(key("p384"), "issuer"))
    found = signer_from(other + pem(key("p256")) + own, None)
    assert found.subject == "CN=me"
    assert found.certificates_pem == own + other


def test_what_cannot_sign_is_refused_with_a_reason() -> None:
    brainpool = ec.generate_private_key(ec.BrainpoolP256R1())
    short = rsa.generate_private_key(65537, 1024)
    refused = [
        (b"", "no private key"),
        (b"\x30\x03junk", "no private key"),
        (pem(brainpool), "brainpoolP256r1"),
        (pem(short), "1024 bits"),
        (public_pem(key("p256")), "no private key"),
    ]
    for content, why in refused:
        with pytest.raises(KeyUnusable, match=why):
            signer_from(content, None)


def test_nothing_of_a_key_is_in_texts_made_of_it() -> None:
    made = signer_from(pem(key("ed25519"), PASSPHRASE), PASSPHRASE)
    with pytest.raises(KeyUnusable) as refused:
        signer_from(pem(key("ed25519"), PASSPHRASE)[:-40] + b"x", PASSPHRASE)
    for text in (repr(made), str(refused.value), repr(refused.value.__cause__)):
        assert PASSPHRASE.decode() not in text
        assert "PRIVATE KEY" not in text
        assert "Ed25519PrivateKey" not in text


def test_a_file_of_several_keys_and_certificates_names_them_all() -> None:
    content = public_pem(key("p256")) + certificate_pem(certificate(key("p384"), "x"))
    found = {fingerprint(public) for public in public_keys(content)}
    assert found == {signer("p256").key_id, signer("p384").key_id}
    der = certificate(key("p256"), "x").public_bytes(serialization.Encoding.DER)
    assert fingerprint(public_keys(der)[0]) == signer("p256").key_id
    for junk in (
        b"",
        b"\x30junk",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ):
        with pytest.raises(KeyUnusable):
            public_keys(junk)


def test_the_fingerprint_is_of_the_key_and_not_of_its_certificate() -> None:
    one = Signer(private=key("p256"))
    other = Signer(private=key("p256"), certificate=certificate(key("p256"), "a"))
    assert one.key_id == other.key_id
    assert one.key_id.startswith("sha256:")
