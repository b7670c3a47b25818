"""CAs and templates as Command lists them, and a template that needs approval."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from sandbox.accounts import (
    NEEDED,
    account,
    enrolling_on,
    holding,
    message_of,
    row_in,
    signed_in,
    site,
)
from sandbox.rig import Caller, caller

from batch_reenroll.sandbox import Right
from batch_reenroll.sandbox.dialects import DIALECTS
from batch_reenroll.sandbox.policy import NEW_CA, OLD_CA

CAS = "/CertificateAuthority"
TEMPLATES = "/Templates"
APPROVAL = "WebServerApproval"


def listed(path: str, query: str = "", **knobs: Any) -> list[dict[str, Any]]:
    answer = caller(**knobs).get(f"{path}?{query}")
    assert answer.status == 200
    assert answer.total >= len(answer.json)
    items: list[dict[str, Any]] = answer.json
    return items


def matching(path: str, query: str) -> list[int]:
    return [item["Id"] for item in listed(path, f"QueryString={quote(query)}")]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_cas_are_told_apart_by_host_and_logical_name(dialect: str) -> None:
    items = listed(CAS, dialect=dialect)
    names = [f"{item['HostName']}\\{item['LogicalName']}" for item in items]
    assert names == [OLD_CA, NEW_CA]
    assert [item["Id"] for item in items] == [1, 2]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_templates_bear_the_short_names_that_requests_give(dialect: str) -> None:
    items = listed(TEMPLATES, dialect=dialect)
    names = [item["CommonName"] for item in items]
    # In the order of the short names, as the page says.
    cn_only = "WebServerCnOnly"
    assert names == ["Broken", "WebServer", APPROVAL, cn_only, "WebServerRSA2048"]
    keys = [(item["KeyType"], item["KeySize"]) for item in items]
    assert keys == [*[("ECC", "256")] * 4, ("RSA", "2048")]


def test_one_template_needs_approval() -> None:
    waiting = [i["CommonName"] for i in listed(TEMPLATES) if i["RequiresApproval"]]
    assert waiting == [APPROVAL]


@pytest.mark.parametrize("path", [CAS, TEMPLATES])
def test_the_forest_root_is_told_by_the_older_versions_alone(path: str) -> None:
    told = {
        dialect: "ForestRoot" in listed(path, dialect=dialect)[0]
        for dialect in DIALECTS
    }
    assert told == {"10": True, "11": True, "24": False, "25": False}


def test_templates_are_found_by_the_names_of_the_page() -> None:
    (rsa,) = matching(TEMPLATES, 'ShortName -eq "WebServerRSA2048"')
    assert matching(TEMPLATES, 'DisplayName -contains "RSA"') == [rsa]
    assert len(matching(TEMPLATES, "IsDefaultTemplate -eq false")) == 5
    assert matching(TEMPLATES, "HasPrivateKeyRetention -eq true") == []
    assert matching(TEMPLATES, "FriendlyName -ne NULL") == []


def test_cas_are_found_by_the_names_of_the_page() -> None:
    assert matching(CAS, 'LogicalName -eq "Corp Issuing CA 2"') == [2]
    assert matching(CAS, 'HostName -eq "ca01.example.com" AND Id -gt 1') == [2]
    assert matching(CAS, "Agent -ne NULL") == []


def test_a_field_of_the_other_list_is_refused() -> None:
    refused = caller().get(f"{CAS}?QueryString={quote('ShortName -eq 1')}")
    assert refused.status == 400


@pytest.mark.parametrize(("path", "prefix"), [(CAS, "pq."), (TEMPLATES, "sq.")])
def test_10_knows_the_parameters_by_a_prefix_of_the_list(
    path: str, prefix: str
) -> None:
    assert len(listed(path, f"{prefix}returnLimit=1", dialect="10")) == 1
    assert len(listed(path, "ReturnLimit=1", dialect="10")) > 1
    assert len(listed(path, "ReturnLimit=1", dialect="25")) == 1


def test_pages_make_up_the_whole_list() -> None:
    client = caller()
    pages = [
        client.get(f"{TEMPLATES}?ReturnLimit=3&PageReturned={page}")
        for page in (1, 2, 3)
    ]
    assert [len(page.json) for page in pages] == [3, 2, 0]
    assert {page.total for page in pages} == {5}


def test_the_right_to_the_one_list_is_not_the_right_to_the_other() -> None:
    core = site(account("user", holding(Right.READ_AUTHORITIES)))
    client = signed_in(core, "user")
    assert client.get(CAS).status == 200
    refused = client.get(TEMPLATES)
    assert refused.status == 403
    assert "/certificate_templates/read/" in message_of(refused)


def test_10_has_one_permission_for_both_lists() -> None:
    client = signed_in(site(account("user", holding()), dialect="10"), "user")
    for path in (CAS, TEMPLATES):
        assert "PkiManagement: Read" in message_of(client.get(path))


def ended(client: Caller, template: str) -> dict[str, Any]:
    row = row_in(client.core, 1)
    assert client.reenroll(row, CertificateTemplate=template).status == 204
    client.wait(10.0)
    (found,) = client.reenrollments()
    result: dict[str, Any] = found
    return result


def test_a_request_that_needs_approval_pends_and_its_job_fails() -> None:
    row = ended(signed_in(site()), APPROVAL)
    assert row["Result"] == 4
    assert "taken under submission" in row["Message"]


def test_who_may_not_enroll_is_told_so_before_any_approval() -> None:
    user = account("user", holding(*NEEDED), enrollment=enrolling_on(None, []))
    row = ended(signed_in(site(user), "user"), APPROVAL)
    assert "CERTSRV_E_TEMPLATE_DENIED" in row["Message"]
