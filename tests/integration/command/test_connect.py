"""A client from settings to sockets: headers, tokens, and a token endpoint's faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from integration.command.certs import Authority, make_authority

from batch_reenroll.command import (
    AccessToken,
    BasicAuth,
    ClientCredentials,
    Connection,
    Secret,
    TlsChoice,
    connect,
)
from batch_reenroll.command.dialect import Family
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    NotSent,
)

pytestmark = pytest.mark.asyncio

TOKEN = {"access_token": "tok-1111", "token_type": "Bearer", "expires_in": 300}


@dataclass
class Site:
    """A Command that knows one bearer token, and a token endpoint beside it."""

    url: str = ""
    accepts: set[str] = field(default_factory=lambda: {"Bearer tok-1111"})
    seen: list[web.Request] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    answer_token: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.forms.append({name: str(value) for name, value in form.items()})
        if self.answer_token is not None:
            return await self.answer_token(request)
        return web.json_response(TOKEN)

    async def stores(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if request.headers.get("Authorization") not in self.accepts:
            return web.Response(status=401)
        return web.json_response([], headers={"X-Keyfactor-Product-Version": "25.4"})

    def connection(self, **changes: object) -> Connection:
        values: dict[str, object] = {
            "base_url": f"{self.url}/KeyfactorAPI",
            "auth": ClientCredentials(
                client_id="batch",
                client_secret=Secret("s3cr3t value"),
                token_url=f"{self.url}/token",
            ),
            "timeout_s": 5.0,
            "dialect": Family.PLAIN,
        }
        return Connection(**{**values, **changes})  # type: ignore[arg-type]


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Site]:
    app = web.Application()
    app.router.add_post("/token", site.token)
    app.router.add_get("/KeyfactorAPI/CertificateStores", site.stores)
    async with AsyncExitStack() as stack:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield site


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(Site()) as served:
        yield served


async def read_stores(connection: Connection) -> None:
    async with connect(connection) as client:
        await client.stores(page=1, limit=10)


async def token_answered(site: Site, status: int, text: str) -> CommandError:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers={"Retry-After": "9"})

    site.answer_token = answer
    with pytest.raises(CommandError) as caught:
        await read_stores(site.connection())
    assert site.seen == []  # nothing went to Command
    return caught.value


async def test_the_headers_that_command_wants_are_sent(site: Site) -> None:
    await read_stores(site.connection())
    headers = site.seen[0].headers
    assert headers["x-keyfactor-requested-with"] == "APIClient"
    assert headers["x-keyfactor-api-version"] == "1"
    assert headers["Accept"] == "application/json"
    assert headers["Authorization"] == "Bearer tok-1111"


async def test_basic_credentials_are_sent(site: Site) -> None:
    site.accepts = {"Basic Q09SUFxzdmM6cHc="}
    auth = BasicAuth(username="svc", password=Secret("pw"), domain="CORP")
    await read_stores(site.connection(auth=auth))
    assert len(site.seen) == 1


async def test_a_ready_token_is_sent_and_not_refreshed(site: Site) -> None:
    auth = AccessToken(token=Secret("stale"))
    with pytest.raises(NotAuthorised):
        await read_stores(site.connection(auth=auth))
    assert (len(site.seen), site.forms) == (1, [])


async def test_scope_and_audience_are_left_out_when_they_are_not_set(
    site: Site,
) -> None:
    await read_stores(site.connection())
    assert site.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "batch",
            "client_secret": "s3cr3t value",
        }
    ]


async def test_scopes_are_joined_by_blanks_and_audience_is_sent(site: Site) -> None:
    auth = ClientCredentials(
        client_id="batch",
        client_secret=Secret("s"),
        token_url=f"{site.url}/token",
        scopes=("a", "b"),
        audience="api",
    )
    await read_stores(site.connection(auth=auth))
    assert (site.forms[0]["scope"], site.forms[0]["audience"]) == ("a b", "api")


async def test_a_token_that_command_refuses_is_replaced_once(site: Site) -> None:
    issued = iter(["revoked", "good"])

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({**TOKEN, "access_token": next(issued)})

    site.answer_token = answer
    site.accepts = {"Bearer good"}
    await read_stores(site.connection())
    sent = [request.headers["Authorization"] for request in site.seen]
    assert sent == ["Bearer revoked", "Bearer good"]


@pytest.mark.parametrize("status", [400, 401])
async def test_a_client_that_the_endpoint_refuses_is_not_authorised(
    site: Site, status: int
) -> None:
    text = '{"error": "invalid_client", "error_description": "s3cr3t value\\u001b"}'
    error = await token_answered(site, status, text)
    assert isinstance(error, NotAuthorised)
    assert error.error_code == "invalid_client"
    assert "the token endpoint at 127.0.0.1" in error.message
    assert "s3cr3t" not in error.message
    assert "\x1b" not in error.message


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_overloaded_endpoint_is_not_sent(site: Site, status: int) -> None:
    error = await token_answered(site, status, "")
    assert isinstance(error, NotSent)
    assert (error.status, error.retry_after_s) == (status, 9.0)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (200, "<html>sign in</html>"),
        (200, "[]"),
        (200, '{"access_token": 3}'),
        (200, '{"access_token": ""}'),
        (200, '{"access_token": "a\\nb"}'),
        (200, '{"access_token": "a", "token_type": "mac"}'),
        (302, ""),
        (404, "<html>"),
    ],
)
async def test_an_answer_that_is_no_token_is_a_contract_violation(
    site: Site, status: int, text: str
) -> None:
    assert isinstance(await token_answered(site, status, text), ContractViolation)


async def test_an_endpoint_that_is_not_there_is_not_sent(site: Site) -> None:
    auth = ClientCredentials(
        client_id="batch",
        client_secret=Secret("s"),
        token_url="https://id.invalid/token",
    )
    with pytest.raises(NotSent) as caught:
        await read_stores(site.connection(auth=auth))
    assert "the token endpoint" in caught.value.message


async def test_an_endpoint_that_hangs_up_is_not_sent(site: Site) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    site.answer_token = answer
    with pytest.raises(NotSent):
        await read_stores(site.connection())


async def test_a_token_fetch_under_way_ends_with_the_client(site: Site) -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await never.wait()
        return web.Response()

    site.answer_token = answer
    async with connect(site.connection()) as client:
        caller = asyncio.create_task(client.product_version())
        await arrived.wait()
        caller.cancel()
    never.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert "token refresh" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_the_two_servers_may_have_different_authorities(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "id").mkdir()
    authority: Authority = make_authority(tmp_path / "id")
    tls = authority.server_context("127.0.0.1")
    app = web.Application()
    app.router.add_post("/token", site.token)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        auth = ClientCredentials(
            client_id="batch",
            client_secret=Secret("s"),
            token_url=f"https://127.0.0.1:{runner.addresses[0][1]}/token",
        )
        trusted = TlsChoice(auth_ca_cert=str(authority.ca_path))
        await read_stores(site.connection(auth=auth, tls=trusted))
        with pytest.raises(NotSent):
            await read_stores(site.connection(auth=auth))
    finally:
        await runner.cleanup()


async def test_verification_switched_off_warns_for_each_server_each_time() -> None:
    warnings: list[str] = []
    connection = Connection(
        base_url="https://command.example.com/KeyfactorAPI",
        auth=ClientCredentials(
            client_id="a",
            client_secret=Secret("b"),
            token_url="https://id.example.com/t",
        ),
        tls=TlsChoice(skip_verify=True),
    )
    for _ in range(2):
        async with connect(connection, warn=warnings.append):
            pass
    assert ["command" in w or "id." in w for w in warnings] == [True] * 4


async def test_a_proxy_of_the_environment_is_used_only_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    codes = []
    for trust_env in (True, False):
        connection = Connection(
            base_url="https://command.invalid/KeyfactorAPI",
            auth=AccessToken(token=Secret("t")),
            dialect=Family.PLAIN,
            trust_env=trust_env,
        )
        with pytest.raises(NotSent) as caught:
            await read_stores(connection)
        codes.append(caught.value.code)
    assert codes == ["proxy_failed", "name_not_found"]
