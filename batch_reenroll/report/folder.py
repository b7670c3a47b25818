"""A report on disk. The one module of this room with effects.

Every file is written beside its place and synced; only when all are there do they take
their names, ``evidence.json`` last, and its signature after it where it is signed. What
belongs to an earlier report and is not written again (a signature, ``results.xlsx``) is
taken away. After a crash each file is the
old one or the new one, whole, and ``evidence.json`` tells which set is complete.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from batch_reenroll.errors import UsageError
from batch_reenroll.report.advice import Explains
from batch_reenroll.report.facts import ReportInput
from batch_reenroll.report.formats import FORMAT_FILES, Format, require
from batch_reenroll.report.render import Code, render

#: Files that stand beside a signed ``evidence.json``.
SIGNATURE_FILES = ("evidence.json.sig", "evidence.pub.pem", "evidence.cert.pem")


#: From the bytes of ``evidence.json`` to some of :data:`SIGNATURE_FILES` by name.
Sign = Callable[[bytes], Mapping[str, bytes]]


def write_folder(
    folder: Path,
    report: ReportInput,
    explanations: Mapping[Code, Explains] | None = None,
    *,
    formats: Sequence[Format] = (),
    sign: Sign | None = None,
) -> None:
    """Write the report's files into ``folder``, which is made where it is missing.

    Args:
        folder: ``reports/<campaign_id>``.
        report: What to write.
        explanations: Meaning and advice by reason code, for the page.
        formats: Further forms of the results, each once.
        sign: Signs ``evidence.json``; None leaves it without a signature.

    Raises:
        UsageError: The folder cannot be written (code ``report_unwritable``), another
            process is writing it (code ``report_busy``), or one of ``formats`` cannot
            be made (codes ``extra_missing``, ``too_large``). What was there before is
            whole, and nothing half-written is left behind.
    """
    require(formats)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _held(folder) as folder_fd:
            files = _signed(render(report, explanations, formats), sign)
            _write_all(folder, folder_fd, files)
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        message = f"the report cannot be written to {folder}: {why}"
        raise UsageError(
            message, code="report_unwritable", hint=_hint(exc.errno)
        ) from exc


def _write_all(
    folder: Path, folder_fd: int, files: Iterable[tuple[str, Iterable[bytes]]]
) -> None:
    staged: list[tuple[Path, Path]] = []
    try:
        for name, chunks in files:
            part = folder / f".{name}.part"
            staged.append((part, folder / name))
            _write(part, chunks)
        # An old signature must never stand by new evidence: it goes in any case.
        kept = {place.name for _, place in staged} - {*SIGNATURE_FILES}
        for name in (*SIGNATURE_FILES, *FORMAT_FILES):
            if name not in kept:
                (folder / name).unlink(missing_ok=True)
        for part, place in staged:
            part.replace(place)
        os.fsync(folder_fd)
    except BaseException:
        # A part that already has its name is no longer there to remove.
        for part, _ in staged:
            with contextlib.suppress(OSError):
                part.unlink()
        raise


def _signed(
    files: Iterable[tuple[str, Iterable[bytes]]], sign: Sign | None
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield ``files``, and behind ``evidence.json`` what its signature consists of."""
    for name, chunks in files:
        if name != "evidence.json" or sign is None:
            yield name, chunks
            continue
        content = b"".join(chunks)
        yield name, (content,)
        for beside, signature in sign(content).items():
            yield beside, (signature,)


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    # A part left by a crash is replaced; a link planted in its place is not followed.
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(fd, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[int]:
    """Hold the folder's lock, which dies with the process; yield its descriptor."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            message = f"another process is writing the report in {folder}"
            raise UsageError(
                message, code="report_busy", hint="wait until it has ended"
            ) from exc
        except OSError:
            # Some network file systems have no locks on folders; two writers at once
            # are unlikely, and a report can always be written again.
            pass
        yield fd
    finally:
        os.close(fd)


def _hint(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, then write it again: batch-reenroll report CAMPAIGN"
    return "name a folder that can be written with --reports DIR"
