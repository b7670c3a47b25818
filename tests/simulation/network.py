"""The network between our process and the embedded Command, in one event loop.

A request that has left goes its own way: it arrives, or is lost, whatever becomes of
the process that sent it. That is why it is not part of the sender's task.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from simulation.scenario import Weather

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.query import Params, encode
from batch_reenroll.command.transport import COMMAND_HEADERS
from batch_reenroll.errors import NotSent, OutcomeUnknown
from batch_reenroll.sandbox import Core, Request, Response

#: When our side gives an answer up.
TIMEOUT_S = 8.0

OPERATOR, STRANGER, PASSWORD = "operator", "stranger", "secret"


def basic(user: str) -> dict[str, str]:
    """Return the header that signs ``user`` in."""
    token = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


class Died(BaseException):
    """Our process is dead: whatever it still tries to do does not happen."""


@dataclass(slots=True)
class Life:
    """One life of our process. Counts its steps and ends it at the chosen one."""

    steps_left: int | None
    dead: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def step(self) -> None:
        """Do one step; raise :class:`Died` when it is the last, and ever after."""
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.dead = True
                self.over.set()
        if self.dead:
            raise Died


@dataclass(slots=True)
class Wire:
    """Our side's transport to the core.

    Attributes:
        posts: When each POST left, in the life it left in.
    """

    core: Core
    weather: Weather
    rng: random.Random
    command_now: Callable[[], float]
    life: Life
    posts: list[float] = field(default_factory=list)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json_body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """See :class:`batch_reenroll.command.transport.Transport`."""
        self.life.step()
        loop = asyncio.get_running_loop()
        fate = self._fate(method, loop.time())
        if fate == "refused":
            await asyncio.sleep(self.rng.uniform(0, self.weather.latency_s))
            raise NotSent("connection refused")
        if path.endswith("/Reenrollment"):
            self.posts.append(loop.time())
        query = encode(params)
        request = Request(
            method=method,
            target=f"/KeyfactorAPI{path}{'?' + query if query else ''}",
            headers={
                "content-type": "application/json",
                **{
                    name.lower(): value
                    for name, value in {**COMMAND_HEADERS, **(headers or {})}.items()
                },
            },
            body=json.dumps(json_body).encode() if json_body is not None else b"",
        )
        answered: asyncio.Future[Response] = loop.create_future()
        loop.call_later(self._way_s(), self._arrive, request, fate, answered)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await answered
        except TimeoutError:
            self.life.step()
            raise OutcomeUnknown("no answer in time") from None
        self.life.step()
        if fate == "error_after":
            response = Response(status=500)
        if method == "GET" and self.rng.random() < self.weather.mischief:
            response = self._mischief(response)
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers},
            body=response.body,
        )

    def _mischief(self, response: Response) -> Response:
        """Return a list answer with some of its items twice."""
        items = json.loads(response.body or b"null")
        if not isinstance(items, list) or not items:
            return response
        twice = self.rng.sample(items, self.rng.randint(1, len(items)))
        items = [item for item in items for _ in range(1 + (item in twice))]
        return replace(response, body=json.dumps(items).encode())

    def _fate(self, method: str, now_s: float) -> str:
        weather = self.weather
        if any(start <= now_s < start + length for start, length in weather.outages):
            return "refused"
        if method == "GET":
            if self.rng.random() >= weather.bad_read:
                return "fine"
            return self.rng.choice(("refused", "lost_answer", "error_before"))
        roll = self.rng.random()
        for fate in (
            "refused",
            "lost_request",
            "lost_answer",
            "error_before",
            "error_after",
            "throttled",
        ):
            roll -= getattr(weather, fate)
            if roll < 0:
                return fate
        return "fine"

    def _way_s(self) -> float:
        return self.rng.uniform(0, self.weather.latency_s)

    def _arrive(
        self, request: Request, fate: str, answered: asyncio.Future[Response]
    ) -> None:
        if fate == "lost_request":
            return
        if fate == "error_before":
            response = Response(status=502)
        elif fate == "throttled":
            response = Response(status=429, headers=(("Retry-After", "7"),))
        else:
            response = self.core.handle(request, self.command_now())
        if fate != "lost_answer":
            loop = asyncio.get_running_loop()
            loop.call_later(self._way_s(), _give, answered, response)


def _give(answered: asyncio.Future[Response], response: Response) -> None:
    if not answered.done():
        answered.set_result(response)
