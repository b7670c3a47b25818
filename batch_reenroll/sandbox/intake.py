"""Reading the body of ``POST /CertificateStores/Reenrollment``.

undocumented: every status and code of a refusal here; the documents only say what is
required. Unknown CA and template names are *not* looked at: they fail in the job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from batch_reenroll.sandbox.checks import canonical, store_fault, wish_fault
from batch_reenroll.sandbox.exchange import ApiError, Request
from batch_reenroll.sandbox.state import Store, Wish
from batch_reenroll.sandbox.world import World

BAD_BODY = "0xA0110001"
BAD_FIELD = "0xA0110002"
NO_SUCH_STORE = "0xA0110010"
WRONG_AGENT = "0xA0110011"
UNSUPPORTED = "0xA0110012"

_JSON_TYPES = re.compile(
    r"(application|text)/([\w.-]+\+)?json(-patch\+json)?", re.ASCII
)
_GUID = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?")
_SAN_KINDS = frozenset({"dns", "ip4", "ip6", "email", "upn"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A reenrollment that is accepted."""

    store: Store
    wish: Wish


def read_guid(text: object) -> str | None:
    """Return a GUID in lower case without braces, or None when it is none."""
    found = _GUID.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    return found.group(1) if found else None


def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object in a body, keys in lower case (.NET ignores case).

    Raises:
        ApiError: 415 for another content type, 400 for anything but a JSON object.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON_TYPES.fullmatch(media):
        raise ApiError(415, BAD_BODY, "The content type must be application/json.")
    try:
        value = json.loads(
            request.body.decode("utf-8-sig"), parse_constant=_no_constant
        )
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as exc:
        raise ApiError(400, BAD_BODY, "The body is not valid JSON.") from exc
    if not isinstance(value, dict):
        raise ApiError(400, BAD_BODY, "The body must be a JSON object.")
    return {key.lower(): item for key, item in value.items()}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def read_submission(world: World, request: Request) -> Submission:
    """Return what ``request`` asks for.

    Raises:
        ApiError: 4xx; nothing was scheduled.
    """
    body = read_json(request)
    store_id = _guid_field(body, "KeystoreId")
    agent_id = _guid_field(body, "AgentGuid")
    wish = _wish(world, body)
    store = world.stores.get(store_id)
    if store is None:
        message = f"The certificate store {store_id} does not exist."
        raise ApiError(404, NO_SUCH_STORE, message)
    if store.plan.agent_id != agent_id:
        message = f"The orchestrator {agent_id} does not manage this certificate store."
        raise ApiError(400, WRONG_AGENT, message)
    properties = canonical(
        store.plan.store_type, _job_properties(world, body.get("jobproperties"))
    )
    wish = replace(wish, properties=properties)
    if world.settings.post_checks == "strict":
        _check(world, store, wish)
    return Submission(store=store, wish=wish)


def _wish(world: World, body: Mapping[str, Any]) -> Wish:
    wish = Wish(
        subject=_required(body, "SubjectName"),
        # undocumented: whether it may be left out where the type forbids one; the
        # pages call it required without exception.
        alias=_required(body, "Alias"),
        authority=_optional(body, "CertificateAuthority"),
        template=_optional(body, "CertificateTemplate"),
        sans={},
    )
    if not world.settings.speech.newer_fields:
        return wish
    for name in ("Metadata", "AdditionalEnrollmentFields"):
        _texts(body, name)
    _integer(body, "OwnerRoleId")
    _optional(body, "OwnerRoleName")
    if not isinstance(body.get("overwrite"), bool | None):
        _bad("Overwrite", "must be true or false")
    return replace(
        wish,
        sans=_sans(body.get("sans")),
        pattern=_integer(body, "EnrollmentPatternId"),
    )


def _check(world: World, store: Store, wish: Wish) -> None:
    """Refuse what would fail in the job."""
    fault = store_fault(store, world.orchestrators[store.plan.agent_id])
    if fault:
        raise ApiError(400, UNSUPPORTED, fault)
    kind = store.plan.store_type
    aliases: list[str] = []
    if kind.alias_is_thumbprint:  # looking lays the store out, which takes a key
        aliases = [entry.alias for entry in world.inventory_of(store)]
    if fault := wish_fault(kind, wish, aliases):
        raise ApiError(400, BAD_FIELD, f"{fault}.")


def _bad(name: str, why: str) -> NoReturn:
    raise ApiError(400, BAD_FIELD, f"{name} {why}.")


def _required(body: Mapping[str, Any], name: str) -> str:
    value = _optional(body, name)
    return _bad(name, "is required") if value is None else value


def _optional(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name.lower())
    if value is not None and not isinstance(value, str):
        _bad(name, "must be a string")
    return value if value and value.strip() else None


def _guid_field(body: Mapping[str, Any], name: str) -> str:
    guid = read_guid(_required(body, name))
    return _bad(name, "is not a GUID") if guid is None else guid


def _integer(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name.lower())
    if value is None:
        return None
    if type(value) is not int or not -(2**31) <= value < 2**31:
        _bad(name, "must be a 32-bit integer")
    return int(value)


def _texts(body: Mapping[str, Any], name: str) -> None:
    value = body.get(name.lower())
    if value is None:
        return
    if not isinstance(value, dict) or not all(
        isinstance(item, str | None) for item in value.values()
    ):
        _bad(name, "must be an object of strings")


def _no_pairs() -> NoReturn:
    _bad("JobProperties", "must be an object of parameter names and values")


def _job_properties(world: World, value: object) -> Mapping[str, object]:
    """Return JobProperties as one object; the array of pairs where it is taken."""
    if isinstance(value, list) and world.settings.speech.properties_array:
        merged: dict[str, object] = {}
        for pair in value:
            merged |= pair if isinstance(pair, dict) else _no_pairs()
        return merged
    if value is None:
        return {}
    return value if isinstance(value, dict) else _no_pairs()


def _sans(value: object) -> dict[str, tuple[str, ...]]:
    """Return the SANs by kind. undocumented: the legal kinds (PFX enrollment's)."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        _bad("SANs", "must be an object")
    sans: dict[str, tuple[str, ...]] = {}
    for name, items in value.items():
        kind = name.lower()
        if kind not in _SAN_KINDS:
            _bad("SANs", f"has no kind {name[:20]}")
        if not isinstance(items, list) or not all(
            isinstance(item, str) and item for item in items
        ):
            _bad("SANs", "must hold arrays of strings")
        sans[kind] = (*sans.get(kind, ()), *items)
    return sans
