"""``evidence verify``: is a report folder what the tool wrote. Reads it and no more."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from batch_reenroll.cli.options import console_from, console_options
from batch_reenroll.cli.signing import trusted_keys
from batch_reenroll.cli.streams import ReaderGone
from batch_reenroll.errors import UsageError
from batch_reenroll.evidence import Checked, Digest, Fault, Faults, check_folder
from batch_reenroll.text import visible

F = TypeVar("F", bound=Callable[..., Any])

#: Of our exit codes: the evidence does not hold.
_DOES_NOT_HOLD = 11

_CHUNK_BYTES = 1 << 20

#: ``summary.json`` grows with orchestrators and causes, not with rows.
_MAX_SMALL_BYTES = 1 << 26

#: A manifest's line has at most 1 MiB; result cells add at most 3 MiB.
_MAX_SHEET_LINE_BYTES = 1 << 23


@click.group()
def evidence() -> None:
    """Check what an auditor gets."""


def _trusted(flag: str, text: str) -> Callable[[F], F]:
    return click.option(
        flag,
        metavar="FILE",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help=text,
    )


@evidence.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_trusted("--trusted-key", "PEM public key that must have signed; may be repeated.")
@_trusted("--trusted-cert", "The same, as a PEM certificate.")
@_trusted(
    "--trusted-approver", "PEM key or certificate that must have approved the plan."
)
@console_options
def verify(folder: Path, **values: Any) -> int:
    """Check the report folder DIR offline: files, journal, totals, signature.

    Says every fault with its file and line. Exits 0 when all of it holds, else 11.

    A folder that is not signed proves only that nothing in it was changed by accident
    or in one place: whoever writes all of it anew, digests and journal included, is
    not found. A signature proves who wrote it to those who pin the key with
    --trusted-key; an approval proves a second person with --trusted-approver only.
    """
    console = console_from(values)
    trusted = trusted_keys("--trusted-key", values["trusted_key"])
    trusted |= trusted_keys("--trusted-cert", values["trusted_cert"])
    approvers = trusted_keys("--trusted-approver", values["trusted_approver"])
    faults = Faults()
    checked = check_folder(
        ReportFolder(folder), faults, trusted=trusted, trusted_approvers=approvers
    )
    # The exit code tells whether it holds, whoever still reads.
    with contextlib.suppress(ReaderGone):
        if console.as_json:
            console.json(as_json(folder, checked, faults))
        else:
            for line in text_lines(folder, checked, faults):
                console.data(line)
    return _DOES_NOT_HOLD if faults.total else 0


class ReportFolder:
    """A report folder on disk. Nothing in it is followed but plain files.

    Raises:
        UsageError: There is no such folder, or it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._names = sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
        except OSError as exc:
            why = exc.strerror or type(exc).__name__
            message = f"{folder} is no report folder: {why}"
            hint = "name the folder of one campaign: reports/CAMPAIGN"
            raise UsageError(message, code="no_folder", hint=hint) from exc

    def digests(self) -> dict[str, Digest]:
        """Return everything in the folder by name, digested."""
        return {_printable(name): self._digest(name) for name in self._names}

    def _digest(self, name: str) -> Digest:
        sha256 = hashlib.sha256()
        n_bytes = 0
        try:
            with self._opened(name) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    sha256.update(chunk)
                    n_bytes += len(chunk)
        except OSError as exc:
            return Digest(why=exc.strerror or type(exc).__name__)
        return Digest(sha256=sha256.hexdigest(), n_bytes=n_bytes)

    def _opened(self, name: str) -> BinaryIO:
        # A link could lead anywhere, and a pipe would keep us waiting.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(self._folder / name, flags)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "it is no plain file")
        return os.fdopen(fd, "rb")

    def small(self, name: str) -> bytes | None:
        """Return a whole file, None where it is missing or larger than ours are."""
        try:
            with self._opened(name) as file:
                content = file.read(_MAX_SMALL_BYTES + 1)
        except OSError:
            return None
        return content if len(content) <= _MAX_SMALL_BYTES else None

    def lines(self, name: str, limit: int) -> Iterator[bytes]:
        """Yield a file's lines with their ends; one beyond ``limit`` bytes as b""."""
        with contextlib.suppress(OSError), self._opened(name) as file:
            while line := file.readline(limit + 1):
                if len(line) <= limit:
                    yield line
                    continue
                while line and not line.endswith(b"\n"):
                    line = file.readline(limit)
                yield b""

    def texts(self, name: str) -> Iterable[str] | None:
        """Yield a text file's lines with their ends; None where it is missing.

        Raises:
            ValueError: While they are read: no UTF-8, or a line that is too long.
        """
        return self._texts(name) if name in self._names else None

    def _texts(self, name: str) -> Iterator[str]:
        for line in self.lines(name, _MAX_SHEET_LINE_BYTES):
            if not line:
                message = f"a line of over {_MAX_SHEET_LINE_BYTES} bytes"
                raise ValueError(message)
            yield line.decode()


def _printable(name: str) -> str:
    # A name that is no UTF-8 is none of ours; it is shown, and never opened again.
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def as_json(folder: Path, checked: Checked, faults: Faults) -> dict[str, Any]:
    """Return what was found, for scripts."""
    approval = checked.approval
    return {
        "ok": not faults.total,
        "folder": str(folder),
        "campaign_id": checked.campaign_id,
        "files": checked.n_files,
        "bytes": checked.n_bytes,
        "journal_lines": checked.n_lines,
        "rows": checked.n_rows,
        "signed_by": None
        if not checked.signed.by
        else {
            "key": checked.signed.by,
            "subject": checked.signed.subject,
            "pinned": checked.signed.is_pinned,
        },
        "approved_by": None
        if approval is None
        else {
            "approver": approval.approver,
            "key": approval.key_id,
            "approved_at": approval.approved_at,
            "pinned": checked.is_approver_pinned,
        },
        "n_faults": faults.total,
        "faults": [fault.as_json() for fault in faults.kept],
    }


def text_lines(folder: Path, checked: Checked, faults: Faults) -> Iterator[str]:
    """Yield what was found, for a person: the faults, then the verdict."""
    for fault in faults.kept:
        yield _fault_text(fault)
    n_more = faults.total - len(faults.kept)
    if n_more:
        yield f"and {n_more} faults more"
    name = visible(checked.campaign_id or folder.name, 120)
    if faults.total:
        n = "1 fault" if faults.total == 1 else f"{faults.total} faults"
        yield f"the evidence of {name} does not hold: {n}"
    else:
        yield f"the evidence of {name} holds"
    yield (
        f"  {checked.n_files} files, {checked.n_bytes} bytes; "
        f"{checked.n_lines} journal lines; {checked.n_rows} rows"
    )
    yield f"  {_signed_text(checked)}"
    if checked.approval is not None:
        approval = checked.approval
        pinned = "" if checked.is_approver_pinned else " (not pinned)"
        yield (
            f"  approved by {approval.approver} at {approval.approved_at}, "
            f"key {approval.key_id}{pinned}"
        )


def _fault_text(fault: Fault) -> str:
    place = fault.file if fault.line is None else f"{fault.file}:{fault.line}"
    lines = [f"{place}: {fault.message} [{fault.code}]"]
    if fault.expected:
        lines.append(f"    expected: {fault.expected}")
    if fault.found:
        lines.append(f"    found:    {fault.found}")
    return "\n".join(lines)


def _signed_text(checked: Checked) -> str:
    signed = checked.signed
    if not signed.by:
        return (
            "not signed: it is whole in itself, but whoever can write to the folder "
            "could have written all of it"
        )
    who = f"{signed.subject}, key {signed.by}" if signed.subject else signed.by
    return f"signed by {who}" + ("" if signed.is_pinned else " (not pinned)")
