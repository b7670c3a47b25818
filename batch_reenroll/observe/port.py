"""The Prometheus endpoint: ``GET /metrics``, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from batch_reenroll.errors import UsageError
from batch_reenroll.observe.exposition import CONTENT_TYPE


@contextlib.asynccontextmanager
async def serving(
    host: str, port: int, page: Callable[[], bytes]
) -> AsyncIterator[str]:
    """Serve ``page`` until the end of the block; yield its address.

    Args:
        host: Address to listen on.
        port: 0 to 65535; 0 takes any that is free.
        page: Returns the page as it stands, at once.

    Raises:
        UsageError: The port cannot be had.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=page(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    # No handling of signals, and no access log: both are the run's own.
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, shutdown_timeout=1.0)
        try:
            await site.start()
        except (OSError, OverflowError) as exc:
            why = getattr(exc, "strerror", None) or type(exc).__name__
            message = f"--metrics-port {port} on {host} cannot be had: {why}"
            hint = "name another port; 0 takes any that is free"
            raise UsageError(message, code="metrics_port", hint=hint) from exc
        bound = runner.addresses[0]
        name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{name}:{bound[1]}/metrics"
    finally:
        await runner.cleanup()
