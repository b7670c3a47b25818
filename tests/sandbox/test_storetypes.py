"""Store types: what a store of each says of itself, and what a job of each needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.rig import HISTORY, SCHEDULED, Caller, caller, rows_of

from batch_reenroll.sandbox import FleetPlan, draw_fleet
from batch_reenroll.sandbox.builtintypes import BUILT_IN, IIS, PEM, merged
from batch_reenroll.sandbox.checks import canonical, wish_fault
from batch_reenroll.sandbox.state import Wish
from batch_reenroll.sandbox.storetypes import (
    EntryParameter,
    Operations,
    ParameterKind,
    Policy,
)

STORES = "/CertificateStores"
SITE = {"SiteName": "Default Web Site", "Protocol": "https", "IPAddress": "*"}
ALL_IIS = FleetPlan(stores=3, iis_stores=3, orchestrators=1)


def iis(**knobs: Any) -> tuple[Caller, dict[str, str]]:
    """Return a client of IIS-like stores, and the row of the first."""
    client = caller(ALL_IIS, **knobs)
    return client, client.core.world.manifest_rows()[0]


def last_job(client: Caller) -> dict[str, Any]:
    client.wait(60.0)
    jobs: list[dict[str, Any]] = client.reenrollments()
    return jobs[-1]


def status_of(client: Caller, row: dict[str, str]) -> dict[str, Any]:
    store = client.get(f"{STORES}/{row['KeystoreId']}").json
    status: dict[str, Any] = store["ReenrollmentStatus"]
    return status


# --- The types


def test_a_type_has_job_properties_or_entry_parameters_but_not_both() -> None:
    assert all(not (k.job_properties and k.entry_parameters) for k in BUILT_IN)


def test_numbers_and_short_names_tell_types_apart() -> None:
    assert len({kind.number for kind in BUILT_IN}) == len(BUILT_IN)
    assert len({kind.short_name for kind in BUILT_IN}) == len(BUILT_IN)


def test_a_custom_type_takes_the_place_of_a_built_in_of_its_short_name() -> None:
    own = replace(IIS, number=200, short_name="iisu", name="Ours")
    found = {kind.name: kind for kind in merged([own])}

    assert len(found) == len(BUILT_IN)
    assert found["Ours"].number == IIS.number


# --- The IIS-like type


def test_the_alias_is_the_thumbprint_and_changes_with_the_certificate() -> None:
    client, row = iis()
    (before,) = client.inventory(row)
    assert before["Name"] == before["Certificates"][0]["Thumbprint"] == row["Alias"]
    assert client.reenroll(row, JobProperties=SITE).status == 204
    assert last_job(client)["Result"] == 2
    (after,) = client.inventory(row)

    assert after["Name"] == after["Certificates"][0]["Thumbprint"] != row["Alias"]


def test_the_parameters_of_the_entry_move_to_the_new_alias() -> None:
    client, row = iis()
    assert client.inventory(row)[0]["Parameters"] == SITE
    given = SITE | {"siteName": "Shop", "HostName": "shop.example.com"}
    del given["SiteName"]
    client.reenroll(row, JobProperties=given)
    last_job(client)

    assert client.inventory(row)[0]["Parameters"] == SITE | {
        "SiteName": "Shop",
        "HostName": "shop.example.com",
    }


def test_the_fleets_own_rows_leave_out_aliases_that_only_command_knows() -> None:
    fleet = draw_fleet(FleetPlan(stores=30, iis_stores=10))

    assert len(fleet.manifest_rows()) == 20
    assert all(row["Alias"] for row in fleet.manifest_rows())
    client = caller(FleetPlan(stores=30, iis_stores=10))
    rows = client.core.world.manifest_rows()
    assert len(rows) == 30
    assert [row for row in rows if row["StoreType"] != "IISU"] == rows_of(client)


@pytest.mark.parametrize("missing", SITE)
def test_each_required_parameter_is_asked_for(missing: str) -> None:
    client, row = iis()
    given = {name: value for name, value in SITE.items() if name != missing}
    answer = client.reenroll(row, JobProperties=given)

    assert answer.status == 400
    assert answer.json["Message"] == f"{missing} is required on reenrollment."


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_an_empty_value_is_no_value(value: object) -> None:
    client, row = iis()
    answer = client.reenroll(row, JobProperties=SITE | {"SiteName": value})

    assert answer.status == 400


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Protocol": "ftp"}, "Protocol must be one of https, http"),
        ({"NoSuch": 1}, "JobProperties has no NoSuch in store type IISU"),
    ],
)
def test_a_value_that_the_type_does_not_have_is_refused(
    changes: dict[str, object], words: str
) -> None:
    client, row = iis()
    answer = client.reenroll(row, JobProperties=SITE | changes)

    assert (answer.status, answer.json["Message"]) == (400, f"{words}.")


def test_a_choice_is_made_in_any_case() -> None:
    client, row = iis()

    assert client.reenroll(row, JobProperties=SITE | {"protocol": "HTTP"}).status == 204


def test_a_custom_alias_is_refused_where_the_type_forbids_it() -> None:
    client, row = iis()
    answer = client.reenroll(row, Alias="my-alias", JobProperties=SITE)

    assert answer.status == 400
    assert "Custom aliases are forbidden" in answer.json["Message"]
    lower = client.reenroll(row, Alias=row["Alias"].lower(), JobProperties=SITE)
    assert lower.status == 204


def test_the_alias_of_a_certificate_that_is_gone_is_refused() -> None:
    client, row = iis()
    client.reenroll(row, JobProperties=SITE)
    last_job(client)

    assert client.reenroll(row, JobProperties=SITE).status == 400


# --- Where a POST looks at nothing but its form


LAX: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"JobProperties": {}}, "SiteName is required on reenrollment"),
    "unknown": ({"JobProperties": SITE | {"X": 1}}, "JobProperties has no X"),
    "alias": ({"Alias": "mine", "JobProperties": SITE}, "Custom aliases are forbidden"),
}


@pytest.mark.parametrize("name", LAX)
def test_lax_checks_let_the_job_fail_instead(name: str) -> None:
    client, row = iis(post_checks="lax")
    changes, words = LAX[name]
    before = client.inventory(row)
    assert client.reenroll(row, **changes).status == 204
    job = last_job(client)

    assert (job["Result"], job["Status"]) == (4, 3)
    assert job["Message"].startswith(words)
    assert client.inventory(row) == before


def test_lax_checks_let_a_good_job_pass() -> None:
    client, row = iis(post_checks="lax")
    client.reenroll(row, JobProperties=SITE)

    assert last_job(client)["Result"] == 2


def test_a_type_without_reenrollment_fails_in_the_job_under_lax_checks() -> None:
    plan = FleetPlan(stores=1, unsupported_stores=1, orchestrators=1)
    client = caller(plan, post_checks="lax")
    (store,) = client.core.world.fleet.stores
    body = {
        "KeystoreId": store.store_id,
        "AgentGuid": store.agent_id,
        "SubjectName": store.subject,
        "Alias": store.alias,
    }

    assert client.post(f"{STORES}/Reenrollment", **body).status == 204
    assert "does not support key generation" in last_job(client)["Message"]


def test_an_unknown_store_or_orchestrator_is_refused_under_lax_checks_too() -> None:
    client, row = iis(post_checks="lax")

    assert client.reenroll(row, KeystoreId=row["AgentGuid"]).status == 404
    assert client.reenroll(row, AgentGuid=row["KeystoreId"]).status == 400


# --- Why a store cannot be reenrolled


def test_a_reenrollable_store_says_with_what() -> None:
    client, row = iis()
    status = status_of(client, row)

    assert (status["Data"], status["AgentId"]) == (True, row["AgentGuid"])
    assert status["CustomAliasAllowed"] == 0
    assert [item["Name"] for item in status["EntryParameters"]][:2] == [
        "SiteName",
        "IPAddress",
    ]


def discovered() -> tuple[Caller, dict[str, str]]:
    client = caller(FleetPlan(stores=1, discovered_stores=1, orchestrators=1))
    return client, rows_of(client)[0]


def test_a_discovered_store_is_listed_but_not_reenrollable() -> None:
    client, row = discovered()
    status = status_of(client, row)

    assert (status["Data"], status["EntryParameters"]) == (False, [])
    assert "has not been approved" in status["Message"]
    assert client.query(STORES, "Approved -eq true").json == []
    assert client.reenroll(row).status == 400


def test_an_approved_store_is_reenrollable() -> None:
    client, row = discovered()
    client.core.world.stores[row["KeystoreId"]].approved = True

    assert status_of(client, row)["Data"] is True
    assert client.reenroll(row).status == 204


def unapproved(**knobs: Any) -> tuple[Caller, dict[str, str]]:
    client = caller(FleetPlan(stores=2, orchestrators=1, unapproved=1), **knobs)
    return client, rows_of(client)[0]


def test_an_unapproved_orchestrator_is_new_and_its_stores_say_so() -> None:
    client, row = unapproved()

    assert client.get("/Agents").json[0]["Status"] == 1
    assert client.query("/Agents", 'Status -eq "2"').json == []
    assert client.query(STORES, "AgentAvailable -eq true").json == []
    assert "orchestrator" in status_of(client, row)["Message"]
    assert client.reenroll(row).status == 400


def test_an_unapproved_orchestrator_is_given_no_work_until_it_is_approved() -> None:
    client, row = unapproved(post_checks="lax", nightly_inventory=True)
    assert client.reenroll(row).status == 204
    client.wait(86_400.0)
    assert client.get(HISTORY).json == []
    assert client.query(SCHEDULED, 'JobType -contains "Reenrollment"').total == 1
    (agent,) = client.core.world.orchestrators.values()
    agent.status = 2

    assert last_job(client)["Result"] == 2


def test_an_orchestrator_without_the_capability_cannot_reenroll() -> None:
    client, row = iis()
    (agent,) = client.core.world.orchestrators.values()
    agent.capabilities = ("CertStores.IISU.Inventory",)

    assert "key generation" in status_of(client, row)["Message"]
    assert client.reenroll(row, JobProperties=SITE).status == 400


# --- Custom types in a fleet

BOX = replace(
    PEM,
    number=130,
    name="Network Box",
    short_name="Box",
    capability="Box",
    custom_alias=Policy.REQUIRED,
    entry_parameters=(
        EntryParameter(name="Secure", kind=ParameterKind.BOOL, on_reenrollment=True),
        EntryParameter(name="Pin", depends_on="Secure", on_reenrollment=True),
        EntryParameter(name="Code", kind=ParameterKind.SECRET),
    ),
)


def test_a_fleet_has_stores_of_custom_types_that_can_be_reenrolled() -> None:
    cannot = Operations(enrollment=False)
    idle = replace(BOX, number=131, short_name="Idle", operations=cannot)
    client = caller(FleetPlan(stores=60, store_types=(BOX, idle)))
    kinds = {row["StoreType"] for row in rows_of(client)}
    (agent, *_) = client.get("/Agents").json

    assert kinds == {"PEM", "JKS", "PKCS12", "Box"}
    assert "CertStores.Box.Reenrollment" in agent["Capabilities"]


def test_a_custom_type_may_have_the_older_list_of_job_properties() -> None:
    lb = replace(BOX, short_name="Lb", entry_parameters=(), job_properties=("Vserver",))
    client = caller(FleetPlan(stores=60, store_types=(lb,)))
    row = next(row for row in rows_of(client) if row["StoreType"] == "Lb")

    assert status_of(client, row)["JobProperties"] == '["Vserver"]'
    assert client.reenroll(row, JobProperties={"Other": "x"}).status == 400
    assert client.reenroll(row, JobProperties={"vserver": "x"}).status == 204
    last_job(client)
    assert client.inventory(row)[0]["Parameters"] == {"Vserver": "x"}


def test_secret_parameters_are_taken_and_never_shown() -> None:
    client = caller(FleetPlan(stores=60, store_types=(BOX,)))
    row = next(row for row in rows_of(client) if row["StoreType"] == "Box")
    client.reenroll(row, JobProperties={"Secure": False, "Code": "s3cret"})

    assert last_job(client)["Result"] == 2
    assert client.inventory(row)[0]["Parameters"] == {"Secure": "false"}


def fault(**given: object) -> str:
    wish = Wish(
        alias="a",
        subject="CN=a",
        authority=None,
        template=None,
        sans={},
        properties=canonical(BOX, given),
    )
    return wish_fault(BOX, wish, [])


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        ({"Secure": False}, ""),
        ({"Secure": "FALSE"}, ""),
        ({"Secure": True, "Pin": 1234}, ""),
        ({"Secure": True}, "Pin is required on reenrollment"),
        ({"Secure": "perhaps"}, "Secure must be true or false"),
        ({}, "Secure is required on reenrollment"),
    ],
)
def test_a_parameter_is_needed_only_with_the_one_it_depends_on(
    given_values: dict[str, object], expected: str
) -> None:
    assert fault(**given_values) == expected


@given(
    st.dictionaries(
        st.sampled_from(["secure", "PIN", "cOdE", "other"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    )
)
def test_names_are_those_of_the_type_and_values_are_text(
    values: dict[str, object],
) -> None:
    spelled = {"secure": "Secure", "PIN": "Pin", "cOdE": "Code", "other": "other"}
    kept = {n: v for n, v in values.items() if v is not None and v != ""}

    found = canonical(BOX, values)
    assert found.keys() == {spelled[name] for name in kept}
    assert {value.lower() for value in found.values()} == {
        str(value).lower() for value in kept.values()
    }
