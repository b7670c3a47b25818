"""Command's query language and the query strings that carry it (pure).

keyfactor-command.md 2.3: ``field -operator "value"``, joined by ``AND`` and ``OR``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

#: IIS refuses query strings above this by default (``maxQueryString``); Command runs
#: on IIS, and no limit of its own is documented.
MAX_QUERY_STRING_BYTES = 2048

Params = Sequence[tuple[str, str]]


def condition(field: str, operator: str, value: str) -> str:
    """Return ``field -operator "value"``.

    Raises:
        ValueError: ``value`` holds a double quote (nobody documents how to escape
            one) or a control character. Filter on the client instead.
    """
    if '"' in value or any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
        message = f"{value!r} cannot be written in a query: filter on the client"
        raise ValueError(message)
    return f'{field} -{operator} "{value}"'


def all_of(conditions: Iterable[str]) -> str:
    """Return the conditions joined by ``AND``; empty ones are left out."""
    return " AND ".join(part for part in conditions if part)


def any_of(conditions: Iterable[str]) -> str:
    """Return the conditions joined by ``OR``, in parentheses when there are several."""
    parts = [part for part in conditions if part]
    return f"({' OR '.join(parts)})" if len(parts) > 1 else "".join(parts)


def encode(params: Params) -> str:
    """Return ``params`` percent-encoded as a query string, spaces as ``%20``.

    Lone surrogates, which UTF-8 cannot carry, become ``?``.
    """
    return "&".join(
        f"{quote(name, safe='.')}={quote(value, safe='', errors='replace')}"
        for name, value in params
    )


def fits(params: Params) -> bool:
    """Return whether the encoded ``params`` pass a default IIS."""
    return len(encode(params)) <= MAX_QUERY_STRING_BYTES
