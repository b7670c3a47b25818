"""What one endpoint is; which there are is said in ``endpoints``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from batch_reenroll.sandbox.exchange import Response
from batch_reenroll.sandbox.marks import Guid
from batch_reenroll.sandbox.params import Listing
from batch_reenroll.sandbox.rights import Right
from batch_reenroll.sandbox.site import Call, Listings, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a value of an answer can be used.

    Attributes:
        to: Name of the endpoint that takes it.
        argument: Key, in the list's first item, of what goes into its path; or empty.
        body: Key in its body → key in the list's first item.
    """

    to: str
    argument: str = ""
    body: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint.

    Attributes:
        name: Of its own, a verb and a noun.
        method: Upper-case HTTP method.
        path: Below the base, as Command spells it, with at most one ``{placeholder}``.
        answer: Answers a call that was routed here.
        argument: Type of what stands for the placeholder.
        rights: What the caller needs, all of them; held for one container is enough to
            come in where a right can be held so.
        listing: How the list is queried; None = it takes no query.
        prefix: Of its paging parameters in 10.x, where it is paged without a listing.
        body: Type of the request's body, from ``bodies``; None = it takes none.
        returns: Type of the answer's body, from ``shapes``; None = 204 without one.
        links: What its list leads to.
        own: The sandbox's own; Command has no such endpoint.
    """

    name: str
    method: str
    path: str
    answer: Callable[[Site, Call], Response]
    argument: object = Guid
    rights: tuple[Right, ...] = ()
    listing: Callable[[Listings], Listing[Any]] | None = None
    prefix: str = ""
    body: object = None
    returns: object = None
    links: tuple[Link, ...] = ()
    own: bool = False

    @property
    def placeholder(self) -> str:
        """The name of what stands in its path, or an empty string."""
        found = re.search(r"\{(\w+)\}", self.path)
        return found[1] if found else ""

    @property
    def is_paged(self) -> bool:
        """Whether it takes PageReturned and ReturnLimit."""
        return self.listing is not None or bool(self.prefix)

    @property
    def refusals(self) -> tuple[int, ...]:
        """The statuses of its refusals, ascending.

        400: the path, the query, the body or a missing marker; 401: who calls; 403:
        what they may do; 404: nothing is there, or the query string is too long; 413
        and 415: the body.
        """
        return tuple(self._refusals())

    def _refusals(self) -> Iterator[int]:
        writes = self.method != "GET"
        if writes or self.is_paged or self.placeholder:
            yield 400
        yield 401
        if self.rights:
            yield 403
        yield 404
        if self.body is not None:
            yield from (413, 415)
