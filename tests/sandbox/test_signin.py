"""Who signs in, in which form, and what a stranger is told."""

from __future__ import annotations

import base64

import pytest
from sandbox.accounts import (
    account,
    ask_token,
    bearing,
    grant_to,
    holding,
    signed_in,
    site,
)
from sandbox.rig import START, Caller

from batch_reenroll.sandbox import Identity, Request, Right, SandboxError
from batch_reenroll.sandbox.exchange import ApiError
from batch_reenroll.sandbox.identity import Identities
from batch_reenroll.sandbox.signin import sign_in
from batch_reenroll.sandbox.tokens import TokenOffice

READER = account("reader", holding(Right.READ_AGENTS), domain="CORP")
CLIENT = Identity(user="robot", client_id="robot-id", client_secret="robot-secret")


@pytest.mark.parametrize(
    "name", ["reader", "READER", r"CORP\reader", r"corp\Reader", "reader@corp"]
)
def test_a_user_signs_in_by_each_form_of_its_name(name: str) -> None:
    client = signed_in(site(READER), name, "reader-secret")
    assert client.get("/Agents").status == 200


@pytest.mark.parametrize(
    "name", ["", "other", r"EXAMPLE\reader", "reader@example", r"corp/reader", "corp"]
)
def test_another_name_does_not_sign_in(name: str) -> None:
    client = signed_in(site(READER), name, "reader-secret")
    assert client.get("/Agents").status == 401


def test_the_password_may_hold_a_colon_and_any_letter() -> None:
    core = site(Identity(user="odd", password="a:b:\u00e9"))
    assert signed_in(core, "odd", "a:b:\u00e9").get("/Agents").status == 200
    assert signed_in(core, "odd", "a:b").get("/Agents").status == 401


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Negotiate abc", "Bearer"])
def test_a_request_without_valid_credentials_is_challenged(header: str) -> None:
    client = Caller(site())
    client.headers["authorization"] = header
    answer = client.get("/Agents")

    assert answer.status == 401
    assert set(answer.json) == {"ErrorCode", "Message"}
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Keyfactor"'


def test_a_client_without_password_does_not_sign_in_with_an_empty_one() -> None:
    core = site(CLIENT)
    client = Caller(core)
    pair = base64.b64encode(b"robot:").decode()
    client.headers["authorization"] = f"Basic {pair}"
    assert client.get("/Agents").status == 401


def test_a_wrong_token_is_challenged_as_bearer() -> None:
    answer = bearing(site(CLIENT), "made-up").get("/Agents")

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="Keyfactor", error="invalid_token"'
    )


def test_a_stranger_is_told_every_way_in_that_anybody_has() -> None:
    both, robots = Identities([READER, CLIENT]), Identities([CLIENT])
    request = Request(method="GET", target="/KeyfactorAPI/Agents")
    told = []
    for known in (both, robots):
        tokens = TokenOffice(known, mint=str, lifetime_s=lambda: 1)
        with pytest.raises(ApiError) as caught:
            sign_in(request, known, tokens, now=START, major=25)
        told.append([value.partition(" ")[0] for _, value in caught.value.headers])
    assert told == [["Basic", "Bearer"], ["Bearer"]]


def test_a_token_signs_in_with_the_rights_and_the_name_of_its_client() -> None:
    log: list[dict[str, object]] = []
    core = site(CLIENT)
    core.world.log = log.append
    form = grant_to("robot-id", "robot-secret")
    token = ask_token(core, form).json
    client = bearing(core, token["access_token"])
    client.reenroll(core.world.fleet.manifest_rows()[0])

    assert [entry["by"] for entry in log] == [r"EXAMPLE\robot"]


def test_a_removed_account_does_not_sign_in_any_more() -> None:
    core = site(READER)
    core.identities.remove(READER)
    assert signed_in(core, "reader").get("/Agents").status == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": ""},
        {"user": "a:b"},
        {"user": "a\\b"},
        {"user": "a@b"},
        {"user": "a\n"},
        {"user": "a", "domain": "x\\y"},
        {"user": "a", "password": ""},
        {"user": "a", "client_id": "c"},
        {"user": "a", "client_secret": "s"},
        {"user": "a", "scopes": ("two words",)},
        {"user": "a", "scopes": ('quo"te',)},
    ],
)
def test_an_impossible_identity_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SandboxError):
        Identity(**wrong)  # type: ignore[arg-type]


def test_no_secret_is_shown() -> None:
    shown = repr(
        Identity(user="a", password="pass-x", client_id="c", client_secret="sec-x")
    )
    assert "pass-x" not in shown
    assert "sec-x" not in shown


def test_names_and_client_ids_are_unique() -> None:
    known = Identities([CLIENT])
    for second in (
        Identity(user="ROBOT", password="x"),
        Identity(user="other", client_id="robot-id", client_secret="x"),
    ):
        with pytest.raises(SandboxError):
            known.add(second)


def test_a_bare_name_of_two_accounts_means_neither() -> None:
    known = Identities([Identity(user="a"), Identity(user="a", domain="CORP")])
    assert known.named("a") is None
    found = known.named(r"corp\A")
    assert found is not None
    assert found.domain == "CORP"


def test_only_a_known_account_is_replaced() -> None:
    with pytest.raises(SandboxError, match="no identity"):
        Identities([CLIENT]).replace(READER)
