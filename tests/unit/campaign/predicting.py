"""Questions made for tests: one orchestrator or a few, known to the last second."""

from __future__ import annotations

from typing import Any

from batch_reenroll.campaign.durations import JobSample
from batch_reenroll.campaign.forecast import Limits, Question, Queue
from batch_reenroll.campaign.luck import History

KIND = "WinCertReenrollment"
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def queue(name: str = "orch1", rows: int = 100, **more: Any) -> Queue:
    return Queue(orchestrator=name, job_type=KIND, rows=rows, **more)


def question(*queues: Queue, limits: Limits | None = None, **more: Any) -> Question:
    return Question(
        queues=queues or (queue(),),
        limits=limits or Limits(max_in_flight=10_000, rate_per_s=1000.0),
        start=more.pop("start", 0.0),
        trials=more.pop("trials", 40),
        **more,
    )


def samples(
    job_s: float = 10.0, heartbeat_s: float = 10.0, n: int = 400, name: str = "orch1"
) -> list[JobSample]:
    """Return a history that leaves little doubt."""
    return [
        JobSample(
            orchestrator=name,
            job_type=KIND,
            duration_s=job_s,
            pickup_s=heartbeat_s * (i % 20 + 0.5) / 20,
        )
        for i in range(n)
    ]


def certain(*names: str, job_s: float = 10.0, heartbeat_s: float = 10.0) -> History:
    return History.of(
        [
            sample
            for name in names or ("orch1",)
            for sample in samples(job_s, heartbeat_s, name=name)
        ]
    )
