"""Text files that take their name only when they are whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from batch_reenroll.errors import UsageError


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """Yield a UTF-8 file that becomes ``path`` at the end of the block, or never.

    Line ends are written as they are given.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        part = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.chmod(0o644)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        message = f"{path} cannot be written: {why}"
        raise UsageError(message, hint="name another file with -o") from exc
