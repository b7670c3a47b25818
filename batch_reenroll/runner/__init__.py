"""Order in time: the loops that submit, track, verify and stop."""

from batch_reenroll.runner.preflight import (
    Held,
    read_directory,
    read_inventories,
    read_jobs,
)
from batch_reenroll.runner.run import Run, RunEnd

__all__ = [
    "Held",
    "Run",
    "RunEnd",
    "read_directory",
    "read_inventories",
    "read_jobs",
]
