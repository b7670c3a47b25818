"""JobHistory, highest id first, also from a server that does not sort.

A caller reads page after page until it meets an id it knows. On a server that ignores
the sort field, the first page would hold the oldest rows and end the search before it
began; so such a server is read from its last page backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from batch_reenroll.campaign.nouns import JobRecord, Page
from batch_reenroll.command.listing import Listing, Lists, keep_wanted
from batch_reenroll.errors import ContractViolation


def is_descending(rows: Sequence[JobRecord]) -> bool:
    """Return whether the highest JobHistoryId stands first; equal ones may repeat."""
    return all(a.history_id >= b.history_id for a, b in pairwise(rows))


def is_ascending(rows: Sequence[JobRecord]) -> bool:
    """Return whether the lowest JobHistoryId stands first; equal ones may repeat."""
    return all(a.history_id <= b.history_id for a, b in pairwise(rows))


class History:
    """Pages of JobHistory. Remembers whether this server sorts."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._unsorted = False

    async def page(
        self, listing: Listing[JobRecord], *, page: int, limit: int
    ) -> Page[JobRecord]:
        """Return one page of at most ``limit`` rows, highest JobHistoryId first.

        Raises:
            ContractViolation: The server neither sorts nor lets its order be undone,
                or ignores the query.
            CommandError: As the answer says.
        """
        # One row shows no order; a first page of one is asked for as two.
        asked = max(limit, 2) if page == 1 else limit
        found = await self._lists.page(listing, page=page, limit=asked)
        if self._unsorted or not is_descending(found.items):
            found = await self._backwards(listing, found, page=page, limit=asked)
        found = keep_wanted(listing, found)
        rows = sorted(found.items, key=lambda row: row.history_id, reverse=True)
        return replace(found, items=tuple(rows[:limit]))

    async def _backwards(
        self,
        listing: Listing[JobRecord],
        found: Page[JobRecord],
        *,
        page: int,
        limit: int,
    ) -> Page[JobRecord]:
        if not self._unsorted and not is_ascending(found.items):
            await self._check_shuffle(listing, found, page=page, limit=limit)
            return found
        first = found
        if page != 1:
            first = await self._lists.page(listing, page=1, limit=limit)
        size, total = len(first.items), first.total
        if total is not None and size >= total:
            return first if page == 1 else replace(first, items=())
        if total is None or not size or not is_ascending(first.items):
            raise _sort_ignored()
        self._unsorted = True
        # The server's own page size: it may cap what was asked for.
        target = -(-total // size) - page + 1
        if target < 1:
            return replace(first, items=())
        if target == 1:
            return first
        return await self._lists.page(listing, page=target, limit=size)

    async def _check_shuffle(
        self,
        listing: Listing[JobRecord],
        found: Page[JobRecord],
        *,
        page: int,
        limit: int,
    ) -> None:
        """Make sure that only the rows inside one page are out of order.

        Raises:
            ContractViolation: The next page holds newer rows than this one.
        """
        after = await self._lists.page(listing, page=page + 1, limit=limit)
        lowest = min(row.history_id for row in found.items)
        # Rows added meanwhile push the last ones of this page into the next.
        seen = {row.history_id for row in found.items}
        if any(r.history_id > lowest and r.history_id not in seen for r in after.items):
            raise _sort_ignored()


def _sort_ignored() -> ContractViolation:
    return ContractViolation(
        "GET /OrchestratorJobs/JobHistory cannot be read newest first",
        code="sort_ignored",
        hint="set dialect in the profile",
    )
