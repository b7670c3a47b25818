"""Order in time: the loops that submit, track, verify and stop."""

from batch_reenroll.runner.preflight import read_board, read_directory
from batch_reenroll.runner.run import Run, RunEnd

__all__ = ["Run", "RunEnd", "read_board", "read_directory"]
