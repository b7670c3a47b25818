r"""A second person's approval of one plan, signed.

``PLAN.json.approval`` is one JSON object::

    {
      "format": "batch-reenroll approval 1",
      "plan_sha256": "…",                  64 hex digits: of the plan file's bytes
      "approver": "…",                     who approves, as they call themselves
      "approved_at": "2026-11-23T18:40:00.000Z",
      "key": "sha256:…",                   fingerprint of the key that signs
      "public_key": "-----BEGIN PUBLIC KEY-----…",
      "certificate": "-----BEGIN CERTIFICATE-----…",     where the key has one
      "signature": "…"                     base64
    }

The signature is raw (:mod:`batch_reenroll.evidence.keys`), over the canonical JSON
(RFC 8785) in UTF-8 of the object without ``signature``. It binds a key to a plan. That
the key is the approver's, only a reader knows who got the key from elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batch_reenroll.errors import PlanRefused
from batch_reenroll.evidence.canonical import NotCanonical, canonical, parsed
from batch_reenroll.evidence.keyfile import public_keys
from batch_reenroll.evidence.keys import KeyUnusable, Signer, fingerprint, holds
from batch_reenroll.text import parse_time, rfc3339, visible

FORMAT = "batch-reenroll approval 1"


_TEXTS = ("plan_sha256", "approver", "approved_at", "key", "public_key", "signature")
_MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approval whose signature holds.

    Attributes:
        plan_sha256: Of the plan that it approves.
        approver: As the approver's own file calls them, printable.
        approved_at: RFC 3339 UTC.
        key_id: Fingerprint of the key that signed it.
        text: The whole approval in canonical JSON.
    """

    plan_sha256: str
    approver: str
    approved_at: str
    key_id: str
    text: str


def approve(plan_sha256: str, approver: str, now_utc: datetime, signer: Signer) -> str:
    """Return the text of an approval file.

    Args:
        plan_sha256: Of the plan file's bytes.
        approver: Who approves; not empty.
        now_utc: Now, aware.
        signer: The approver's key.
    """
    value = {
        "format": FORMAT,
        "plan_sha256": plan_sha256,
        "approver": visible(approver.strip(), _MAX_NAME),
        "approved_at": rfc3339(now_utc),
        "key": signer.key_id,
        "public_key": signer.public_pem.decode(),
    }
    if signer.certificates_pem:
        value["certificate"] = signer.certificates_pem.decode()
    signature = signer.sign(canonical(value))
    value["signature"] = base64.b64encode(signature).decode()
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def read_approval(content: bytes) -> Approval:
    """Return the approval in a file, or in a journal's genesis.

    Raises:
        PlanRefused: It is none (code ``approval_unreadable``), or its signature does
            not hold (code ``approval_signature``).
    """
    value = _value(content)
    try:
        (key,) = public_keys(value["public_key"].encode())
        signature = base64.b64decode(value["signature"], validate=True)
        signed = canonical({k: v for k, v in value.items() if k != "signature"})
        text = canonical(value).decode()
    except (KeyUnusable, NotCanonical, binascii.Error, ValueError) as exc:
        raise _unreadable(str(exc)) from exc
    _check_certificate(value)
    if not holds(key, signature, signed):
        message = "the approval's signature does not hold: it was changed"
        raise PlanRefused(message, code="approval_signature", hint=_AGAIN)
    return Approval(
        plan_sha256=value["plan_sha256"],
        approver=visible(value["approver"], _MAX_NAME),
        approved_at=visible(value["approved_at"], _MAX_NAME),
        key_id=value["key"],
        text=text,
    )


def _check_certificate(value: Mapping[str, Any]) -> None:
    """Refuse an approval whose certificate is of another key."""
    pem = value.get("certificate", value["public_key"])
    try:
        same = fingerprint(public_keys(str(pem).encode())[0]) == value["key"]
    except KeyUnusable as exc:
        raise _unreadable(str(exc)) from exc
    if not same:
        raise _unreadable("its certificate, or its public key, is of another key")


def _value(content: bytes) -> Mapping[str, Any]:
    try:
        value = parsed(content)
    except NotCanonical as exc:
        raise _unreadable(str(exc)) from exc
    if value.get("format") != FORMAT:
        found = visible(str(value.get("format")), _MAX_NAME)
        raise _unreadable(f"its format is {found!r}, expected {FORMAT!r}")
    wrong = [name for name in _TEXTS if not isinstance(value.get(name), str)]
    if wrong:
        raise _unreadable(f"it has no text {', '.join(wrong)}")
    if parse_time(value["approved_at"]) is None:
        raise _unreadable("approved_at names no time")
    if not value["approver"].strip():
        raise _unreadable("it names no approver")
    return value


_AGAIN = "approve it again: batch-reenroll plan --approve PLAN.json --sign KEY"


def _unreadable(why: str) -> PlanRefused:
    message = f"the approval cannot be read: {why}"
    return PlanRefused(message, code="approval_unreadable", hint=_AGAIN)


def check_approval(
    approval: Approval,
    *,
    plan_sha256: str,
    requesters: Iterable[str],
    requester_key: str,
    trusted: Iterable[str],
) -> None:
    """Refuse an approval that is not a second person's, of this plan.

    Args:
        approval: As read.
        plan_sha256: Of the plan that is to be carried out.
        requesters: Names of who asked for it, planned it and runs it.
        requester_key: Fingerprint of the key that the run signs with, or "".
        trusted: Fingerprints of keys that may approve; empty = any.

    Raises:
        PlanRefused: With one of the codes ``approval_other_plan``,
            ``approval_untrusted``, ``approval_same_person``.
    """
    if approval.plan_sha256 != plan_sha256:
        message = (
            f"the approval is of another plan: {approval.plan_sha256}, "
            f"not {plan_sha256}"
        )
        raise PlanRefused(message, code="approval_other_plan", hint=_AGAIN)
    known = frozenset(trusted)
    if known and approval.key_id not in known:
        message = (
            f"the plan is approved by {approval.approver} with the key "
            f"{approval.key_id}, which is not a trusted approver's"
        )
        raise PlanRefused(message, code="approval_untrusted")
    same = [name for name in requesters if is_same_person(name, approval.approver)]
    if approval.key_id == requester_key:
        same.append("the key that signs this run")
    if same:
        who = ", ".join(dict.fromkeys(visible(name, _MAX_NAME) for name in same))
        message = (
            f"the plan is approved by {approval.approver}, who also asks for it ({who})"
        )
        hint = "a second person must approve it"
        raise PlanRefused(message, code="approval_same_person", hint=hint)


def is_same_person(one: str, other: str) -> bool:
    r"""Return whether two names may mean one person; empty names mean nobody.

    ``CORP\alice``, ``alice@corp.example`` and ``Alice`` may: an approval that is
    refused once too often costs a word, one that a person gives themselves costs more.
    """
    names = (_accounts(one), _accounts(other))
    return bool(names[0] & names[1])


def _accounts(name: str) -> set[str]:
    # Characters that show nothing (zero width, soft hyphens) make no other person.
    shown = "".join(c for c in name if unicodedata.category(c) != "Cf")
    whole = " ".join(unicodedata.normalize("NFKC", shown).casefold().split())
    return {whole, whole.rpartition("\\")[2].partition("@")[0]} - {""}
