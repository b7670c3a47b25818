"""Canonical JSON (RFC 8785), written a second time.

The journal's writer has a canonicaliser of its own. This one shares nothing with it,
so that a mistake in the one shows against the other. It knows what a journal may hold:
objects, arrays, text, true, false, null, and whole numbers that a double holds
exactly. Anything else is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

#: RFC 8785 3.2.2.3 sends numbers through a double: exact up to here (2**53).
_MAX_WHOLE = 9_007_199_254_740_992

#: RFC 8785 3.2.2.2: these seven have an escape of two characters, all others below
#: U+0020 one of six; nothing else is escaped.
_SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
_ESCAPED = re.compile(r'["\\\x00-\x1f]')
_LONE = re.compile("[\ud800-\udfff]")


class NotCanonical(ValueError):
    """The value has no canonical form that a journal may hold; says why."""


def canonical(value: object) -> bytes:
    """Return the canonical form of ``value`` in UTF-8.

    Raises:
        NotCanonical: It holds what a journal may not.
    """
    return _text(value).encode()


def parsed(raw: bytes) -> Mapping[str, Any]:
    """Return the JSON object in ``raw``.

    Raises:
        NotCanonical: It is no UTF-8, no JSON, no object, or nested too deeply.
    """
    try:
        value = json.loads(raw.decode(), parse_constant=_no_constant)
    except NotCanonical:
        raise
    except UnicodeDecodeError as exc:
        message = f"byte {exc.start + 1} is not UTF-8"
        raise NotCanonical(message) from exc
    except json.JSONDecodeError as exc:
        message = f"no JSON at character {exc.pos + 1}: {exc.msg}"
        raise NotCanonical(message) from exc
    except (ValueError, RecursionError) as exc:
        # A number of thousands of digits, or arrays in arrays without end.
        message = "no JSON that can be read"
        raise NotCanonical(message) from exc
    if not isinstance(value, dict):
        message = "no JSON object"
        raise NotCanonical(message)
    return value


def _no_constant(name: str) -> object:
    message = f"{name} is no JSON"
    raise NotCanonical(message)


def _text(value: object) -> str:
    if isinstance(value, str):
        return _string(value)
    # bool first: True is an int.
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return _number(value)
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    message = f"{value!r} is no whole number"
    raise NotCanonical(message)


def _number(value: int) -> str:
    if abs(value) > _MAX_WHOLE:
        message = "a whole number beyond 2**53"
        raise NotCanonical(message)
    return str(value)


def _object(value: Mapping[str, object]) -> str:
    # RFC 8785 3.2.3 sorts by UTF-16 code units; for ASCII that is the order of text.
    names = sorted(value)
    if not all(name.isascii() for name in names):
        names.sort(key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    pairs = (f"{_string(name)}:{_text(value[name])}" for name in names)
    return "{" + ",".join(pairs) + "}"


def _string(text: str) -> str:
    if not text.isascii() and _LONE.search(text) is not None:
        message = "half a surrogate pair"
        raise NotCanonical(message)
    shown = text if _ESCAPED.search(text) is None else _ESCAPED.sub(_escape, text)
    return f'"{shown}"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _SHORT.get(character) or f"\\u{ord(character):04x}"
