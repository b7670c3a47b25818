"""The embedded Command as one pure state machine over an explicit clock.

No asyncio, no files, no clock of its own: requests and results come in with the time
at which they come, and :meth:`Core.next_event_at` says when to look again. Times are
seconds since the epoch and never go back.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from batch_reenroll.sandbox.access import Caller
from batch_reenroll.sandbox.agenda import Agenda
from batch_reenroll.sandbox.api import Api
from batch_reenroll.sandbox.exchange import (
    ApiError,
    Request,
    Response,
    error_response,
    http_date,
)
from batch_reenroll.sandbox.faults import JobFaults
from batch_reenroll.sandbox.fleet import Fleet
from batch_reenroll.sandbox.identity import Identities, Identity
from batch_reenroll.sandbox.noise import Noise
from batch_reenroll.sandbox.orchestration import Orchestration
from batch_reenroll.sandbox.policy import CaPolicy
from batch_reenroll.sandbox.settings import Settings
from batch_reenroll.sandbox.signin import sign_in
from batch_reenroll.sandbox.state import Orchestrator
from batch_reenroll.sandbox.tokens import TOKEN_PATH, TokenOffice
from batch_reenroll.sandbox.works import Hands, InlineHands, StoreWorks, WorkResult
from batch_reenroll.sandbox.world import LogSink, World


def _discard(_entry: dict[str, object]) -> None:
    """Log nothing."""


def _seeded_mint(seed: int) -> Callable[[], str]:
    rng = random.Random(f"tokens:{seed}")  # noqa: S311 - said where it is offered
    return lambda: f"{rng.getrandbits(256):064x}"


class Core:
    """The embedded Command.

    Args:
        fleet: Stores and orchestrators.
        works: Lays stores out, and does the jobs unless ``hands`` are given.
        started_at: The beginning.
        settings: How it behaves.
        policy: What the CA issues.
        identities: Who may call, at the start.
        hands: Takes the work orders; None = they are carried out at once.
        job_faults: Scripted ends of jobs.
        session, last_history_id: See :class:`~batch_reenroll.sandbox.world.World`.
        log: Takes the entries of the sandbox's own log.
        mint: Makes bearer tokens; None = from the fleet's seed, so that everybody can
            guess them.

    Attributes:
        world: The state, for tests and drivers to look at.
        job_faults: May be set at any time.
        identities: Who may call, now.
        tokens: Their bearer tokens.
    """

    def __init__(
        self,
        fleet: Fleet,
        works: StoreWorks,
        *,
        started_at: float,
        settings: Settings | None = None,
        policy: CaPolicy | None = None,
        identities: Iterable[Identity] = (),
        hands: Hands | None = None,
        job_faults: JobFaults | None = None,
        session: int = 0,
        last_history_id: int = 0,
        log: LogSink = _discard,
        mint: Callable[[], str] | None = None,
    ) -> None:
        self.job_faults = job_faults or JobFaults()
        self.world = World(
            fleet,
            settings or Settings(),
            policy or CaPolicy(),
            works,
            started_at=started_at,
            session=session,
            last_history_id=last_history_id,
            log=log,
            identities=Identities(identities),
        )
        self.identities = self.world.identities
        self.tokens = TokenOffice(
            self.identities,
            mint=mint or _seeded_mint(fleet.plan.seed),
            lifetime_s=lambda: self.world.settings.token_lifetime_s,
        )
        self._agenda = Agenda()
        self._orchestration = Orchestration(
            self.world, self._agenda, hands or InlineHands(works), self.job_faults
        )
        self._api = Api(self.world, self._orchestration)
        self._requests = 0
        self._orchestration.begin()
        Noise(self.world, self._agenda).begin()

    def advance(self, now: float) -> None:
        """Do everything that is due up to ``now``; an earlier ``now`` does nothing."""
        while (due := self._agenda.next_at()) is not None and due <= now:
            self.world.now = max(self.world.now, due)
            self._agenda.run_next()
        self.world.now = max(self.world.now, now)

    def next_event_at(self) -> float | None:
        """Return when something happens by itself, or None when nothing will."""
        return self._agenda.next_at()

    def set_online(self, agent: Orchestrator, online: bool) -> None:
        """Let an orchestrator come or go, now."""
        self._orchestration.set_online(agent, online, self.world.now)

    def deliver(self, order_id: int, result: WorkResult, now: float) -> None:
        """Take the result of a work order that was not carried out at once."""
        self.advance(now)
        self._orchestration.deliver(order_id, result, self.world.now)

    def handle(self, request: Request, now: float) -> Response:
        """Return the answer to ``request``, after all that is due before it.

        Never raises for what a request holds: bad input is a 4xx answer.
        """
        self.advance(now)
        self._requests += 1
        if request.target.partition("?")[0] == TOKEN_PATH:
            return self._token(request)
        try:
            response = self._api.answer(request, self._caller(request))
        except ApiError as exc:
            response = error_response(exc)
        return Response(
            status=response.status,
            headers=(*response.headers, *self._common_headers().items()),
            body=response.body,
        )

    def _caller(self, request: Request) -> Caller:
        world = self.world
        return sign_in(
            request,
            self.identities,
            self.tokens,
            now=world.now,
            major=int(world.settings.dialect),
        )

    def _token(self, request: Request) -> Response:
        """Answer for the identity provider, which knows nothing of Command."""
        response = self.tokens.answer(request, self.world.now)
        date = ("Date", http_date(self.world.now))
        return replace(response, headers=(*response.headers, date))

    def _common_headers(self) -> Mapping[str, str]:
        """Return the headers of every answer (keyfactor-command.md 2.5)."""
        seed = f"{self.world.fleet.plan.seed}:{self._requests}"
        speech = self.world.settings.speech
        headers = {
            "Date": http_date(self.world.now),
            "X-Keyfactor-Product-Version": speech.product_version,
            "X-Keyfactor-Correlation-Id": str(uuid.uuid5(uuid.NAMESPACE_OID, seed)),
            "Api-Supported-Versions": speech.supported_versions,
        }
        return {name: value for name, value in headers.items() if value}
