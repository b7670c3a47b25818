"""Deterministic simulation of whole campaigns under virtual time."""
