"""The token endpoint (RFC 6749) and the life of its tokens."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.accounts import ask_token, bearing, site
from sandbox.rig import START, Answer

from batch_reenroll.sandbox import (
    TOKEN_PATH,
    FrontDoor,
    Identity,
    InProcessTransport,
    Request,
    RequestFaults,
)

ROBOT = Identity(user="robot", client_id="robot", client_secret="s3cret&+ %")
STRICT = Identity(
    user="strict",
    client_id="strict",
    client_secret="strict-secret",
    scopes=("command", "openid"),
    audience="https://command.example.com",
)
GRANT = {"grant_type": "client_credentials"}
AS_ROBOT = GRANT | {"client_id": "robot", "client_secret": "s3cret&+ %"}
AS_STRICT = GRANT | {"client_id": "strict", "client_secret": "strict-secret"}
AUDIENCE = {"audience": "https://command.example.com"}


CORE = site(ROBOT, STRICT)


def refused(answer: Answer) -> tuple[int, str]:
    assert set(answer.json) == {"error", "error_description"}
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status, answer.json["error"]


def test_a_client_gets_a_bearer_token() -> None:
    answer = ask_token(site(ROBOT, token_lifetime_s=120), AS_ROBOT)

    assert answer.status == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 120)
    assert answer.headers["Cache-Control"] == "no-store"
    assert not any(name.startswith("X-Keyfactor") for name in answer.headers)


def test_the_client_may_show_its_secret_in_a_basic_header() -> None:
    core = site(ROBOT)
    pair = ("robot", quote_plus("s3cret&+ %"))
    assert ask_token(core, GRANT, basic_auth=pair).status == 200
    wrong = ask_token(core, GRANT, basic_auth=("robot", "no"))
    assert refused(wrong) == (401, "invalid_client")
    assert wrong.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_token_opens_the_api_until_it_ends() -> None:
    core = site(ROBOT, token_lifetime_s=60)
    client = bearing(core, ask_token(core, AS_ROBOT).json["access_token"])
    assert client.get("/Agents").status == 200
    client.now = START + 59.9
    assert client.get("/Agents").status == 200
    client.now = START + 60.0
    assert client.get("/Agents").status == 401
    fresh = ask_token(core, AS_ROBOT, now=client.now).json["access_token"]
    client.headers["authorization"] = f"bearer {fresh}"
    assert client.get("/Agents").status == 200


def test_a_revoked_token_opens_nothing_and_a_new_one_does() -> None:
    core = site(ROBOT)
    tokens = [ask_token(core, AS_ROBOT).json["access_token"] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert core.tokens.revoke(ROBOT) == 2
    assert {bearing(core, token).get("/Agents").status for token in tokens} == {401}
    fresh = ask_token(core, AS_ROBOT).json["access_token"]
    assert bearing(core, fresh).get("/Agents").status == 200


def test_ended_tokens_are_not_kept() -> None:
    core = site(ROBOT, token_lifetime_s=10)
    for n in range(50):
        ask_token(core, AS_ROBOT, now=START + 10 * n)
    assert len(core.tokens._tokens) == 1


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, (401, "invalid_client")),
        (GRANT | {"client_id": "robot"}, (401, "invalid_client")),
        (AS_ROBOT | {"client_secret": "wrong"}, (401, "invalid_client")),
        (AS_ROBOT | {"client_id": "nobody"}, (401, "invalid_client")),
        (AS_ROBOT | {"grant_type": "password"}, (400, "unsupported_grant_type")),
        (AS_ROBOT | {"grant_type": ""}, (400, "invalid_request")),
        (AS_STRICT | AUDIENCE | {"scope": "root"}, (400, "invalid_scope")),
        (AS_STRICT | AUDIENCE | {"scope": "command root"}, (400, "invalid_scope")),
        (AS_ROBOT | {"scope": "two  spaces"}, (400, "invalid_scope")),
        (AS_STRICT, (400, "invalid_target")),
        (AS_STRICT | {"audience": "https://other"}, (400, "invalid_target")),
    ],
)
def test_a_wrong_request_is_refused_in_the_words_of_the_rfc(
    form: dict[str, str], expected: tuple[int, str]
) -> None:
    assert refused(ask_token(site(ROBOT, STRICT), form)) == expected


@pytest.mark.parametrize(
    ("scope", "granted"),
    [("", "command openid"), ("openid", "openid"), ("openid command",) * 2],
)
def test_the_scopes_of_a_token_are_told(scope: str, granted: str) -> None:
    form = AS_STRICT | AUDIENCE | ({"scope": scope} if scope else {})
    assert ask_token(site(STRICT), form).json["scope"] == granted


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/json"}, b"{}", 400),
        ({}, b"grant_type=a&grant_type=b", 400),
        ({}, b"\xff\xfe=", 400),
        ({}, b"a=%ff", 400),
        ({}, b"&".join(b"a%d=" % n for n in range(60)), 400),
        ({}, b"x" * 70_000, 413),
        ({"authorization": "Bearer abc"}, b"grant_type=x", 401),
        ({"authorization": "Basic ?"}, b"grant_type=x", 401),
        ({"authorization": "Basic bm9jb2xvbg=="}, b"grant_type=x", 401),
        ({"authorization": "Basic YTpi"}, b"client_secret=x", 400),
    ],
)
def test_hostile_requests_are_refused(
    headers: dict[str, str], body: bytes, status: int
) -> None:
    sent = {"content-type": "application/x-www-form-urlencoded", **headers}
    request = Request(method="POST", target=TOKEN_PATH, headers=sent, body=body)
    response = site(ROBOT).handle(request, START)
    assert response.status == status
    assert b'"error":' in response.body


HEADER = (
    st.text()
    | st.sampled_from(["Basic ", "Bearer \udcff", "basic YTpi"])
    | st.builds(
        lambda scheme, data: f"{scheme} {base64.b64encode(data).decode()}",
        st.sampled_from(["Basic", "Bearer"]),
        st.binary(),
    )
)


@settings(max_examples=100, deadline=None)
@given(
    HEADER,
    st.binary(max_size=60),
    st.sampled_from([TOKEN_PATH, "/KeyfactorAPI/Agents"]),
)
def test_no_header_and_no_body_breaks_the_way_in(
    header: str, body: bytes, path: str
) -> None:
    media = "application/x-www-form-urlencoded"
    request = Request(
        method="POST" if path == TOKEN_PATH else "GET",
        target=path,
        headers={"authorization": header, "content-type": media},
        body=body,
    )
    assert CORE.handle(request, START).status in (400, 401)


def test_only_post_is_taken() -> None:
    response = site().handle(Request(method="GET", target=TOKEN_PATH), START)
    assert response.status == 405
    assert ("Allow", "POST") in response.headers


def test_a_token_is_no_password_and_the_api_has_no_token_endpoint() -> None:
    core = site(ROBOT)
    request = Request(method="POST", target="/KeyfactorAPI" + TOKEN_PATH)
    assert core.handle(request, START).status == 401


@pytest.mark.asyncio
async def test_the_in_process_transport_reaches_it_too() -> None:
    core = site(ROBOT)
    door = FrontDoor(core, RequestFaults(), lambda _entry: None)

    async def sleep(_seconds: float) -> None:
        return None

    call = InProcessTransport(door, now=lambda: START, sleep=sleep)
    form = urlencode(AS_ROBOT)
    media = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, body = await call("POST", TOKEN_PATH, media, form.encode())
    assert (status, b'"access_token"' in body) == (200, True)
