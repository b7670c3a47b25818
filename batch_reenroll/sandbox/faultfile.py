"""Reading a fault script from a file.

A fault file is a JSON object::

    {"requests": [{"match": {"method": "POST", "path": "/Reenrollment"},
                   "nth": 3, "times": 2,
                   "action": {"status": 503, "retry_after_s": 2}}],
     "jobs": [{"store_id": "…", "times": 1, "result": 4, "message": "disk full"}]}
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.faults import (
    Action,
    FaultScript,
    JobFault,
    Match,
    RequestFault,
)

R = TypeVar("R")


def load_faults(path: Path) -> FaultScript:
    """Return the script in the JSON file ``path``.

    Raises:
        SandboxError: It cannot be read or holds an unknown key or value.
    """
    try:
        data = json.loads(path.read_bytes())
        if not isinstance(data, dict) or not set(data) <= {"requests", "jobs"}:
            raise SandboxError(f"{path}: expected an object with requests and jobs")
        return FaultScript(
            requests=tuple(_request_fault(item) for item in data.get("requests", ())),
            jobs=tuple(_build(JobFault, item) for item in data.get("jobs", ())),
        )
    except OSError as exc:
        raise SandboxError(f"{path}: {exc.strerror}") from exc
    except (ValueError, TypeError, RecursionError) as exc:
        raise SandboxError(f"{path}: not a fault script: {exc}") from exc


def _request_fault(item: Any) -> RequestFault:
    if not isinstance(item, dict):
        raise SandboxError("fault: each request fault must be an object")
    if "action" not in item:
        raise SandboxError("fault: each request fault needs an action")
    parts = dict(item)
    parts["match"] = _build(Match, parts.get("match", {}))
    parts["action"] = _build(Action, parts["action"])
    return _build(RequestFault, parts)


def _build(kind: type[R], item: Any) -> R:
    """Make a ``kind`` of a JSON object, naming keys that it does not have."""
    if not isinstance(item, dict):
        raise SandboxError(f"fault: {kind.__name__} must be an object")
    known = {spec.name for spec in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(item) - known):
        raise SandboxError(f"fault: unknown key {unknown[0]!r} in {kind.__name__}")
    return kind(**item)
