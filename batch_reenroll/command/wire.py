"""Reading Command's JSON leniently: what versions do differently is settled here.

Pure. Keys are found in any case and may be missing or null; numbers may be text;
unknown keys do not matter (keyfactor-command.md 2.4, 4, 12). Only what a decision
cannot do without is required, and its lack is a :class:`ContractViolation`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any, TypeVar

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.secret import Redactor
from batch_reenroll.errors import ContractViolation
from batch_reenroll.text import parse_time, visible

E = TypeVar("E", bound=IntEnum)

#: Longest excerpt of a body that an error keeps, in UTF-8 bytes.
MAX_EXCERPT_BYTES = 2048

_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_INT64 = range(-(2**63), 2**63)
_NO_GUID = "00000000-0000-0000-0000-000000000000"


class Fields:
    """One JSON object, its keys in any case. Every reader is total but the required.

    Raises:
        ContractViolation: By the constructor, when ``value`` is not an object; by
            :meth:`required_guid` and :meth:`required_int`.
    """

    __slots__ = ("_items",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, Mapping):
            message = f"expected an object, got {_kind(value)}"
            raise ContractViolation(message)
        self._items = {str(key).lower(): item for key, item in value.items()}

    def raw(self, name: str) -> Any:
        """Return the value as decoded, None where it is missing."""
        return self._items.get(name.lower())

    def text(self, name: str) -> str:
        """Return the value as text; empty for null, missing, objects and lists."""
        value = self.raw(name)
        if isinstance(value, str):
            return value
        if isinstance(value, int | float):
            return json.dumps(value) if _printable(value) else ""
        return ""

    def integer(self, name: str) -> int | None:
        """Return an int64, also from text and from a float without fraction."""
        return _integer(self.raw(name))

    def flag(self, name: str) -> bool | None:
        """Return a boolean, also from ``"true"``/``"false"`` and 0/1; else None."""
        value = self.raw(name)
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.strip().lower())
        if isinstance(value, bool) or value in (0, 1):
            return bool(value)
        return None

    def moment(self, name: str) -> datetime | None:
        """Return a time as aware UTC; one without zone is UTC; None if unreadable."""
        return parse_time(self.text(name))

    def guid(self, name: str) -> str | None:
        """Return a GUID in lower case, None where it is missing or all zeros."""
        text = self.text(name).strip().strip("{}").lower()
        return text if text and text != _NO_GUID else None

    def items(self, name: str) -> list[Any]:
        """Return a list, empty where the value is none."""
        value = self.raw(name)
        return value if isinstance(value, list) else []

    def child(self, name: str) -> Fields:
        """Return a nested object, an empty one where the value is none."""
        value = self.raw(name)
        return Fields(value if isinstance(value, Mapping) else {})

    def enum(self, name: str, kind: type[E], unknown: E) -> E:
        """Return a member by number or name in any case, ``unknown`` for all else."""
        number = self.integer(name)
        if number is not None:
            return _member(kind, number, unknown)
        word = re.sub(r"[\s_-]", "", self.text(name)).lower()
        for member in kind:
            if member.name.replace("_", "").lower() == word:
                return member
        return unknown

    def required_guid(self, name: str) -> str:
        """Return a GUID in lower case; its lack is a ContractViolation."""
        guid = self.guid(name)
        if guid is None:
            raise _missing(name)
        return guid

    def required_int(self, name: str) -> int:
        """Return an int64; its lack is a ContractViolation."""
        number = self.integer(name)
        if number is None:
            raise _missing(name)
        return number


def parse_list(answer: Answer, redactor: Redactor) -> list[Any]:
    """Return the JSON array in ``answer``; a lone object counts as a list of one.

    Raises:
        ContractViolation: The body is cut off, is no JSON, or is something else.
    """
    value = parse_json(answer, redactor)
    if isinstance(value, Mapping):
        return [value]
    if not isinstance(value, list):
        raise violation(answer, redactor, f"expected a list, got {_kind(value)}")
    return value


def parse_json(answer: Answer, redactor: Redactor) -> Any:
    """Return the JSON value in ``answer``.

    Raises:
        ContractViolation: The body is cut off or no JSON; with an excerpt of it.
    """
    if answer.truncated:
        raise violation(answer, redactor, "the answer is too long to be read whole")
    try:
        return json.loads(answer.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise violation(answer, redactor, "the answer is not JSON") from None


def violation(answer: Answer, redactor: Redactor, reason: str) -> ContractViolation:
    """Return the error for an answer that cannot be read, with an excerpt of it."""
    shown = excerpt(answer, redactor)
    what = f"{reason} (status {answer.status})"
    hint = ""
    if shown[:1] == "<":
        hint = "an HTML page: check KEYFACTOR_HOSTNAME and KEYFACTOR_API_PATH"
    message = f"{what}: {shown}" if shown else f"{what}, and it is empty"
    return ContractViolation(message, status=answer.status, hint=hint)


def excerpt(answer: Answer, redactor: Redactor) -> str:
    """Return the body's beginning, redacted and printable, at most 2 KiB."""
    # Redacted before it is cut: a cut could leave half a secret. Escapes make text
    # up to six times as long, so the cut comes last.
    text = answer.body[: 16 * MAX_EXCERPT_BYTES].decode("utf-8", "replace")
    shown = visible(redactor.clean(text)).strip()
    raw = shown.encode()
    if len(raw) <= MAX_EXCERPT_BYTES:
        return shown
    kept = raw[: MAX_EXCERPT_BYTES - 3].decode("utf-8", "ignore")
    return f"{kept}…"


def _member(kind: type[E], number: int, unknown: E) -> E:
    try:
        return kind(number)
    except ValueError:
        return unknown


def _integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and value in _INT64 else None


def _printable(value: float) -> bool:
    # Python refuses to print integers of thousands of digits.
    return not isinstance(value, int) or value.bit_length() <= 1024


def _missing(name: str) -> ContractViolation:
    return ContractViolation(f"{name} is missing or not what it should be")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean"}
    return names.get(type(value), "a number")
