"""What a played scenario leaves behind, for the judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulation.ceilings import Post
from simulation.scenario import Halt, Scenario

from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.rows import Row
from batch_reenroll.runner import RunEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one run ended, and when, in virtual seconds.

    ``refused``: Whether who we are was refused for good meanwhile.
    """

    began_s: float
    ended_s: float
    end: RunEnd
    refused: bool


@dataclass(slots=True, kw_only=True)
class Played:
    """What a played scenario left behind.

    Attributes:
        log: The sandbox's own log: the judge.
        ends: Of every run that did not die, in order; n >= 1.
        halted: Halts that met a run.
        rows: As the ledger has them.
        records: The same as database records, by row number.
        journal: Its lines, parsed.
        lines: Its lines, raw.
        posts: POSTs that left, in order.
        n_lives: Processes that worked on it.
        broken: Invariants seen broken while it ran.
    """

    scenario: Scenario
    log: list[dict[str, Any]]
    ends: list[Ended]
    halted: list[Halt] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    records: dict[int, dict[str, Any]] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    campaign: Campaign
    posts: list[Post] = field(default_factory=list)
    n_lives: int = 0
    elapsed_s: float = 0.0
    broken: list[str] = field(default_factory=list)
