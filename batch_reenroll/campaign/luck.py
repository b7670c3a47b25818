"""What trials draw: each orchestrator's job durations and heartbeats.

Draws belong to names, not to an order: a trial has the same orchestrators whatever
else is asked, so that two predictions differ by what was changed and not by luck.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from batch_reenroll.campaign.durations import (
    Estimates,
    JobSample,
    duration_estimates,
    heartbeat_estimates,
)
from batch_reenroll.campaign.forecast import Question, Queue
from batch_reenroll.campaign.pipeline import Floats

#: Ends the name of the second half of a split queue; it draws the same luck.
HALF = "\0half"

#: A queue's mean duration is never drawn below this share of what is expected.
_LEAST_LUCK = 0.3


@dataclass(frozen=True, slots=True)
class History:
    """What this Command's past says. Made once, asked for many predictions."""

    durations: Estimates
    heartbeats: Estimates

    @classmethod
    def of(cls, samples: Sequence[JobSample]) -> History:
        """Return what ``samples`` say; none leave the priors."""
        return cls(duration_estimates(samples), heartbeat_estimates(samples))


@dataclass(slots=True)
class Luck:
    """What the trials draw: T values for each name, always the same for a name."""

    question: Question
    history: History
    _normals: dict[str, Floats] = field(default_factory=dict)
    _heartbeats: dict[str, Floats] = field(default_factory=dict)

    def normal(self, *names: str) -> Floats:
        """Return standard normal draws, (T), the same for the same names."""
        name = "\1".join(part.removesuffix(HALF) for part in names)
        found = self._normals.get(name)
        if found is None:
            key = [self.question.seed, zlib.crc32(name.encode())]
            draws = np.random.default_rng(key).standard_normal(self.question.trials)
            found = self._normals[name] = draws
        return found

    def uniform(self, name: str) -> Floats:
        """Return draws in [0, 1), (T), the same for the same name."""
        key = [self.question.seed, zlib.crc32(f"phase\1{name}".encode())]
        return np.random.default_rng(key).random(self.question.trials)

    def heartbeat_s(self, orchestrator: str) -> Floats:
        """Return the orchestrator's heartbeat interval, (T)."""
        found = self._heartbeats.get(orchestrator)
        if found is None:
            known = self.history.heartbeats.of(orchestrator.removesuffix(HALF), "")
            log = known.mean + known.own * self.normal("heartbeat", orchestrator)
            log = log + known.shared * self.normal("heartbeat")
            found = self._heartbeats[orchestrator] = np.exp(log)
        return found

    def job_s(self, queue: Queue) -> Floats:
        """Return the mean duration of the queue's jobs, (T)."""
        name = queue.orchestrator.removesuffix(HALF)
        known = self.history.durations.of(name, queue.job_type)
        log = known.mean + known.own * self.normal("job", name, queue.job_type)
        log = log + known.shared * self.normal("job", queue.job_type)
        variation = math.sqrt(math.expm1(known.within**2))
        luck = self.normal("luck", name, queue.job_type, str(queue.stage))
        luck = np.maximum(_LEAST_LUCK, 1 + variation * luck / math.sqrt(queue.rows))
        mean = np.exp(log + known.within**2 / 2)
        return np.asarray(mean * luck * (1 + self.question.retry_share))
