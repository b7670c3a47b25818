"""Values that may never be shown, and taking them out of somebody else's text."""

from __future__ import annotations

import base64
import hmac
import json
from collections import deque
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote, quote_plus

_MASK = "********"

# Taking a very short secret out of a text would show it by the holes it leaves.
_SHORTEST = 4

# A campaign of days refreshes its token hourly; the last few may still be echoed.
_TOKENS_KEPT = 8


class Secret:
    """A text whose ``repr``, ``str`` and ``format`` never show it.

    ``reveal()`` is the one way to the value, so that a search finds every use.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    def __str__(self) -> str:
        return _MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = _bytes(self._value), _bytes(other._value)
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        message = "a Secret is not pickled"
        raise TypeError(message)


class Redactor:
    """Takes the secrets it was told out of any text, in the forms they travel in.

    Secrets shorter than four characters are left alone.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._fixed: set[str] = set().union(*map(_forms, secrets))
        self._tokens: deque[set[str]] = deque(maxlen=_TOKENS_KEPT)
        self._known = _longest_first(self._fixed)

    def add_token(self, token: str) -> None:
        """Redact ``token`` too; the oldest of many tokens is forgotten."""
        self._tokens.append(_forms(token))
        self._known = _longest_first(self._fixed.union(*self._tokens))

    def clean(self, text: str) -> str:
        """Return ``text`` with every known secret replaced by asterisks."""
        for form in self._known:
            text = text.replace(form, _MASK)
        return text


def _longest_first(forms: set[str]) -> list[str]:
    # A form may be part of another.
    return sorted(forms, key=len, reverse=True)


def _forms(secret: str) -> set[str]:
    if len(secret) < _SHORTEST:
        return set()
    raw = _bytes(secret)
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(raw, safe=""),
        quote_plus(raw),
        base64.b64encode(raw).decode(),
    }


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
