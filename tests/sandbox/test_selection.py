"""The body that Unschedule, Reschedule and Acknowledge share: ids or a query."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.rig import (
    ACKNOWLEDGE,
    HISTORY,
    RESCHEDULE,
    SCHEDULED,
    UNSCHEDULE,
    caller,
    failing,
    rows_of,
    scheduled_ids,
)

from batch_reenroll.sandbox import FleetPlan

GUID = "7326cd6d-0153-4ced-a83b-ea488498bcd8"
CONTROLS = (
    (UNSCHEDULE, "JobIds"),
    (RESCHEDULE, "JobAuditIds"),
    (ACKNOWLEDGE, "JobAuditIds"),
)


@pytest.mark.parametrize(("path", "name"), CONTROLS)
@pytest.mark.parametrize("extra", [{}, {"Query": None}, {"Query": " "}, {"Other": 1}])
@pytest.mark.parametrize("ids", [None, []])
def test_neither_ids_nor_query_is_refused(
    path: str, name: str, extra: dict[str, object], ids: object
) -> None:
    client = failing()

    assert client.post(path, **{name: ids}, **extra).status == 400


@pytest.mark.parametrize(("path", "name"), CONTROLS)
def test_ids_and_query_together_are_refused_and_nothing_happens(
    path: str, name: str
) -> None:
    client = failing()
    client.reenroll(rows_of(client)[1])
    ids = [*scheduled_ids(client)] if name == "JobIds" else [1]
    query = "JobType -ne NULL"
    before = client.get(SCHEDULED).json, client.get(HISTORY).json
    answer = client.post(path, **{name: ids, "Query": query})

    assert answer.status == 400
    assert (
        answer.json["Message"] == f"Either {name} or Query is required, but not both."
    )
    assert (client.get(SCHEDULED).json, client.get(HISTORY).json) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (UNSCHEDULE, {"JobIds": GUID}),
        (UNSCHEDULE, {"JobIds": [1]}),
        (UNSCHEDULE, {"JobIds": [GUID, "x"]}),
        (UNSCHEDULE, {"JobIds": [None]}),
        (UNSCHEDULE, {"Query": 5}),
        (UNSCHEDULE, {"Query": "Result -eq 4"}),
        (RESCHEDULE, {"JobAuditIds": 1}),
        (RESCHEDULE, {"JobAuditIds": ["1"]}),
        (RESCHEDULE, {"JobAuditIds": [True]}),
        (RESCHEDULE, {"JobAuditIds": [1.0]}),
        (ACKNOWLEDGE, {"JobAuditIds": [2**63]}),
        (ACKNOWLEDGE, {"Query": "Nothing -eq 1"}),
        (ACKNOWLEDGE, {"Query": "("}),
        (ACKNOWLEDGE, {"Query": "x" * 20_000}),
    ],
)
def test_a_malformed_selection_is_refused(path: str, body: dict[str, object]) -> None:
    answer = failing().post(path, **body)

    assert answer.status == 400
    assert set(answer.json) == {"ErrorCode", "Message"}


@pytest.mark.parametrize(("path", "name"), CONTROLS)
def test_names_may_be_camel_case(path: str, name: str) -> None:
    client = caller()
    ids: list[object] = [GUID] if name == "JobIds" else [1]

    assert client.post(path, **{name[0].lower() + name[1:]: ids}).status == 204


@pytest.mark.parametrize(("path", "_name"), CONTROLS)
def test_a_write_without_the_marker_or_credentials_is_refused(
    path: str, _name: str
) -> None:
    client = caller()
    client.reenroll(rows_of(client)[0])
    marker = client.headers.pop("x-keyfactor-requested-with")
    assert client.post(path, Query="JobType -ne NULL").status == 400
    client.headers |= {"x-keyfactor-requested-with": marker, "authorization": ""}
    assert client.post(path, Query="JobType -ne NULL").status == 401

    assert len(client.core.world.scheduled) == 1


@given(st.sampled_from(CONTROLS), st.booleans(), st.binary(max_size=40))
def test_no_body_is_a_server_error(
    control: tuple[str, str], wrapped: bool, body: bytes
) -> None:
    path, name = control
    if wrapped:
        body = json.dumps({name: [body.decode("latin-1")]}).encode()

    assert caller(FleetPlan(stores=1)).send("POST", path, body).status == 400
