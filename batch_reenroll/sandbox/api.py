"""The calls: how each request is answered, as pure calls on the world."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import unquote

from batch_reenroll.sandbox.exchange import ApiError, Request, Response, json_body
from batch_reenroll.sandbox.intake import read_guid, read_submission
from batch_reenroll.sandbox.jobcontrol import JobControl
from batch_reenroll.sandbox.listings import (
    agent_listing,
    history_listing,
    scheduled_listing,
    store_listing,
    store_type_listing,
)
from batch_reenroll.sandbox.orchestration import Orchestration
from batch_reenroll.sandbox.params import Listing, ListParams, read_params
from batch_reenroll.sandbox.query import Context
from batch_reenroll.sandbox.routes import NOT_FOUND, endpoint_names, route
from batch_reenroll.sandbox.wire import (
    Json,
    agent_json,
    history_json,
    inventory_json,
    scheduled_json,
    store_json,
    store_type_json,
)
from batch_reenroll.sandbox.world import World

T = TypeVar("T")

NO_MARKER = "0xA0110400"
BODY_TOO_LARGE = "0xA0110413"


class Api:
    """Answers authenticated requests."""

    def __init__(self, world: World, orchestration: Orchestration) -> None:
        self._world = world
        self._orchestration = orchestration
        self._stores = store_listing(world)
        self._scheduled = scheduled_listing(world)
        self._history = history_listing()
        self._agents = agent_listing()
        self._types = store_type_listing()
        control = JobControl(
            world, orchestration, scheduled=self._scheduled, history=self._history
        )
        self._calls: Mapping[str, Callable[[Request, str, str], Response]] = {
            "stores": self._list_stores,
            "store": self._one_store,
            "inventory": self._inventory,
            "reenroll": self._reenroll,
            "scheduled_jobs": self._list_scheduled,
            "job_history": self._list_history,
            "unschedule": _without_content(control.unschedule),
            "reschedule": _without_content(control.reschedule),
            "acknowledge": _without_content(control.acknowledge),
            "store_types": self._list_types,
            "store_types_named": self._types_named,
            "store_type": self._one_type,
            "agents": self._list_agents,
            "agent": self._one_agent,
            "endpoints": self._endpoints,
        }

    def answer(self, request: Request, caller: str) -> Response:
        """Return the answer to ``request``.

        Raises:
            ApiError: 4xx; nothing was changed.
        """
        settings = self._world.settings
        path, _, raw_query = request.target.partition("?")
        if len(raw_query) > settings.query_max_bytes:
            raise ApiError(404, NOT_FOUND, "The query string is too long.")
        if len(request.body) > settings.body_max_bytes:
            raise ApiError(413, BODY_TOO_LARGE, "The request body is too large.")
        name, argument = route(request.method, unquote(path))
        # undocumented: what Command does without it; "mandatory on writes" is.
        marker = request.headers.get("x-keyfactor-requested-with")
        if request.method != "GET" and not marker:
            message = "The header x-keyfactor-requested-with is required."
            raise ApiError(400, NO_MARKER, message)
        return self._calls[name](request, caller, argument)

    def _params(self, request: Request) -> ListParams:
        raw_query = request.target.partition("?")[2]
        return read_params(raw_query, self._world.settings.return_limit_max)

    def _page(
        self,
        request: Request,
        caller: str,
        rows: Iterable[T],
        listing: Listing[T],
        shape: Callable[[T], Json],
    ) -> Response:
        context = Context(now=self._world.now, me=caller)
        page, total = listing.select(rows, self._params(request), context)
        return _json([shape(row) for row in page], total)

    def _list_stores(self, request: Request, caller: str, _argument: str) -> Response:
        world = self._world
        return self._page(
            request,
            caller,
            world.stores.values(),
            self._stores,
            lambda store: store_json(world, store),
        )

    def _one_store(self, _request: Request, _caller: str, argument: str) -> Response:
        store = self._world.stores[self._known(argument, self._world.stores)]
        return _json(store_json(self._world, store))

    def _inventory(self, request: Request, _caller: str, argument: str) -> Response:
        world = self._world
        store = world.stores[self._known(argument, world.stores)]
        entries = world.inventory_of(store)
        params = self._params(request)
        start = (params.page - 1) * params.limit
        page = entries[start : start + params.limit]
        items = [inventory_json(world, store, entry) for entry in page]
        return _json(items, len(entries))

    def _reenroll(self, request: Request, caller: str, _argument: str) -> Response:
        world = self._world
        asked = read_submission(world, request)
        self._orchestration.schedule(asked.store, asked.wish, caller, world.now)
        return Response(status=204)

    def _list_scheduled(
        self, request: Request, caller: str, _argument: str
    ) -> Response:
        world = self._world
        jobs = [*world.scheduled.values(), *world.recurring]
        return self._page(
            request,
            caller,
            jobs,
            self._scheduled,
            lambda job: scheduled_json(world, job),
        )

    def _list_history(self, request: Request, caller: str, _argument: str) -> Response:
        world = self._world
        return self._page(
            request,
            caller,
            world.visible_history(),
            self._history,
            lambda row: history_json(world, row),
        )

    def _list_types(self, request: Request, caller: str, _argument: str) -> Response:
        kinds = self._world.store_types.values()
        return self._page(request, caller, kinds, self._types, store_type_json)

    def _types_named(self, _request: Request, _caller: str, argument: str) -> Response:
        # An array, as 25.4.1 answers. undocumented: what an unknown name gets.
        kinds = [
            kind
            for kind in self._world.store_types.values()
            if kind.short_name.lower() == argument
        ]
        if not kinds:
            raise ApiError(404, NOT_FOUND, "There is no such certificate store type.")
        return _json([store_type_json(kind) for kind in kinds], len(kinds))

    def _one_type(self, _request: Request, _caller: str, argument: str) -> Response:
        if not re.fullmatch(r"\d{1,9}", argument, re.ASCII):
            raise ApiError(400, NOT_FOUND, "The store type must be a number.")
        kind = self._world.store_types.get(int(argument))
        if kind is None:
            raise ApiError(404, NOT_FOUND, "There is no such certificate store type.")
        return _json(store_type_json(kind))

    def _list_agents(self, request: Request, caller: str, _argument: str) -> Response:
        world = self._world
        return self._page(
            request,
            caller,
            world.orchestrators.values(),
            self._agents,
            lambda agent: agent_json(world, agent),
        )

    def _one_agent(self, _request: Request, _caller: str, argument: str) -> Response:
        world = self._world
        agent = world.orchestrators[self._known(argument, world.orchestrators)]
        return _json(agent_json(world, agent))

    def _endpoints(self, _request: Request, _caller: str, _argument: str) -> Response:
        return _json(endpoint_names())

    @staticmethod
    def _known(argument: str, table: Mapping[str, object]) -> str:
        """Return the GUID in a path when ``table`` has it."""
        guid = read_guid(argument)
        if guid is None:
            raise ApiError(400, NOT_FOUND, "The id in the path is not a GUID.")
        if guid not in table:
            raise ApiError(404, NOT_FOUND, f"There is nothing with the id {guid}.")
        return guid


def _without_content(
    act: Callable[[Request, str], None],
) -> Callable[[Request, str, str], Response]:
    """Return the call that does ``act`` and answers 204."""

    def call(request: Request, caller: str, _argument: str) -> Response:
        act(request, caller)
        return Response(status=204)

    return call


def _json(value: object, total: int | None = None) -> Response:
    headers: list[tuple[str, str]] = [
        ("Content-Type", "application/json; charset=utf-8")
    ]
    if total is not None:
        headers.append(("X-Total-Count", str(total)))
    return Response(status=200, headers=tuple(headers), body=json_body(value))
