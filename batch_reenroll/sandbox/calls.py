"""How each call is answered, as pure functions of a site and a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from batch_reenroll.sandbox.access import Caller
from batch_reenroll.sandbox.certwire import known_certificate_json
from batch_reenroll.sandbox.enrollwire import authority_json, template_json
from batch_reenroll.sandbox.exchange import ApiError, Response, json_body
from batch_reenroll.sandbox.intake import read_guid, read_submission
from batch_reenroll.sandbox.params import (
    INVENTORY,
    Listing,
    ListParams,
    read_params,
)
from batch_reenroll.sandbox.query import Context
from batch_reenroll.sandbox.rights import Right
from batch_reenroll.sandbox.securitywire import security_json
from batch_reenroll.sandbox.site import Call, Site
from batch_reenroll.sandbox.state import HistoryRow, Store
from batch_reenroll.sandbox.typewire import store_type_json
from batch_reenroll.sandbox.wire import (
    agent_json,
    history_json,
    inventory_json,
    scheduled_json,
    store_json,
)
from batch_reenroll.sandbox.works import Certificate

T = TypeVar("T")

NOT_FOUND = "0xA0110404"


def list_stores(site: Site, call: Call) -> Response:
    """Answer ``GET /CertificateStores``."""
    world, listing = site.world, site.listings.stores
    seen: Sequence[Store] = world.all_stores
    if not call.caller.sees_all:
        seen = [row for row in seen if sees(call.caller, row)]
        return _page(site, call, seen, listing, lambda row: store_json(world, row))
    return _page(
        site, call, (), listing, lambda row: store_json(world, row), lasting=seen
    )


def one_store(site: Site, call: Call) -> Response:
    """Answer ``GET /CertificateStores/{id}``."""
    store = _seen_store(site, call)
    return json_response(store_json(site.world, store))


def list_inventory(site: Site, call: Call) -> Response:
    """Answer ``GET /CertificateStores/{id}/Inventory``."""
    world = site.world
    store = _seen_store(site, call)
    entries = world.inventory_of(store)
    params = _params(site, call, INVENTORY)
    start = (params.page - 1) * params.limit
    page = entries[start : start + params.limit]
    items = [inventory_json(world, store, entry) for entry in page]
    return json_response(items, len(entries))


def reenroll(site: Site, call: Call) -> Response:
    """Answer ``POST /CertificateStores/Reenrollment``."""
    world = site.world
    asked = read_submission(world, call.request)
    call.caller.demand_in(Right.MODIFY_STORES, [asked.store.plan.container_id])
    site.orchestration.schedule(asked.store, asked.wish, call.caller.name, world.now)
    return Response(status=204)


def list_scheduled(site: Site, call: Call) -> Response:
    """Answer ``GET /OrchestratorJobs/ScheduledJobs``."""
    world = site.world
    return _page(
        site,
        call,
        world.scheduled.values(),
        site.listings.scheduled,
        lambda row: scheduled_json(world, row),
        lasting=world.recurring,
    )


def list_history(site: Site, call: Call) -> Response:
    """Answer ``GET /OrchestratorJobs/JobHistory``."""
    world, listing = site.world, site.listings.history

    def shape(row: HistoryRow) -> object:
        return history_json(world, row)

    if world.settings.history_lag_s:
        return _page(site, call, world.visible_history(), listing, shape)
    return _page(site, call, (), listing, shape, lasting=world.history)


def unschedule(site: Site, call: Call) -> Response:
    """Answer ``POST /OrchestratorJobs/Unschedule``."""
    site.control.unschedule(call.request, call.caller)
    return Response(status=204)


def reschedule(site: Site, call: Call) -> Response:
    """Answer ``POST /OrchestratorJobs/Reschedule``."""
    site.control.reschedule(call.request, call.caller)
    return Response(status=204)


def acknowledge(site: Site, call: Call) -> Response:
    """Answer ``POST /OrchestratorJobs/Acknowledge``."""
    site.control.acknowledge(call.request, call.caller)
    return Response(status=204)


def list_store_types(site: Site, call: Call) -> Response:
    """Answer ``GET /CertificateStoreTypes``."""
    rows = site.world.store_types.values()
    speech = site.world.settings.speech
    return _page(
        site,
        call,
        rows,
        site.listings.store_types,
        lambda row: store_type_json(speech, row),
    )


def store_types_named(site: Site, call: Call) -> Response:
    """Answer ``GET /CertificateStoreTypes/Name/{name}``.

    An array, as 25.4.1 answers. undocumented: what an unknown name gets.
    """
    kinds = [
        kind
        for kind in site.world.store_types.values()
        if kind.short_name.lower() == call.argument
    ]
    if not kinds:
        raise ApiError(404, NOT_FOUND, "There is no such certificate store type.")
    speech = site.world.settings.speech
    return json_response([store_type_json(speech, kind) for kind in kinds], len(kinds))


def one_store_type(site: Site, call: Call) -> Response:
    """Answer ``GET /CertificateStoreTypes/{id}``."""
    if not re.fullmatch(r"\d{1,9}", call.argument, re.ASCII):
        raise ApiError(400, NOT_FOUND, "The store type must be a number.")
    kind = site.world.store_types.get(int(call.argument))
    if kind is None:
        raise ApiError(404, NOT_FOUND, "There is no such certificate store type.")
    return json_response(store_type_json(site.world.settings.speech, kind))


def list_agents(site: Site, call: Call) -> Response:
    """Answer ``GET /Agents``."""
    world = site.world
    rows = world.orchestrators.values()
    return _page(
        site, call, rows, site.listings.agents, lambda row: agent_json(world, row)
    )


def one_agent(site: Site, call: Call) -> Response:
    """Answer ``GET /Agents/{id}``."""
    agent = _known(call.argument, site.world.orchestrators)
    return json_response(agent_json(site.world, agent))


def list_authorities(site: Site, call: Call) -> Response:
    """Answer ``GET /CertificateAuthority``."""
    world, listing = site.world, site.listings.authorities
    rows = world.policy.listed_authorities
    speech = world.settings.speech
    return _page(site, call, rows, listing, lambda row: authority_json(speech, row))


def list_templates(site: Site, call: Call) -> Response:
    """Answer ``GET /Templates``."""
    world, listing = site.world, site.listings.templates
    rows = world.policy.listed_templates
    speech = world.settings.speech
    return _page(site, call, rows, listing, lambda row: template_json(speech, row))


def my_security(_site: Site, call: Call) -> Response:
    """Answer ``GET /Security/My``."""
    return json_response(security_json(call.caller))


def list_certificates(site: Site, call: Call) -> Response:
    """Answer ``GET /Certificates``; collections are not modelled."""
    world, listing = site.world, site.listings.certificates
    asked = _params(site, call, listing.prefix)
    rows = [
        item
        for item in _candidates(world.certificates, asked.query)
        if asked.expired or item.not_after > world.now
    ]
    return _page(
        site, call, rows, listing, lambda row: known_certificate_json(world, row)
    )


def _candidates(known: Mapping[str, Certificate], query: str) -> Iterable[Certificate]:
    """Return what can fit a query: an index where it asks for thumbprints alone."""
    if not _THUMBPRINTS.fullmatch(query):
        return known.values()
    named = dict.fromkeys(_HEX.findall(query.upper()))
    return [known[one] for one in named if one in known]


_HEX = re.compile(r'"([0-9A-F]{40})"')
_ONE = r'thumbprint -eq "[0-9a-f]{40}"'
_THUMBPRINTS = re.compile(rf"\(?{_ONE}(?: or {_ONE})*\)?", re.IGNORECASE)


def _params(site: Site, call: Call, prefix: str) -> ListParams:
    raw_query = call.request.target.partition("?")[2]
    settings = site.world.settings
    own_prefix = prefix if settings.speech.own_prefix_only else None
    return read_params(raw_query, settings.return_limit_max, own_prefix)


def _page(
    site: Site,
    call: Call,
    rows: Iterable[T],
    listing: Listing[T],
    shape: Callable[[T], object],
    lasting: Sequence[T] = (),
) -> Response:
    context = Context(now=site.world.now, me=call.caller.name)
    params = _params(site, call, listing.prefix)
    page, total = listing.select(rows, params, context, lasting)
    is_told = site.world.settings.speech.job_totals or not listing.is_of_jobs
    return json_response([shape(row) for row in page], total if is_told else None)


def sees(caller: Caller, store: Store) -> bool:
    """Return whether a store is there for the caller."""
    return caller.sees(store.plan.container_id)


def _seen_store(site: Site, call: Call) -> Store:
    store = _known(call.argument, site.world.stores)
    if not sees(call.caller, store):
        raise _nothing_at(store.store_id)
    return store


def _known(argument: str, table: Mapping[str, T]) -> T:
    """Return what ``table`` holds under the GUID in a path."""
    guid = read_guid(argument)
    if guid is None:
        raise ApiError(400, NOT_FOUND, "The id in the path is not a GUID.")
    if guid not in table:
        raise _nothing_at(guid)
    return table[guid]


def _nothing_at(guid: str) -> ApiError:
    return ApiError(404, NOT_FOUND, f"There is nothing with the id {guid}.")


def json_response(value: object, total: int | None = None) -> Response:
    """Return ``value`` as JSON, for a list with how many rows match in all."""
    headers: list[tuple[str, str]] = [
        ("Content-Type", "application/json; charset=utf-8")
    ]
    if total is not None:
        headers.append(("X-Total-Count", str(total)))
    return Response(status=200, headers=tuple(headers), body=json_body(value))
