"""JSON values into dataclasses, checked by their annotations: all faults at once."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from batch_reenroll.sandbox.exchange import SandboxError

R = TypeVar("R")


class BadShape(SandboxError):
    """A JSON value is not what it has to be.

    Attributes:
        problems: Each with its place in front, >= 1 of them.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def parse_json(data: bytes) -> Any:
    """Return the JSON value in ``data``: UTF-8, numbers finite, text well-formed.

    Raises:
        BadShape: It is no JSON.
    """
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as exc:
        raise BadShape([f"not JSON: {exc}"[:200]]) from exc
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def build(kind: type[R], value: object, where: str) -> R:
    """Return the ``kind`` that a JSON object describes.

    Args:
        kind: A dataclass of str, int, float, bool, None, Literal, tuple[X, ...],
            Mapping[str, X] and dataclasses of these.
        value: A parsed JSON value.
        where: What it is, for messages.

    Raises:
        BadShape: Everything that is wrong with its keys and types.
        SandboxError: What the dataclass itself refuses.
    """
    problems: list[str] = []
    built = _object(kind, value, where, problems)
    if problems:
        raise BadShape(problems)
    return built  # type: ignore[no-any-return]


def _object(kind: type, value: object, where: str, problems: list[str]) -> Any:
    if not isinstance(value, dict):
        problems.append(f"{where}: expected an object")
        return None
    hints, specs = get_type_hints(kind), {spec.name: spec for spec in fields(kind)}
    problems += [
        f"{where}: unknown key {name[:40]!r}" for name in value if name not in specs
    ]
    n_before = len(problems)
    problems += [
        f"{where}: {name} is required"
        for name, spec in specs.items()
        if name not in value
        and spec.default is MISSING
        and spec.default_factory is MISSING
    ]
    given = {
        name: _value(hints[name], item, f"{where}.{name}", problems)
        for name, item in value.items()
        if name in specs
    }
    return kind(**given) if len(problems) == n_before else None


def _value(hint: Any, value: object, where: str, problems: list[str]) -> Any:
    """Return ``value`` as ``hint`` has it; what does not fit is a problem."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(args, value, where, problems)
    if is_dataclass(hint) and isinstance(hint, type):
        return _object(hint, value, where, problems)
    if origin is tuple and isinstance(value, list):
        return tuple(
            _value(args[0], item, f"{where}[{n}]", problems)
            for n, item in enumerate(value)
        )
    if origin is Mapping and isinstance(value, dict):
        return {
            key: _value(args[1], item, f"{where}.{key[:40]}", problems)
            for key, item in value.items()
        }
    if not _is_plain(hint, value):
        problems.append(f"{where}: expected {_words(hint)}")
    return value


def _one_of(
    args: tuple[Any, ...], value: object, where: str, problems: list[str]
) -> Any:
    if value is None and types.NoneType in args:
        return None
    return _value(
        next(arg for arg in args if arg is not types.NoneType), value, where, problems
    )


def _is_plain(hint: Any, value: object) -> bool:
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if hint is float:
        return type(value) in (int, float) and _is_finite(value)
    return type(value) is hint


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond every float
        return False


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(item) for item in get_args(hint))
    origin = get_origin(hint) or hint
    return {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a string",
        tuple: "an array",
        Mapping: "an object",
    }[origin]
