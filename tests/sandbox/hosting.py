"""A sandbox served from a thread, for foreign clients that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from batch_reenroll.sandbox import SandboxConfig, SandboxServer


@contextmanager
def hosted(config: SandboxConfig) -> Iterator[SandboxServer]:
    """Serve a sandbox on a loop of its own until the block ends."""
    started: Future[tuple[SandboxServer, Callable[[], object]]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(config, started)))
    thread.start()
    server, stop = started.result(timeout=60)
    try:
        yield server
    finally:
        stop()
        thread.join()


async def _serve(
    config: SandboxConfig, started: Future[tuple[SandboxServer, Callable[[], object]]]
) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    try:
        async with SandboxServer(config) as server:
            started.set_result((server, partial(loop.call_soon_threadsafe, over.set)))
            await over.wait()
    except BaseException as exc:
        if not started.done():
            started.set_exception(exc)
        raise
