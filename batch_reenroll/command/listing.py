"""List endpoints: query names of the right family, pages, and servers that ignore them.

A server that does not know a query name may ignore it. A list that was not filtered
or not sorted as asked looks like a shorter truth, and a job missed in it would be
submitted twice. So what was asked is checked on the answer, the other family of names
is tried, and what stays wrong is an error rather than a guess. How JobHistory is read
whole all the same is in :mod:`batch_reenroll.command.history`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from batch_reenroll.campaign.nouns import Page
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.decode import page_of
from batch_reenroll.command.dialect import (
    Endpoint,
    Family,
    family_shown,
    query_name,
    shown_version,
)
from batch_reenroll.command.exchange import Exchange
from batch_reenroll.command.query import Params, encode, fits
from batch_reenroll.command.refusal import Right
from batch_reenroll.command.secret import Redactor
from batch_reenroll.errors import ContractViolation, Refused
from batch_reenroll.text import visible

T = TypeVar("T")

_STATUS = "/Status/Endpoints"

# How often the other family of names is tried on a server that ignores ours.
_MAX_TRIALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """What to ask of one list endpoint.

    Attributes:
        endpoint: Decides the prefix of the query names.
        path: Below the API path.
        kind, right: For counting, and for the error when rights are missing.
        decode: One item; may raise ContractViolation.
        query: In Command's query language, or "".
        sort_field: Name to sort by, highest first, or "".
        wanted: Whether an item fits ``query``.
        in_order: Whether items are sorted as asked.
        more: Further query parameters by their newer names.
    """

    endpoint: Endpoint
    path: str
    kind: str
    right: Right
    decode: Callable[[object], T]
    query: str = ""
    sort_field: str = ""
    wanted: Callable[[T], bool] | None = None
    in_order: Callable[[Sequence[T]], bool] | None = None
    more: Params = ()

    def params(self, family: Family, *, page: int, limit: int) -> Params:
        """Return the query parameters; ``SortAscending`` 1 means descending."""
        named = [
            ("QueryString", self.query),
            ("PageReturned", str(page)),
            ("ReturnLimit", str(limit)),
            ("SortField", self.sort_field),
            ("SortAscending", "1" if self.sort_field else ""),
            *self.more,
        ]
        return tuple(
            (query_name(family, self.endpoint, name), value)
            for name, value in named
            if value
        )

    def respected(self, items: Sequence[T]) -> bool:
        """Return whether ``items`` are filtered and sorted as was asked."""
        filtered = self.wanted is None or all(map(self.wanted, items))
        return filtered and (self.in_order is None or self.in_order(items))


class Lists:
    """Reads pages of list endpoints; finds out the family of names once."""

    def __init__(
        self, exchange: Exchange, *, family: Family | None, redactor: Redactor
    ) -> None:
        self._exchange = exchange
        self._redactor = redactor
        self._chosen = family
        self._family = family
        self._trials = 0
        self._probing = asyncio.Lock()

    @property
    def family(self) -> Family | None:
        """Return the family of query names in use, None before any answer."""
        return self._family

    def learn(self, answer: Answer) -> None:
        """Take the family from an answer, unless it was chosen or is known."""
        if self._family is None:
            self._family = family_shown(answer.headers)

    async def probe(self) -> str:
        """Ask the cheapest endpoint; return the product version, "" if not sent.

        A server that shows nothing of its version is taken to be 10.x: newer ones
        show it, and were seen to accept the prefixed names, too.

        Raises:
            CommandError: Command cannot be used now, or does not accept us.
        """
        answer = await self._exchange.send("GET", _STATUS, kind="other")
        # undocumented: rights on this endpoint, and whether 10.x has it. Any answer
        # but these shows that a Command, or something in front of it, is there.
        unusable = answer.status in {401, 408, 429} or answer.status >= 500
        if unusable:
            self._exchange.checked(answer, what=f"GET {_STATUS}", right=Right.NONE)
        if self._family is None:
            self._family = Family.PREFIXED
        return shown_version(answer.headers)

    async def page(self, listing: Listing[T], *, page: int, limit: int) -> Page[T]:
        """Return one page as the server orders it, whether or not it heeded us.

        Raises:
            CommandError: As the answer says.
            ValueError: ``page`` or ``limit`` below 1, or a query too long to send.
        """
        if page < 1 or limit < 1:
            message = f"page {page} and limit {limit} must be 1 or more"
            raise ValueError(message)
        family = await self._known_family()
        found = await self._ask(listing, family, page=page, limit=limit)
        settled = self._chosen is not None or self._trials >= _MAX_TRIALS
        # On a first page only: names that are ignored give a first page, too.
        if listing.respected(found.items) or settled or page != 1:
            return found
        self._trials += 1
        return await self._try_other(listing, found, family, limit=limit)

    async def _try_other(
        self, listing: Listing[T], found: Page[T], family: Family, *, limit: int
    ) -> Page[T]:
        """Return the first page under the names that the server heeds, and keep them.

        One odd answer makes no dialect: the other names count only when they were
        heeded and those in use were ignored twice.
        """
        other = Family.PLAIN if family is Family.PREFIXED else Family.PREFIXED
        try:
            second = await self._ask(listing, other, page=1, limit=limit)
        except Refused:
            return found
        if not second.items or not listing.respected(second.items):
            return found
        again = await self._ask(listing, family, page=1, limit=limit)
        if listing.respected(again.items):
            return again
        self._family = other
        return second

    async def _ask(
        self, listing: Listing[T], family: Family, *, page: int, limit: int
    ) -> Page[T]:
        params = listing.params(family, page=page, limit=limit)
        if not fits(params):
            message = f"the query is {len(encode(params))} bytes long: ask for less"
            raise ValueError(message)
        answer = await self._exchange.get(
            listing.path, params=params, kind=listing.kind, right=listing.right
        )
        return page_of(answer, self._redactor, listing.decode)

    async def _known_family(self) -> Family:
        if self._family is None:
            async with self._probing:
                if self._family is None:
                    await self.probe()
        return self._family or Family.PREFIXED


def kept(listing: Listing[T], items: Sequence[T]) -> tuple[T, ...]:
    """Return the items that the query asked for, of a server that may ignore it."""
    return tuple(i for i in items if listing.wanted is None or listing.wanted(i))


def keep_wanted(listing: Listing[T], page: Page[T]) -> Page[T]:
    """Return ``page`` without the items that the query did not ask for.

    Raises:
        ContractViolation: Nothing is left of a page that held items: the server
            ignores the query, and an empty page would be taken for the end.
    """
    items = kept(listing, page.items)
    if page.items and not items:
        message = (
            f"GET {listing.path} ignores QueryString: none of {len(page.items)} items "
            f"fits {visible(listing.query, 200)}"
        )
        raise ContractViolation(
            message, code="query_ignored", hint="set dialect in the profile"
        )
    return replace(page, items=items, dropped=len(page.items) - len(items))


async def read_all(
    lists: Lists, listing: Listing[T], key: Callable[[T], object], *, limit: int
) -> tuple[T, ...]:
    """Return all items of a list, read page by page, each key once.

    The end is the total where the server sends one, else an empty page.

    Raises:
        ContractViolation: Pages repeat, so that the rest cannot be had.
        CommandError: As an answer says.
    """
    items: dict[object, T] = {}
    received = 0
    page_number = 0
    while True:
        page_number += 1
        page = await lists.page(listing, page=page_number, limit=limit)
        fresh = {key(item): item for item in page.items if key(item) not in items}
        items.update(fresh)
        received += len(page.items)
        if page.items and not fresh:
            message = f"GET {listing.path} gives the same page again"
            raise ContractViolation(message, code="paging_ignored")
        if not page.items or _is_last(page, received):
            return tuple(items.values())


# undocumented: a cap on ReturnLimit. Nobody caps below the documented default page,
# so a shorter page without a total is the last one.
_DEFAULT_PAGE = 50


def _is_last(page: Page[T], received: int) -> bool:
    if page.total is not None:
        return received >= page.total
    return len(page.items) < _DEFAULT_PAGE
