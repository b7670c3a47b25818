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
from datetime import UTC, datetime
from typing import Any

from simulation.ceilings import Post
from simulation.life import Life
from simulation.scenario import Moment, Scenario, Weather
from simulation.tokens import Office, within
from simulation.watch import Watch

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.query import Params, encode
from batch_reenroll.command.transport import COMMAND_HEADERS
from batch_reenroll.errors import NotSent, OutcomeUnknown
from batch_reenroll.sandbox import Core, Request, Response
from batch_reenroll.sandbox.exchange import http_date
from batch_reenroll.sandbox.pages import rearranged

#: When our side gives an answer up.
TIMEOUT_S = 8.0

OPERATOR, STRANGER, PASSWORD = "operator", "stranger", "secret"

#: What may befall a POST; each is a share of the weather.
FATES = (
    "refused",
    "lost_request",
    "lost_answer",
    "delayed",
    "error_before",
    "error_after",
    "throttled",
)
#: These let Command carry it out.
_CARRIED_OUT = ("fine", "lost_answer", "delayed", "error_after")


def basic(user: str) -> dict[str, str]:
    """Return the header that signs ``user`` in."""
    token = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


@dataclass(slots=True)
class Dice:
    """One generator for each thing that chance decides: none shifts another."""

    seed: int
    _streams: dict[str, random.Random] = field(default_factory=dict)

    def of(self, name: str) -> random.Random:
        """Return the generator by this name."""
        if name not in self._streams:
            self._streams[name] = random.Random(f"{name}:{self.seed}")
        return self._streams[name]


@dataclass(slots=True)
class Net:
    """What all lives of our process share: the way to Command, and Command.

    Attributes:
        command_now: Command's clock, seconds since the epoch.
        office: The token endpoint, or None: basic authentication.
    """

    scenario: Scenario
    core: Core
    dice: Dice
    watch: Watch
    command_now: Callable[[], float]
    office: Office | None = None

    @property
    def weather(self) -> Weather:
        """The weather."""
        return self.scenario.weather

    def fate(self, method: str, number: int | None) -> str:
        """Return what befalls a request that is about to leave.

        Args:
            method: ``GET`` or ``POST``.
            number: Which POST of a reenrollment it is, or None.
        """
        weather, now_s = self.weather, asyncio.get_running_loop().time()
        if within(weather.outages, now_s):
            return "refused"
        if within(weather.storms, now_s):
            return "throttled"
        for n, fate in weather.scripted:
            if n == number:
                return fate
        if method == "GET":
            rng = self.dice.of("reads")
            if rng.random() >= weather.bad_read:
                return "fine"
            return rng.choice(("refused", "lost_answer", "error_before", "throttled"))
        roll = self.dice.of("posts").random()
        for fate in FATES:
            roll -= float(getattr(weather, fate))
            if roll < 0:
                return fate
        return "fine"

    def way_s(self) -> float:
        """Return how long one direction takes this time."""
        return self.dice.of("ways").uniform(0, self.weather.latency_s)

    def way_there_s(self, fate: str) -> float:
        """Return how long a request takes to arrive.

        The settle time is by definition how long one that was given up may still be
        under way, and how long Command's lists lag behind it.
        """
        if fate != "delayed":
            return self.way_s()
        settle_s = self.scenario.settings.settle_s
        return TIMEOUT_S + self.dice.of("ways").uniform(0, settle_s / 2)

    def arrive(
        self,
        request: Request,
        fate: str,
        post: Post | None,
        answered: asyncio.Future[Response],
    ) -> None:
        """Let a request arrive at Command, and its answer leave."""
        if fate == "lost_request":
            return
        response = self._carried_out(request, fate, post)
        if post is not None:
            post.under_way = False
        if fate == "lost_answer":
            return
        if fate == "error_after":
            response = Response(status=500)
        loop = asyncio.get_running_loop()
        loop.call_later(self.way_s(), _give, answered, response)

    def _carried_out(self, request: Request, fate: str, post: Post | None) -> Response:
        if fate == "throttled":
            return self._too_many()
        if fate not in _CARRIED_OUT:
            return Response(status=self.dice.of("errors").choice((500, 502, 503, 504)))
        if self.office is not None:
            admitted = self.office.admitted(request, basic(OPERATOR))
            if isinstance(admitted, Response):
                return admitted
            request = admitted
        with self.watch.carrying_out(post):
            response = self.core.handle(request, self.command_now())
        if request.method == "GET":
            response = self._agents_own_times(response)
        return response

    def _too_many(self) -> Response:
        """Return a 429 in one of the ways that RFC 9110 leaves open."""
        now = self.command_now()
        seconds = self.dice.of("errors").choice((0, 2, 7, 30))
        wishes = ((), ("Retry-After", str(seconds)), ("Retry-After", _date(now, 7)))
        wish = self.dice.of("errors").choice(wishes)
        headers = (("Date", http_date(now)), *([wish] if wish else []))
        return Response(status=429, headers=headers)

    def _agents_own_times(self, response: Response) -> Response:
        """Set the times of history rows by the clocks of the orchestrators.

        undocumented: whose clock they come from; it may be the orchestrator's.
        """
        skews = self.scenario.agent_skews_s
        if not any(skews) or b'"OperationStart"' not in response.body:
            return response
        agents = [o.machine for o in self.core.world.fleet.orchestrators]
        by_machine = {name: skews[n % len(skews)] for n, name in enumerate(agents)}
        items = json.loads(response.body)
        for item in items:
            for name in ("OperationStart", "OperationEnd"):
                if item.get(name):
                    skew_s = by_machine.get(item["AgentMachine"], 0.0)
                    item[name] = _shifted(item[name], skew_s)
        return replace(response, body=json.dumps(items).encode())

    def rearranged(self, response: Response) -> Response:
        """Return a list answer, perhaps with its items in another shape."""
        rng, weather = self.dice.of("pages"), self.weather
        if rng.random() >= weather.mischief:
            return response
        return rearranged(response, rng.choice(weather.mischiefs), rng)


def _date(now: float, seconds: float) -> str:
    return http_date(now + seconds)


def _shifted(text: str, skew_s: float) -> str:
    moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    shifted = datetime.fromtimestamp(moment.timestamp() + skew_s, UTC)
    plain = shifted.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return plain + ("Z" if text.endswith("Z") else "")


def _give(answered: asyncio.Future[Response], response: Response) -> None:
    if not answered.done():
        answered.set_result(response)


@dataclass(slots=True)
class Wire:
    """Our side's transport to Command, for one life of our process."""

    net: Net
    life: Life
    number: int

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
        net, loop = self.net, asyncio.get_running_loop()
        is_post = path.endswith("/Reenrollment")
        fate = net.fate(method, len(net.watch.posts) + 1 if is_post else None)
        if fate == "refused":
            await asyncio.sleep(net.way_s())
            raise NotSent("connection refused")
        post = None
        if is_post and json_body is not None:
            post = net.watch.posted(json_body, may_arrive=fate in _CARRIED_OUT)
        answered: asyncio.Future[Response] = loop.create_future()
        request = _request(method, path, self._asked(params), json_body, headers)
        way_s = net.way_there_s(fate)
        loop.call_later(way_s, net.arrive, request, fate, post, answered)
        if post is not None:
            self.life.reach(Moment.POSTED)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await answered
        except TimeoutError:
            raise OutcomeUnknown("no answer in time") from None
        if post is not None:
            post.status = response.status
            self.life.reach(Moment.ANSWERED)
        if method == "GET":
            response = net.rearranged(response)
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers},
            body=response.body,
        )

    def _asked(self, params: Params) -> Params:
        """Return what Command heeds of the query."""
        if not self.net.weather.unsorted:
            return params
        return tuple((k, v) for k, v in params if "sort" not in k.lower())


def _request(
    method: str,
    path: str,
    params: Params,
    json_body: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
) -> Request:
    query = encode(params)
    sent = {**COMMAND_HEADERS, **(headers or {}), "Content-Type": "application/json"}
    return Request(
        method=method,
        target=f"/KeyfactorAPI{path}{'?' + query if query else ''}",
        headers={name.lower(): value for name, value in sent.items()},
        body=json.dumps(json_body).encode() if json_body is not None else b"",
    )
