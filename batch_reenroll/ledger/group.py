"""Group commit: many waiting moves, one fsync.

Callers queue a move and wait. One writer takes whatever has gathered while the last
fsync ran, writes it in one transaction, then wakes them all. No timer: the fsync
itself is the batching window, so an idle run pays one fsync of delay and a busy run
shares it (measured, see DESIGN.md).
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from batch_reenroll.campaign.lifecycle import ADRIFT, UNRESOLVED, State
from batch_reenroll.campaign.rows import Move, Note, Row, Waiting
from batch_reenroll.campaign.verdict import StopRequest
from batch_reenroll.errors import LedgerError, LedgerWriteFailed
from batch_reenroll.ledger.sqlite import SqliteLedger

#: Moves in one transaction: bounds how long the first of a batch waits for the last.
MAX_BATCH = 1000

Run = Callable[
    [Callable[[], Sequence[LedgerError | None]]],
    Awaitable[Sequence[LedgerError | None]],
]


async def in_thread(
    work: Callable[[], Sequence[LedgerError | None]],
) -> Sequence[LedgerError | None]:
    """Run ``work`` in the loop's executor, so that an fsync never blocks the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


class CampaignLedger:
    """One campaign's moves, committed in groups. Use as an async context manager.

    Args:
        ledger: The open ledger.
        campaign_id: Which campaign.
        requests: Returns the requests sent so far by kind; kept with every batch.
        run: How a batch is run; the simulation runs it in place.
        committed: Told of every commit: entries, and seconds until it was durable.
    """

    def __init__(
        self,
        ledger: SqliteLedger,
        campaign_id: str,
        *,
        requests: Callable[[], Mapping[str, int]],
        run: Run = in_thread,
        committed: Callable[[int, float], None] | None = None,
    ) -> None:
        self._committed = committed
        self._requests = requests
        self._ledger = ledger
        self._number = ledger.number(campaign_id)
        self._run = run
        self._queue: list[tuple[Move | Note, _Written]] = []
        self._gathered = asyncio.Event()
        self._failure: LedgerError | None = None
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> CampaignLedger:
        self._writer = asyncio.create_task(self._write(), name="ledger writer")
        # However it ends, even before it has begun.
        self._writer.add_done_callback(lambda _: self._abandon(self._queue))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._gathered.set()
        if self._writer is not None:
            await _outcome(_ended(self._writer))

    async def move(self, move: Move) -> None:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        await self._written(move)

    async def note(self, note: Note) -> None:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        await self._written(note)

    async def _written(self, entry: Move | Note) -> None:
        if self._failure is not None or self._writer is None or self._writer.done():
            raise self._failure or LedgerWriteFailed("the ledger's writer has ended")
        written = _Written(loop=asyncio.get_running_loop())
        self._queue.append((entry, written))
        self._gathered.set()
        await _outcome(written)

    async def row(self, row_no: int) -> Row:
        """Return one row."""
        return self._ledger.row(self._number, row_no)

    async def rows(self, row_nos: Sequence[int]) -> Sequence[Row]:
        """Return rows, same order."""
        return self._ledger.rows(self._number, row_nos)

    async def waiting(self, wave: str | None = None) -> Sequence[Waiting]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return list(self._ledger.waiting(self._number, wave))

    async def waiting_order(self, wave: str | None = None) -> Sequence[int]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return array("q", self._ledger.waiting_order(self._number, wave))

    async def waiting_rows(self, row_nos: Sequence[int]) -> Sequence[Waiting]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return self._ledger.waiting_rows(self._number, row_nos)

    async def wave_states(self) -> Sequence[tuple[str | None, State, int]]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return list(self._ledger.wave_states(self._number))

    async def wave_events(self) -> Sequence[tuple[str, str]]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return list(self._ledger.wave_events(self._number))

    async def last_end(self) -> datetime | None:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return self._ledger.last_end(self._number)

    async def sent_since(self, at: datetime) -> Sequence[tuple[str, datetime]]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return list(self._ledger.sent_since(self._number, at))

    async def unresolved(self) -> Sequence[Row]:
        """Return rows that were with Command, or being verified."""
        return list(self._ledger.rows_in(self._number, UNRESOLVED))

    async def adrift(self) -> Sequence[Row]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return list(self._ledger.rows_in(self._number, ADRIFT))

    async def stop_requested(self) -> StopRequest | None:
        """Return the stop that a person asked for from another process, or None."""
        return self._ledger.stop_requested(self._number)

    async def _write(self) -> None:
        while not (self._closing and not self._queue):
            await self._gathered.wait()
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            if not self._queue and not self._closing:
                self._gathered.clear()
            if batch:
                await self._commit(batch)
        # An empty batch keeps the last request counts.
        await self._commit([])

    def _abandon(self, batch: list[tuple[Move | Note, _Written]]) -> None:
        """Nobody will answer these any more, and a waiter must not wait for ever."""
        for _, written in batch:
            if not written.done():
                failure = LedgerWriteFailed("the ledger's writer has ended")
                written.set_exception(self._failure or failure)

    def _check_alive(self) -> None:
        # Once a write was refused no later one may be made: what gathered behind it
        # rests on what was not written.
        if self._failure is not None:
            raise self._failure

    async def _commit(self, batch: list[tuple[Move | Note, _Written]]) -> None:
        moves = [move for move, _ in batch]
        results: Sequence[LedgerError | None]
        try:
            self._check_alive()
            requests = self._requests()
            began_s = time.monotonic()
            results = await self._run(
                lambda: self._ledger.apply(self._number, moves, requests)
            )
            if self._committed is not None and moves:
                self._committed(len(moves), time.monotonic() - began_s)
        except LedgerError as exc:
            self._failure = exc
            results = [exc] * len(batch)
        except BaseException:
            self._failure = LedgerWriteFailed("the ledger's writer has ended")
            self._abandon(batch)
            raise
        for (_, written), refusal in zip(batch, results, strict=True):
            if refusal is None:
                written.set_result(None)
            else:
                written.set_exception(refusal)


class _Written(asyncio.Future[None]):
    """Waited for to the end, however often the waiter is cancelled meanwhile.

    A task that is cancelled asks what it waits for to be cancelled, and where that
    declines, the task is cancelled once it is done. A ``shield`` protects against the
    first cancellation only, and costs more.
    """

    def cancel(self, msg: object | None = None) -> bool:  # noqa: ARG002
        """Decline."""
        return False


async def _outcome(work: _Written) -> None:
    """Wait for ``work``; of an error and a cancellation the error comes first."""
    try:
        await work
    except asyncio.CancelledError:
        work.result()
        raise


def _ended(task: asyncio.Task[None]) -> _Written:
    """Return what is done once ``task`` is, with its error."""
    ended = _Written(loop=task.get_loop())

    def tell(_: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    task.add_done_callback(tell)
    return ended
