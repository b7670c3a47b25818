"""``GET /Certificates`` of the embedded Command, asked by a client of its own."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from sandbox.accounts import account, holding, signed_in, site
from sandbox.rig import START, caller

from batch_reenroll.sandbox import FleetPlan, Right, draw_fleet
from batch_reenroll.sandbox.ca import open_authorities
from batch_reenroll.sandbox.dialects import DIALECTS
from batch_reenroll.sandbox.policy import CN_ONLY, NEW_CA, WEB_SERVER_RSA, Template
from batch_reenroll.sandbox.realworks import RealWorks
from batch_reenroll.sandbox.works import Enrolled, ReenrollOrder

CERTIFICATES = "/Certificates"


def stores(client: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/CertificateStores").json
    return found


def inventoried(client: Any) -> list[dict[str, Any]]:
    """Return the leaves of all stores, which lays the stores out."""
    entries = [
        client.get(f"/CertificateStores/{store['Id']}/Inventory").json[0]
        for store in stores(client)
    ]
    return [entry["Certificates"][0] for entry in entries]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_certificates_are_found_by_their_thumbprints(dialect: str) -> None:
    client = caller(dialect=dialect)
    leaves = inventoried(client)
    wanted = [leaf["Thumbprint"] for leaf in leaves[:3]]
    query = "(" + " OR ".join(f'Thumbprint -eq "{one.lower()}"' for one in wanted) + ")"
    prefix = "pq.q" if dialect == "10" else "Q"
    answer = client.get(f"{CERTIFICATES}?{prefix}ueryString={quote(query)}")
    assert {item["Thumbprint"] for item in answer.json} == set(wanted)
    for item in answer.json:
        (leaf,) = [leaf for leaf in leaves if leaf["Thumbprint"] == item["Thumbprint"]]
        same = ("Id", "SerialNumber", "IssuedDN", "IssuerDN", "NotBefore", "NotAfter")
        assert {name: item[name] for name in same} == {n: leaf[n] for n in same}


def test_any_other_query_is_answered_as_well() -> None:
    client = caller()
    leaf = inventoried(client)[0]
    query = quote(f'SerialNumber -eq "{leaf["SerialNumber"]}" AND CertState -eq 1')
    (item,) = client.get(f"{CERTIFICATES}?QueryString={query}").json
    assert item["Thumbprint"] == leaf["Thumbprint"]


def test_expired_ones_are_left_out_unless_asked_for() -> None:
    client = caller()
    leaf = inventoried(client)[0]
    client.now = START + 86_400.0 * 400
    query = quote(f'Thumbprint -eq "{leaf["Thumbprint"]}"')
    path = f"{CERTIFICATES}?QueryString={query}"
    assert client.get(path).json == []
    assert len(client.get(f"{path}&includeExpired=true").json) == 1


def test_it_takes_the_right_to_read_certificates() -> None:
    everything_else = frozenset(Right) - {Right.READ_CERTIFICATES}
    core = site(account("user", holding(*everything_else)))
    assert signed_in(core, "user").get(CERTIFICATES).status == 403
    core = site(account("user", holding(Right.READ_CERTIFICATES)))
    assert signed_in(core, "user").get(CERTIFICATES).status == 200


@pytest.mark.parametrize(
    ("template", "names"),
    [
        (WEB_SERVER_RSA, {(2, "cn.example.com"), (7, "10.0.0.7")}),
        (CN_ONLY, {(2, "cn.example.com")}),
    ],
)
def test_a_real_certificate_is_described_as_it_is(
    tmp_path: Path, template: Template, names: set[tuple[int, str]]
) -> None:
    authorities = open_authorities(tmp_path / "ca", at=START)
    works = RealWorks(tmp_path, authorities)
    (store,) = draw_fleet(FleetPlan(stores=1, orchestrators=1)).stores
    works.lay_out(store, at=START)
    done = works.perform(
        ReenrollOrder(
            order_id=1,
            store=store,
            alias=store.alias,
            subject="CN=cn.example.com",
            sans={"dns": ("cn.example.com",), "ip4": ("10.0.0.7",)},
            authority=NEW_CA,
            template=template,
            at=START,
            later_than=0.0,
        )
    )
    assert isinstance(done, Enrolled)
    leaf = done.certificate
    assert set(leaf.names) == names
    assert leaf.template == template.name
    rsa = template is WEB_SERVER_RSA
    assert (leaf.key_type, leaf.key_bits) == (("RSA", 2048) if rsa else ("ECC", 256))
    parsed = x509.load_der_x509_certificate(leaf.content)
    assert f"{parsed.serial_number:X}" == leaf.serial


def test_contents_come_as_base64_and_can_be_left_out(tmp_path: Path) -> None:
    authorities = open_authorities(tmp_path / "ca", at=START)
    for given in (True, False):
        works = RealWorks(tmp_path, authorities)
        plan = FleetPlan(stores=1, orchestrators=1)
        client = caller(plan, works=works, certificate_contents=given)
        thumbprint = inventoried(client)[0]["Thumbprint"]
        query = quote(f'Thumbprint -eq "{thumbprint}"')
        (item,) = client.get(f"{CERTIFICATES}?QueryString={query}").json
        assert ("ContentBytes" in item) is given
        if given:
            x509.load_der_x509_certificate(base64.b64decode(item["ContentBytes"]))
        assert item["SubjectAltNameElements"][0]["Type"] == 2
