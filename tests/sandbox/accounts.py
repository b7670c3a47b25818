"""Simulated sites with several accounts, and clients that sign in as one of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from sandbox.rig import START, Answer, Caller, basic

from batch_reenroll.sandbox import (
    TOKEN_PATH,
    CaPolicy,
    Core,
    Enrollment,
    FleetPlan,
    Identity,
    Request,
    Right,
    Rights,
    Settings,
    SimulatedWorks,
    draw_fleet,
)
from batch_reenroll.sandbox.fleet import PlannedStore

PLAN = FleetPlan(stores=24, orchestrators=2, rsa_pct=0, seed=3)
#: Exactly what a campaign uses.
NEEDED = frozenset(
    {Right.ENROLL_CSR, Right.READ_STORES, Right.MODIFY_STORES, Right.READ_AGENTS}
)


def holding(*rights: Right, containers: dict[Right, set[int]] | None = None) -> Rights:
    pairs = {(r, n) for r, numbers in (containers or {}).items() for n in numbers}
    return Rights(everywhere=frozenset(rights), contained=frozenset(pairs))


def account(name: str, rights: Rights, **more: Any) -> Identity:
    return Identity(user=name, password=f"{name}-secret", rights=rights, **more)


def site(*accounts: Identity, policy: CaPolicy | None = None, **knobs: Any) -> Core:
    return Core(
        draw_fleet(PLAN),
        SimulatedWorks(),
        started_at=START,
        settings=Settings(**{"nightly_inventory": False, **knobs}),
        policy=policy,
        identities=(Identity(user="sandbox", password="secret"), *accounts),
    )


def signed_in(core: Core, name: str = "sandbox", password: str = "") -> Caller:
    client = Caller(core)
    secret = password or ("secret" if name == "sandbox" else f"{name}-secret")
    client.headers["authorization"] = basic(name, secret)
    return client


def bearing(core: Core, token: str) -> Caller:
    client = Caller(core)
    client.headers["authorization"] = f"Bearer {token}"
    return client


def grant_to(client_id: str, client_secret: str) -> dict[str, str]:
    """Return the form by which a client asks for a token."""
    return {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
    }


def ask_token(
    core: Core,
    form: Mapping[str, str],
    *,
    now: float = START,
    basic_auth: tuple[str, str] | None = None,
) -> Answer:
    """Ask the token endpoint as a client would, with these form fields."""
    sent = {"content-type": "application/x-www-form-urlencoded"}
    if basic_auth:
        pair = base64.b64encode(":".join(basic_auth).encode()).decode()
        sent["authorization"] = f"Basic {pair}"
    body = urlencode(form).encode()
    response = core.handle(
        Request(method="POST", target=TOKEN_PATH, headers=sent, body=body), now
    )
    return Answer(response.status, dict(response.headers), response.body)


def store_in(core: Core, container_id: int) -> PlannedStore:
    return next(
        store
        for store in core.world.fleet.stores
        if store.container_id == container_id and store.store_type.reenrollable
    )


def row_in(core: Core, container_id: int) -> dict[str, str]:
    wanted = store_in(core, container_id).store_id
    rows = core.world.fleet.manifest_rows()
    return next(row for row in rows if row["KeystoreId"] == wanted)


def message_of(answer: Answer) -> str:
    """Return the message of a refusal in Command's form."""
    assert set(answer.json) == {"ErrorCode", "Message"}
    return str(answer.json["Message"])


def body_of(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def enrolling_on(
    authorities: list[str] | None = None, templates: list[str] | None = None
) -> Enrollment:
    return Enrollment.on(authorities, templates)
