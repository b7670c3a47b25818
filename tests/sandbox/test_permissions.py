"""What each call needs, in a simulated site: the decision table of permissions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.accounts import (
    NEEDED,
    account,
    holding,
    message_of,
    row_in,
    signed_in,
    site,
    store_in,
)
from sandbox.rig import (
    ACKNOWLEDGE,
    HISTORY,
    REENROLL,
    RESCHEDULE,
    SCHEDULED,
    UNSCHEDULE,
    Answer,
    Caller,
)

from batch_reenroll.sandbox import Core, JobFault, Right, Rights
from batch_reenroll.sandbox.rights import CONTAINED, ROLES

GUID = "00000000-0000-4000-8000-000000000000"
STORE = {Right.READ_STORES}
AGENT = {Right.READ_AGENTS}
TAKE_BACK = {Right.MODIFY_AGENTS, Right.SCHEDULE_STORES}
#: Call → what it needs, written down again from the documents.
CALLS: list[tuple[str, str, dict[str, Any] | None, set[Right]]] = [
    ("GET", "/CertificateStores", None, STORE),
    ("GET", f"/CertificateStores/{GUID}", None, STORE),
    ("GET", f"/CertificateStores/{GUID}/Inventory", None, STORE),
    ("POST", REENROLL, {}, {Right.ENROLL_CSR, Right.MODIFY_STORES}),
    ("GET", SCHEDULED, None, AGENT),
    ("GET", HISTORY, None, AGENT),
    ("POST", UNSCHEDULE, {"JobIds": [GUID]}, TAKE_BACK),
    ("POST", RESCHEDULE, {"JobAuditIds": [1]}, TAKE_BACK),
    ("POST", ACKNOWLEDGE, {"JobAuditIds": [1]}, {Right.MODIFY_AGENTS}),
    ("GET", "/CertificateStoreTypes", None, STORE),
    ("GET", "/CertificateStoreTypes/Name/PEM", None, STORE),
    ("GET", "/CertificateStoreTypes/2", None, STORE),
    ("GET", "/Agents", None, AGENT),
    ("GET", f"/Agents/{GUID}", None, AGENT),
    ("GET", "/CertificateAuthority", None, {Right.READ_AUTHORITIES}),
    ("GET", "/Templates", None, {Right.READ_TEMPLATES}),
    ("GET", "/Security/My", None, set()),
    ("GET", "/Status/Endpoints", None, set()),
]


def call(client: Caller, method: str, path: str, body: dict[str, Any] | None) -> Answer:
    return client.get(path) if body is None else client.post(path, **body)


def user(rights: Rights, core: Core | None = None) -> Caller:
    core = core or site()
    core.identities.add(account("user", rights))
    return signed_in(core, "user")


@pytest.mark.parametrize(("method", "path", "body", "needs"), CALLS)
def test_a_call_is_open_with_just_what_it_needs_and_closed_without_each(
    method: str, path: str, body: dict[str, Any] | None, needs: set[Right]
) -> None:
    assert call(user(holding(*needs)), method, path, body).status != 403
    for right in needs:
        answer = call(user(holding(*(set(Right) - {right}))), method, path, body)
        assert answer.status == 403
        assert message_of(answer).endswith(f": {right}.")


def test_a_user_without_rights_is_refused_everything_but_the_list_of_endpoints() -> (
    None
):
    client = user(Rights())
    open_calls = [
        path for m, path, body, _ in CALLS if call(client, m, path, body).status != 403
    ]
    assert open_calls == ["/Security/My", "/Status/Endpoints"]


@pytest.mark.parametrize("dialect", ["10", "11", "24", "25"])
def test_a_refusal_names_the_permission_in_the_words_of_the_dialect(
    dialect: str,
) -> None:
    answer = user(Rights(), site(dialect=dialect)).get("/Agents")
    right = Right.READ_AGENTS
    assert (ROLES[right] if dialect == "10" else right.value) in message_of(answer)


#: The rights to enroll by CSR and to read agents, as ``GET /Security/My`` tells them.
OWN_ROLES = [("AgentManagement", "Read"), ("CertificateEnrollment", "EnrollCSR")]
OWN_CLAIMS = [("/agents/management/", "read"), ("/certificates/enrollment/", "csr")]


@pytest.mark.parametrize(
    ("dialect", "told"),
    [("10", OWN_ROLES), ("11", OWN_ROLES), ("24", OWN_CLAIMS), ("25", OWN_CLAIMS)],
)
def test_a_caller_is_told_its_global_rights_and_none_of_single_containers(
    dialect: str, told: list[tuple[str, str]]
) -> None:
    rights = holding(
        Right.ENROLL_CSR, Right.READ_AGENTS, containers={Right.MODIFY_STORES: {2}}
    )
    own = user(rights, site(dialect=dialect)).get("/Security/My")
    assert own.status == 200
    assert own.json == {
        "Roles": ["EXAMPLE\\user"],
        "GlobalPermissions": [{"Area": a, "Permission": p} for a, p in told],
    }


def test_without_signing_in_no_rights_are_told() -> None:
    client = signed_in(site(), "nobody")
    assert client.get("/Security/My").status == 401


def test_all_missing_permissions_are_named_at_once() -> None:
    text = message_of(user(Rights()).post(REENROLL))
    assert Right.ENROLL_CSR in text
    assert Right.MODIFY_STORES in text


def test_an_unknown_path_is_not_found_rather_than_forbidden() -> None:
    assert user(Rights()).get("/Nothing").status == 404


CONTAINER = st.sampled_from([0, 1, 2, 3])
GRANTED = st.frozensets(st.tuples(st.sampled_from(sorted(CONTAINED)), CONTAINER))


@settings(max_examples=40, deadline=None)
@given(GRANTED)
def test_stores_are_seen_and_changed_in_the_granted_containers_only(
    granted: frozenset[tuple[Right, int]],
) -> None:
    contained = frozenset(pair for pair in granted if pair[1])
    everywhere = {right for right, number in granted if not number}
    rights = Rights(
        everywhere=frozenset({Right.ENROLL_CSR, *everywhere}), contained=contained
    )
    core = site()
    client = user(rights, core)

    def held(right: Right, number: int) -> bool:
        return right in everywhere or (right, number) in contained

    listed = client.get("/CertificateStores", ReturnLimit=100)
    plans = core.world.fleet.stores
    seen = {s.store_id for s in plans if held(Right.READ_STORES, s.container_id)}
    if rights.may_somewhere(Right.READ_STORES):
        assert {store["Id"] for store in listed.json} == seen
        assert listed.total == len(seen)
    else:
        assert listed.status == 403
    for number in (0, 1, 2, 3):
        row = row_in(core, number)
        answer = client.get(f"/CertificateStores/{row['KeystoreId']}/Inventory")
        assert (answer.status == 200) is held(Right.READ_STORES, number)
        answer = client.reenroll(row)
        expected = 204 if held(Right.MODIFY_STORES, number) else 403
        assert answer.status == expected
    jobs = [job.store.plan.container_id for job in core.world.scheduled.values()]
    assert all(held(Right.MODIFY_STORES, number) for number in jobs)


def in_containers(right: Right, *numbers: int, **more: Any) -> Rights:
    rest = set(Right) - {right}
    return holding(*rest, containers={right: set(numbers)}, **more)


def test_a_store_that_may_not_be_read_is_not_there() -> None:
    core = site()
    client = user(in_containers(Right.READ_STORES, 2), core)
    hidden, shown = store_in(core, 1), store_in(core, 2)

    unseen = client.get(f"/CertificateStores/{hidden.store_id}")
    nothing = client.get(f"/CertificateStores/{GUID}")
    assert unseen.status == nothing.status == 404
    assert message_of(unseen).replace(hidden.store_id, GUID) == message_of(nothing)
    assert client.get(f"/CertificateStores/{shown.store_id}").status == 200
    by_path = client.query("/CertificateStores", f'StorePath -eq "{hidden.path}"')
    assert (by_path.json, by_path.total) == ([], 0)


def test_a_refusal_for_one_container_names_that_container() -> None:
    core = site()
    client = user(in_containers(Right.MODIFY_STORES, 1), core)
    answer = client.reenroll(row_in(core, 2))

    assert answer.status == 403
    assert "/certificate_stores/modify/2/" in message_of(answer)
    assert client.reenroll(row_in(core, 1)).status == 204


def test_a_store_in_no_container_needs_the_global_right() -> None:
    core = site()
    client = user(in_containers(Right.MODIFY_STORES, 1, 2, 3), core)
    assert client.reenroll(row_in(core, 0)).status == 403


def offline_jobs(core: Core, *numbers: int) -> None:
    """Schedule one job in each container, with nobody to take it."""
    for agent in core.world.orchestrators.values():
        core.set_online(agent, False)
    for number in numbers:
        assert signed_in(core).reenroll(row_in(core, number)).status == 204


def test_jobs_are_taken_back_in_the_granted_containers_only() -> None:
    core = site()
    client = user(in_containers(Right.SCHEDULE_STORES, 1), core)
    offline_jobs(core, 1, 2)
    jobs = {
        job.store.plan.container_id: id_ for id_, job in core.world.scheduled.items()
    }

    mixed = client.post(UNSCHEDULE, JobIds=list(jobs.values()))
    assert mixed.status == 403
    assert "/certificate_stores/schedule/2/" in message_of(mixed)
    assert len(core.world.scheduled) == 2
    assert client.post(UNSCHEDULE, JobIds=[jobs[1]]).status == 204
    assert set(core.world.scheduled) == {jobs[2]}


def test_failed_jobs_go_again_in_the_granted_containers_only() -> None:
    core = site()
    core.job_faults.set([JobFault(times=2)])
    client = user(in_containers(Right.SCHEDULE_STORES, 1), core)
    for number in (1, 2):
        client.reenroll(row_in(core, number))
    client.wait(20.0)
    ids = {row["StorePath"]: row["JobHistoryId"] for row in client.reenrollments()}
    ours, theirs = (ids[row_in(core, n)["StorePath"]] for n in (1, 2))

    assert client.post(RESCHEDULE, JobAuditIds=[ours, theirs]).status == 403
    assert len(core.world.scheduled) == 0
    assert client.post(RESCHEDULE, JobAuditIds=[ours]).status == 204
    assert len(core.world.scheduled) == 1


def test_the_default_account_may_do_everything() -> None:
    client = signed_in(site())
    assert [m for m, p, b, _ in CALLS if call(client, m, p, b).status == 403] == []


def test_rights_that_change_count_from_the_next_request_on() -> None:
    core = site()
    client = user(holding(*NEEDED), core)
    assert client.get("/Agents").status == 200
    known = core.identities.named("user")
    assert known is not None
    core.identities.replace(replace(known, rights=Rights()))
    assert client.get("/Agents").status == 403
