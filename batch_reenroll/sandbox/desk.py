"""What the management port does, call by call; how it is asked is ``management``'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from batch_reenroll.sandbox.appsettings import changed, current
from batch_reenroll.sandbox.core import Core
from batch_reenroll.sandbox.errand import Answer, Ask, Refusal
from batch_reenroll.sandbox.exchange import iso_time
from batch_reenroll.sandbox.faults import FaultScript, FaultState, RequestFaults
from batch_reenroll.sandbox.identity import Identity, NameTaken
from batch_reenroll.sandbox.identityentry import (
    IdentityEntry,
    RightsEntry,
    described,
)
from batch_reenroll.sandbox.jsonread import build
from batch_reenroll.sandbox.state import APPROVED, Orchestrator

#: ``Status`` of an orchestrator that was approved once (keyfactor-command.md 4.4).
DISAPPROVED = 3
#: The clock is not put forward over more events than that: some ten seconds of work.
EVENTS_MAX = 2_000_000
#: The embedded CA lives for five years.
ADVANCE_MAX_S = 4 * 366 * 86_400.0


class Clock(Protocol):
    """A clock that can be put forward."""

    advanced_s: float

    def advance(self, seconds: float) -> None:
        """Put it forward by ``seconds``, > 0."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Advance:
    advance_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Presence:
    online: bool | None = None
    approved: bool | None = None


class Desk:
    """Looks at a core and changes it.

    Args:
        core: The embedded Command.
        faults: The request faults at its front door.
        clock: The clock of the core's shell; None = its caller owns the time, and it
            cannot be put forward here.
    """

    def __init__(
        self, core: Core, faults: RequestFaults, clock: Clock | None = None
    ) -> None:
        self._core = core
        self._faults = faults
        self._clock = clock

    def summary(self, ask: Ask) -> Answer:
        """Tell how many jobs stand where, after all that is due."""
        self._core.advance(ask.now)
        world = self._core.world
        running = sum(row.ended_at is None for row in world.history)
        counts = {
            "stores": len(world.stores),
            "orchestrators": len(world.orchestrators),
            "scheduled_jobs": len(world.scheduled),
            "running_jobs": running,
            "history_rows": len(world.visible_history()),
            "open_failures_and_warnings": len(world.open_failures()),
        }
        return Answer(200, {"now": iso_time(world.now), **counts})

    def settings(self, _ask: Ask) -> Answer:
        """Tell the settings."""
        world = self._core.world
        return Answer(200, asdict(current(world.settings, world.policy)))

    def change_settings(self, ask: Ask) -> Answer:
        """Change some settings, or none."""
        world = self._core.world
        self._core.advance(ask.now)
        world.settings, world.policy = changed(world.settings, world.policy, ask.body)
        return self.settings(ask)

    def faults(self, _ask: Ask) -> Answer:
        """Tell the faults in force."""
        rules = {
            "requests": [_rule(state) for state in self._faults.states()],
            "jobs": [_rule(state) for state in self._core.job_faults.states()],
        }
        return Answer(200, rules)

    def add_faults(self, ask: Ask) -> Answer:
        """Add the faults of a script behind those in force."""
        script = build(FaultScript, ask.body, "faults")
        added = {
            "requests": [self._faults.add(rule) for rule in script.requests],
            "jobs": [self._core.job_faults.add(rule) for rule in script.jobs],
        }
        return Answer(201, added)

    def clear_faults(self, _ask: Ask) -> Answer:
        """Take all faults out."""
        self._faults.set(())
        self._core.job_faults.set(())
        return Answer(204)

    def remove_fault(self, ask: Ask) -> Answer:
        """Take one fault out."""
        kind, number = ask.parts
        removers: Mapping[str, Callable[[int], bool]] = {
            "requests": self._faults.remove,
            "jobs": self._core.job_faults.remove,
        }
        plain = number.isascii() and number.isdigit() and len(number) < 10
        if kind not in removers or not plain or not removers[kind](int(number)):
            raise Refusal(404, "not_found", "there is no such fault")
        return Answer(204)

    def tell_time(self, _ask: Ask) -> Answer:
        """Tell the time."""
        now = self._core.world.now
        advanced_s = self._clock.advanced_s if self._clock else 0.0
        return Answer(
            200, {"now": iso_time(now), "now_s": now, "advanced_s": advanced_s}
        )

    def advance(self, ask: Ask) -> Answer:
        """Put the clock forward and let everything happen that is due by then.

        What orchestrators do with real keys and files takes real time all the same:
        an order that is in hand ends after the jump.
        """
        if self._clock is None:
            raise Refusal(409, "clock_not_ours", "the caller of the core owns the time")
        seconds = build(_Advance, ask.body, "time").advance_s
        if seconds <= 0:
            raise Refusal(400, "bad_request", "time.advance_s: expected a number > 0")
        if self._clock.advanced_s + seconds > ADVANCE_MAX_S:
            raise Refusal(400, "too_far", "the CA does not live that long")
        n_events = self._expected_events(seconds)
        if n_events > EVENTS_MAX:
            told = (
                f"{n_events:.0f} heartbeats and jobs lie on the way, over {EVENTS_MAX}"
            )
            raise Refusal(400, "too_far", told)
        self._core.advance(ask.now)
        self._clock.advance(seconds)
        self._core.advance(ask.now + seconds)
        return self.tell_time(ask)

    def _expected_events(self, seconds: float) -> float:
        world = self._core.world
        beating = sum(agent.online for agent in world.orchestrators.values())
        per_s = beating / world.settings.heartbeat_s + world.settings.noise_jobs_per_s
        return seconds * (per_s + len(world.recurring) / 86_400)

    def identities(self, ask: Ask) -> Answer:
        """Tell all identities, without secrets."""
        return Answer(200, [self._told(item, ask) for item in self._core.identities])

    def add_identity(self, ask: Ask) -> Answer:
        """Add an identity."""
        identity = build(IdentityEntry, ask.body, "identity").identity()
        try:
            self._core.identities.add(identity)
        except NameTaken as exc:
            raise Refusal(409, "conflict", str(exc)) from exc
        return Answer(201, self._told(identity, ask))

    def identity(self, ask: Ask) -> Answer:
        """Tell one identity."""
        return Answer(200, self._told(self._named(ask), ask))

    def remove_identity(self, ask: Ask) -> Answer:
        """Take an identity out, and its tokens back."""
        identity = self._named(ask)
        self._core.tokens.revoke(identity)
        self._core.identities.remove(identity)
        return Answer(204)

    def replace_rights(self, ask: Ask) -> Answer:
        """Give an identity other rights instead of all it has; tokens go on."""
        entry = build(RightsEntry, ask.body, "rights")
        identity = entry.given_to(self._named(ask))
        self._core.identities.replace(identity)
        return Answer(200, self._told(identity, ask))

    def revoke_tokens(self, ask: Ask) -> Answer:
        """Take back the bearer tokens of an identity."""
        return Answer(200, {"revoked": self._core.tokens.revoke(self._named(ask))})

    def orchestrators(self, _ask: Ask) -> Answer:
        """Tell all orchestrators."""
        agents = self._core.world.orchestrators.values()
        return Answer(200, [_orchestrator(agent) for agent in agents])

    def orchestrator(self, ask: Ask) -> Answer:
        """Tell one orchestrator."""
        return Answer(200, _orchestrator(self._agent(ask)))

    def change_orchestrator(self, ask: Ask) -> Answer:
        """Let an orchestrator come or go, approve or disapprove it."""
        agent, wish = self._agent(ask), build(_Presence, ask.body, "orchestrator")
        self._core.advance(ask.now)
        if wish.approved is not None:
            agent.status = APPROVED if wish.approved else DISAPPROVED
        if wish.online is not None:
            self._core.set_online(agent, wish.online)
        return Answer(200, _orchestrator(agent))

    def _agent(self, ask: Ask) -> Orchestrator:
        agent = self._core.world.orchestrators.get(ask.parts[0].lower())
        if agent is None:
            raise Refusal(404, "not_found", "there is no such orchestrator")
        return agent

    def _named(self, ask: Ask) -> Identity:
        identity = self._core.identities.named(ask.parts[0])
        if identity is None:
            raise Refusal(404, "not_found", "there is no such identity, or several")
        return identity

    def _told(self, identity: Identity, ask: Ask) -> dict[str, object]:
        major = int(self._core.world.settings.dialect)
        n_tokens = self._core.tokens.count(identity, ask.now)
        return {**described(identity, major), "tokens": n_tokens}


def _rule(state: FaultState[Any]) -> dict[str, object]:
    counts = {"id": state.fault_id, "n_seen": state.n_seen, "n_hit": state.n_hit}
    return counts | asdict(state.rule)


def _orchestrator(agent: Orchestrator) -> dict[str, object]:
    return {
        "id": agent.agent_id,
        "machine": agent.plan.machine,
        "online": agent.online,
        "approved": agent.status == APPROVED,
        "busy": agent.busy,
        "queued_jobs": len(agent.queue),
        "last_seen": iso_time(agent.last_seen),
    }
