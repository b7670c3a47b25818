"""Group commit: many waiting moves, one fsync.

Callers queue a move and wait. One writer takes whatever has gathered while the last
fsync ran, writes it in one transaction, then wakes them all. No timer: the fsync
itself is the batching window, so an idle run pays one fsync of delay and a busy run
shares it (measured, see DESIGN.md).
"""

from __future__ import annotations

import asyncio
import contextlib
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
    """

    def __init__(
        self,
        ledger: SqliteLedger,
        campaign_id: str,
        *,
        requests: Callable[[], Mapping[str, int]],
        run: Run = in_thread,
    ) -> None:
        self._requests = requests
        self._ledger = ledger
        self._number = ledger.number(campaign_id)
        self._run = run
        self._queue: list[tuple[Move | Note, asyncio.Future[None]]] = []
        self._gathered = asyncio.Event()
        self._failure: LedgerError | None = None
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> CampaignLedger:
        self._writer = asyncio.create_task(self._write(), name="ledger writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._gathered.set()
        if self._writer is not None:
            await _to_the_end(self._writer)

    async def move(self, move: Move) -> None:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        await self._written(move)

    async def note(self, note: Note) -> None:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        await self._written(note)

    async def _written(self, entry: Move | Note) -> None:
        if self._failure is not None or self._writer is None or self._writer.done():
            raise self._failure or LedgerWriteFailed("the ledger's writer has ended")
        written = asyncio.get_running_loop().create_future()
        self._queue.append((entry, written))
        self._gathered.set()
        await written

    async def row(self, row_no: int) -> Row:
        """Return one row."""
        return self._ledger.row(self._number, row_no)

    async def waiting(self, wave: str | None = None) -> Sequence[Waiting]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return list(self._ledger.waiting(self._number, wave))

    async def wave_states(self) -> Sequence[tuple[str | None, State, int]]:
        """See :class:`batch_reenroll.runner.ports.Ledger`."""
        return list(self._ledger.wave_states(self._number))

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

    def _check_alive(self) -> None:
        # Once a write was refused no later one may be made: what gathered behind it
        # rests on what was not written.
        if self._failure is not None:
            raise self._failure

    async def _commit(
        self, batch: list[tuple[Move | Note, asyncio.Future[None]]]
    ) -> None:
        moves = [move for move, _ in batch]
        results: Sequence[LedgerError | None]
        try:
            self._check_alive()
            requests = self._requests()
            results = await self._run(
                lambda: self._ledger.apply(self._number, moves, requests)
            )
        except LedgerError as exc:
            self._failure = exc
            results = [exc] * len(batch)
        except BaseException:
            # Nobody will answer these any more, and a waiter must not wait for ever.
            self._failure = LedgerWriteFailed("the ledger's writer has ended")
            for _, written in (*batch, *self._queue):
                if not written.done():
                    written.set_exception(self._failure)
            raise
        for (_, written), refusal in zip(batch, results, strict=True):
            if written.done():
                continue  # its caller was cancelled; the write stands all the same
            if refusal is None:
                written.set_result(None)
            else:
                written.set_exception(refusal)


async def _to_the_end(task: asyncio.Task[None]) -> None:
    """Wait for ``task``, however often the waiter is cancelled meanwhile.

    One ``shield`` is not enough: it protects against the first cancellation only.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as exc:
            cancelled = exc
    with contextlib.suppress(asyncio.CancelledError):
        task.result()
    if cancelled is not None:
        raise cancelled
