"""Families as Prometheus' text format, version 0.0.4. Pure.

Source:
    https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from batch_reenroll.observe.family import Family, number
from batch_reenroll.text import visible

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Longest value of a label, in characters.
_LABEL_LIMIT = 200


def exposition(families: Iterable[Family]) -> bytes:
    """Return the page that Prometheus scrapes."""
    return "".join(line for family in families for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    text = family.text.replace("\\", "\\\\").replace("\n", "\\n")
    yield f"# HELP {family.name} {text}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for value, labels, suffix in family.samples:
        yield f"{family.name}{suffix}{_labels(labels)} {number(value)}\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    shown = visible(value, _LABEL_LIMIT)
    return shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
