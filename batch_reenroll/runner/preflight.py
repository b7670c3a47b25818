"""Reading what a plan needs: lists by the page, inventories where they are wanted."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.limiter import Gcra
from batch_reenroll.campaign.nouns import InventoryCertificate, JobRecord, Page
from batch_reenroll.campaign.plan import Directory
from batch_reenroll.errors import ContractViolation, Refused
from batch_reenroll.runner.ports import Command, Sweep

T = TypeVar("T")

#: Keyfactor's own scripts use up to 5,000 here (keyfactor-command.md 2.1).
PAGE_ROWS = 1000


async def read_directory(
    command: Command,
    *,
    query: str = "",
    enrollment: bool = False,
    permissions: bool = False,
) -> Directory:
    """Return stores, types and orchestrators that the account may see.

    Args:
        command: Whom to ask.
        query: Which stores, in Command's query language; empty = all.
        enrollment: Whether CAs and templates are wanted as well.
        permissions: Whether the account's own rights are.

    Raises:
        CommandError: One of the lists could not be read.
    """
    directory = Directory()
    # First the stores: the right to read them is documented, so that an account which
    # lacks it is told its name; which one the types need is not known of every version.
    stores = await every(
        lambda page: command.stores(page=page, limit=PAGE_ROWS, query=query),
        lambda store: store.store_id,
    )
    directory.add_stores(stores.values())
    for kind in await command.store_types():
        directory.types[kind.store_type] = kind
    directory.orchestrators = await every(
        lambda page: command.orchestrators(page=page, limit=PAGE_ROWS),
        lambda agent: agent.agent_id,
    )
    if enrollment:
        directory.enrollment = await command.enrollment()
    if permissions:
        directory.permissions = await command.permissions()
    directory.version = command.version
    return directory


async def read_jobs(
    command: Command, *, past_rows: int = 0
) -> tuple[JobBoard, list[JobRecord]]:
    """Return the jobs that wait or run now, and about the newest rows of JobHistory.

    For the board only the newest page is read, where the server sorts: a job still
    running behind a thousand newer ones is found by the run's own looks.

    Args:
        command: Whom to ask.
        past_rows: Rows wanted beyond the newest page, for a forecast.

    Raises:
        CommandError: One of the lists could not be read.
    """
    board = JobBoard()
    jobs = await every(
        lambda page: command.scheduled_jobs(page=page, limit=PAGE_ROWS),
        lambda job: job.job_id,
    )
    board.see_scheduled(jobs.values(), 0.0)
    found = await _records(command.job_history(limit=PAGE_ROWS))
    board.see_history(found.values(), 0.0)
    highest = max(found, default=0)
    if len(found) < past_rows and highest > past_rows:
        older = command.job_history(limit=PAGE_ROWS, above=highest - past_rows)
        found.update(await _records(older))
    return board, list(found.values())


async def _records(sweep: Sweep) -> dict[int, JobRecord]:
    found: dict[int, JobRecord] = {}
    while (page := await sweep.read()) is not None:
        found.update((record.history_id, record) for record in page.items)
    return found


#: Inventories read at one time.
_READERS = 16


class Held(NamedTuple):
    """What one store holds, or why nobody can say.

    Attributes:
        store_id: The store.
        inventory: Its leaves; None where the inventory could not be read.
        message: Command's own words in that case, or "".
    """

    store_id: str
    inventory: Sequence[InventoryCertificate] | None
    message: str = ""


async def read_inventories(
    command: Command, store_ids: Sequence[str], *, rate_per_s: float
) -> AsyncIterator[Held]:
    """Yield the inventory of each store, in order.

    Args:
        command: Whom to ask.
        store_ids: Which stores.
        rate_per_s: Requests per second, at most; > 0.

    Raises:
        CommandError: Command could not be asked; a refusal of one store is yielded.
    """
    limiter = Gcra(rate_per_s=rate_per_s)

    async def one(store_id: str) -> Held:
        now_s = asyncio.get_running_loop().time()
        await asyncio.sleep(limiter.reserve(now_s) - now_s)
        try:
            return Held(store_id, await command.inventory(store_id))
        except Refused as exc:
            return Held(store_id, None, exc.message)

    for at in range(0, len(store_ids), _READERS):
        for held in await asyncio.gather(*map(one, store_ids[at : at + _READERS])):
            yield held


# Pages in a row with nothing new after which a server is known to ignore the page
# number, and passes over a list whose pages give fewer items than its total says.
_MAX_STALE_PAGES = 10
_PASSES = 3


async def every(
    fetch: Callable[[int], Awaitable[Page[T]]], key: Callable[[T], str]
) -> dict[str, T]:
    """Return the items of all pages by key. A server may give fewer than asked for.

    An item that moved to the next page while the list grew is not a second one, so
    distinct keys are counted against the total. A list sorted by something that is
    not unique (stores: ClientMachine) may leave items out between two pages; so one
    that comes short is read again. A total may count what we may not see: after the
    last pass what was found is all.

    Raises:
        ContractViolation: The server gives the same page again and again.
    """
    found: dict[str, T] = {}
    for _ in range(_PASSES):
        total = await _pass(fetch, key, found)
        if total is None or len(found) >= total:
            break
    return found


async def _pass(
    fetch: Callable[[int], Awaitable[Page[T]]],
    key: Callable[[T], str],
    found: dict[str, T],
) -> int | None:
    """Add the items of all pages to ``found``; return the total, None without one."""
    read: set[str] = set()
    stale = 0
    for number in itertools.count(1):
        page = await fetch(number)
        before = len(read)
        for item in page.items:
            found[key(item)] = item
            read.add(key(item))
        if not page.items or (page.total is not None and len(found) >= page.total):
            return page.total
        stale = 0 if len(read) > before else stale + 1
        if stale >= _MAX_STALE_PAGES:
            message = "a list gives the same page again and again"
            raise ContractViolation(message, code="paging_ignored")
    return None
