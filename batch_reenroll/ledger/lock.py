"""One process works on a campaign: a lock that dies with the process.

``flock`` on a small file beside the ledger. The kernel lets go of it when the process
ends, however it ends, so there is no lease to wait for and no stale lock to break; the
file itself stays and means nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from batch_reenroll.errors import CampaignLocked, UsageError

_TRIES = 4
_TRY_AGAIN_S = 0.05


@contextlib.contextmanager
def campaign_lock(ledger: Path, campaign_id: str) -> Iterator[None]:
    """Hold the campaign for the body.

    Raises:
        CampaignLocked: Another process holds it; the message names its id.
        UsageError: The lock file cannot be made.
    """
    path = _lock_path(ledger, campaign_id)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        message = f"cannot make the lock file {path}: {exc.strerror}"
        raise UsageError(message, hint="the ledger's folder must be writable") from exc
    try:
        try:
            _take(descriptor)
        except BlockingIOError as exc:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            message = f"campaign {campaign_id} is being worked on by process {holder}"
            hint = f"watch it: batch-reenroll status {campaign_id} --watch"
            raise CampaignLocked(message, hint=hint) from exc
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    # `status` looks at the lock by sharing it for a moment: not a reason to refuse.
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(_TRY_AGAIN_S)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(ledger: Path, campaign_id: str) -> bool:
    """Return whether a living process works on the campaign."""
    try:
        descriptor = os.open(_lock_path(ledger, campaign_id), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _lock_path(ledger: Path, campaign_id: str) -> Path:
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", campaign_id)
    # One ledger under two names is one ledger.
    place = ledger.resolve()
    return place.with_name(f"{place.name}.lock-{safe}")
