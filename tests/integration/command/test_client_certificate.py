"""A client certificate from the profile to a TLS server that asks for one."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from integration.command.certs import Authority, make_authority

from batch_reenroll.command import (
    CertificateAuth,
    ConfigFile,
    Connection,
    connect,
    resolve,
)
from batch_reenroll.errors import NotSent, OutcomeUnknown, UsageError

pytestmark = pytest.mark.asyncio

PASSWORD = "open sesame 22"
ENV = {"BATCH_REENROLL_CLIENT_CERT_PASSWORD": PASSWORD}


@dataclass
class Site:
    """A Command behind TLS that lets nobody in without a certificate of its CA."""

    authority: Authority
    port: int = 0
    holders: list[str] = field(default_factory=list)
    headers: list[str | None] = field(default_factory=list)

    async def stores(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert")
        names = dict(pair for part in peer["subject"] for pair in part)
        self.holders.append(names["commonName"])
        self.headers.append(request.headers.get("Authorization"))
        return web.json_response([], headers={"X-Keyfactor-Product-Version": "25.4"})

    def connection(self, env: dict[str, str] | None = None, **keys: str) -> Connection:
        profile = {
            "host": "127.0.0.1",
            "port": self.port,
            "ca_cert_path": str(self.authority.ca_path),
            **keys,
        }
        text = json.dumps({"servers": {"default": profile}})
        config = ConfigFile(path="command_config.json", text=text, origin="test")
        found = resolve(env or {}, config)
        assert found is not None
        return found


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Site]:
    site = Site(make_authority(folder))
    tls = site.authority.server_context("127.0.0.1")
    tls.load_verify_locations(site.authority.ca_path)
    tls.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.router.add_get("/KeyfactorAPI/CertificateStores", site.stores)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        site.port = runner.addresses[0][1]
        yield site
    finally:
        await runner.cleanup()


async def read_stores(connection: Connection) -> None:
    async with connect(connection) as client:
        await client.stores(page=1, limit=10)


def encrypted(key: Path) -> Path:
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    path = key.with_suffix(".locked.key")
    path.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )
    )
    return path


async def test_a_pem_certificate_alone_signs_in(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        cert, key = site.authority.issue("robot")
        connection = site.connection(
            client_cert_path=str(cert), client_key_path=str(key)
        )
        assert connection.auth == CertificateAuth()
        await read_stores(connection)
        assert (site.holders, site.headers) == (["robot"], [None])


async def test_an_encrypted_key_is_opened_by_the_environments_password(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as site:
        cert, key = site.authority.issue("robot")
        await read_stores(
            site.connection(
                ENV, client_cert_path=str(cert), client_key_path=str(encrypted(key))
            )
        )
        assert site.holders == ["robot"]


async def test_a_pkcs12_file_signs_in_and_leaves_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    async with serving(tmp_path) as site:
        path = site.authority.issue_pkcs12("robot", PASSWORD)
        await read_stores(site.connection(ENV, client_cert_path=str(path)))
        assert site.holders == ["robot"]
    assert list(spool.iterdir()) == []


async def test_a_certificate_goes_along_with_other_credentials(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        path = site.authority.issue_pkcs12("robot", PASSWORD)
        connection = site.connection(
            ENV, client_cert_path=str(path), access_token="tok-1"
        )
        await read_stores(connection)
        assert (site.holders, site.headers) == (["robot"], ["Bearer tok-1"])


async def test_without_the_certificate_nothing_is_carried_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        # In TLS 1.3 the server refuses after our side's handshake, so that a client
        # cannot tell that its request was never looked at.
        with pytest.raises((NotSent, OutcomeUnknown)):
            await read_stores(site.connection(access_token="tok-1"))
        assert site.holders == []


@pytest.mark.parametrize("env", [{}, {next(iter(ENV)): "another one"}])
@pytest.mark.parametrize("kind", ["pkcs12", "pem"])
async def test_a_wrong_password_is_a_usage_error_that_shows_none(
    tmp_path: Path, kind: str, env: dict[str, str]
) -> None:
    site = Site(make_authority(tmp_path), port=1)
    if kind == "pkcs12":
        keys = {"client_cert_path": str(site.authority.issue_pkcs12("r", PASSWORD))}
    else:
        cert, key = site.authority.issue("r")
        locked = str(encrypted(key))
        keys = {"client_cert_path": str(cert), "client_key_path": locked}
    with pytest.raises(UsageError) as caught:
        await read_stores(site.connection(env, **keys))
    error = caught.value
    assert error.code == "tls_file"
    assert "BATCH_REENROLL_CLIENT_CERT_PASSWORD" in error.hint
    assert PASSWORD not in f"{error.message}{error.hint}"
    assert "another one" not in f"{error.message}{error.hint}"


async def test_a_pkcs12_file_without_a_key_is_a_usage_error(tmp_path: Path) -> None:
    site = Site(make_authority(tmp_path), port=1)
    path = tmp_path / "trust.pfx"
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"trust",
            None,
            site.authority.cert,
            None,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )
    )
    with pytest.raises(UsageError) as caught:
        await read_stores(site.connection(ENV, client_cert_path=str(path)))
    assert caught.value.code == "tls_file"


async def test_the_password_is_never_shown_with_the_settings(tmp_path: Path) -> None:
    site = Site(make_authority(tmp_path), port=1)
    connection = site.connection(ENV, client_cert_path="me.pfx")
    shown = {s.name: (s.shown, s.origin) for s in connection.origins}
    value, origin = shown["client_cert_password"]
    assert set(value) == {"*"}
    assert origin == "env BATCH_REENROLL_CLIENT_CERT_PASSWORD"
    assert PASSWORD not in repr(connection)
