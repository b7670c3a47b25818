"""Fields of the body that only newer versions of Command know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from unit.campaign.test_plan import BY_ID, STORE, directory

from batch_reenroll.campaign.bodyfields import fields_in_doubt, fields_too_new
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.plan import Verdict, Wish, resolve
from batch_reenroll.campaign.reasons import Reason

OLD = ReenrollmentRequest(
    keystore_id="s", subject_name="CN=a", agent_guid="o", alias="web"
)
NEWER: dict[str, dict[str, Any]] = {
    "SANs": {"sans": {"dns": ["a"]}},
    "EnrollmentPatternId": {"enrollment_pattern_id": 7},
    "Metadata": {"metadata": {"Department": "IT"}},
    "AdditionalEnrollmentFields": {"additional_enrollment_fields": {"a": "b"}},
    "OwnerRoleName": {"owner_role_name": "PKI"},
}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLAIN = replace(BY_ID, sans=None, enrollment_pattern_id=None)


@pytest.mark.parametrize("name", NEWER)
@pytest.mark.parametrize("version", ["10.3.0", "24.4.2+abc", "v11"])
def test_each_newer_field_is_refused_where_the_version_lacks_it(
    name: str, version: str
) -> None:
    request = replace(OLD, **NEWER[name])
    assert name in fields_too_new(request, version)
    assert fields_in_doubt(request, version) == ""


@pytest.mark.parametrize("name", NEWER)
@pytest.mark.parametrize("version", ["25.4.1+abc", "26.0", "25.10"])
def test_each_newer_field_goes_where_the_version_has_it(
    name: str, version: str
) -> None:
    request = replace(OLD, **NEWER[name])
    assert fields_too_new(request, version) == ""
    assert fields_in_doubt(request, version) == ""


@pytest.mark.parametrize("name", NEWER)
@pytest.mark.parametrize("version", ["", "current", "25.0.3"])
def test_each_newer_field_goes_and_is_named_where_it_may_not_be_known(
    name: str, version: str
) -> None:
    request = replace(OLD, **NEWER[name])
    assert fields_too_new(request, version) == ""
    assert name in fields_in_doubt(request, version)


def test_sans_are_in_doubt_before_the_version_that_extensions_name() -> None:
    request = replace(OLD, **NEWER["SANs"], **NEWER["Metadata"])
    doubt = fields_in_doubt(request, "25.1.1")
    assert "SANs" in doubt
    assert "Metadata" not in doubt


@pytest.mark.parametrize("version", ["", "10.3.0", "25.0"])
def test_a_request_of_the_seven_fields_is_never_in_doubt(version: str) -> None:
    assert fields_too_new(OLD, version) == fields_in_doubt(OLD, version) == ""


def planned(wish: Wish, version: str) -> Verdict:
    found = directory(STORE)
    found.version = version
    found.read_at = NOON
    return resolve(wish, found)


def test_planning_refuses_the_row_and_names_the_fields() -> None:
    verdict = planned(replace(PLAIN, owner_role_name="PKI"), "24.4.2")
    assert verdict.reason is Reason.FIELD_UNSUPPORTED
    assert "OwnerRoleName" in verdict.message


def test_planning_lets_the_row_go_with_a_caution_without_a_version() -> None:
    verdict = planned(replace(PLAIN, metadata={"a": "b"}), "")
    assert verdict.reason is None
    assert Reason.FIELD_UNCERTAIN in [reason for reason, _ in verdict.cautions]


def test_the_resolved_request_bears_the_newer_fields() -> None:
    wish = replace(
        PLAIN,
        metadata={"a": "b"},
        additional_enrollment_fields={"c": "d"},
        owner_role_name="PKI",
    )
    request = planned(wish, "25.4").request
    assert request.metadata == {"a": "b"}
    assert request.additional_enrollment_fields == {"c": "d"}
    assert request.owner_role_name == "PKI"
