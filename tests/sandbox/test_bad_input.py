"""Bad input is a documented 4xx with Command's error body, and changes nothing."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.rig import HISTORY, REENROLL, SCHEDULED, Answer, caller, rows_of

from batch_reenroll.sandbox import FleetPlan

GUID = "7326cd6d-0153-4ced-a83b-ea488498bcd8"
LISTS = ("/CertificateStores", HISTORY, SCHEDULED, "/Agents", "/CertificateStoreTypes")
CLIENT = caller(FleetPlan(stores=4, unsupported_stores=1, orchestrators=2))
ROW = rows_of(CLIENT)[0]
GOOD = {name: ROW[name] for name in ("KeystoreId", "SubjectName", "AgentGuid", "Alias")}


def refused(answer: Answer, status: int | None = None) -> None:
    assert 400 <= answer.status < 500, answer
    assert status in (None, answer.status)
    assert set(answer.json) == {"ErrorCode", "Message"}
    assert answer.json["ErrorCode"].startswith("0x")
    assert "Traceback" not in answer.json["Message"]
    assert not CLIENT.core.world.scheduled


BODIES: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 400),
    "no json": (b"{", 400),
    "an array": (b"[]", 400),
    "a number": (b"1", 400),
    "null": (b"null", 400),
    "not utf-8": (b'{"Alias": "\xff"}', 400),
    "nan": (b'{"Alias": NaN}', 400),
    "a lone surrogate": (b'{"Alias": "\\ud800"}', 400),
    "deep": (b"[" * 100_000, 400),
    "deep object": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 400),
    "a huge integer": (b'{"a": ' + b"9" * 5_000 + b"}", 400),
    "two megabytes": (b'{"Alias": "' + b"x" * 2_000_000 + b'"}', 413),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body_is_refused(name: str) -> None:
    body, status = BODIES[name]

    refused(CLIENT.send("POST", REENROLL, body), status)


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize("value", [None, "", "  ", 5, {}, [], True])
def test_a_required_field_must_be_text(field: str, value: object) -> None:
    refused(CLIENT.reenroll(ROW, **{field: value}), 400)


@pytest.mark.parametrize("field", ["KeystoreId", "AgentGuid"])
@pytest.mark.parametrize("value", ["1", GUID[:-1], GUID + "0", "x" * 36])
def test_a_guid_must_be_one(field: str, value: str) -> None:
    refused(CLIENT.reenroll(ROW, **{field: value}), 400)


def test_an_unknown_store_is_not_found() -> None:
    refused(CLIENT.reenroll(ROW, KeystoreId=GUID), 404)


def test_another_orchestrator_is_refused() -> None:
    agents = [item.agent_id for item in CLIENT.core.world.fleet.orchestrators]
    other = next(guid for guid in agents if guid != ROW["AgentGuid"])

    refused(CLIENT.reenroll(ROW, AgentGuid=other), 400)
    refused(CLIENT.reenroll(ROW, AgentGuid=GUID), 400)


def test_a_type_without_reenrollment_is_refused() -> None:
    stores = CLIENT.core.world.fleet.stores
    store = next(item for item in stores if not item.store_type.reenrollable)
    changes = {"KeystoreId": store.store_id, "AgentGuid": store.agent_id}

    refused(CLIENT.reenroll(ROW, **changes), 400)


@pytest.mark.parametrize(
    "sans",
    [[], "dns", {"dns": "a"}, {"dns": [1]}, {"dns": [""]}, {"planet": ["earth"]}],
)
def test_sans_are_arrays_by_known_kind(sans: object) -> None:
    refused(CLIENT.reenroll(ROW, SANs=sans), 400)


@pytest.mark.parametrize("media", ["", "text/plain", "application/xml", "json"])
def test_another_content_type_is_refused(media: str) -> None:
    client = caller()
    client.headers["content-type"] = media

    assert client.reenroll(rows_of(client)[0]).status == 415


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "PageReturned=0",
        "PageReturned=-1",
        "PageReturned=x",
        "ReturnLimit=0",
        "ReturnLimit=99999999999",
        "ReturnLimit=" + "9" * 1500,
        "SortAscending=2",
        "SortField=Nothing",
        "SortField=%00",
        "QueryString=Nothing%20-eq%201",
        "QueryString=AgentId",
        "QueryString=" + "(" * 500,
        "QueryString=%22",
        "QueryString=%ff%fe",
        "pq.queryString=' OR 1=1 --",
        "&".join(f"a{n}=1" for n in range(200)),
    ],
)
def test_a_hostile_query_is_refused(path: str, query: str) -> None:
    refused(CLIENT.get(f"{path}?{query}"), 400)


@pytest.mark.parametrize("path", LISTS)
def test_a_query_string_beyond_2048_bytes_is_not_found_as_under_iis(path: str) -> None:
    refused(CLIENT.get(path + "?x=" + "y" * 2047), 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/Nothing", 404),
        ("GET", "/CertificateStores/x", 400),
        ("GET", f"/CertificateStores/{GUID}", 404),
        ("GET", f"/CertificateStores/{GUID}/Inventory", 404),
        ("GET", "/CertificateStores/x/Inventory", 400),
        ("GET", f"/Agents/{GUID}", 404),
        ("GET", "/Agents/%00", 400),
        ("GET", "/CertificateStoreTypes/x", 400),
        ("GET", "/CertificateStoreTypes/999999999", 404),
        ("GET", "/CertificateStoreTypes/Name/x", 404),
        ("GET", "/../../etc/passwd", 404),
        ("POST", "/CertificateStores", 405),
        ("DELETE", "/Agents", 405),
        ("PUT", REENROLL, 405),
        ("POST", f"/CertificateStores/{GUID}", 405),
        ("GET", "/OrchestratorJobs/Unschedule", 405),
        ("POST", "/OrchestratorJobs/ScheduledJobs", 405),
    ],
)
def test_what_is_not_there_is_said_so(method: str, path: str, status: int) -> None:
    answer = CLIENT.send(method, path)

    refused(answer, status)
    assert ("Allow" in answer.headers) == (status == 405)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from([*GOOD, "JobProperties", "SANs", "CertificateTemplate"]), JSON)
@settings(max_examples=200)
def test_no_value_in_any_field_is_a_server_error(field: str, value: object) -> None:
    client = caller(FleetPlan(stores=2, orchestrators=1))
    row = rows_of(client)[0]
    client.reenroll(row, **{field: value})
    answer = client.send("POST", REENROLL, json.dumps({**row, field: value}).encode())
    client.wait(30.0)

    assert answer.status < 500
    assert all(job["Status"] == 3 for job in client.get(HISTORY).json)


@given(st.binary(max_size=60))
def test_no_body_is_a_server_error(body: bytes) -> None:
    refused(CLIENT.send("POST", REENROLL, body))


@given(st.sampled_from(LISTS), st.text(max_size=40), st.text(max_size=10))
def test_no_query_is_a_server_error(path: str, query: str, sort: str) -> None:
    text = f"?QueryString={quote(query, safe='', errors='replace')}"
    text += f"&SortField={quote(sort, safe='', errors='replace')}"

    assert CLIENT.get(path + text).status in (200, 400)


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_no_path_is_a_server_error(path: str) -> None:
    answer = CLIENT.send("GET", "/CertificateStores/" + path)

    assert answer.status < 500
