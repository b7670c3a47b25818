"""What the pages of a list prove about it (pure).

Only rows that all came in order let a reading end before the list does; see
:mod:`batch_reenroll.command.history` for why that matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from batch_reenroll.errors import ContractViolation

#: Distinct rows in order from which on the server is believed to sort. Eight rows
#: without any order look sorted once in 40,320 times.
PROOF_ROWS = 8

# Pages in a row that hold nothing new. Rows added while we page push old ones into
# the next page, but hardly that many.
_MAX_STALE_PAGES = 10

_MAX_PAGES = 10_000


class Next(Enum):
    """What a pass calls for after a page."""

    PAGE = auto()
    UPWARDS = auto()
    AGAIN = auto()
    COMPLETE = auto()


@dataclass(slots=True, kw_only=True)
class Pass:
    """One way through the pages: what it has shown, and what that proves (pure).

    Attributes:
        above: Rows with higher ids are wanted; None = only the newest.
        page: Number of the page to read next.
        again: An earlier pass proved nothing: this one goes to the end, downwards.
        foot: Highest id of page 1, in a pass from the last page up to the first; None
            in a pass downwards.
        size: Distinct rows of a whole page, 0 before the first.
        ids: Distinct ids read in this pass.
        in_order: All rows came sorted, descending or (upwards) ascending.
        in_step: All pages but the last had the same size, so that they join without a
            gap: a page that is capped lower than another begins elsewhere.
        repeated: An id came on two pages.
        total: ``X-Total-Count`` with the pass's first page.
    """

    above: int | None
    page: int = 1
    again: bool = False
    foot: int | None = None
    size: int = 0
    ids: set[int] = field(default_factory=set)
    in_order: bool = True
    in_step: bool = True
    repeated: bool = False
    total: int | None = None
    _short: bool = False
    _stale: int = 0

    @property
    def upwards(self) -> bool:
        """Return whether the last page is read first."""
        return self.foot is not None

    def take(self, ids: Sequence[int], total: int | None) -> Next:
        """Add the page that was asked for, and say what to do next.

        Raises:
            ContractViolation: Page after page repeats what was read before.
        """
        if not self.ids:
            self.total = total
        if not ids:
            return self._end()
        first = not self.ids
        self._add(ids)
        if self._stale >= _MAX_STALE_PAGES or self.page >= _MAX_PAGES:
            raise unreadable("page after page repeats the same rows", "paging_ignored")
        if first and self._turns(ids):
            return Next.UPWARDS
        if self._reached():
            return Next.COMPLETE
        return self._step()

    def _add(self, ids: Sequence[int]) -> None:
        distinct = set(ids)
        new = distinct - self.ids
        in_order_now = in_order(ids, descending=not self.upwards) and self._joins(new)
        self.in_order = self.in_order and in_order_now
        self.in_step = self.in_step and self._keeps_step(len(distinct))
        self.repeated = self.repeated or len(new) < len(distinct)
        self._stale = 0 if new else self._stale + 1
        self.ids |= new

    def _joins(self, new: set[int]) -> bool:
        """Return whether new rows lie below all read before, and above the foot."""
        if not new:
            return True
        footed = self.foot is None or self.page == 1 or min(new) > self.foot
        return footed and (not self.ids or max(new) < min(self.ids))

    def _keeps_step(self, size: int) -> bool:
        if self.upwards:
            # The last page, which may be short, is the first to be read.
            return size == self.size or (size < self.size and not self.ids)
        after_short = self._short
        self.size = self.size or size
        self._short = size < self.size
        return size <= self.size and not after_short

    def _turns(self, ids: Sequence[int]) -> bool:
        """Return whether the server plainly sorts lowest first, and says how much."""
        return (
            not (self.again or self.upwards)
            and self.total is not None
            and len(self.ids) >= PROOF_ROWS
            and in_order(ids, descending=False)
        )

    def _reached(self) -> bool:
        """Return whether all that is wanted was read, of a list known to be sorted.

        The known row was seen once; a head of the list below it is not the head. After
        a pass that proved nothing, rows in order may be chance.
        """
        if self.again or not (self.in_order and self.in_step):
            return False
        if len(self.ids) < PROOF_ROWS:
            return False
        return self.above is None or min(self.ids) <= self.above <= max(self.ids)

    def _step(self) -> Next:
        if not self.upwards:
            self.page += 1
            return Next.PAGE
        if not (self.in_order and self.in_step):
            return Next.AGAIN
        self.page -= 1
        return Next.PAGE if self.page else Next.COMPLETE

    def _end(self) -> Next:
        """Return what an empty page proves.

        A list out of order may be ordered anew for each answer: then some rows come
        twice and others never, and only the count tells. A total above what was read
        may count rows that we may not see; so it is doubted, but only once.
        """
        if self.upwards or not self.in_step or (self.total and not self.ids):
            return Next.AGAIN
        counted = self.total is None or len(self.ids) >= self.total
        if self.in_order and (counted or self.again):
            proved = len(self.ids) >= PROOF_ROWS or not self.repeated
        else:
            proved = counted and not self.repeated
        return Next.COMPLETE if proved else Next.AGAIN


def in_order(ids: Sequence[int], *, descending: bool) -> bool:
    """Return whether ``ids`` are sorted once some of the repeated ones are left out."""
    rest = iter(ids)
    wanted: Iterable[int] = sorted(set(ids), reverse=descending)
    return all(any(found == one for found in rest) for one in wanted)


def unreadable(why: str, code: str) -> ContractViolation:
    """Return the error for a JobHistory of which no reading can be trusted."""
    return ContractViolation(
        f"GET /OrchestratorJobs/JobHistory cannot be read whole: {why}",
        code=code,
        hint="set dialect in the profile",
    )
