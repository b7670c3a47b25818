"""Reading a fault script from a file.

A fault file is a JSON object::

    {"requests": [{"match": {"method": "POST", "path": "/Reenrollment"},
                   "nth": 3, "times": 2,
                   "action": {"status": 503, "retry_after_s": 2}}],
     "jobs": [{"store_id": "…", "times": 1, "result": 4, "message": "disk full"}]}
"""

from __future__ import annotations

from pathlib import Path

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.faults import FaultScript
from batch_reenroll.sandbox.jsonread import build, parse_json


def load_faults(path: Path) -> FaultScript:
    """Return the script in the JSON file ``path``.

    Raises:
        SandboxError: It cannot be read or holds an unknown key or value.
    """
    try:
        return build(FaultScript, parse_json(path.read_bytes()), "faults")
    except OSError as exc:
        raise SandboxError(f"{path}: {exc.strerror}") from exc
    except SandboxError as exc:
        raise SandboxError(f"{path}: not a fault script: {exc}") from exc
