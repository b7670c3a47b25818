"""What Command says of the account's rights: read in every form, and never an error."""

from __future__ import annotations

from typing import Any

import pytest
from unit.command.scripted import PLAIN, Reply, json_answer
from unit.command.test_client import client_of

from batch_reenroll.campaign.permissions import NeededRight, Permissions
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.permissions import permissions
from batch_reenroll.errors import NotSent

ENROLL, MODIFY = NeededRight.ENROLL_CSR, NeededRight.MODIFY_STORES

#: (enrolling, modifying, reading jobs) as an answer may put them: Area, Permission.
FORMS: dict[str, tuple[tuple[str | None, str | None], ...]] = {
    "roles": (
        ("CertificateEnrollment", "EnrollCSR"),
        ("CertificateStoreManagement", "Modify"),
        ("AgentManagement", "Read"),
    ),
    "roles in other case and with blanks": (
        ("Certificate Enrollment", "ENROLL csr"),
        (" certificate store management ", "modify"),
        ("Agent Management:", "Read"),
    ),
    "claims as the permission": (
        ("", "/certificates/enrollment/csr/"),
        ("Stores", "/Certificate_Stores/Modify/"),
        (None, "/agents/management/read/"),
    ),
    "claims as the area": (
        ("/certificates/enrollment/csr/", ""),
        ("/certificate_stores/modify/", None),
        ("/agents/management/read/", "Read"),
    ),
    "claims in two parts": (
        ("/certificates/enrollment/", "csr"),
        ("certificate_stores", "modify"),
        ("/agents/management", "/read/"),
    ),
}


def answer(*held: tuple[str | None, str | None]) -> dict[str, Any]:
    listed = [{"Area": area, "Permission": permission} for area, permission in held]
    return {"Roles": ["Rotators"], "GlobalPermissions": listed}


@pytest.mark.parametrize("form", FORMS)
def test_held_rights_are_found_in_every_form(form: str) -> None:
    assert permissions(answer(*FORMS[form])) == Permissions(missing=())


@pytest.mark.parametrize("form", FORMS)
def test_each_right_that_is_not_listed_is_missing(form: str) -> None:
    enrolling, modifying, reading = FORMS[form]
    assert permissions(answer(modifying, reading)).missing == (ENROLL,)
    assert permissions(answer(enrolling, reading)).missing == (MODIFY,)
    assert permissions(answer(reading)).missing == (ENROLL, MODIFY)


@pytest.mark.parametrize(
    "other",
    [
        ("CertificateStoreManagement", "Read"),
        ("CertificateStoreManagement", "Schedule"),
        ("/certificate_stores/", "read"),
        ("", "/certificate_stores/modify/2/"),
        ("", ""),
        (None, None),
    ],
)
def test_another_right_is_not_taken_for_the_one_that_is_needed(
    other: tuple[str | None, str | None],
) -> None:
    enrolling, _, reading = FORMS["roles"]
    assert permissions(answer(enrolling, reading, other)).missing == (MODIFY,)


@pytest.mark.parametrize("above", ["/", "/certificate_stores/", "/certificate_stores"])
def test_a_claim_above_another_gives_it(above: str) -> None:
    enrolling, _, reading = FORMS["roles"]
    assert permissions(answer(enrolling, reading, ("", above))).missing == ()


def test_keys_are_found_in_any_case() -> None:
    raw = {"globalPermissions": [{"area": "AgentManagement", "permission": "Read"}]}
    assert permissions(raw).missing == (ENROLL, MODIFY)


def test_words_that_do_not_show_a_right_that_is_surely_held_are_not_believed() -> None:
    found = permissions(answer(("Zertifikatspeicher", "Lesen")))
    assert not found.known
    assert found.remarks == (
        "permissions not checked: Command names rights in words that are not known",
    )


def test_a_missing_right_is_named_in_10_and_in_11() -> None:
    modify, enroll = Permissions(missing=(MODIFY, ENROLL)).remarks
    assert "single containers is not listed" in modify
    assert "CertificateStoreManagement: Modify (v10)" in modify
    assert "/certificate_stores/modify/ (11+)" in modify
    assert "CertificateEnrollment: EnrollCSR (v10)" in enroll
    assert "/certificates/enrollment/csr/ (11+)" in enroll


def test_nothing_is_said_where_nothing_is_missing_or_nobody_asked() -> None:
    assert Permissions(missing=()).remarks == ()
    assert Permissions().remarks == ()
    assert not Permissions().known


@pytest.mark.asyncio
async def test_it_takes_one_request_of_kind_other() -> None:
    client, transport = client_of(json_answer(answer(*FORMS["roles"])))
    assert await client.permissions() == Permissions(missing=())
    assert [(asked.method, asked.path) for asked in transport.asked] == [
        ("GET", "/Security/My")
    ]
    assert client.requests["other"] == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Answer(status=403, headers=PLAIN), "the account may not read them"),
        (Answer(status=404, headers=PLAIN), "this Command does not list them"),
        (json_answer({"ErrorCode": "0x1", "Message": "No such thing"}, 400), "No such"),
        (Answer(status=401, headers=PLAIN), "401"),
        (Answer(status=429, headers=PLAIN), "429"),
        (Answer(status=503, headers=PLAIN), "503"),
        (NotSent("no way there"), "no way there"),
        (Answer(status=200, headers=PLAIN, body=b"<html>"), "not JSON"),
        (json_answer([]), "expected an object"),
        (json_answer({}), "lists no GlobalPermissions"),
        (json_answer({"GlobalPermissions": None}), "lists no GlobalPermissions"),
        (json_answer({"GlobalPermissions": {"a": 1}}), "lists no GlobalPermissions"),
        (json_answer({"GlobalPermissions": ["Read"]}), "expected an object"),
        (json_answer({"GlobalPermissions": []}), "no global right"),
        (json_answer({"GlobalPermissions": [{}]}), "words that are not known"),
    ],
)
async def test_what_cannot_be_read_is_not_known_and_no_error(
    reply: Reply, why: str
) -> None:
    client, _ = client_of(reply)
    found = await client.permissions()
    assert not found.known
    (remark,) = found.remarks
    assert remark.startswith("permissions not checked: ")
    assert why in remark
