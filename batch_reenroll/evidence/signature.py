"""Who signed ``evidence.json``, and whether that is who it should be.

``evidence.json.sig`` is a raw signature over the file's exact bytes
(:mod:`batch_reenroll.evidence.keys`). Beside it stands the public key,
``evidence.pub.pem``, or the signer's certificate and its chain, ``evidence.cert.pem``.
Both come from whoever wrote the folder: only a key that the reader knows from
elsewhere says who that was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509

from batch_reenroll.evidence.document import (
    CERTIFICATE,
    EVIDENCE,
    PUBLIC_KEY,
    SIGNATURE,
)
from batch_reenroll.evidence.findings import Faults
from batch_reenroll.evidence.keyfile import certificates, public_keys
from batch_reenroll.evidence.keys import (
    KeyUnusable,
    PublicKey,
    Signer,
    fingerprint,
    holds,
    is_valid_at,
    subject_of,
)
from batch_reenroll.text import parse_time, visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What the signature says.

    Attributes:
        by: Fingerprint of the key that made it; "" where there is no valid one.
        subject: The certificate's subject, printable; "" where there is none.
        is_pinned: The key is one that the reader trusts.
    """

    by: str = ""
    subject: str = ""
    is_pinned: bool = False


def signature_files(evidence: bytes, signer: Signer) -> dict[str, bytes]:
    """Return the files that stand beside a signed ``evidence.json``.

    Args:
        evidence: Its exact bytes.
        signer: Who signs it.
    """
    files = {SIGNATURE: signer.sign(evidence)}
    if signer.certificates_pem:
        files[CERTIFICATE] = signer.certificates_pem
    else:
        files[PUBLIC_KEY] = signer.public_pem
    return files


def check_signature(
    files: Mapping[str, bytes],
    trusted: Mapping[str, PublicKey],
    written_at: str,
    faults: Faults,
) -> Signed:
    """Check the signature as far as there is one.

    Args:
        files: Bytes of ``evidence.json`` and of what stands beside it, by name.
        trusted: Keys that the reader trusts, by fingerprint; empty = nobody is
            pinned, and no signature is asked for.
        written_at: When ``evidence.json`` says that it was written.
        faults: Where faults go.
    """
    signature = files.get(SIGNATURE)
    if signature is None:
        if trusted or {PUBLIC_KEY, CERTIFICATE} & set(files):
            message = "evidence.json is not signed, or its signature was taken away"
            faults.add("signature_missing", SIGNATURE, None, message)
        return Signed()
    named, certificate = _signer(files, faults)
    candidates = [named] if named is not None else list(trusted.values())
    if not candidates:
        message = "the key that made it is not there"
        faults.add("signer_missing", SIGNATURE, None, message)
        return Signed()
    content = files.get(EVIDENCE, b"")
    made_by = next((key for key in candidates if holds(key, signature, content)), None)
    if made_by is None:
        message = "it is no signature of this evidence.json by that key"
        expected = " or ".join(map(fingerprint, candidates))
        faults.add("signature_wrong", SIGNATURE, None, message, expected=expected)
        return Signed()
    by = fingerprint(made_by)
    if trusted and by not in trusted:
        message = "it is signed, but not by a trusted key"
        expected = " or ".join(sorted(trusted))
        faults.add(
            "signer_untrusted", SIGNATURE, None, message, expected=expected, found=by
        )
    if certificate is not None:
        _check_validity(certificate, written_at, faults)
    subject = "" if certificate is None else visible(subject_of(certificate), 300)
    return Signed(by=by, subject=subject, is_pinned=by in trusted)


def _signer(
    files: Mapping[str, bytes], faults: Faults
) -> tuple[PublicKey | None, x509.Certificate | None]:
    """Return the key that the folder names, and the certificate that holds it."""
    name = CERTIFICATE if CERTIFICATE in files else PUBLIC_KEY
    if name not in files:
        return None, None
    try:
        key = public_keys(files[name])[0]
        return key, certificates(files[name])[0] if name == CERTIFICATE else None
    except KeyUnusable as exc:
        faults.add("signer_unreadable", name, None, str(exc))
    return None, None


def _check_validity(
    certificate: x509.Certificate, written_at: str, faults: Faults
) -> None:
    moment = parse_time(written_at)
    if moment is not None and not is_valid_at(certificate, moment):
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        message = "the certificate was not valid when evidence.json was written"
        faults.add(
            "certificate_not_valid",
            CERTIFICATE,
            None,
            message,
            expected=f"{begin.isoformat()} to {end.isoformat()}",
            found=written_at,
        )
