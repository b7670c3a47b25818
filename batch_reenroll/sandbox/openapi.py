"""The OpenAPI 3.1 description of what is served, made from what serves it.

Paths, parameters and statuses come from the table of endpoints, query fields and sort
names from the listings, what is sent and taken from
``shapes`` and ``bodies``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from batch_reenroll.sandbox.endpoint import Endpoint, Link
from batch_reenroll.sandbox.params import Listing
from batch_reenroll.sandbox.rights import name_of
from batch_reenroll.sandbox.schemas import Schema, Schemas
from batch_reenroll.sandbox.settings import Settings
from batch_reenroll.sandbox.shapes import ErrorJson
from batch_reenroll.sandbox.site import Listings

BASE = "/KeyfactorAPI"
_INT32 = 2**31 - 1
_ABOUT = (
    "A stand-in for Keyfactor Command with real keys and certificates, not for "
    "production. It describes what this sandbox serves, not Keyfactor's product."
)


def describe(
    endpoints: Iterable[Endpoint],
    listings: Listings,
    settings: Settings,
    examples: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return the description.

    Args:
        endpoints: What is served.
        listings: What the lists are queried by.
        settings: The dialect and the limits.
        examples: What can stand in the path of an endpoint, or else in its body, by
            the endpoint's name.

    Returns:
        A JSON value; the same for the same arguments.
    """
    served = {item.name: item for item in endpoints}
    schemas = Schemas(settings.speech)
    writer = _Writer(served, schemas, listings, settings, examples or {})
    paths: dict[str, Schema] = {}
    for endpoint in served.values():
        item = paths.setdefault(BASE + endpoint.path, {})
        item[endpoint.method.lower()] = writer.operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Embedded Command, as version {settings.dialect}",
            "version": settings.speech.product_version or settings.dialect,
            "description": _ABOUT,
        },
        "security": [{"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.named.items())),
            "responses": writer.refusals,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


class _Writer:
    """Writes operations."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        schemas: Schemas,
        listings: Listings,
        settings: Settings,
        examples: Mapping[str, object],
    ) -> None:
        self._endpoints = endpoints
        self._examples = examples
        self._schemas = schemas
        self._listings = listings
        self._settings = settings
        self.refusals: dict[str, Schema] = {}

    def operation(self, endpoint: Endpoint) -> Schema:
        """Return the operation object of an endpoint."""
        operation: Schema = {
            "operationId": endpoint.name,
            "summary": endpoint.name.replace("_", " ").capitalize(),
            "x-required-rights": [
                name_of(right, int(self._settings.dialect)) for right in endpoint.rights
            ],
            "parameters": list(self._parameters(endpoint)),
            "responses": dict(self._responses(endpoint)),
        }
        if endpoint.own:
            operation["x-sandbox-only"] = True
        if endpoint.body is not None:
            operation["requestBody"] = self._body(endpoint)
        return operation

    def _body(self, endpoint: Endpoint) -> Schema:
        media: Schema = {"schema": self._schemas.of(endpoint.body, closed=False)}
        if endpoint.name in self._examples:
            known = {"value": self._examples[endpoint.name]}
            media["examples"] = {"known": known}
        return {"required": True, "content": {"application/json": media}}

    def _parameters(self, endpoint: Endpoint) -> Iterator[Schema]:
        if name := endpoint.placeholder:
            schema = self._schemas.of(endpoint.argument, closed=False)
            if endpoint.name in self._examples:
                schema |= {"examples": [self._examples[endpoint.name]]}
            yield {"name": name, "in": "path", "required": True, "schema": schema}
        if endpoint.is_paged:
            yield from self._lists(endpoint)
        if endpoint.method != "GET":
            schema = {"type": "string", "minLength": 1, "examples": ["APIClient"]}
            marker = "x-keyfactor-requested-with"
            yield {"name": marker, "in": "header", "required": True, "schema": schema}

    def _lists(self, endpoint: Endpoint) -> Iterator[Schema]:
        listing = endpoint.listing and endpoint.listing(self._listings)
        schemas = {**_PAGING, **({} if listing is None else _query_and_sort(listing))}
        prefix = endpoint.prefix if listing is None else listing.prefix
        for name, schema in schemas.items():
            if self._settings.speech.own_prefix_only:
                name = prefix + name[0].lower() + name[1:]
            yield {"name": name, "in": "query", "required": False, "schema": schema}

    def _responses(self, endpoint: Endpoint) -> Iterator[tuple[str, Schema]]:
        if endpoint.returns is None:
            yield "204", {"description": HTTPStatus.NO_CONTENT.phrase}
        else:
            schema = self._schemas.of(endpoint.returns, closed=True)
            content = {"application/json": {"schema": schema}}
            more = {
                "headers": self._headers(endpoint),
                "links": {link.to: self._link(link) for link in endpoint.links},
            }
            yield (
                "200",
                {"description": HTTPStatus.OK.phrase, "content": content}
                | {key: value for key, value in more.items() if value},
            )
        for status in endpoint.refusals:
            yield str(status), self._refusal(HTTPStatus(status))

    def _headers(self, endpoint: Endpoint) -> Schema:
        listing = endpoint.listing and endpoint.listing(self._listings)
        is_of_jobs = listing is not None and listing.is_of_jobs
        if not endpoint.is_paged or (
            is_of_jobs and not self._settings.speech.job_totals
        ):
            return {}
        total = {"type": "integer", "minimum": 0}
        return {"X-Total-Count": {"required": True, "schema": total}}

    def _link(self, link: Link) -> Schema:
        written: Schema = {"operationId": link.to}
        if link.argument:
            name = self._endpoints[link.to].placeholder
            written["parameters"] = {name: _first(link.argument)}
        if link.body:
            body = {key: _first(source) for key, source in link.body.items()}
            written["requestBody"] = body
        return written

    def _refusal(self, status: HTTPStatus) -> Schema:
        name = status.phrase.title().replace(" ", "")
        schema = self._schemas.of(ErrorJson, closed=True)
        content = {"application/json": {"schema": schema}}
        self.refusals[name] = {"description": status.phrase, "content": content}
        return {"$ref": f"#/components/responses/{name}"}


def _first(key: str) -> str:
    """Return the runtime expression for a key of the first item of a list."""
    return f"$response.body#/0/{key}"


def _number(low: int, high: int, *, default: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "default": default}


_PAGING: Mapping[str, Schema] = {
    "PageReturned": _number(1, _INT32, default=1),
    "ReturnLimit": _number(1, _INT32, default=50),
}


def _query_and_sort(listing: Listing[Any]) -> dict[str, Schema]:
    """Return the parameters of a list that can be queried; case does not matter."""
    fields = [f"{name} ({field.kind})" for name, field in listing.fields.items()]
    return {
        "QueryString": {
            "type": "string",
            "description": "Command's query language. Fields: " + ", ".join(fields),
            "examples": [f"{name} -ne NULL" for name in listing.fields],
        },
        "SortField": {
            "type": "string",
            "enum": ["", *listing.sorts],
            "default": listing.default_sort,
        },
        "SortAscending": {
            "type": "integer",
            "description": "0 = ascending, 1 = descending",
            "enum": [0, 1],
            "default": 0,
        },
    }
