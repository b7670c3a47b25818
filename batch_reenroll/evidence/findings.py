"""What a check of evidence finds: faults, each with its place; all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from batch_reenroll.text import visible

#: Faults kept of one file. More are counted: a file of a million wrong lines must not
#: fill the memory of who checks it.
MAX_FAULTS_PER_FILE = 1_000

_TEXT_LIMIT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that does not hold.

    Attributes:
        code: Stable lower_snake_case name of the kind of fault.
        file: Name of the file in the folder, printable.
        line: 1-based line of the file, or None where no line can be named.
        message: What does not hold.
        expected, found: The two values that should be the same, printable; "" where
            there is none to show.
    """

    code: str
    file: str
    line: int | None
    message: str
    expected: str
    found: str

    def as_json(self) -> dict[str, str | int | None]:
        """Return the fault as ``--output json`` shows it."""
        return {
            "code": self.code,
            "file": self.file,
            "line": self.line,
            "message": self.message,
            "expected": self.expected,
            "found": self.found,
        }


class Faults:
    """Every fault of one check, at most :data:`MAX_FAULTS_PER_FILE` of a file kept.

    Attributes:
        kept: In the order in which they were found.
        total: All that were found, n >= ``len(kept)``.
    """

    def __init__(self) -> None:
        self.kept: list[Fault] = []
        self.total = 0
        self._of_file: Counter[str] = Counter()

    def add(
        self,
        code: str,
        file: str,
        line: int | None,
        message: str,
        *,
        expected: object = "",
        found: object = "",
    ) -> None:
        """Take in one fault; its texts may be anybody's."""
        self.total += 1
        self._of_file[file] += 1
        if self._of_file[file] > MAX_FAULTS_PER_FILE:
            return
        self.kept.append(
            Fault(
                code=code,
                file=visible(file, _TEXT_LIMIT),
                line=line,
                message=visible(message, 2 * _TEXT_LIMIT),
                expected=visible(str(expected), _TEXT_LIMIT),
                found=visible(str(found), _TEXT_LIMIT),
            )
        )

    def same(
        self, file: str, what: str, *, expected: object, found: object, line: int | None
    ) -> None:
        """Add a ``mismatch`` fault unless ``expected`` and ``found`` are the same."""
        if type(expected) is not type(found) or expected != found:
            message = f"{what} is not the same as elsewhere"
            self.add("mismatch", file, line, message, expected=expected, found=found)
