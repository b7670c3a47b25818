"""The journal's chain, checked line by line; every break with its line.

Each line holds, as ``prev``, the SHA-256 of the line before it (64 zeros in the first),
and as ``seq`` its number from 0; the head is the SHA-256 of the last line. A line is
vouched for by the next one, and the last by the head. So a *link* that does not hold
says that the line before it was changed, provided that the line behind it is itself
vouched for; where it is not, the line before cannot be told to be whole
(``line_unvouched``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from batch_reenroll.evidence.canonical import NotCanonical, canonical, parsed
from batch_reenroll.evidence.findings import Faults

_FIRST_PREV = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broken:
    """A link that does not hold: the line it starts from, and both digests."""

    line: int
    sealed: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ahead:
    """A line whose seq is greater than expected; the next one tells why.

    Lines are missing before it, or it is itself out of place.
    """

    line: int
    seq: int
    expected: int
    digest: str


class Chain:
    """Reads a journal once, in bounded memory.

    Args:
        file: Its name, for the faults.
        faults: Where they go.
        heads: Digests that ``evidence.json`` and ``summary.json`` give as its head.

    Attributes:
        n_lines: Lines read so far.
        head: SHA-256 of the last line that stands in its place, or 64 zeros.
    """

    def __init__(self, file: str, faults: Faults, heads: Collection[str]) -> None:
        self._file = file
        self._faults = faults
        self._heads = frozenset(heads)
        self.n_lines = 0
        self.head = _FIRST_PREV
        # The last line in its place: its number in the file, and its seq.
        self._line, self._seq = 0, -1
        self._head_seen_at = 0
        # Unreadable lines since then: what they hold in prev and seq is not known.
        self._n_unreadable = 0
        self._broken: _Broken | None = None
        self._ahead: _Ahead | None = None

    def add(self, raw: bytes, *, ended: bool = True) -> Mapping[str, Any] | None:
        """Check the next line.

        Args:
            raw: Without its line feed.
            ended: Whether there was one.

        Returns:
            The event, or None where it cannot be read.
        """
        self.n_lines += 1
        if not ended:
            message = "the last line does not end with a line feed"
            self._add("no_line_end", self.n_lines, message)
        digest = hashlib.sha256(raw).hexdigest()
        event = self._read(raw)
        if event is None:
            self._take_ahead()
            self._n_unreadable += 1
            self.head, self._line = digest, self.n_lines
        else:
            self._place(event, digest)
        if digest in self._heads:
            self._head_seen_at = self.n_lines
        return event

    def skip(self, why: str) -> None:
        """Count a line that is too long to be read."""
        self.n_lines += 1
        self._take_ahead()
        self._n_unreadable += 1
        self.head, self._line = "", self.n_lines
        self._add("not_canonical", self.n_lines, why)

    def end(self, n_expected: int | None) -> None:
        """Check the end against the head.

        Args:
            n_expected: Lines that ``evidence.json`` says there are, or None.
        """
        self._take_ahead()
        if not self._heads or self.head in self._heads:
            self._settle("line_changed")
        elif self._head_seen_at:
            self._settle("line_changed")
            message = (
                f"lines {self._head_seen_at + 1} to {self.n_lines} were added: the "
                f"head that was noted is line {self._head_seen_at}"
            )
            self._add("lines_added", self._head_seen_at + 1, message)
        elif n_expected is not None and self._n_in_place() < n_expected:
            self._settle("line_changed")
            n_missing = n_expected - self._n_in_place()
            message = f"the journal was cut: {n_missing} lines are missing at its end"
            lines = (n_expected, self.n_lines)
            self._add("lines_missing", self.n_lines or None, message, *lines)
        else:
            self._settle("line_unvouched")
            self._broken = _Broken(
                line=self._line,
                sealed=" or ".join(sorted(self._heads)),
                found=self.head,
            )
            self._settle("line_changed")

    def _n_in_place(self) -> int:
        return self._seq + 1 + self._n_unreadable

    def _read(self, raw: bytes) -> Mapping[str, Any] | None:
        line = self.n_lines
        try:
            event = parsed(raw)
            whole = canonical(event)
        except NotCanonical as exc:
            self._add("not_canonical", line, f"not canonical JSON (RFC 8785): {exc}")
            return None
        except RecursionError:
            self._add("not_canonical", line, "nested too deeply to be read")
            return None
        if whole != raw:
            at = _first_difference(whole, raw)
            message = f"not canonical JSON (RFC 8785) from byte {at + 1} on"
            self._add(
                "not_canonical", line, message, _around(whole, at), _around(raw, at)
            )
        return event

    def _place(self, event: Mapping[str, Any], digest: str) -> None:
        """Put a line that can be read behind the last one, and judge the link."""
        seq, prev = event.get("seq"), event.get("prev")
        found = seq if isinstance(seq, int) and not isinstance(seq, bool) else None
        self._judge_ahead(found, prev)
        expected = self._n_in_place()
        if prev == self.head:
            self._settle("line_changed")
            if found != expected:
                message = "seq does not count on from the line before"
                self._add("seq_wrong", self.n_lines, message, expected, seq)
            found = expected
        elif found is not None and found > expected:
            self._ahead = _Ahead(
                line=self.n_lines,
                seq=found,
                expected=expected,
                digest=digest,
            )
            return
        elif found is not None and found <= self._seq:
            # It is set aside, and the next line is held against the one before it.
            self._misplaced(self.n_lines, expected, found)
            return
        else:
            # After unreadable lines seq may also be less than expected: one line that
            # was broken in two counts as two.
            found = expected if found is None else found
            self._break(str(prev))
        self.head, self._line, self._seq = digest, self.n_lines, found
        self._n_unreadable = 0

    def _judge_ahead(self, found: int | None, prev: object) -> None:
        """Decide by the next line what the line that jumped ahead is."""
        ahead = self._ahead
        if ahead is None:
            return
        goes_back = found is not None and self._seq < found <= ahead.seq
        if prev != ahead.digest and goes_back:
            self._ahead = None
            self._misplaced(ahead.line, ahead.expected, ahead.seq)
        else:
            self._take_ahead()

    def _take_ahead(self) -> None:
        """Take the line that jumped ahead for one that has lost those before it."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return
        self._settle("line_changed")
        n = ahead.seq - ahead.expected
        which = f"seq {ahead.expected}" + (f" to {ahead.seq - 1}" if n > 1 else "")
        message = f"{n} line{'' if n == 1 else 's'} missing before this one: {which}"
        self._add("lines_missing", ahead.line, message, ahead.expected, ahead.seq)
        self.head, self._line, self._seq = ahead.digest, ahead.line, ahead.seq
        self._n_unreadable = 0

    def _misplaced(self, line: int, expected: int, found: int) -> None:
        message = "a line that was added, or that belongs elsewhere"
        self._add("line_out_of_place", line, message, expected, found)

    def _break(self, prev: str) -> None:
        if self._line == 0:
            message = "the first line does not begin a chain"
            self._add("genesis_prev", self.n_lines, message, _FIRST_PREV, prev)
            return
        self._settle("line_unvouched")
        # What cannot be read has been said already.
        if not self._n_unreadable:
            self._broken = _Broken(line=self._line, sealed=prev, found=self.head)

    def _settle(self, code: str) -> None:
        """Say what the last broken link means, if there is one."""
        broken, self._broken = self._broken, None
        if broken is None:
            return
        message = {
            "line_changed": "the line was changed: its SHA-256 is not what was noted",
            "line_unvouched": "the line cannot be told to be whole: the line after it, "
            "which holds its SHA-256, was itself changed",
        }[code]
        self._add(code, broken.line, message, broken.sealed, broken.found)

    def _add(
        self,
        code: str,
        line: int | None,
        message: str,
        expected: object = "",
        found: object = "",
    ) -> None:
        self._faults.add(
            code, self._file, line, message, expected=expected, found=found
        )


def _first_difference(one: bytes, other: bytes) -> int:
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))


def _around(text: bytes, at: int) -> str:
    return text[max(0, at - 10) : at + 30].decode("utf-8", "replace")
