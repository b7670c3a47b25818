"""Which jobs a POST is about: by id or by query, never both.

Unschedule, Reschedule and Acknowledge share this body (keyfactor-command.md 2.7, 3.2,
3.3). undocumented: the code of each refusal; that null, an empty array and an empty
query count as not given (an empty query would mean every job).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from batch_reenroll.sandbox.exchange import ApiError, Request
from batch_reenroll.sandbox.intake import BAD_FIELD, read_guid, read_json
from batch_reenroll.sandbox.params import Listing
from batch_reenroll.sandbox.query import Context

T = TypeVar("T")
Id = TypeVar("Id", bound=Hashable)

_INT64 = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection(Generic[Id]):
    """The ids, or the query where there are none."""

    ids: frozenset[Id] = frozenset()
    query: str = ""

    def of(
        self,
        rows: Iterable[T],
        id_of: Callable[[T], Id],
        listing: Listing[T],
        context: Context,
    ) -> list[T]:
        """Return the rows that are meant, in their order; an unknown id means none.

        Raises:
            ApiError: 400; the query is not understood.
        """
        if self.ids:
            return [row for row in rows if id_of(row) in self.ids]
        return listing.matching(rows, self.query, context)


def read_job_ids(request: Request) -> Selection[str]:
    """Return the selection in a body with ``JobIds`` (GUIDs) or ``Query``.

    Raises:
        ApiError: 4xx; it holds both, neither, or something else.
    """
    return _read(request, "JobIds", _job_id)


def read_audit_ids(request: Request) -> Selection[int]:
    """Return the selection in a body with ``JobAuditIds`` (JobHistoryIds) or ``Query``.

    Raises:
        ApiError: 4xx; it holds both, neither, or something else.
    """
    return _read(request, "JobAuditIds", _audit_id)


def _read(request: Request, name: str, read_id: Callable[[Any], Id]) -> Selection[Id]:
    body = read_json(request)
    items, query = body.get(name.lower()), body.get("query")
    if not isinstance(items, list | None):
        _bad(f"{name} must be an array")
    if not isinstance(query, str | None):
        _bad("Query must be a string")
    ids = frozenset(read_id(item) for item in items or ())
    query = (query or "").strip()
    if bool(ids) == bool(query):
        _bad(f"Either {name} or Query is required, but not both")
    return Selection(ids=ids, query=query)


def _job_id(item: Any) -> str:
    guid = read_guid(item)
    return _bad("JobIds must hold GUIDs") if guid is None else guid


def _audit_id(item: Any) -> int:
    if type(item) is not int or not -_INT64 <= item < _INT64:
        _bad("JobAuditIds must hold 64-bit integers")
    return item


def _bad(why: str) -> NoReturn:
    raise ApiError(400, BAD_FIELD, f"{why}.")
