"""The endpoints: paging, query names, sorting, shapes, headers, who may call."""

from __future__ import annotations

import json

import pytest
from sandbox.rig import HISTORY, REENROLL, SCHEDULED, basic, caller, rows_of

from batch_reenroll.sandbox import FleetPlan

STORES = "/CertificateStores"


def test_pages_together_are_the_whole_list_once() -> None:
    client = caller(FleetPlan(stores=23))
    pages = [client.get(STORES, PageReturned=n, ReturnLimit=5) for n in range(1, 7)]
    ids = [store["Id"] for page in pages for store in page.json]

    assert len(set(ids)) == len(ids) == 23
    assert {page.total for page in pages} == {23}
    assert [len(page.json) for page in pages] == [5, 5, 5, 5, 3, 0]


def test_the_default_page_holds_fifty() -> None:
    client = caller(FleetPlan(stores=60))

    assert len(client.get(STORES).json) == 50


def test_a_server_may_cap_the_page() -> None:
    client = caller(FleetPlan(stores=60), return_limit_max=10)

    assert len(client.get(STORES, ReturnLimit=1000).json) == 10


@pytest.mark.parametrize(
    "prefix",
    ["", "pq.", "PQ.", "certificateStoreQuery.", "cstquery.", "query."],
)
def test_both_families_of_parameter_names_are_taken(prefix: str) -> None:
    client = caller()
    machine = rows_of(client)[0]["ClientMachine"]
    params = {f"{prefix}queryString": f'ClientMachine -eq "{machine}"'}
    params |= {f"{prefix}returnLimit": "2", f"{prefix}pageReturned": "1"}
    stores = client.get(STORES, **params).json

    assert {store["ClientMachine"] for store in stores} == {machine}
    assert len(stores) <= 2


def test_stores_are_sorted_by_machine_unless_told_otherwise() -> None:
    client = caller()
    machines = [store["ClientMachine"] for store in client.get(STORES).json]

    assert machines == sorted(machines)


@pytest.mark.parametrize(("flag", "reverse"), [("0", False), ("1", True)])
def test_sort_ascending_0_is_ascending(flag: str, reverse: bool) -> None:
    client = caller()
    answer = client.get(STORES, SortField="StorePath", SortAscending=flag)
    paths = [store["Storepath"] for store in answer.json]

    assert paths == sorted(paths, reverse=reverse)


def test_history_can_be_read_newest_first() -> None:
    client = caller()
    for row in rows_of(client)[:4]:
        client.reenroll(row)
    client.wait(60.0)
    newest = client.get(HISTORY, SortField="JobHistoryId", SortAscending=1).json
    oldest = client.get(HISTORY).json

    assert newest == oldest[::-1]
    ids = [row["JobHistoryId"] for row in oldest]
    assert ids == sorted(ids)


def test_an_unknown_sort_field_is_refused_as_a_live_server_does() -> None:
    answer = caller().get(STORES, SortField="X")

    assert answer.status == 400
    assert answer.json == {
        "ErrorCode": "0xA011004A",
        "Message": "Invalid sort field: X.",
    }


@pytest.mark.parametrize(
    "text",
    [
        'AgentId -eq "{AgentGuid}" AND JobType -contains "Reenrollment"',
        'JobType -eq "{StoreType}Reenrollment"',
        'TargetPath -eq "{StorePath}"',
        'Result -eq "0" AND Status -eq "2"',
        'OperationStart -ge "%TODAY-1%"',
        "ScheduleType -eq NULL",
        'Agent -endswith ".example.com"',
        'Message -eq ""',
    ],
)
def test_history_is_queried_by_the_documented_fields(text: str) -> None:
    client = caller(job_min_s=60.0, job_max_s=60.0)
    row = rows_of(client)[0]
    client.reenroll(row)
    client.wait(5.0)

    assert client.query(HISTORY, text.format(**row)).total == 1


def test_history_is_queried_by_several_job_ids() -> None:
    client = caller()
    for row in rows_of(client)[:5]:
        client.reenroll(row)
    wanted = [job["Id"] for job in client.get(SCHEDULED).json][:3]
    client.wait(60.0)
    text = " OR ".join(f'JobId -eq "{guid.upper()}"' for guid in wanted)

    assert {row["JobId"] for row in client.query(HISTORY, text).json} == set(wanted)


def test_the_bare_job_type_of_the_documents_matches_nothing() -> None:
    client = caller()
    client.reenroll(rows_of(client)[0])

    assert client.query(SCHEDULED, 'JobType -eq "Reenrollment"').json == []


@pytest.mark.parametrize(
    "text",
    ['AgentId -eq "{AgentGuid}"', 'ClientMachine -startswith "orch-"'],
)
def test_scheduled_jobs_are_queried_by_orchestrator(text: str) -> None:
    client = caller()
    row = rows_of(client)[0]
    client.reenroll(row)

    assert client.query(SCHEDULED, text.format(**row)).total == 1


def test_a_store_bears_what_a_reenrollment_needs() -> None:
    client = caller()
    row = rows_of(client)[0]
    store = client.get(f"{STORES}/{row['KeystoreId'].upper()}").json

    assert store["AgentId"] == row["AgentGuid"]
    assert store["Storepath"] == row["StorePath"]
    assert store["ReenrollmentStatus"]["Data"] is True
    assert store["ReenrollmentStatus"]["AgentId"] == row["AgentGuid"]
    assert isinstance(store["Properties"], str)
    assert None not in store.values()


def test_a_store_of_a_type_without_reenrollment_says_why_not() -> None:
    client = caller(FleetPlan(stores=3, unsupported_stores=3))
    (store, *_rest) = client.get(STORES).json

    assert store["ReenrollmentStatus"]["Data"] is False
    assert "does not support key" in store["ReenrollmentStatus"]["Message"]
    assert rows_of(client) == []


def test_store_types_are_found_by_number_and_in_a_list_by_name() -> None:
    client = caller()
    kinds = {
        kind["ShortName"]: kind for kind in client.get("/CertificateStoreTypes").json
    }

    assert {name: kind["StoreType"] for name, kind in kinds.items()} == {
        "JKS": 0,
        "PEM": 2,
        "PKCS12": 104,
        "NS": 5,
        "IISU": 105,
    }
    assert client.get("/CertificateStoreTypes/Name/jks").json == [kinds["JKS"]]
    assert client.get("/CertificateStoreTypes/2").json == kinds["PEM"]
    assert kinds["NS"]["SupportedOperations"]["Enrollment"] is False
    assert kinds["NS"]["JobProperties"] == ["NetscalerVserver"]


def test_agents_are_approved_and_name_their_capabilities() -> None:
    client = caller()
    answer = client.query("/Agents", 'Status -eq "2" AND LastSeen -gt "%TODAY-1%"')

    assert answer.total == 2
    assert "CertStores.JKS.Reenrollment" in answer.json[0]["Capabilities"]
    assert "CertStores.NS.Reenrollment" not in answer.json[0]["Capabilities"]


def test_status_endpoints_is_an_array_of_strings() -> None:
    answer = caller().get("/Status/Endpoints")

    assert "POST /CertificateStores/Reenrollment" in answer.json
    assert all(isinstance(item, str) for item in answer.json)


def test_every_answer_bears_commands_headers() -> None:
    client = caller()
    for answer in (client.get(STORES), client.get("/nowhere")):
        assert answer.headers["X-Keyfactor-Product-Version"].startswith("25.4.1+")
        assert answer.headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
        assert answer.headers["Api-Supported-Versions"]
        assert answer.headers["X-Keyfactor-Correlation-Id"]


@pytest.mark.parametrize("base", ["/KeyfactorAPI", "/KEYFACTORapi", "/Keyfactor/API"])
@pytest.mark.parametrize("path", [STORES, "/certificatestores", "/CERTIFICATESTORES/"])
def test_paths_are_read_in_any_case(base: str, path: str) -> None:
    client = caller()
    client.base = base

    assert client.get(path).status == 200


@pytest.mark.parametrize("user", ["sandbox", "SANDBOX", r"EXAMPLE\sandbox"])
def test_a_user_signs_in_with_or_without_the_domain(user: str) -> None:
    client = caller()
    client.headers["authorization"] = basic(user)

    assert client.get(STORES).status == 200


@pytest.mark.parametrize(
    "value",
    [
        *("", "Basic", "Basic !!!", "Bearer abc", "Basic /w==", "Basic c2FuZGJveA=="),
        *(
            basic(password="wrong"),
            basic("other"),
            basic(r"OTHER\sandbox"),
            basic("", ""),
        ),
    ],
)
def test_nobody_else_signs_in(value: str) -> None:
    client = caller()
    client.headers["authorization"] = value
    answer = client.get(STORES)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert set(answer.json) == {"ErrorCode", "Message"}


def test_a_refused_caller_schedules_nothing() -> None:
    client = caller()
    client.headers["authorization"] = basic(password="wrong")
    client.reenroll(rows_of(client)[0])

    assert not client.core.world.scheduled


def test_a_write_needs_the_marker_header() -> None:
    client = caller()
    del client.headers["x-keyfactor-requested-with"]

    assert client.reenroll(rows_of(client)[0]).status == 400
    assert client.get(STORES).status == 200


def test_the_older_dialect_sends_names_and_times_without_zone() -> None:
    client = caller(result_enums="string", zone_suffix=False)
    client.reenroll(rows_of(client)[0])
    client.wait(30.0)
    row = client.reenrollments()[0]

    assert (row["Result"], row["Status"]) == ("Success", "Completed")
    assert not row["OperationStart"].endswith("Z")


def test_field_names_may_be_camel_case() -> None:
    client = caller()
    row = rows_of(client)[0]
    body = {name[0].lower() + name[1:]: value for name, value in row.items()}

    assert client.send("POST", REENROLL, json.dumps(body).encode()).status == 204


@pytest.mark.parametrize(
    ("properties", "status"),
    [
        (None, 204),
        ({}, 204),
        ({"Overwrite": True}, 204),
        ({"overwrite": "true"}, 204),
        ({"NoSuch": "x"}, 400),
        ([{"Overwrite": True}], 400),
        ("Overwrite", 400),
    ],
)
def test_job_properties_are_an_object_of_the_types_parameters(
    properties: object, status: int
) -> None:
    client = caller()

    answer = client.reenroll(rows_of(client)[0], JobProperties=properties)
    assert answer.status == status


@pytest.mark.parametrize(
    ("properties", "status"),
    [([{"Overwrite": True}], 204), ([], 204), ([{"NoSuch": 1}], 400), (["x"], 400)],
)
def test_the_array_form_of_the_v10_text_is_an_option(
    properties: object, status: int
) -> None:
    client = caller(job_properties_array=True)

    answer = client.reenroll(rows_of(client)[0], JobProperties=properties)
    assert answer.status == status


@pytest.mark.parametrize(
    "text",
    [
        'AgentId -eq "{AgentGuid}" AND StorePath -eq "{StorePath}"',
        'StorePath -endswith "{Alias}.{ending}" AND Approved -eq true',
        'StorePath -contains "{Alias}" AND AgentAvailable -eq "true"',
        'StorePath -contains "{Alias}" AND HasInventoryScheduled -eq "false"',
        'StorePath -contains "{Alias}" AND CertificateId -ne NULL',
        'StorePath -contains "{Alias}" AND CertStoreType -ge 0 AND Category -lt 105',
        'StorePath -contains "{Alias}" AND (Container -eq NULL OR Container -ne NULL)',
        'StorePath -contains "{Alias}" AND PrivateKeyAllowed -eq 1',
        'Storepath -contains "{Alias}" AND AddSupported -eq 1',
    ],
)
def test_stores_are_queried_by_the_documented_fields(text: str) -> None:
    client = caller()
    row = rows_of(client)[0]
    client.inventory(row)
    ending = row["StorePath"].rpartition(".")[2]
    stores = client.query(STORES, text.format(ending=ending, **row)).json

    assert [store["Id"] for store in stores] == [row["KeystoreId"]]


def test_sans_are_taken_by_kind() -> None:
    client = caller()
    sans = {"DNS": ["a.example.com"], "ip4": ["192.0.2.1"]}
    client.reenroll(rows_of(client)[0], SANs=sans)
    (job,) = client.core.world.scheduled.values()

    assert job.wish is not None
    assert job.wish.sans == {"dns": ("a.example.com",), "ip4": ("192.0.2.1",)}


def test_a_byte_order_mark_and_a_suffix_media_type_are_taken() -> None:
    client = caller()
    client.headers["content-type"] = "application/json-patch+json; charset=utf-8"
    body = b"\xef\xbb\xbf" + json.dumps(rows_of(client)[0]).encode()

    assert client.send("POST", REENROLL, body).status == 204
