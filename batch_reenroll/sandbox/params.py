"""Paging and query parameters, in both families of names.

10.x calls them ``pq.queryString``, ``certificateStoreQuery.queryString`` and so on, the
prefix depending on the endpoint; 11 and later ``QueryString``. In any case, and of a
name that is given twice the last counts. Which family is known is the dialect's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

from batch_reenroll.sandbox.exchange import ApiError
from batch_reenroll.sandbox.memory import Memory
from batch_reenroll.sandbox.query import (
    Context,
    Field,
    QueryError,
    Scalar,
    compile_query,
    named_by,
    words_of,
)

T = TypeVar("T")

#: Prefixes of the 10.x names, by what is listed (keyfactor-command.md 2.1, 4).
JOBS = AGENTS = "pq."
STORES = "certificatestorequery."
STORE_TYPES = "cstquery."
INVENTORY = "query."
#: As the SDKs made from 10.x have them.
AUTHORITIES = "pq."
TEMPLATES = "sq."
CERTIFICATES = "pq."
_PREFIXES = (JOBS, STORES, STORE_TYPES, INVENTORY, TEMPLATES)
_INTEGER = re.compile(r"\d{1,10}", re.ASCII)
_INT32 = 2**31 - 1

#: The two codes that are known (keyfactor-command.md 1.4, from a live server).
BAD_SORT_FIELD = "0xA011004A"
#: undocumented: every other code below is ours.
BAD_QUERY = "0xA0110049"
BAD_PARAMETER = "0xA0110003"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListParams:
    """What a list endpoint was asked for; ``page`` is 1-based.

    ``expired`` counts for certificates alone: without it they leave out expired ones.
    """

    query: str = ""
    page: int = 1
    limit: int = 50
    sort_field: str = ""
    descending: bool = False
    expired: bool = False


def read_params(
    raw_query: str, limit_max: int | None, own_prefix: str | None = None
) -> ListParams:
    """Return the parameters of a query string; unknown ones are ignored.

    Args:
        raw_query: As it stands in the URL.
        limit_max: Largest page, or None.
        own_prefix: The one spelling that is known, in lower case; None = every one.

    Raises:
        ApiError: 400; a number is no number or out of range.
    """
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, max_num_fields=100)
    except ValueError as exc:
        raise ApiError(400, BAD_PARAMETER, "Too many query parameters.") from exc
    given = {
        _bare(name): value
        for name, value in pairs
        if own_prefix is None or name.lower().startswith(own_prefix)
    }
    limit = _number(given, "returnlimit", 50, 1, _INT32)
    return ListParams(
        query=given.get("querystring", ""),
        page=_number(given, "pagereturned", 1, 1, _INT32),
        limit=min(limit, limit_max or limit),
        sort_field=given.get("sortfield", ""),
        descending=_number(given, "sortascending", 0, 0, 1) == 1,
        expired=given.get("includeexpired", "").strip().lower() == "true",
    )


def _bare(name: str) -> str:
    """Return ``name`` in lower case without its prefix, if it has one."""
    lower = name.lower()
    prefix = next((p for p in _PREFIXES if lower.startswith(p)), "")
    return lower[len(prefix) :]


def _number(
    given: Mapping[str, str], name: str, default: int, low: int, high: int
) -> int:
    text = given.get(name, "").strip()
    if not text:
        return default
    # undocumented: what Command does with numbers out of range; we refuse.
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise ApiError(400, BAD_PARAMETER, f"Invalid value for {name}: {text[:40]}.")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """How one list is queried and sorted.

    Attributes:
        fields: By lower-case name, for QueryString.
        sorts: By lower-case name, for SortField.
        default_sort: A name in ``sorts``, or empty for the table's own order.
        prefix: Of its parameters in 10.x, in lower case.
        is_of_jobs: It is one of the two job lists.
        unchanging: Fields that never change for a row.
        memory: What was asked before, for rows that are only added; None = forget.
        stands_by: The sort name in whose ascending order the rows stand anyway.
        index: A field by whose value rows can be found, and how; their order is that
            of the table.
    """

    fields: Mapping[str, Field[T]]
    sorts: Mapping[str, Callable[[T], Scalar]]
    default_sort: str = ""
    prefix: str = ""
    is_of_jobs: bool = False
    unchanging: frozenset[str] = frozenset()
    memory: Memory[T] | None = None
    stands_by: str = ""
    index: tuple[str, Callable[[frozenset[Scalar]], Sequence[T]]] | None = None

    def matching(self, rows: Iterable[T], query: str, context: Context) -> list[T]:
        """Return the rows that ``query`` is about, in their order.

        Raises:
            ApiError: 400; the query is not understood.
        """
        test = self._test(query, context)
        return [row for row in rows if test(row)]

    def _test(self, query: str, context: Context) -> Callable[[T], bool]:
        try:
            return compile_query(query, self.fields, context)
        except QueryError as exc:
            raise ApiError(400, BAD_QUERY, f"Invalid query: {exc}.") from exc

    def _found(
        self, rows: Iterable[T], query: str, context: Context, lasting: Sequence[T]
    ) -> Sequence[T]:
        """Return what :meth:`matching` would, without asking every row again."""
        test = self._test(query, context)
        if self.index is not None:
            name, look_up = self.index
            named = named_by(test, self.fields[name].get)
            if named is not None:
                return [row for row in look_up(named) if test(row)]
        known: Sequence[T] = ()
        if lasting:
            known = self._known(lasting, query, test)
        fresh = [row for row in rows if test(row)]
        return [*fresh, *known] if fresh else known

    def _known(
        self, lasting: Sequence[T], query: str, test: Callable[[T], bool]
    ) -> Sequence[T]:
        if self.memory is None or not self._remembers(query):
            return [row for row in lasting if test(row)]
        return self.memory.matching(lasting, query, test)

    def select(
        self,
        rows: Iterable[T],
        params: ListParams,
        context: Context,
        lasting: Sequence[T] = (),
    ) -> tuple[Sequence[T], int]:
        """Return one page of the matching rows, and how many match.

        Args:
            rows: Which there are.
            params: What was asked for.
            context: What relative values mean.
            lasting: More rows, behind those, of which there will only be more.

        Raises:
            ApiError: 400; the query or the sort field is not understood.
        """
        found = self._found(rows, params.query, context, lasting)
        name = (params.sort_field or self.default_sort).lower()
        key = self.sorts.get(name)
        if name and key is None:
            message = f"Invalid sort field: {params.sort_field[:80]}."
            raise ApiError(400, BAD_SORT_FIELD, message)
        start = (params.page - 1) * params.limit
        end = start + params.limit
        if key is not None and name != self.stands_by:
            return self._sorted(found, params, name, lasting)[start:end], len(found)
        if params.descending:
            start, end = (max(0, len(found) - at) for at in (end, start))
            return found[start:end][::-1], len(found)
        return found[start:end], len(found)

    def _sorted(
        self, found: Sequence[T], params: ListParams, name: str, lasting: Sequence[T]
    ) -> Sequence[T]:
        def ordered() -> list[T]:
            key = _nulls_last(self.sorts[name])
            return sorted(found, key=key, reverse=params.descending)

        # Only where nothing but lasting rows was found.
        if self.memory is None or not lasting or name not in self.unchanging:
            return ordered()
        if len(found) > len(lasting) or not self._remembers(params.query):
            return ordered()
        question = (params.query, name, params.descending)
        return self.memory.sorted(found, question, ordered)

    def _remembers(self, query: str) -> bool:
        """Return whether rows pass ``query`` now and for ever, or never."""
        # %TODAY% is another day tomorrow, and %ME% somebody else.
        asked = words_of(query) & self.fields.keys()
        return "%" not in query and asked <= self.unchanging


def _nulls_last(
    key: Callable[[T], Scalar],
) -> Callable[[T], tuple[bool, str | int | float | bool]]:
    def order(row: T) -> tuple[bool, str | int | float | bool]:
        value = key(row)
        if value is None:
            return True, 0
        return False, value.casefold() if isinstance(value, str) else value

    return order
