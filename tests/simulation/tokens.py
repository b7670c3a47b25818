"""The token endpoint, and the door at which Command looks at tokens.

The product's own authenticator asks here, over a network that loses requests like any
other. Whether a token is good is decided when the request that bears it arrives.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from urllib.parse import parse_qs

from simulation.scenario import Span, Tokens

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.auth import TokenAuth
from batch_reenroll.command.connection import ClientCredentials
from batch_reenroll.command.http import HttpSession
from batch_reenroll.command.secret import Redactor, Secret
from batch_reenroll.command.token import Token, fetch_token
from batch_reenroll.errors import NotSent, OutcomeUnknown
from batch_reenroll.sandbox import Request, Response

CLIENT, SECRET = "batch-client", "client-secret"

#: When our side gives the endpoint up.
TIMEOUT_S = 8.0

_URL = "https://sso.example.com/token"


def within(spans: tuple[Span, ...], now_s: float) -> bool:
    """Return whether ``now_s`` lies in any of the spans."""
    return any(start <= now_s < start + length for start, length in spans)


@dataclass(slots=True)
class _Given:
    """A token that was given out.

    Attributes:
        asked_s: When it was asked for: from then on its owner counts.
        arrived: Its owner has it.
    """

    asked_s: float
    given_s: float
    ends_s: float
    arrived: bool = False


@dataclass(slots=True)
class Office:
    """Gives tokens out and knows which are good.

    Attributes:
        tokens: How it behaves.
        now: Virtual time.
        needless: Tokens that were asked for although the last one was good.
        refusals: (when, token) of each 401 that Command answered.
    """

    tokens: Tokens
    now: Callable[[], float]
    needless: list[str] = field(default_factory=list)
    refusals: list[tuple[float, str]] = field(default_factory=list)
    _given: dict[str, _Given] = field(default_factory=dict)
    _last: dict[int, str] = field(default_factory=dict)

    def answer(self, body: bytes, *, asked_s: float, owner: int) -> Answer:
        """Return the endpoint's answer to a request of the process ``owner``."""
        now_s = self.now()
        if within(self.tokens.away, now_s):
            return Answer(status=503, headers={"retry-after": "3"})
        form = parse_qs(body.decode())
        right = form.get("client_id") == [CLIENT] and form.get("client_secret") == [
            SECRET
        ]
        if not right or within(self.tokens.locked, now_s):
            return Answer(status=401, body=b'{"error":"invalid_client"}')
        self._check_need(asked_s, owner)
        value = f"token-{len(self._given) + 1:06d}"
        self._given[value] = _Given(asked_s, now_s, now_s + self.tokens.lifetime_s)
        self._last[owner] = value
        document = {"access_token": value, "token_type": "Bearer"}
        if self.tokens.told:
            document["expires_in"] = str(self.tokens.lifetime_s)
        return Answer(status=200, body=json.dumps(document).encode())

    def arrived(self, answer: Answer) -> None:
        """Say that an answer has reached its owner."""
        if answer.status == 200:
            self._given[json.loads(answer.body)["access_token"]].arrived = True

    def _check_need(self, asked_s: float, owner: int) -> None:
        last = self._given.get(self._last.get(owner, ""))
        if last is None or not last.arrived or self._is_revoked(last):
            return
        # The client may renew a little early: a tenth, at most a minute, before.
        lifetime_s = self.tokens.lifetime_s
        early_s = min(60.0, lifetime_s / 10)
        if asked_s - last.asked_s < lifetime_s - early_s - 1e-6:
            self.needless.append(f"a token was asked for at {asked_s} for nothing")

    def _is_revoked(self, given: _Given) -> bool:
        return any(given.given_s <= at <= self.now() for at in self.tokens.revoked)

    def is_good(self, value: str) -> bool:
        """Return whether a token is good now."""
        given = self._given.get(value)
        return (
            given is not None
            and self.now() < given.ends_s
            and not self._is_revoked(given)
        )

    def excuses(self, since_s: float, until_s: float) -> bool:
        """Return whether a run in this time may say that nobody accepts it.

        It may when the endpoint refused the client, or when Command refused a request
        and then, with a new token, refused it again.
        """
        locked = any(
            start <= until_s and since_s <= start + length
            for start, length in self.tokens.locked
        )
        refused = {
            value for at, value in self.refusals if until_s - 60.0 <= at <= until_s
        }
        return locked or len(refused) > 1

    def admitted(self, request: Request, user: Mapping[str, str]) -> Request | Response:
        """Return the request as Command's own ``user``, or the 401 it meets."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self.is_good(value):
            self.refusals.append((self.now(), value))
            return Response(status=401, headers=(("WWW-Authenticate", "Bearer"),))
        headers = {**request.headers, "authorization": user["Authorization"]}
        return replace(request, headers=headers)


@dataclass(slots=True)
class _TokenSession:
    """The way of one process to the token endpoint, in place of an HTTP session."""

    office: Office
    owner: int
    rng: random.Random
    latency_s: float

    async def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """See :meth:`batch_reenroll.command.http.HttpSession.exchange`."""
        assert (method, url) == ("POST", _URL), (method, url)
        asked_s, tokens = self.office.now(), self.office.tokens
        is_away = within(tokens.away, asked_s)
        if is_away and self.rng.random() < 0.3:
            raise NotSent("connection refused")
        if self.rng.random() < tokens.lost:
            await asyncio.sleep(TIMEOUT_S)
            raise OutcomeUnknown("no answer in time")
        await asyncio.sleep(self.rng.uniform(0, self.latency_s))
        answer = self.office.answer(body or b"", asked_s=asked_s, owner=self.owner)
        await asyncio.sleep(self.rng.uniform(0, self.latency_s))
        self.office.arrived(answer)
        return answer


def authenticator(
    office: Office,
    *,
    owner: int,
    rng: random.Random,
    latency_s: float,
    now_utc: Callable[[], datetime],
) -> TokenAuth:
    """Return the product's own authenticator, asking at ``office``."""
    redactor = Redactor()
    credentials = ClientCredentials(
        client_id=CLIENT,
        client_secret=Secret(SECRET),
        token_url=_URL,
    )
    session = _TokenSession(office, owner, rng, latency_s)

    async def fetch() -> Token:
        return await fetch_token(
            cast("HttpSession", session),
            credentials,
            redactor=redactor,
            now_utc=now_utc(),
        )

    return TokenAuth(fetch, monotonic=office.now, redactor=redactor)
