"""Tokens: fetched once for all, renewed in time, and after a refusal."""

from __future__ import annotations

import asyncio
import base64

import pytest

from batch_reenroll.command.auth import FixedAuth, TokenAuth
from batch_reenroll.command.connection import BasicAuth
from batch_reenroll.command.secret import Redactor, Secret
from batch_reenroll.command.token import Token
from batch_reenroll.errors import NotSent

pytestmark = pytest.mark.asyncio


class Endpoint:
    """A token endpoint: hands out numbered tokens when its gate is open."""

    def __init__(self, lifetime_s: float | None = 300.0) -> None:
        self.lifetime_s = lifetime_s
        self.fetched = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.now_s = 1000.0
        self.redactor = Redactor()
        self.auth = TokenAuth(
            self._fetch, monotonic=lambda: self.now_s, redactor=self.redactor
        )

    async def _fetch(self) -> Token:
        self.fetched += 1
        number = self.fetched
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Token(value=Secret(f"token-{number}"), lifetime_s=self.lifetime_s)

    async def token(self) -> str:
        return (await self.auth.headers())["Authorization"]


async def test_basic_is_base64_of_account_and_password_in_utf_8() -> None:
    auth = FixedAuth.basic(
        BasicAuth(username="svc", password=Secret("pä:ss"), domain="CORP")
    )
    header = (await auth.headers())["Authorization"]
    scheme, _, coded = header.partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(coded).decode() == r"CORP\svc:pä:ss"


async def test_fixed_credentials_cannot_be_refreshed() -> None:
    auth = FixedAuth.bearer(Secret("abc"))
    headers = await auth.headers()
    assert headers == {"Authorization": "Bearer abc"}
    assert await auth.refresh(headers) is False


async def test_a_token_is_kept_while_it_is_fresh() -> None:
    endpoint = Endpoint()
    assert [await endpoint.token() for _ in range(3)] == ["Bearer token-1"] * 3
    assert endpoint.fetched == 1


@pytest.mark.parametrize(
    ("lifetime_s", "margin_s"), [(3600.0, 60.0), (300.0, 30.0), (10.0, 1.0)]
)
async def test_a_token_is_renewed_before_it_expires(
    lifetime_s: float, margin_s: float
) -> None:
    endpoint = Endpoint(lifetime_s)
    await endpoint.token()
    endpoint.now_s += lifetime_s - margin_s - 0.1
    assert await endpoint.token() == "Bearer token-1"
    assert endpoint.fetched == 1
    endpoint.now_s += 0.2
    await endpoint.token()
    await asyncio.sleep(0)
    assert await endpoint.token() == "Bearer token-2"


async def test_nobody_waits_for_a_new_token_while_the_old_one_is_good() -> None:
    endpoint = Endpoint(300.0)
    await endpoint.token()
    endpoint.gate.clear()
    endpoint.now_s += 299.0
    assert [await endpoint.token() for _ in range(3)] == ["Bearer token-1"] * 3
    await asyncio.sleep(0)
    assert endpoint.fetched == 2
    await endpoint.auth.close()


async def test_a_failed_renewal_leaves_the_old_token_in_use() -> None:
    endpoint = Endpoint(300.0)
    await endpoint.token()
    endpoint.error = NotSent("down")
    endpoint.now_s += 299.0
    for _ in range(2):
        assert await endpoint.token() == "Bearer token-1"
        await asyncio.sleep(0)
    endpoint.now_s += 2.0
    with pytest.raises(NotSent):
        await endpoint.token()


async def test_a_token_of_unknown_life_is_kept_until_it_is_refused() -> None:
    endpoint = Endpoint(None)
    await endpoint.token()
    endpoint.now_s += 10**6
    assert await endpoint.token() == "Bearer token-1"


async def test_callers_at_the_same_time_share_one_fetch() -> None:
    endpoint = Endpoint()
    endpoint.gate.clear()
    callers = [asyncio.create_task(endpoint.token()) for _ in range(20)]
    await asyncio.sleep(0)
    endpoint.gate.set()
    assert set(await asyncio.gather(*callers)) == {"Bearer token-1"}
    assert endpoint.fetched == 1


async def test_callers_refused_with_the_same_token_share_one_refresh() -> None:
    endpoint = Endpoint()
    refused = await endpoint.auth.headers()
    again = await asyncio.gather(*(endpoint.auth.refresh(refused) for _ in range(20)))
    assert all(again)
    # One that comes late, still holding the old token.
    assert await endpoint.auth.refresh(refused) is True
    assert endpoint.fetched == 2


async def test_a_failed_fetch_is_everybodys_error_and_the_next_call_tries_again() -> (
    None
):
    endpoint = Endpoint()
    endpoint.error = NotSent("down")
    results = await asyncio.gather(
        *(endpoint.token() for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(result, NotSent) for result in results)
    assert endpoint.fetched == 1
    endpoint.error = None
    assert await endpoint.token() == "Bearer token-2"


async def test_a_cancelled_caller_does_not_take_the_fetch_from_the_others() -> None:
    endpoint = Endpoint()
    endpoint.gate.clear()
    first = asyncio.create_task(endpoint.token())
    second = asyncio.create_task(endpoint.token())
    await asyncio.sleep(0)
    first.cancel()
    endpoint.gate.set()
    assert await second == "Bearer token-1"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_closing_gives_up_a_fetch_under_way() -> None:
    endpoint = Endpoint()
    endpoint.gate.clear()
    caller = asyncio.create_task(endpoint.token())
    await asyncio.sleep(0)
    await endpoint.auth.close()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_fetched_token_is_redacted() -> None:
    endpoint = Endpoint()
    await endpoint.token()
    assert endpoint.redactor.clean("got token-1") == "got ********"
