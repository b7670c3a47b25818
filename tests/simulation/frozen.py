"""A scenario as a Python expression: what a regression test keeps.

A seed means another scenario as soon as the drawing changes; the expression does not.
Only what differs from a field's default is written.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any


def as_python(value: Any) -> str:
    """Return an expression that makes ``value`` again, on one line."""
    if is_dataclass(value) and not isinstance(value, type):
        told = [
            f"{f.name}={as_python(getattr(value, f.name))}"
            for f in fields(value)
            if f.init and getattr(value, f.name) != _default(f)
        ]
        return f"{type(value).__name__}({', '.join(told)})"
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, tuple):
        inside = ", ".join(as_python(item) for item in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, dict):
        told = [f"{key!r}: {as_python(item)}" for key, item in value.items()]
        return f"{{{', '.join(told)}}}"
    if isinstance(value, datetime):
        return f"datetime.fromisoformat({value.isoformat()!r})"
    return repr(value)


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
