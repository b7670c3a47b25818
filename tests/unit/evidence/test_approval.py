"""An approval counts for one plan, by one key, of a second person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from unit.evidence.making import PURPOSE, checked, codes, made
from unit.evidence.signing import key, p12, public_pem, signer
from unit.ledger.books import DIGESTS, NOW

from batch_reenroll.errors import PlanRefused
from batch_reenroll.evidence.approval import (
    Approval,
    approve,
    check_approval,
    is_same_person,
    read_approval,
)
from batch_reenroll.evidence.keyfile import public_keys, signer_from
from batch_reenroll.evidence.keys import Signer, fingerprint

PLAN = DIGESTS[1]


def approval(by: str = "cab", signs: Signer | None = None) -> Approval:
    return read_approval(approve(PLAN, by, NOW, signs or signer()).encode())


def refusal(given: Approval, **changes: Any) -> str:
    """Return the code with which an approval is refused, "" where it counts."""
    asked: dict[str, Any] = {
        "plan_sha256": PLAN,
        "requesters": ("pki-team", "j.doe"),
        "requester_key": signer("p256").key_id,
        "trusted": (),
        **changes,
    }
    try:
        check_approval(given, **asked)
    except PlanRefused as exc:
        return exc.code
    return ""


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_what_was_approved_is_read_back(kind: str) -> None:
    found = approval(by=" Q. Officer ", signs=signer(kind))
    assert (found.plan_sha256, found.approver) == (PLAN, "Q. Officer")
    assert found.approved_at == "2026-11-23T18:40:00.000Z"
    assert found.key_id == signer(kind).key_id
    assert read_approval(found.text.encode()) == found


def test_an_identity_puts_its_certificate_into_the_approval() -> None:
    identity = signer_from(p12(key("p256"), "Q. Officer", None), None)
    text = approve(PLAN, identity.subject, NOW, identity)
    assert read_approval(text.encode()).approver == "CN=Q. Officer"
    value = json.loads(text)
    value["certificate"] = signer_from(p12(key("p384"), "x", None), None)
    value["certificate"] = value["certificate"].certificates_pem.decode()
    with pytest.raises(PlanRefused, match="another key"):
        read_approval(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plan_sha256", "c" * 64),
        ("approver", "somebody else"),
        ("approved_at", "2026-11-24T18:40:00.000Z"),
        ("more", "x"),
    ],
)
def test_a_word_that_was_changed_breaks_the_signature(name: str, value: str) -> None:
    said = json.loads(approve(PLAN, "cab", NOW, signer()))
    with pytest.raises(PlanRefused) as refused:
        read_approval(json.dumps({**said, name: value}).encode())
    assert refused.value.code == "approval_signature"


def test_another_key_under_the_same_words_breaks_it_too() -> None:
    said = json.loads(approve(PLAN, "cab", NOW, signer()))
    for change in (
        {"public_key": public_pem(key("p256")).decode()},
        {"key": signer("p256").key_id},
    ):
        with pytest.raises(PlanRefused):
            read_approval(json.dumps({**said, **change}).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff",
        b"[1]",
        b'{"format": "batch-reenroll approval 1"}',
        b'{"format": "batch-reenroll approval 2"}',
        json.dumps(
            {**json.loads(approve(PLAN, "cab", NOW, signer())), "signature": "?"}
        ).encode(),
        json.dumps(
            {**json.loads(approve(PLAN, "cab", NOW, signer())), "approved_at": "x"}
        ).encode(),
        json.dumps(
            {**json.loads(approve(PLAN, "cab", NOW, signer())), "approver": 7}
        ).encode(),
    ],
)
def test_what_is_no_approval_is_refused(content: bytes) -> None:
    with pytest.raises(PlanRefused) as refused:
        read_approval(content)
    assert refused.value.code == "approval_unreadable"


def test_an_approval_counts_for_its_own_plan_alone() -> None:
    assert refusal(approval()) == ""
    assert refusal(approval(), plan_sha256="c" * 64) == "approval_other_plan"


def test_nobody_approves_what_they_ask_for() -> None:
    assert refusal(approval(by="PKI-Team")) == "approval_same_person"
    assert refusal(approval(by="CORP\\J.Doe")) == "approval_same_person"
    assert refusal(approval(signs=signer("p256"))) == "approval_same_person"


def test_a_trusted_list_decides_whose_key_counts() -> None:
    (other,) = public_keys(public_pem(key("p384")))
    trusted = (fingerprint(other), signer().key_id)
    assert refusal(approval(), trusted=trusted) == ""
    assert refusal(approval(), trusted=trusted[:1]) == "approval_untrusted"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("alice", "Alice", True),
        ("CORP\\alice", "alice", True),
        ("alice@corp.example", "ALICE", True),
        ("Alice  Smith", "alice smith", True),
        ("ａｌｉｃｅ", "alice", True),
        ("alice", "bob", False),
        ("", "", False),
        ("", "alice", False),
        ("CN=Alice", "CN=Bob", False),
    ],
)
def test_who_may_be_one_person(one: str, other: str, same: bool) -> None:
    assert is_same_person(one, other) is same
    assert is_same_person(other, one) is same


# -- in the journal --------------------------------------------------------------------


@cache
def approved(**changes: str) -> Mapping[str, bytes]:
    """Return a report folder whose genesis holds an approval."""
    given = approval()
    said = {
        "approved_by": given.approver,
        "approved_at": given.approved_at,
        "approval_key": given.key_id,
        "approval": given.text,
    }
    return made(purpose={**PURPOSE, **said, **changes})


def test_the_approval_is_in_every_report_and_is_checked_again() -> None:
    files = approved()
    found, faults = checked(files)
    assert faults == []
    assert found.approval is not None
    assert (found.approval.approver, found.is_approver_pinned) == ("cab", False)
    summary = json.loads(files["summary.json"])["approval"]
    assert summary == {
        "approved_by": "cab",
        "approved_at": "2026-11-23T18:40:00.000Z",
        "key": signer().key_id,
    }
    for name in ("evidence.json", "report.html", "report.md"):
        assert signer().key_id.encode() in files[name], name


def test_the_reader_can_pin_who_approved() -> None:
    (own,), (other,) = (
        public_keys(public_pem(key(kind))) for kind in ("ed25519", "p256")
    )
    files = approved()
    found, faults = checked(files, trusted_approvers={fingerprint(own): own})
    assert faults == []
    assert found.is_approver_pinned
    _, faults = checked(files, trusted_approvers={fingerprint(other): other})
    assert codes(faults) == [("approval_untrusted", "events.jsonl", 1)]
    _, faults = checked(
        made(purpose=PURPOSE), trusted_approvers={fingerprint(own): own}
    )
    assert codes(faults) == [("approval_missing", "events.jsonl", 1)]


def test_words_that_are_not_the_approval_s_are_found() -> None:
    (fault,) = checked(approved(approved_by="the board"))[1]
    assert (fault.code, fault.expected, fault.found) == ("mismatch", "cab", "the board")
    other = approve("c" * 64, "cab", NOW, signer())
    text = read_approval(other.encode()).text
    assert codes(checked(approved(approval=text))[1]) == [
        ("approval_other_plan", "events.jsonl", 1)
    ]
    assert codes(checked(approved(requested_by="CAB"))[1]) == [
        ("approval_same_person", "events.jsonl", 1)
    ]
    assert codes(checked(approved(approval="x"))[1]) == [
        ("approval_unreadable", "events.jsonl", 1)
    ]
