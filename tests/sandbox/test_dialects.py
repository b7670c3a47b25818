"""One setting switches every difference between the versions of Command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox.rig import (
    HISTORY,
    SCHEDULED,
    Answer,
    Caller,
    caller,
    rows_of,
)

from batch_reenroll.sandbox import (
    FleetPlan,
    SandboxError,
    Settings,
    SimulatedWorks,
)
from batch_reenroll.sandbox.dialects import DIALECTS
from batch_reenroll.sandbox.works import Order, ReenrollOrder, WorkResult

STORES = "/CertificateStores"
TYPES = "/CertificateStoreTypes"
EACH = pytest.mark.parametrize("dialect", DIALECTS)
PREFIXES = {
    STORES: "certificateStoreQuery.",
    HISTORY: "pq.",
    SCHEDULED: "pq.",
    "/Agents": "pq.",
    TYPES: "cstquery.",
}


def ended(dialect: str, **knobs: Any) -> tuple[Caller, dict[str, Any]]:
    """Return a client and the history row of a reenrollment that succeeded."""
    client = caller(dialect=dialect, **knobs)
    client.reenroll(rows_of(client)[0])
    client.wait(30.0)
    (row,) = client.get(HISTORY, **{"pq.queryString": 'JobType -contains "Reenr"'}).json
    return client, row


def in_dialects(*wanted: str) -> pytest.MarkDecorator:
    """Return (dialect, whether it is one of the wanted ones) pairs to test with."""
    pairs = [(name, name in wanted) for name in DIALECTS]
    return pytest.mark.parametrize(("dialect", "holds"), pairs)


def test_the_versions_of_command_are_four_and_another_is_refused() -> None:
    assert list(DIALECTS) == ["10", "11", "24", "25"]
    with pytest.raises(SandboxError, match="dialect must be one of 10, 11, 24, 25"):
        Settings(dialect="12")


@EACH
def test_the_product_version_is_of_the_dialect(dialect: str) -> None:
    answer = caller(dialect=dialect).get("/Status/Endpoints")

    assert answer.headers["X-Keyfactor-Product-Version"].startswith(f"{dialect}.")


@in_dialects("11", "24", "25")
def test_the_supported_versions_are_shown_from_11_on(dialect: str, holds: bool) -> None:
    answer = caller(dialect=dialect).get("/Status/Endpoints")

    assert ("Api-Supported-Versions" in answer.headers) is holds


def test_a_server_may_hide_its_version() -> None:
    answer = caller(dialect="10", product_version="").get(STORES)

    assert answer.status == 200
    assert "X-Keyfactor-Product-Version" not in answer.headers


@in_dialects("10")
def test_result_and_status_are_names_in_10_only(dialect: str, holds: bool) -> None:
    _, row = ended(dialect)

    given = row["Result"], row["Status"]
    assert given == (("Success", "Completed") if holds else (2, 3))


@in_dialects("24", "25")
def test_times_have_a_zone_from_24_on(dialect: str, holds: bool) -> None:
    client, row = ended(dialect, nightly_inventory=True)
    agent = client.get("/Agents").json[0]
    store = client.get(STORES).json[0]
    entry = client.inventory(rows_of(client)[0])[0]["Certificates"][0]
    times = [
        *(row["OperationStart"], row["OperationEnd"], agent["LastSeen"]),
        *(entry["NotBefore"], entry["NotAfter"]),
        store["InventorySchedule"]["Daily"]["Time"],
    ]

    assert {time.endswith("Z") for time in times} == {holds}


@pytest.mark.parametrize("path", PREFIXES)
@in_dialects("11", "24", "25")
def test_bare_query_names_are_ignored_in_10_and_taken_later(
    path: str, dialect: str, holds: bool
) -> None:
    client, _ = ended(dialect)
    bad = {"SortField": "NoSuchField"}

    assert (client.get(path, **bad).status == 400) is holds


@pytest.mark.parametrize("path", PREFIXES)
@EACH
def test_the_endpoints_own_prefix_is_taken_in_every_version(
    path: str, dialect: str
) -> None:
    client = caller(dialect=dialect)
    named = PREFIXES[path].upper() + "sortField"

    assert client.get(path, **{named: "NoSuchField"}).status == 400


@in_dialects("11", "24", "25")
def test_another_endpoints_prefix_is_ignored_in_10(dialect: str, holds: bool) -> None:
    client = caller(dialect=dialect)
    answer = client.get(STORES, **{"pq.returnLimit": 3})

    assert (len(answer.json) == 3) is holds


@in_dialects("11", "24", "25")
def test_an_inventory_is_paged_by_its_own_prefix(dialect: str, holds: bool) -> None:
    client = caller(dialect=dialect)
    path = f"{STORES}/{rows_of(client)[0]['KeystoreId']}/Inventory"

    assert client.get(path, **{"query.pageReturned": 2}).json == []
    assert (client.get(path, PageReturned=2).json == []) is holds


@in_dialects("24", "25")
def test_job_lists_tell_their_total_from_24_on(dialect: str, holds: bool) -> None:
    client, _ = ended(dialect)

    for path in (HISTORY, SCHEDULED):
        assert ("X-Total-Count" in client.get(path).headers) is holds
    assert client.get(STORES).total == 20


@in_dialects("25")
def test_inventories_bear_what_came_with_25(dialect: str, holds: bool) -> None:
    client = caller(dialect=dialect)
    (entry,) = client.inventory(rows_of(client)[0])

    assert ("CertStoreId" in entry) is holds
    assert ("CertState" in entry["Certificates"][0]) is holds


@in_dialects("24", "25")
def test_the_enums_of_store_types_are_names_from_24_on(
    dialect: str, holds: bool
) -> None:
    (kind,) = caller(dialect=dialect).get(f"{TYPES}/Name/IISU").json
    enums = [
        *(kind["PrivateKeyAllowed"], kind["CustomAliasAllowed"]),
        *(item["Type"] for item in kind["EntryParameters"]),
        kind["PasswordOptions"]["Style"],
    ]

    assert all(isinstance(value, str if holds else int) for value in enums)


@in_dialects("11")
def test_required_when_is_flags_in_11_only(dialect: str, holds: bool) -> None:
    (kind,) = caller(dialect=dialect).get(f"{TYPES}/Name/IISU").json
    when = {item["Name"]: item["RequiredWhen"] for item in kind["EntryParameters"]}

    if holds:
        assert (when["SiteName"], when["Port"]) == (8, 0)
    else:
        assert when["SiteName"] == {
            "HasPrivateKey": False,
            "OnAdd": True,
            "OnRemove": True,
            "OnReenrollment": True,
        }


@EACH
def test_a_store_bears_the_parameters_of_its_type_in_the_same_shape(
    dialect: str,
) -> None:
    client = caller(FleetPlan(stores=1, iis_stores=1), dialect=dialect)
    (kind,) = client.get(f"{TYPES}/Name/IISU").json
    (store,) = client.get(STORES).json
    status = store["ReenrollmentStatus"]

    assert status["EntryParameters"] == kind["EntryParameters"]
    assert status["CustomAliasAllowed"] == 0  # a number in every version


@EACH
def test_no_answer_bears_null(dialect: str) -> None:
    client, _ = ended(dialect)
    client.reenroll(rows_of(client)[1])
    paths = [*PREFIXES, f"{STORES}/{rows_of(client)[0]['KeystoreId']}/Inventory"]

    assert all(b"null" not in client.get(path).body for path in paths)


@in_dialects("10")
def test_the_array_form_of_job_properties_is_taken_by_10_only(
    dialect: str, holds: bool
) -> None:
    client = caller(dialect=dialect)
    row = rows_of(client)[0]
    answer = client.reenroll(row, JobProperties=[{"Overwrite": True}])

    assert answer.status == (204 if holds else 400)
    assert client.reenroll(row, JobProperties={"Overwrite": True}).status == 204


@in_dialects("25")
def test_sans_are_known_to_25_and_ignored_before(dialect: str, holds: bool) -> None:
    client = caller(dialect=dialect)
    sans = {"dns": ["a.example.com"]}

    assert client.reenroll(rows_of(client)[0], SANs=sans).status == 204
    (job,) = client.core.world.scheduled.values()
    assert job.wish is not None
    assert job.wish.sans == ({"dns": ("a.example.com",)} if holds else {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("SANs", "a.example.com"),
        ("EnrollmentPatternId", "one"),
        ("EnrollmentPatternId", 2**31),
        ("EnrollmentPatternId", True),
        ("Metadata", {"Owner": 5}),
        ("Metadata", ["Owner"]),
        ("AdditionalEnrollmentFields", "x"),
        ("OwnerRoleId", 1.5),
        ("OwnerRoleName", {}),
        ("Overwrite", "yes"),
    ],
)
@in_dialects("25")
def test_the_fields_of_25_are_checked_there_and_ignored_before(
    field: str, value: object, dialect: str, holds: bool
) -> None:
    client = caller(dialect=dialect)
    answer = client.reenroll(rows_of(client)[0], **{field: value})

    assert answer.status == (400 if holds else 204)


def test_every_field_of_25_may_be_null_or_camel_case() -> None:
    client = caller()
    names = ("SANs", "EnrollmentPatternId", "Metadata", "OwnerRoleId", "Overwrite")
    row = rows_of(client)[0]
    good = {"metadata": {"Owner": "pki"}, "ownerRoleId": 3, "overwrite": True}

    assert client.reenroll(row, **dict.fromkeys(names)).status == 204
    assert client.reenroll(row, **good).status == 204


class Recorder(SimulatedWorks):
    """Works that remember the templates they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.templates: list[str] = []

    def perform(self, order: Order) -> WorkResult:
        if isinstance(order, ReenrollOrder):
            self.templates.append(order.template.name)
        return super().perform(order)


@pytest.mark.parametrize(
    ("template", "pattern", "used"),
    [
        (None, 2, "WebServerRSA2048"),
        (None, 1, "WebServer"),
        (None, None, "WebServer"),
        ("WebServer", 2, "WebServer"),
    ],
)
def test_an_enrollment_pattern_stands_for_a_template(
    template: str | None, pattern: int | None, used: str
) -> None:
    works = Recorder()
    client = caller(works=works)
    row = rows_of(client)[0]
    client.reenroll(row, CertificateTemplate=template, EnrollmentPatternId=pattern)
    client.wait(30.0)

    assert works.templates == [used]


@pytest.mark.parametrize(("number", "words"), [(3, "Broken"), (99, "99"), (-1, "-1")])
def test_a_pattern_that_gives_no_certificate_fails_in_the_job(
    number: int, words: str
) -> None:
    client = caller()
    row = rows_of(client)[0]
    answer = client.reenroll(row, CertificateTemplate="", EnrollmentPatternId=number)
    client.wait(30.0)

    assert answer.status == 204
    assert client.reenrollments()[0]["Result"] == 4
    assert words in client.reenrollments()[0]["Message"]


@EACH
def test_job_types_bear_their_capability_unless_told_otherwise(dialect: str) -> None:
    _, row = ended(dialect)
    _, bare = ended(dialect, job_type_prefix=False)

    assert row["JobType"] in (
        "PEMReenrollment",
        "JKSReenrollment",
        "PKCS12Reenrollment",
    )
    assert bare["JobType"] == "Reenrollment"


def test_a_bare_job_type_is_what_queries_see_too() -> None:
    client = caller(job_type_prefix=False)
    client.reenroll(rows_of(client)[0])

    assert client.query(SCHEDULED, 'JobType -eq "Reenrollment"').total == 1
    client.wait(30.0)
    assert client.query(HISTORY, 'JobType -eq "Reenrollment"').total == 1


@EACH
def test_a_single_difference_can_be_set_against_the_dialect(dialect: str) -> None:
    _, row = ended(dialect, result_enums="string", zone_suffix=True)

    assert row["Result"] == "Success"
    assert row["OperationStart"].endswith("Z")


@EACH
def test_errors_have_one_shape_in_every_version(dialect: str) -> None:
    client = caller(dialect=dialect)
    answers: list[Answer] = [
        client.get(STORES, **{"certificateStoreQuery.sortField": "X"}),
        client.send("POST", "/CertificateStores/Reenrollment", b"{"),
        client.get("/nowhere"),
    ]

    for answer in answers:
        assert 400 <= answer.status < 500
        assert set(json.loads(answer.body)) == {"ErrorCode", "Message"}
