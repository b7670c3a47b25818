"""The served sandbox: folder, clock, threads and socket around the core."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiohttp import web

from batch_reenroll.sandbox.ca import open_authorities
from batch_reenroll.sandbox.config import SandboxConfig
from batch_reenroll.sandbox.core import Core
from batch_reenroll.sandbox.eventlog import LOG_NAME, EventLog, read_past
from batch_reenroll.sandbox.exchange import SandboxError, iso_time
from batch_reenroll.sandbox.faults import JobFaults, RequestFaults
from batch_reenroll.sandbox.fleet import Fleet, draw_fleet
from batch_reenroll.sandbox.folder import claimed_folder
from batch_reenroll.sandbox.frontdoor import FrontDoor
from batch_reenroll.sandbox.hands import PooledHands
from batch_reenroll.sandbox.httpshell import HttpShell
from batch_reenroll.sandbox.identity import Identity
from batch_reenroll.sandbox.realworks import RealWorks
from batch_reenroll.sandbox.works import WorkResult

NOT_FOR_PRODUCTION = (
    "This is a sandbox, not Keyfactor Command, and not for production: "
    "its keys and passwords guard nothing."
)


class SandboxServer:
    """An embedded Command on a socket; an async context manager.

    A folder that was used before is opened again: the CA and the stores are as they
    were left, JobHistoryIds go on; ScheduledJobs and JobHistory start empty.

    Attributes:
        fleet: Known before :meth:`start`.
        log_path: The sandbox's own log.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.fleet: Fleet = draw_fleet(config.plan)
        self.log_path = config.directory / LOG_NAME
        self._password = config.password or secrets.token_urlsafe(12)
        self._stack = AsyncExitStack()
        self._changed = asyncio.Event()
        self._core: Core | None = None
        self._door: FrontDoor | None = None
        self._port = config.port

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Lay the fleet out and listen.

        Raises:
            SandboxError: The folder is another fleet's or cannot be used, or the port
                is taken.
        """
        try:
            async with AsyncExitStack() as stack:
                await self._start(stack)
                self._stack = stack.pop_all()
        except OSError as exc:
            raise SandboxError(f"the sandbox cannot start: {exc}") from exc

    async def _start(self, stack: AsyncExitStack) -> None:
        now = time.time()
        stack.enter_context(claimed_folder(self.config.directory, self.fleet))
        works = RealWorks(
            self.config.directory,
            open_authorities(self.config.directory / "ca", at=now),
        )
        past = read_past(self.log_path)
        log = stack.enter_context(EventLog(self.log_path))
        hands = PooledHands(works, self.config.workers)
        stack.push_async_callback(hands.close)
        core = self._core = Core(
            self.fleet,
            works,
            started_at=now,
            settings=self.config.settings,
            policy=self.config.policy,
            identities=tuple(self._identities()),
            hands=hands,
            job_faults=JobFaults(self.config.faults.jobs),
            session=past.sessions,
            last_history_id=past.last_history_id,
            log=log.write,
        )
        hands.deliver = self._deliver
        if len(self.fleet.stores) <= self.config.eager_stores:
            for store in core.world.stores.values():
                core.world.lay_out(store)
        log.write({"at": iso_time(time.time()), "event": "started"})
        faults = RequestFaults(self.config.faults.requests, seed=self.config.plan.seed)
        self._door = FrontDoor(core, faults, log.write)
        await self._listen(stack, self._door)
        clock = asyncio.get_running_loop().create_task(self._run_clock(core))
        stack.push_async_callback(_cancelled, clock)

    async def _listen(self, stack: AsyncExitStack, door: FrontDoor) -> None:
        shell = HttpShell(door, now=time.time, changed=self._changed.set)
        server = web.Server(shell.handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self.config.host, self.config.port)
        await site.start()
        self._port = runner.addresses[0][1]

    def _identities(self) -> Iterator[Identity]:
        users = ((self.config.user, self._password), *self.config.extra_users)
        for user, password in users:
            yield Identity(user=user, password=password, domain=self.config.domain)

    def _deliver(self, order_id: int, result: WorkResult) -> None:
        self.core.deliver(order_id, result, time.time())
        self._changed.set()

    async def _run_clock(self, core: Core) -> None:
        """Let everything happen when it is due."""
        while True:
            core.advance(time.time())
            self._changed.clear()
            due = core.next_event_at()
            wait_s = None if due is None else max(0.0, due - time.time())
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Stop listening and wait for the work in hand; twice is fine."""
        await self._stack.aclose()

    @property
    def core(self) -> Core:
        """The state machine, once started."""
        if self._core is None:
            raise SandboxError("the sandbox has not been started")
        return self._core

    @property
    def faults(self) -> RequestFaults:
        """The request faults, to be set while it runs."""
        if self._door is None:
            raise SandboxError("the sandbox has not been started")
        return self._door.faults

    @property
    def url(self) -> str:
        """Where it listens, without a path: ``http://127.0.0.1:8080``."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """The variables a client needs, the password among them."""
        return {
            "KEYFACTOR_HOSTNAME": self.url,
            "KEYFACTOR_API_PATH": "KeyfactorAPI",
            "KEYFACTOR_USERNAME": self.config.user,
            "KEYFACTOR_PASSWORD": self._password,
        }


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


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
        for line in export_lines(server):
            announce(line)
        await stop.wait()


def export_lines(server: SandboxServer) -> list[str]:
    """Return shell lines that set a client up."""
    env = server.env
    if server.config.password is not None:
        del env["KEYFACTOR_PASSWORD"]
    return [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
