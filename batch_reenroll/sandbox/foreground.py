"""Serving until somebody stops it, and what a person is told at the start."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import Callable

from batch_reenroll.sandbox.config import SandboxConfig
from batch_reenroll.sandbox.server import SandboxServer

NOT_FOR_PRODUCTION = (
    "This is a sandbox, not Keyfactor Command, and not for production: "
    "its keys and passwords guard nothing."
)


def serve_forever(config: SandboxConfig, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; then finish the work in hand and return.

    Args:
        config: What to serve.
        announce: Is given each line to show a person: the warning, the address, and
            ``export`` lines; a password that was given to us is not shown again.

    Raises:
        SandboxError: It cannot start.
    """
    asyncio.run(_serve(config, announce))


async def _serve(config: SandboxConfig, announce: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with SandboxServer(config) as server:
        announce(NOT_FOR_PRODUCTION)
        if not config.is_loopback:
            announce(f"Anyone who can reach {config.host} can use it.")
        announce(f"Listening on {server.url}; log in {server.log_path}")
        if not server.is_laid_out:
            announce(
                f"{config.plan.stores:,} stores are too many to be made at the start: "
                "each gets its key, certificate and file when it is first asked for."
            )
        for line in export_lines(server):
            announce(line)
        await stop.wait()


def export_lines(server: SandboxServer) -> list[str]:
    """Return shell lines that set a client up; no secret that was given to us."""
    config = server.config
    given = {
        "KEYFACTOR_PASSWORD": config.password,
        "KEYFACTOR_AUTH_CLIENT_SECRET": config.client_secret,
        "SANDBOX_MANAGEMENT_KEY": config.management_key,
    }
    pairs = (server.env | server.management_env).items()
    return [
        f"export {name}={shlex.quote(value)}"
        for name, value in pairs
        if given.get(name) is None
    ]
