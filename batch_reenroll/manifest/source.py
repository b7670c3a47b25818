"""Bytes of a manifest file, chunk by chunk: opened, hashed, cut into lines.

Files come in through an :data:`Opener`; what it raises becomes a fault here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import BinaryIO

from batch_reenroll.manifest.rules import CannotReadOn, Fault, shown

#: Opens a file for reading bytes. It may raise :class:`OSError`, and should raise
#: :class:`OutsideFolder` for a ``rows_from`` file that symbolic links lead elsewhere.
Opener = Callable[[PurePath], BinaryIO]

_CHUNK_BYTES = 1 << 18
#: A line longer than this is not kept, so that no file can fill the memory.
MAX_LINE_BYTES = 1 << 20
#: Longest value, in characters. Command's longest field is far shorter; a quote that
#: is never closed is noticed here.
MAX_CELL = 1 << 16

_LINE_END = re.compile(rb"\n|\r\n|\r(?!\Z)")
_BOM = b"\xef\xbb\xbf"
_FOREIGN_STARTS = (
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"PK\x03\x04", "a spreadsheet or ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet file"),
    (b"\x1f\x8b", "a gzip file"),
)


class OutsideFolder(OSError):
    """The file that ``rows_from`` names lies outside the manifest's folder."""


@contextmanager
def opened(path: PurePath, opener: Opener) -> Iterator[BinaryIO]:
    """Open ``path`` and close it again.

    Raises:
        CannotReadOn: It cannot be opened, or reading it failed inside the block.
    """
    try:
        with opener(path) as stream:
            yield stream
    except FileNotFoundError:
        message = f"there is no file {shown(path)}"
        raise CannotReadOn(Fault("file_missing", message)) from None
    except OutsideFolder:
        message = f"{shown(path)} lies outside the manifest's folder"
        raise CannotReadOn(Fault("rows_from_outside", message, "rows_from")) from None
    except (OSError, ValueError) as error:
        # ValueError: a NUL in the name, or a file closed under our hands.
        reason = error.strerror if isinstance(error, OSError) else None
        message = f"{shown(path)} cannot be read: {reason or type(error).__name__}"
        raise CannotReadOn(Fault("file_unreadable", message)) from error


class ByteSource:
    """The chunks of one file, hashed as they pass.

    Attributes:
        hash: SHA-256 of the bytes that have passed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._started = False
        self.hash = hashlib.sha256()

    def read(self, size: int = _CHUNK_BYTES) -> bytes:
        """Return 1 to ``size`` bytes, or none at the end; without byte order mark.

        Raises:
            CannotReadOn: The file begins as something that is not text does.
        """
        chunk = self._stream.read(size)
        self.hash.update(chunk)
        if not self._started and chunk:
            self._started = True
            # A pipe may hand out a first chunk that is shorter than any mark.
            while len(chunk) < 4 and (more := self._stream.read(size)):
                self.hash.update(more)
                chunk += more
            return _after_mark(chunk) or self.read(size)
        return chunk

    def exhaust(self) -> None:
        """Read to the end, so that :attr:`hash` is that of the whole file."""
        while self.read():
            pass


def _after_mark(chunk: bytes) -> bytes:
    for start, name in _FOREIGN_STARTS:
        if chunk.startswith(start):
            message = f"the file is {name}, not UTF-8 text"
            raise CannotReadOn(Fault("not_utf8", message, line=1))
    return chunk.removeprefix(_BOM)


def stretches(source: ByteSource) -> Iterator[tuple[bytes, int, bool]]:
    r"""Yield the file in stretches of whole lines; ``\n``, ``\r\n`` or ``\r`` ends one.

    Yields:
        The lines, the offset of the first byte (a byte order mark not counted), and
        whether they are one line only, cut because it is longer than
        :data:`MAX_LINE_BYTES`.
    """
    carry, offset, dropped = b"", 0, 0
    while chunk := source.read():
        text = carry + chunk
        end = _end_of_lines(text) if not dropped else _end_of_line(text)
        if end:
            yield text[:end], offset, dropped > 0
            offset += end + dropped
            dropped = 0
        carry = text[end:]
        if len(carry) > MAX_LINE_BYTES:
            # The last byte stays: it may be the first half of a line's end.
            dropped += len(carry) - 1
            carry = carry[-1:]
    if carry:
        yield carry, offset, dropped > 0


# A carriage return at the end may be the first half of a line's end.
def _end_of_lines(text: bytes) -> int:
    return max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1


def _end_of_line(text: bytes) -> int:
    found = _LINE_END.search(text)
    return 0 if found is None else found.end()


def text_faults(line: bytes, offset: int, line_no: int) -> list[Fault]:
    """Return why the bytes of a line are not text, n >= 0."""
    faults = []
    try:
        line.decode()
    except UnicodeDecodeError as error:
        place = f"byte {offset + error.start}: 0x{line[error.start]:02x}"
        message = f"{place} is not UTF-8"
        faults.append(Fault("not_utf8", message, line=line_no))
    if b"\0" in line:
        message = f"byte {offset + line.index(0)} is NUL"
        faults.append(Fault("nul_byte", message, line=line_no))
    return faults
