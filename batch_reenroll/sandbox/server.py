"""The served sandbox: folder, clock, threads and socket around the core."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiohttp import web

from batch_reenroll.sandbox.ca import open_authorities
from batch_reenroll.sandbox.clock import JumpClock
from batch_reenroll.sandbox.config import SandboxConfig
from batch_reenroll.sandbox.core import Core
from batch_reenroll.sandbox.desk import Desk
from batch_reenroll.sandbox.draw import draw_fleet
from batch_reenroll.sandbox.eventlog import LOG_NAME, EventLog, read_past
from batch_reenroll.sandbox.exchange import SandboxError, iso_time
from batch_reenroll.sandbox.faults import JobFaults, RequestFaults
from batch_reenroll.sandbox.fleet import Fleet
from batch_reenroll.sandbox.folder import claimed_folder
from batch_reenroll.sandbox.frontdoor import FrontDoor
from batch_reenroll.sandbox.hands import PooledHands
from batch_reenroll.sandbox.httpshell import Handler, HttpServer, HttpShell
from batch_reenroll.sandbox.management import Management
from batch_reenroll.sandbox.managementport import ManagementShell
from batch_reenroll.sandbox.realworks import RealWorks
from batch_reenroll.sandbox.tlsendpoints import TlsEndpoints
from batch_reenroll.sandbox.tokens import TOKEN_PATH
from batch_reenroll.sandbox.works import WorkResult
from batch_reenroll.sandbox.world import LogSink

#: Which store is served where, in the sandbox's folder.
ENDPOINTS_NAME = "endpoints.csv"

#: The management port is never to be reached from elsewhere.
MANAGEMENT_HOST = "127.0.0.1"


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
        self._client_secret = config.client_secret or secrets.token_urlsafe(24)
        self._management_key = config.management_key or secrets.token_urlsafe(24)
        self._clock = JumpClock()
        self._stack = AsyncExitStack()
        self._changed = asyncio.Event()
        self._core: Core | None = None
        self._door: FrontDoor | None = None
        self._port = config.port
        self._management_port: int | None = None
        #: Where stores are served over TLS, by store id; known once started.
        self.tls_endpoints: dict[str, str] = {}

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
        now = self._clock.now()
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
            identities=self.config.accounts(
                password=self._password, client_secret=self._client_secret
            ),
            hands=hands,
            job_faults=JobFaults(self.config.faults.jobs),
            session=past.sessions,
            last_history_id=past.last_history_id,
            log=log.write,
            mint=lambda: secrets.token_urlsafe(32),
        )
        hands.deliver = self._deliver
        if self.is_laid_out:
            for store in core.world.stores.values():
                core.world.lay_out(store)
        log.write({"at": iso_time(now), "event": "started"})
        faults = RequestFaults(self.config.faults.requests, seed=self.config.plan.seed)
        self._door = FrontDoor(core, faults, log.write)
        shell = HttpShell(self._door, now=self._clock.now, changed=self._changed.set)
        self._port = await _listen(
            stack, shell.handle, self.config.host, self.config.port
        )
        await self._serve_stores(stack, core)
        await self._manage(stack, core, self._door.faults, log.write)
        clock = asyncio.get_running_loop().create_task(self._run_clock(core))
        stack.push_async_callback(_cancelled, clock)

    async def _serve_stores(self, stack: AsyncExitStack, core: Core) -> None:
        """Start the TLS services; say in a file which serves what."""
        config = self.config
        if not config.tls_services:
            return
        services = await stack.enter_async_context(TlsEndpoints(config.directory))
        n_fresh = config.tls_services - config.tls_stale
        for n, store in enumerate(self.fleet.stores[: config.tls_services]):
            core.world.inventory_of(core.world.stores[store.store_id])
            reload_s = 0.0 if n < n_fresh else None
            endpoint = await services.serve(store, reload_s=reload_s)
            self.tls_endpoints[store.store_id] = endpoint
        lines = [f"{key},{value}" for key, value in self.tls_endpoints.items()]
        text = "\n".join(["KeystoreId,Endpoint", *lines, ""])
        (config.directory / ENDPOINTS_NAME).write_text(text, encoding="utf-8")

    async def _manage(
        self,
        stack: AsyncExitStack,
        core: Core,
        faults: RequestFaults,
        log: LogSink,
    ) -> None:
        """Open the management port, if there is to be one."""
        if self.config.management_port is None:
            return
        management = Management(
            Desk(core, faults, self._clock), self._management_key, log
        )
        shell = ManagementShell(
            management, now=self._clock.now, changed=self._changed.set
        )
        self._management_port = await _listen(
            stack, shell.handle, MANAGEMENT_HOST, self.config.management_port
        )

    def _deliver(self, order_id: int, result: WorkResult) -> None:
        self.core.deliver(order_id, result, self._clock.now())
        self._changed.set()

    async def _run_clock(self, core: Core) -> None:
        """Let everything happen when it is due."""
        while True:
            core.advance(self._clock.now())
            self._changed.clear()
            due = core.next_event_at()
            wait_s = None if due is None else max(0.0, due - self._clock.now())
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
    def is_laid_out(self) -> bool:
        """Whether all store files are made at the start."""
        return len(self.fleet.stores) <= self.config.eager_stores

    @property
    def url(self) -> str:
        """Where it listens, without a path: ``http://127.0.0.1:8080``."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """The variables a client needs, secrets among them."""
        where = {"KEYFACTOR_HOSTNAME": self.url, "KEYFACTOR_API_PATH": "KeyfactorAPI"}
        if self.config.auth == "basic":
            return where | {
                "KEYFACTOR_USERNAME": self.config.user,
                "KEYFACTOR_PASSWORD": self._password,
            }
        asked = {
            "KEYFACTOR_AUTH_SCOPES": ",".join(self.config.scopes),
            "KEYFACTOR_AUTH_AUDIENCE": self.config.audience,
        }
        return where | {
            "KEYFACTOR_AUTH_CLIENT_ID": self.config.client_id,
            "KEYFACTOR_AUTH_CLIENT_SECRET": self._client_secret,
            "KEYFACTOR_AUTH_TOKEN_URL": self.url + TOKEN_PATH,
            **{name: value for name, value in asked.items() if value},
        }

    @property
    def management_env(self) -> dict[str, str]:
        """Where the management port is and its key; empty without one."""
        if self._management_port is None:
            return {}
        return {
            "SANDBOX_MANAGEMENT_URL": f"http://{MANAGEMENT_HOST}:{self._management_port}",
            "SANDBOX_MANAGEMENT_KEY": self._management_key,
        }


async def _listen(stack: AsyncExitStack, handle: Handler, host: str, port: int) -> int:
    """Serve ``handle`` until ``stack`` unwinds; return the port."""
    runner = web.ServerRunner(HttpServer(handle), shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
