"""The sandbox's folder: whose fleet it holds, and who may use it now."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.fleet import Fleet


@contextmanager
def claimed_folder(directory: Path, fleet: Fleet) -> Iterator[None]:
    """Make ``directory`` this fleet's, or check that it already is; hold its lock.

    Raises:
        SandboxError: It holds another fleet, or another process serves it.
        OSError: It cannot be used.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise SandboxError(f"{directory} is served by another process") from exc
        path = directory / "fleet.json"
        mine = json.dumps(fleet.fingerprint(), indent=1, sort_keys=True).encode()
        if not path.exists():
            path.write_bytes(mine)
        elif path.read_bytes() != mine:
            raise SandboxError(
                f"{directory} holds a fleet that was made with other options; "
                "give the same ones or another folder"
            )
        yield
