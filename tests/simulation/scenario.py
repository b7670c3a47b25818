"""What one simulated campaign meets, as a plain value.

Printing a scenario (:mod:`simulation.frozen`) is enough to play it again, and a
simpler one is made by replacing a field (:mod:`simulation.shrinking`). Times are
seconds of virtual time from the start, spans are (start, length).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from batch_reenroll.campaign.lifecycle import RETRIES, State
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.sandbox import FleetPlan, Settings
from batch_reenroll.sandbox.pages import Mischief

Span = tuple[float, float]

#: 2027-01-15 08:00 UTC.
START = 1_800_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bad the network and Command are. Shares are probabilities of one request.

    Attributes:
        latency_s: Longest way in one direction.
        refused: The connection is refused: nothing is sent.
        lost_request: It left and never arrived.
        lost_answer: It was carried out and the answer never came.
        delayed: It is carried out after its answer was given up.
        error_before, error_after: 5xx without and with having been carried out.
        throttled: 429.
        bad_read: Any of these, for a GET.
        mischief: A page of a list comes rearranged, in one of the ways of
            ``mischiefs``.
        unsorted: Command does not heed the order that was asked for.
        outages: Times in which every connection is refused.
        storms: Times in which every request is answered 429.
        scripted: (n, fate): the n-th POST of a reenrollment meets this fate, 1-based,
            whatever the shares say.
    """

    latency_s: float = 0.3
    refused: float = 0.0
    lost_request: float = 0.0
    lost_answer: float = 0.0
    delayed: float = 0.0
    error_before: float = 0.0
    error_after: float = 0.0
    throttled: float = 0.0
    bad_read: float = 0.0
    mischief: float = 0.0
    mischiefs: tuple[Mischief, ...] = ("duplicate",)
    unsorted: bool = False
    outages: tuple[Span, ...] = ()
    storms: tuple[Span, ...] = ()
    scripted: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How the token endpoint behaves.

    Attributes:
        lifetime_s: Of each token.
        told: Whether the endpoint says how long a token lives.
        revoked: Moments at which all tokens given so far end early.
        away: Times in which the endpoint answers 503, or not at all.
        locked: Times in which it refuses the client.
        lost: Share of the requests to it that get no answer.
    """

    lifetime_s: float = 300.0
    told: bool = True
    revoked: tuple[float, ...] = ()
    away: tuple[Span, ...] = ()
    locked: tuple[Span, ...] = ()
    lost: float = 0.0


class Moment(StrEnum):
    """Where a process dies."""

    #: As any of its tasks goes on after an await.
    STEP = "step"
    #: A POST has just left.
    POSTED = "posted"
    #: The answer to a POST is there, and nobody has read it.
    ANSWERED = "answered"
    #: A batch of moves is about to be written.
    BEFORE_COMMIT = "before_commit"
    #: It is on disk, and nobody knows.
    AFTER_COMMIT = "after_commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """One life of our process ends at the ``n``-th ``moment`` of its own, n >= 1.

    ``down_s`` later somebody starts it again.
    """

    moment: Moment
    n: int
    down_s: float = 0.0


class Hand(StrEnum):
    """Who stops a run, and how."""

    OPERATOR = "operator"
    #: ``stop --unschedule``: waiting jobs are taken back.
    WITHDRAW = "withdraw"
    SIGINT = "sigint"
    SIGTERM = "sigterm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A person stops whatever run is under way at ``at_s``, and resumes it later."""

    at_s: float
    hand: Hand = Hand.OPERATOR
    resume_after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """``retry --only``, ``after_s`` after the campaign had ended."""

    after_s: float = 0.0
    only: tuple[State, ...] = tuple(RETRIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that a simulated campaign depends on.

    Attributes:
        seed: Of every later draw.
        tokens: None = basic authentication.
        strangers: (time, store index): somebody else re-enrolls a store.
        crashes: One for each life of our process until they are used up.
        halts: Stops by persons.
        retries: Made one after another, each when all has ended.
        second_aliases: Store indices that have a second row under another alias.
        skew_s: Command's clock less ours.
        agent_skews_s: Clocks of the orchestrators less Command's, taken in turn.
        commit_s: How long a commit takes.
        full_disk: Times in which every commit fails.
        authorities: What the stores' rows name as their CA, taken in turn, "" for
            none; empty = as the fleet says.
        start_s: When it begins by our clock, seconds since the epoch.
    """

    seed: int
    fleet: FleetPlan
    command: Settings
    settings: RunSettings
    weather: Weather = field(default_factory=Weather)
    tokens: Tokens | None = None
    strangers: tuple[tuple[float, int], ...] = ()
    crashes: tuple[Crash, ...] = ()
    halts: tuple[Halt, ...] = ()
    retries: tuple[Retry, ...] = ()
    second_aliases: tuple[int, ...] = ()
    skew_s: float = 0.0
    agent_skews_s: tuple[float, ...] = ()
    commit_s: float = 0.0
    full_disk: tuple[Span, ...] = ()
    authorities: tuple[str, ...] = ()
    start_s: float = START
