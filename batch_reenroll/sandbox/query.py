"""Command's query language: ``(Result -eq "4" OR Agent -contains "x") AND …``.

Grammar (keyfactor-command.md 2.3)::

    query  = term *( OR term )
    term   = factor *( AND factor )
    factor = "(" query ")" / field operator value

undocumented: AND binds tighter than OR; text is compared without regard to case; a
quote inside a quoted value cannot be escaped; ``NULL`` in quotes is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")
Test = Callable[[T], bool]
Scalar = str | int | float | bool | None

#: undocumented: longest query and deepest nesting that we read.
MAX_QUERY_CHARS = 16_384
MAX_DEPTH = 50


class QueryError(ValueError):
    """The query cannot be read; the message names the fault."""


class Kind(StrEnum):
    """What a field holds, which decides its operators and its values."""

    TEXT = "string"
    GUID = "guid"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """One queryable field of a row; dates are seconds since the epoch.

    Attributes:
        kind: What it holds.
        get: Reads it from a row; None means NULL.
        names: Words that stand for numbers, lower-case (``failure`` = 4).
    """

    kind: Kind
    get: Callable[[T], Scalar]
    names: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What relative values mean: the moment (epoch seconds) and the caller."""

    now: float
    me: str


_TOKEN = re.compile(
    r'\s*(?:(?P<open>\()|(?P<close>\))|"(?P<quoted>[^"]*)"|(?P<word>[^\s()"]+))'
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise QueryError(f"a quote at position {at} is not closed")
        kind = str(match.lastgroup)
        yield _Token(kind, match.group(kind))
        at = match.end()


def compile_query(
    text: str, fields: Mapping[str, Field[T]], context: Context
) -> Test[T]:
    """Return the test that ``text`` stands for.

    Args:
        text: The query; an empty one matches everything.
        fields: By lower-case name.
        context: What ``%TODAY%`` and ``%ME%`` mean.

    Raises:
        QueryError: Bad syntax, unknown field, or a value the field cannot have.
    """
    if len(text) > MAX_QUERY_CHARS:
        raise QueryError(f"the query is longer than {MAX_QUERY_CHARS} characters")
    if not text.strip():
        return lambda _row: True
    return _Parser(list(_tokens(text)), fields, context).whole()


def words_of(text: str) -> frozenset[str]:
    """Return the words of a query in lower case, its fields among them.

    Raises:
        QueryError: A quote is not closed.
    """
    return frozenset(t.text.lower() for t in _tokens(text) if t.kind == "word")


def named_by(test: Test[T], get: Callable[[T], Scalar]) -> frozenset[Scalar] | None:
    """Return the only values that ``get`` may read from a row which passes ``test``.

    None where the query does not name them; rows with these values may still fail it.
    """
    if isinstance(test, _Equal):
        return frozenset([test.wanted]) if test.get is get else None
    if isinstance(test, _All):
        parts = (named_by(part, get) for part in test.parts)
        return next((part for part in parts if part is not None), None)
    if isinstance(test, _Any):
        found: frozenset[Scalar] = frozenset()
        for part in test.parts:
            named = named_by(part, get)
            if named is None:
                return None
            found |= named
        return found
    return None


@dataclass(frozen=True, slots=True)
class _Equal(Generic[T]):
    get: Callable[[T], Scalar]
    wanted: Scalar

    def __call__(self, row: T) -> bool:
        held = self.get(row)
        return held is not None and held == self.wanted


@dataclass(frozen=True, slots=True)
class _Any(Generic[T]):
    parts: tuple[Test[T], ...]

    def __call__(self, row: T) -> bool:
        return any(part(row) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _All(Generic[T]):
    parts: tuple[Test[T], ...]

    def __call__(self, row: T) -> bool:
        return all(part(row) for part in self.parts)


class _Parser(Generic[T]):
    def __init__(
        self,
        tokens: list[_Token],
        fields: Mapping[str, Field[T]],
        context: Context,
    ) -> None:
        self._tokens = tokens
        self._fields = fields
        self._context = context
        self._at = 0

    def whole(self) -> Test[T]:
        test = self._any(0)
        if self._at < len(self._tokens):
            raise QueryError(f"unexpected {self._tokens[self._at].text[:40]!r}")
        return test

    def _next(self, expected: str) -> _Token:
        if self._at >= len(self._tokens):
            raise QueryError(f"the query ends where {expected} is expected")
        self._at += 1
        return self._tokens[self._at - 1]

    def _joined_by(self, word: str) -> bool:
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "word" and token.text.upper() == word:
                self._at += 1
                return True
        return False

    def _any(self, depth: int) -> Test[T]:
        tests = [self._all(depth)]
        while self._joined_by("OR"):
            tests.append(self._all(depth))
        if len(tests) == 1:
            return tests[0]
        return _Any(tuple(tests))

    def _all(self, depth: int) -> Test[T]:
        tests = [self._factor(depth)]
        while self._joined_by("AND"):
            tests.append(self._factor(depth))
        if len(tests) == 1:
            return tests[0]
        return _All(tuple(tests))

    def _factor(self, depth: int) -> Test[T]:
        token = self._next("a field")
        if token.kind == "open":
            if depth >= MAX_DEPTH:
                raise QueryError(f"more than {MAX_DEPTH} nested parentheses")
            test = self._any(depth + 1)
            if self._next("')'").kind != "close":
                raise QueryError("expected ')'")
            return test
        if token.kind != "word":
            raise QueryError(f"expected a field, got {token.text[:40]!r}")
        field = self._fields.get(token.text.lower())
        if field is None:
            raise QueryError(f"unknown field {token.text[:40]!r}")
        return self._comparison(token.text, field)

    def _comparison(self, name: str, field: Field[T]) -> Test[T]:
        operator = self._next(f"an operator for {name[:40]!r}")
        value = self._next(f"a value for {name[:40]!r}")
        if value.kind not in ("word", "quoted"):
            raise QueryError(f"expected a value for {name[:40]!r}")
        code = operator.text.lower() if operator.kind == "word" else ""
        null = value.kind == "word" and value.text.upper() == "NULL"
        if null:
            return _null_test(code, field)
        table = _TEXT_TESTS if field.kind is Kind.TEXT else _ORDER_TESTS
        if field.kind in (Kind.GUID, Kind.BOOLEAN):
            table = {code: table[code] for code in ("-eq", "-ne")}
        compare = table.get(code)
        if compare is None:
            raise QueryError(f"{operator.text[:40]!r} does not fit {name[:40]!r}")
        wanted = _value(value.text, field, self._context)
        get = field.get
        if field.kind is Kind.TEXT:
            return lambda row: compare(_folded(get(row)), wanted)
        if code == "-eq":
            return _Equal(get, wanted)
        return lambda row: compare(get(row), wanted)


def _folded(value: Scalar) -> Scalar:
    return value.casefold() if isinstance(value, str) else value


def _null_test(code: str, field: Field[T]) -> Test[T]:
    get = field.get
    if code == "-eq":
        return lambda row: get(row) is None
    if code == "-ne":
        return lambda row: get(row) is not None
    raise QueryError("NULL goes with -eq and -ne only")


def _ordered(test: Callable[[float, float], bool]) -> Callable[[Scalar, Scalar], bool]:
    def compare(held: Scalar, wanted: Scalar) -> bool:
        if isinstance(held, str) or isinstance(wanted, str):
            return False
        return held is not None and wanted is not None and test(held, wanted)

    return compare


_ORDER_TESTS: Mapping[str, Callable[[Scalar, Scalar], bool]] = {
    "-eq": lambda held, wanted: held is not None and held == wanted,
    "-ne": lambda held, wanted: held is None or held != wanted,
    "-lt": _ordered(lambda held, wanted: held < wanted),
    "-le": _ordered(lambda held, wanted: held <= wanted),
    "-gt": _ordered(lambda held, wanted: held > wanted),
    "-ge": _ordered(lambda held, wanted: held >= wanted),
}
_TEXT_TESTS: Mapping[str, Callable[[Scalar, Scalar], bool]] = {
    "-eq": lambda held, wanted: held is not None and held == wanted,
    "-ne": lambda held, wanted: held is None or held != wanted,
    "-contains": lambda held, wanted: str(wanted) in str(held or ""),
    "-notcontains": lambda held, wanted: str(wanted) not in str(held or ""),
    "-startswith": lambda held, wanted: str(held or "").startswith(str(wanted)),
    "-endswith": lambda held, wanted: str(held or "").endswith(str(wanted)),
}

_GUID = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?")
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_TODAY = re.compile(r"%today([+-]\d{1,5})?%", re.ASCII)


def _value(text: str, field: Field[T], context: Context) -> Scalar:
    """Return ``text`` as the field's kind holds it."""
    lower = text.strip().casefold()
    match field.kind:
        case Kind.TEXT:
            return context.me.casefold() if lower == "%me%" else text.casefold()
        case Kind.GUID:
            found = _GUID.fullmatch(lower)
            return found.group(1) if found else _unfit(text, field.kind)
        case Kind.INTEGER:
            if field.names and lower in field.names:
                return field.names[lower]
            return int(lower) if _INTEGER.fullmatch(lower) else _unfit(text, field.kind)
        case Kind.BOOLEAN:
            known = {"true": True, "false": False, "1": True, "0": False}
            return known[lower] if lower in known else _unfit(text, field.kind)
        case Kind.DATE:
            return _date(lower, context)


def _unfit(text: str, kind: Kind) -> Scalar:
    raise QueryError(f"{text[:40]!r} is not a valid {kind.value}")


def _date(text: str, context: Context) -> float:
    """Return the moment that ``text`` names.

    undocumented: literals are ISO 8601, UTC where they bear no zone; ``%TODAY%`` is
    midnight UTC.
    """
    relative = _TODAY.fullmatch(text)
    try:
        if relative:
            today = datetime.fromtimestamp(context.now, UTC).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            days = int(relative.group(1) or 0)
            return (today + timedelta(days=days)).timestamp()
        moment = datetime.fromisoformat(text.upper())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError) as exc:
        raise QueryError(f"{text[:40]!r} is not a valid date") from exc
