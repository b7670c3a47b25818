"""The management port, as a pure function over a simulated site."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.accounts import (
    account,
    ask_token,
    bearing,
    grant_to,
    holding,
    message_of,
    row_in,
    signed_in,
    site,
)
from sandbox.rig import START, Answer

from batch_reenroll.sandbox import (
    Core,
    Desk,
    FrontDoor,
    Identity,
    Management,
    Request,
    RequestFaults,
    Right,
)
from batch_reenroll.sandbox.policy import NEW_CA

KEY = "the-key"


@dataclass
class HandClock:
    advanced_s: float = 0.0

    def advance(self, seconds: float) -> None:
        self.advanced_s += seconds


@dataclass
class Manager:
    core: Core = field(default_factory=site)
    clock: HandClock | None = field(default_factory=HandClock)
    log: list[dict[str, object]] = field(default_factory=list)
    started_at: float = START

    def __post_init__(self) -> None:
        self.faults = RequestFaults()
        desk = Desk(self.core, self.faults, self.clock)
        self._management = Management(desk, KEY, self.log.append)

    @property
    def now(self) -> float:
        return self.started_at + (self.clock.advanced_s if self.clock else 0.0)

    def raw(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        sent = {
            "authorization": f"Bearer {KEY}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = Request(method=method, target=path, headers=sent, body=body)
        response = self._management.answer(request, self.now)
        return Answer(response.status, dict(response.headers), response.body)

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        return self.raw(
            method, path, b"" if body is None else json.dumps(body).encode()
        )

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200
        return answer.json


def problems(answer: Answer, status: int = 400) -> str:
    assert answer.status == status
    assert set(answer.json) == {"error", "problems"}
    return "; ".join(answer.json["problems"])


# -- the door


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", "Bearer \udcff", f"Basic {KEY}", KEY]
)
def test_nothing_is_done_without_the_key(given: str) -> None:
    manager = Manager()
    answer = manager.raw("DELETE", "/identities/sandbox", authorization=given)
    assert problems(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert [item.user for item in manager.core.identities] == ["sandbox"]
    assert manager.log == []


def test_it_lists_its_endpoints_and_each_get_answers() -> None:
    manager = Manager()
    listed = manager.get("/")
    assert "PATCH /settings" in listed
    for line in listed:
        method, path = line.split()
        if method == "GET" and "{" not in path:
            manager.get(path)


def test_unknown_paths_and_methods_are_told_apart() -> None:
    manager = Manager()
    problems(manager.ask("GET", "/nothing"), 404)
    answer = manager.ask("PUT", "/settings", {})
    problems(answer, 405)
    assert answer.headers["Allow"] == "GET, PATCH"
    problems(manager.ask("POST", "/"), 405)


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"advance_s": NaN}', "application/json", 400),
        (b'"\\ud800"', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * 1_048_577, "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_is_refused(
    body: bytes, media: str, status: int
) -> None:
    assert problems(Manager().raw("POST", "/time", body, content_type=media), status)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["rights", "user", "requests", "jobs", "advance_s", "online", "action"]
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
WRITES = [
    ("PATCH", "/settings"),
    ("POST", "/faults"),
    ("POST", "/time"),
    ("POST", "/identities"),
    ("PUT", "/identities/sandbox/rights"),
    ("PATCH", "/orchestrators/{id}"),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(WRITES), JSON)
def test_any_json_at_all_is_answered_and_leaves_a_site_that_works(
    write: tuple[str, str], body: object
) -> None:
    manager = Manager()
    agent = next(iter(manager.core.world.orchestrators))
    try:
        data = json.dumps(body).encode()
    except ValueError:
        return
    answer = manager.raw(write[0], write[1].replace("{id}", agent), data)
    assert answer.status in (200, 201, 400, 409)
    if answer.status >= 400:
        assert set(answer.json) == {"error", "problems"}
    door = FrontDoor(manager.core, manager.faults, lambda _entry: None)
    request = Request(method="GET", target="/KeyfactorAPI/Agents")
    door.answer(request, door.admit(request), manager.now)


# -- settings


def test_settings_are_read_and_changed_one_by_one() -> None:
    manager = Manager()
    before = manager.get("/settings")
    assert before["certificate_authority_for_submitted_csrs"] == NEW_CA
    changes = {"job_retry_count": 2, "heartbeat_minutes": 0.5}
    after = manager.ask("PATCH", "/settings", changes).json
    assert after == before | changes == manager.get("/settings")
    assert manager.core.world.settings.heartbeat_s == 30.0


def test_the_default_ca_and_template_count_from_the_next_job_on() -> None:
    manager = Manager()
    manager.ask("PATCH", "/settings", {"template_for_submitted_csrs": "Broken"})
    client = signed_in(manager.core)
    client.reenroll(row_in(manager.core, 1), CertificateTemplate=None)
    client.wait(10.0)
    (row,) = client.reenrollments()
    assert "Broken" in row["Message"]


def test_a_retry_count_puts_failed_jobs_back() -> None:
    manager = Manager()
    manager.ask("PATCH", "/settings", {"job_retry_count": 1})
    manager.ask("POST", "/faults", {"jobs": [{"times": None}]})
    client = signed_in(manager.core)
    client.reenroll(row_in(manager.core, 1))
    client.wait(60.0)
    assert [row["Status"] for row in client.reenrollments()] == [5, 3]


def test_failures_age_out_of_the_summary_and_stay_in_the_history() -> None:
    manager = Manager()
    manager.ask("PATCH", "/settings", {"job_failures_and_warnings_age_out_days": 1})
    manager.ask("POST", "/faults", {"jobs": [{}]})
    client = signed_in(manager.core)
    client.reenroll(row_in(manager.core, 1))
    client.wait(10.0)
    manager.started_at = client.now
    assert manager.get("/summary")["open_failures_and_warnings"] == 1
    manager.ask("POST", "/time", {"advance_s": 86_401})
    summary = manager.get("/summary")
    assert summary["open_failures_and_warnings"] == 0
    assert summary["history_rows"] == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], "an object"),
        ({"heartbeat": 1}, "unknown key 'heartbeat'"),
        ({"heartbeat_minutes": 0}, "heartbeat_s must be in"),
        ({"heartbeat_minutes": None}, "expected a number"),
        ({"heartbeat_minutes": True}, "expected a number"),
        ({"heartbeat_minutes": 10**400}, "expected a number"),
        ({"job_retry_count": 1.5}, "expected a whole number"),
        ({"job_retry_count": -1}, "must be >= 0"),
        ({"template_for_submitted_csrs": 7}, "expected a string"),
        ({"job_min_s": 9, "job_max_s": 1}, "MIN <= MAX"),
        ({"token_lifetime_s": 0}, "token_lifetime_s"),
    ],
)
def test_a_setting_that_cannot_be_changes_nothing(changes: object, words: str) -> None:
    manager = Manager()
    before = manager.get("/settings")
    assert words in problems(manager.ask("PATCH", "/settings", changes))
    assert manager.get("/settings") == before


def test_all_wrong_settings_are_told_at_once() -> None:
    changes = {"heartbeat_minutes": "x", "job_retry_count": "y", "z": 1}
    answer = Manager().ask("PATCH", "/settings", changes)
    assert len(answer.json["problems"]) == 3


# -- faults


def test_faults_are_added_counted_and_taken_out() -> None:
    manager = Manager()
    rule = {"match": {"path": "/Agents"}, "times": None, "action": {"status": 503}}
    added = manager.ask("POST", "/faults", {"requests": [rule, rule], "jobs": [{}]})
    assert added.status == 201
    first, second = added.json["requests"]
    door = FrontDoor(manager.core, manager.faults, lambda _entry: None)
    request = Request(method="GET", target="/KeyfactorAPI/Agents")
    assert door.admit(request).status == 503

    listed = manager.get("/faults")
    assert [(r["id"], r["n_seen"], r["n_hit"]) for r in listed["requests"]] == [
        (first, 1, 1),
        (second, 0, 0),
    ]
    assert listed["requests"][0]["action"]["status"] == 503
    assert manager.ask("DELETE", f"/faults/requests/{first}").status == 204
    assert [rule["id"] for rule in manager.get("/faults")["requests"]] == [second]
    problems(manager.ask("DELETE", f"/faults/requests/{first}"), 404)
    assert manager.ask("DELETE", "/faults").status == 204
    assert manager.get("/faults") == {"requests": [], "jobs": []}
    again = manager.ask("POST", "/faults", {"requests": [rule]}).json["requests"]
    assert again[0] > second


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"request": []}, "unknown key 'request'"),
        ({"requests": [{}]}, "requests[0]: action is required"),
        ({"requests": [{"action": {"status": 99}}]}, "200 to 599"),
        ({"requests": [{"action": {"status": "503"}}]}, "expected a whole number"),
        ({"requests": [{"action": {"drop": "later"}}]}, "expected one of 'before'"),
        ({"requests": [{"action": {"headers": {"a b": "x"}}}]}, "of HTTP"),
        ({"requests": [{"action": {"headers": {"a": "x\r\ny: z"}}}]}, "of HTTP"),
        ({"requests": [{"action": {"headers": {"a": 1}}}]}, "expected a string"),
        ({"requests": [{"action": {"retry_after_date_s": 10**12}}]}, "ten years"),
        ({"requests": [{"action": {}, "match": {"method": 5}}]}, "match.method"),
        ({"jobs": [{"result": 9}]}, "result must be"),
        ({"jobs": [{"kind": "Renewal"}]}, "kind is"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(script: object, words: str) -> None:
    manager = Manager()
    assert words in problems(manager.ask("POST", "/faults", script))
    assert manager.get("/faults") == {"requests": [], "jobs": []}


@pytest.mark.parametrize(
    "path", ["/faults/other/1", "/faults/jobs/x", "/faults/jobs/٢"]
)
def test_a_fault_that_is_not_there_is_not_found(path: str) -> None:
    problems(Manager().ask("DELETE", path), 404)


# -- time


def test_the_clock_is_put_forward_and_what_is_due_happens() -> None:
    manager = Manager()
    client = signed_in(manager.core)
    client.reenroll(row_in(manager.core, 1))
    answer = manager.ask("POST", "/time", {"advance_s": 3600})
    assert answer.json["now_s"] == START + 3600
    assert answer.json["advanced_s"] == 3600
    client.now = manager.now
    assert [row["Result"] for row in client.reenrollments()] == [2]


def test_tokens_end_when_the_clock_is_put_forward() -> None:
    manager = Manager(site(Identity(user="r", client_id="r", client_secret="x")))
    form = grant_to("r", "x")
    token = ask_token(manager.core, form)
    client = bearing(manager.core, token.json["access_token"])
    assert client.get("/Agents").status == 200
    manager.ask("POST", "/time", {"advance_s": 3600})
    client.now = manager.now
    assert client.get("/Agents").status == 401


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "> 0"),
        (-1, "> 0"),
        ("1", "expected a number"),
        (3e6, "heartbeats"),
        (1e9, "not live that long"),
        (1e308, "not live that long"),
    ],
)
def test_an_advance_that_cannot_be_is_refused(seconds: object, words: str) -> None:
    manager = Manager()
    answer = manager.ask("POST", "/time", {"advance_s": seconds})
    assert words in problems(answer)
    assert manager.now == START


def test_an_advance_says_what_it_needs() -> None:
    assert "advance_s is required" in problems(Manager().ask("POST", "/time"))


def test_a_clock_of_the_caller_is_not_put_forward() -> None:
    answer = Manager(clock=None).ask("POST", "/time", {"advance_s": 1})
    problems(answer, 409)


# -- identities

READER = {"user": "reader", "password": "pw-x", "rights": ["AgentManagement: Read"]}


def test_an_identity_that_is_added_signs_in_with_its_rights_and_no_others() -> None:
    manager = Manager()
    assert manager.ask("POST", "/identities", READER).status == 201
    client = signed_in(manager.core, "reader", "pw-x")
    assert client.get("/Agents").status == 200
    assert client.get("/CertificateStores").status == 403


def test_identities_are_told_without_their_secrets() -> None:
    manager = Manager(site(dialect="10"))
    more = {"client_id": "cid", "client_secret": "sec-x", "containers": {"2": ["Read"]}}
    added = manager.ask("POST", "/identities", READER | more)
    told = manager.raw("GET", "/identities/EXAMPLE%5Creader")
    assert told.json == added.json == manager.get("/identities")[1]
    assert told.json["rights"] == [
        "AgentManagement: Read",
        "CertificateStoreManagement: Read/2",
    ]
    assert b"pw-x" not in told.body + added.body
    assert b"sec-x" not in told.body + added.body
    assert "pw-x" not in str(manager.log)


def test_a_name_or_a_client_id_that_is_taken_is_a_conflict() -> None:
    manager = Manager()
    client = {"client_id": "c", "client_secret": "s"}
    manager.ask("POST", "/identities", READER | client)
    problems(manager.ask("POST", "/identities", READER), 409)
    other = client | {"user": "other"}
    problems(manager.ask("POST", "/identities", other), 409)


def test_rights_are_replaced_as_a_whole() -> None:
    manager = Manager(site(account("user", holding(Right.READ_AGENTS))))
    client = signed_in(manager.core, "user")
    rights = {"rights": ["/certificate_stores/read/1/"], "templates": ["WebServer"]}
    answer = manager.ask("PUT", "/identities/user/rights", rights)
    assert answer.json["templates"] == ["webserver"]
    assert answer.json["authorities"] is None
    assert "/agents/management/read/" in message_of(client.get("/Agents"))
    assert client.get("/CertificateStores").status == 200


def test_tokens_of_one_identity_are_taken_back() -> None:
    robots = [Identity(user=n, client_id=n, client_secret="x") for n in ("one", "two")]
    manager = Manager(site(*robots))
    clients = {}
    for name in ("one", "two"):
        form = grant_to(name, "x")
        token = ask_token(manager.core, form)
        clients[name] = bearing(manager.core, token.json["access_token"])
    assert manager.get("/identities/one")["tokens"] == 1
    assert manager.ask("POST", "/identities/one/revoke").json == {"revoked": 1}
    assert clients["one"].get("/Agents").status == 401
    assert clients["two"].get("/Agents").status == 200
    assert manager.get("/identities/one")["tokens"] == 0


def test_an_identity_that_is_removed_and_added_again_has_no_old_tokens() -> None:
    manager = Manager()
    robot = {"user": "r", "client_id": "r", "client_secret": "x", "rights": ["all"]}
    manager.ask("POST", "/identities", robot)
    form = grant_to("r", "x")
    token = ask_token(manager.core, form)
    assert manager.ask("DELETE", "/identities/r").status == 204
    problems(manager.ask("GET", "/identities/r"), 404)
    manager.ask("POST", "/identities", robot)
    client = bearing(manager.core, token.json["access_token"])
    assert client.get("/Agents").status == 401


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "user is required"),
        ({"user": 5}, "expected a string"),
        ({"user": "a:b"}, "plain name"),
        ({"user": "a", "rights": "all"}, "expected an array"),
        ({"user": "a", "rights": ["all", "root"]}, "'root' is no permission"),
        ({"user": "a", "containers": {"x": ["Read"]}}, "container 'x'"),
        ({"user": "a", "client_id": "c"}, "belong together"),
        ({"user": "a", "admin": True}, "unknown key 'admin'"),
    ],
)
def test_an_identity_that_cannot_be_is_refused(entry: object, words: str) -> None:
    manager = Manager()
    assert words in problems(manager.ask("POST", "/identities", entry))
    assert len(manager.get("/identities")) == 1


# -- orchestrators


def test_an_orchestrator_that_is_offline_begins_nothing_until_it_comes_back() -> None:
    manager = Manager()
    client = signed_in(manager.core)
    row = row_in(manager.core, 1)
    path = f"/orchestrators/{row['AgentGuid'].upper()}"
    assert manager.ask("PATCH", path, {"online": False}).json["online"] is False
    assert manager.get(path)["online"] is False
    client.reenroll(row)
    client.wait(60.0)
    assert client.reenrollments() == []
    manager.started_at = client.now
    manager.ask("PATCH", path, {"online": True})
    client.wait(10.0)
    assert [job["Result"] for job in client.reenrollments()] == [2]


def test_coming_and_going_quickly_does_not_double_the_heartbeats() -> None:
    manager = Manager()
    entered = len(manager.core._agenda._heap)
    agent_id = next(iter(manager.core.world.orchestrators))
    for _ in range(5):
        for online in (False, True):
            manager.ask("PATCH", f"/orchestrators/{agent_id}", {"online": online})
    assert len(manager.core._agenda._heap) == entered


def test_an_orchestrator_that_goes_finishes_the_job_in_hand() -> None:
    manager = Manager(site(job_min_s=5.0, job_max_s=5.0))
    client = signed_in(manager.core)
    row = row_in(manager.core, 1)
    client.reenroll(row)
    client.wait(3.0)
    assert [job["Status"] for job in client.reenrollments()] == [2]
    manager.started_at = client.now
    manager.ask("PATCH", f"/orchestrators/{row['AgentGuid']}", {"online": False})
    client.wait(60.0)
    assert [job["Result"] for job in client.reenrollments()] == [2]


def test_an_orchestrator_that_goes_leaves_the_jobs_behind_the_one_in_hand() -> None:
    manager = Manager(site(job_min_s=5.0, job_max_s=5.0))
    client = signed_in(manager.core)
    row = row_in(manager.core, 1)
    client.reenroll(row)
    client.reenroll(row)
    client.wait(3.0)
    manager.started_at = client.now
    path = f"/orchestrators/{row['AgentGuid']}"
    manager.ask("PATCH", path, {"online": False})
    client.wait(60.0)
    assert len(client.reenrollments()) == 1
    manager.started_at = client.now
    manager.ask("PATCH", path, {"online": True})
    client.wait(60.0)
    assert [job["Result"] for job in client.reenrollments()] == [2, 2]


def test_a_disapproved_orchestrator_is_given_nothing() -> None:
    manager = Manager()
    client = signed_in(manager.core)
    row = row_in(manager.core, 1)
    path = f"/orchestrators/{row['AgentGuid']}"
    client.reenroll(row)
    assert manager.ask("PATCH", path, {"approved": False}).json["approved"] is False
    assert client.get(f"/Agents/{row['AgentGuid']}").json["Status"] == 3
    client.wait(30.0)
    assert client.reenrollments() == []
    manager.started_at = client.now
    manager.ask("PATCH", path, {"approved": True})
    client.wait(30.0)
    assert [job["Result"] for job in client.reenrollments()] == [2]


def test_an_unknown_orchestrator_is_not_found() -> None:
    problems(Manager().ask("PATCH", "/orchestrators/x", {"online": True}), 404)


def test_what_is_changed_is_logged_and_what_is_read_is_not() -> None:
    manager = Manager()
    manager.get("/settings")
    manager.ask("PATCH", "/settings", {"job_retry_count": "x"})
    manager.ask("PATCH", "/settings", {"job_retry_count": 1})
    assert [(e["event"], e["path"]) for e in manager.log] == [("managed", "/settings")]
