"""Decisions about a campaign: pure functions over explicit time and randomness."""
