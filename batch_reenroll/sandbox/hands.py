"""Hands for the served sandbox: work orders carried out in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from batch_reenroll.sandbox.works import Order, StoreWorks, WorkFailed, WorkResult


class PooledHands:
    """Carries orders out in threads, so that the HTTP loop goes on answering."""

    def __init__(self, works: StoreWorks, workers: int) -> None:
        self._works = works
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="sandbox")
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self.deliver: Callable[[int, WorkResult], None] = lambda _id, _result: None

    def take(self, order: Order) -> WorkResult | None:
        """Start ``order``; its result goes to ``deliver``."""
        if self._closing:
            return None  # the job stays open, as when a real orchestrator dies
        task = asyncio.get_running_loop().create_task(self._carry_out(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return None

    async def _carry_out(self, order: Order) -> None:
        loop = asyncio.get_running_loop()
        result: WorkResult
        try:
            result = await loop.run_in_executor(self._pool, self._works.perform, order)
        except Exception as exc:  # noqa: BLE001 - our own bug must not hang a job
            result = WorkFailed(message=f"The sandbox failed: {exc!r}")
        self.deliver(order.order_id, result)

    async def close(self) -> None:
        """Wait for the work in hand; each file is left whole."""
        self._closing = True
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._pool.shutdown()
