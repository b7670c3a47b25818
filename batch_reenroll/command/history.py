"""JobHistory, read so that no row is missed, whatever the server does with our wishes.

A reader wants the rows above an id it knows. Where the server sorts as asked, highest
id first, those stand at the head, and reading ends at the known id. Nothing forces a
server to sort, though, and a job that is missed is submitted twice. So the order is
judged on the answers of each sweep anew: only rows that all came in order let it end
early; a server that plainly sorts the other way round is read from its last page
upwards; everything else is read to its end, and again where that end proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from batch_reenroll.campaign.nouns import JobRecord, Page
from batch_reenroll.command.listing import Listing, Lists, kept
from batch_reenroll.command.paging import Next, Pass, in_order, unreadable

#: Passes over the whole list before it is given up as one that cannot be read.
MAX_PASSES = 8


def is_descending(rows: Sequence[JobRecord]) -> bool:
    """Return whether the highest JobHistoryId stands first; rows may be repeated."""
    return in_order([row.history_id for row in rows], descending=True)


class HistorySweep:
    """One complete read of JobHistory, page by page. See the port in ``runner``."""

    def __init__(
        self,
        lists: Lists,
        listing: Listing[JobRecord],
        *,
        limit: int,
        above: int | None,
    ) -> None:
        self._lists = lists
        self._listing = listing
        self._limit = limit
        self._above = above
        self._pass = Pass(above=above)
        self._passes = 1
        self._seen: set[int] = set()
        self._complete = False

    async def read(self) -> Page[JobRecord] | None:
        """Return the next page, highest JobHistoryId first; None once all was read.

        After an error it may be called again and goes on where it stood.

        Raises:
            ContractViolation: The list cannot be read whole.
            CommandError: As the answer says.
        """
        if self._complete:
            return None
        found = await self._lists.page(
            self._listing, page=self._pass.page, limit=self._limit
        )
        ids = [row.history_id for row in found.items]
        self._seen.update(ids)
        step = self._pass.take(ids, found.total)
        if found.total is not None and ids and len(self._seen) >= found.total:
            step = Next.COMPLETE
        self._go(step)
        rows = {row.history_id: row for row in kept(self._listing, found.items)}
        newest_first = sorted(rows.values(), key=_history_id, reverse=True)
        return replace(found, items=tuple(newest_first))

    def _go(self, step: Next) -> None:
        now = self._pass
        if step is Next.COMPLETE:
            self._complete = True
        elif step is Next.UPWARDS:
            # The server's own page size: it may cap what was asked for.
            last_page = -(-(now.total or 0) // now.size)
            up = Pass(
                above=self._above, page=last_page, foot=max(now.ids), size=now.size
            )
            self._begin(up)
        elif step is Next.AGAIN:
            self._begin(Pass(above=self._above, again=True))

    def _begin(self, another: Pass) -> None:
        self._passes += 1
        if self._passes > MAX_PASSES:
            raise unreadable("its pages do not join", "sort_ignored")
        self._pass = another


def _history_id(row: JobRecord) -> int:
    return row.history_id
