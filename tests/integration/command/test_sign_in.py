"""Signing in from the command line, over TLS: the exit code says whose fault it is."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from integration.command.certs import Authority, make_authority

pytestmark = pytest.mark.asyncio

SECRET = "s3cr3t-value-22"
MANIFEST = (
    "KeystoreId,SubjectName,Alias\n0f8fad5b-d9cb-469f-a165-70867728950e,CN=a,web\n"
)


@dataclass
class Site:
    """A Command without stores and a token endpoint, behind TLS of our own CA."""

    authority: Authority
    port: int = 0
    secret: str = SECRET
    seen: list[str] = field(default_factory=list)

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if form.get("client_secret") != self.secret:
            told = {"error": "invalid_client", "error_description": f"not {SECRET}"}
            return web.json_response(told, status=401)
        answer = {"access_token": "tok-1", "token_type": "Bearer", "expires_in": 300}
        return web.json_response(answer)

    async def command(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path)
        if request.headers.get("Authorization") != "Bearer tok-1":
            return web.Response(status=401)
        shown = {"X-Keyfactor-Product-Version": "25.4.1", "X-Total-Count": "0"}
        return web.json_response([], headers=shown)

    def env(self, **changes: str) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH",)},
            "HOME": str(self.authority.folder),
            "KEYFACTOR_HOSTNAME": f"https://127.0.0.1:{self.port}",
            "KEYFACTOR_AUTH_CLIENT_ID": "batch",
            "KEYFACTOR_AUTH_CLIENT_SECRET": SECRET,
            "KEYFACTOR_AUTH_TOKEN_URL": f"https://127.0.0.1:{self.port}/token",
            "KEYFACTOR_CA_CERT": str(self.authority.ca_path),
            **changes,
        }


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Site]:
    site = Site(make_authority(folder))
    app = web.Application()
    app.router.add_post("/token", site.token)
    app.router.add_get("/{path:.*}", site.command)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        tls = site.authority.server_context("127.0.0.1")
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        site.port = runner.addresses[0][1]
        yield site
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path) as served:
        yield served


async def planned(site: Site, **changes: str) -> tuple[int | None, str]:
    """Return the exit code of ``plan`` and all that it said."""
    (site.authority.folder / "one.csv").write_text(MANIFEST)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "batch_reenroll", "plan", "one.csv"),
        cwd=site.authority.folder,
        env=site.env(**changes),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_private_ca_is_trusted_when_it_is_named(site: Site) -> None:
    code, said = await planned(site)
    assert (code, "store_unknown" in said) == (4, True)
    assert "OFF" not in said


async def test_a_wrong_client_secret_is_an_authentication_error(site: Site) -> None:
    site.secret = "another"
    code, said = await planned(site)
    assert code == 8
    assert "token endpoint" in said
    assert "invalid_client" in said
    assert SECRET not in said
    assert site.seen == []


async def test_a_token_endpoint_out_of_reach_is_not_an_authentication_error(
    site: Site,
) -> None:
    code, said = await planned(
        site, KEYFACTOR_AUTH_TOKEN_URL="https://127.0.0.1:1/token"
    )
    assert code == 9
    assert "token endpoint" in said
    assert site.seen == []


async def test_a_token_that_command_does_not_accept_is_an_authentication_error(
    site: Site,
) -> None:
    code, said = await planned(site, KEYFACTOR_AUTH_ACCESS_TOKEN="tok-2")
    assert code == 8
    assert "tok-2" not in said
    assert len(site.seen) == 1


async def test_an_unknown_ca_is_no_reason_to_go_on(site: Site) -> None:
    code, said = await planned(site, KEYFACTOR_CA_CERT="")
    assert code == 9
    assert "KEYFACTOR_CA_CERT" in said
    assert site.seen == []


async def test_verification_is_off_by_choice_only_and_said_each_time(
    site: Site,
) -> None:
    changes = {"KEYFACTOR_CA_CERT": "", "KEYFACTOR_SKIP_VERIFY": "true"}
    for _ in range(2):
        code, said = await planned(site, **changes)
        assert code == 4
        assert "TLS verification is OFF" in said
