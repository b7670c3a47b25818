"""Benchmarks: each is ``python -m benchmarks.NAME`` (see ``benchmarks/README.md``)."""
