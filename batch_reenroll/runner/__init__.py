"""Order in time: the loops that submit, track, verify and stop."""
