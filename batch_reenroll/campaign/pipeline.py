"""How fast one orchestrator gets through its rows, given how it is fed.

Orchestrators ask for work at a heartbeat and run what they get one after another. The
campaign keeps at most so many rows in flight with each; a row's place is free again
when a look at the job lists has seen its job end. Seconds per row are then the largest
of four bounds, each of which alone is simple:

- the job itself: one after another;
- the heartbeat: no more rows per heartbeat than places, less those whose end was seen
  too late for it;
- the round trip: places over the time of one round (wait for the heartbeat, queue,
  run, be seen), by mean value analysis of a closed queue;
- the settle time: a row holds its place that long at least, counted in whole looks.

Against the row-by-row model of ``benchmarks/campaign_model.py`` (1,260 settings,
heartbeats of 2 s to 15 min, jobs of 2 s to 5 min, 1 to 16 places) the largest of the
four is right within 2.4 % (standard deviation; 16 % at worst, bias -1 %).
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

#: Places beyond which the queue's mean value analysis has long settled.
_MOST_PLACES = 64

#: Standard deviation of the log of what these bounds are off by; predictions draw it.
#: The 2.4 % above, and as much again for what no model has.
MODEL_ERROR = 0.05

#: What a submission takes (keyfactor-command.md 7: 0.16 to 0.34 s).
ANSWER_S = 0.3


def row_s(
    job_s: Floats, heartbeat_s: Floats, *, places: int, look_s: float, settle_s: float
) -> Floats:
    """Return seconds per row in the long run, >= ``job_s``, same shape.

    Args:
        job_s: Mean duration of a job, > 0.
        heartbeat_s: Between two heartbeats, > 0, same shape.
        places: Rows in flight with one orchestrator, >= 1.
        look_s: From one look at the job lists to the next, > 0.
        settle_s: Least time from a row's answer to its job's end being believed.
    """
    seen_s = look_s / 2 + ANSWER_S
    settled_s = math.ceil((settle_s + ANSWER_S) / look_s) * look_s / places
    found = np.maximum(job_s, settled_s)
    found = np.maximum(found, _heartbeat_bound_s(job_s, heartbeat_s, places, seen_s))
    wait_s = heartbeat_s / 2 + seen_s
    return np.maximum(found, _round_trip_s(job_s, wait_s, places))


def _heartbeat_bound_s(
    job_s: Floats, heartbeat_s: Floats, places: int, seen_s: float
) -> Floats:
    """Rows that end within ``seen_s`` of the next heartbeat miss it."""
    in_time = np.maximum(0.0, heartbeat_s - seen_s) / job_s
    late = np.where(heartbeat_s > seen_s, 2 * heartbeat_s / (places + in_time), 0.0)
    return np.maximum(heartbeat_s / places, late)


def _round_trip_s(job_s: Floats, wait_s: Floats, places: int) -> Floats:
    queued = np.zeros_like(job_s)
    per_s = np.zeros_like(job_s)
    for n in range(1, min(places, _MOST_PLACES) + 1):
        stay_s = job_s * (1 + queued)
        per_s = n / (stay_s + wait_s)
        queued = per_s * stay_s
    return np.asarray(1.0 / per_s, dtype=np.float64)
