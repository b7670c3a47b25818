"""JSON Schema (draft 2020-12) of ``shapes`` and ``bodies``, in one dialect."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from batch_reenroll.sandbox.dialects import Dialect
from batch_reenroll.sandbox.marks import Rule, Spoken, Where

Schema = dict[str, Any]

_SCALARS: Mapping[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    object: {},
    types.NoneType: {"type": "null"},
}


class Schemas:
    """Makes schemas and keeps those of objects under their names.

    Args:
        dialect: Whose types they are.

    Attributes:
        named: The schema of each object, by name, as they come to be needed.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.named: dict[str, Schema] = {}
        self._makers: Mapping[object, Callable[[object, bool], Schema]] = {
            NotRequired: self._required,
            Annotated: self._annotated,
            Union: self._union,
            types.UnionType: self._union,
            list: self._list,
            dict: self._dict,
        }

    def of(self, kind: object, *, closed: bool) -> Schema:
        """Return the schema of a type; of an object, a reference to it.

        Args:
            kind: A scalar, a list, a dictionary with string keys, a TypedDict, a union
                of these, or any of them annotated.
            closed: It is what is sent: an object has no other keys, and a value that
                may be None is left out. Otherwise it is what is taken.

        Raises:
            TypeError: Another type.
        """
        if kind in _SCALARS:
            return dict(_SCALARS[kind])
        if is_typeddict(kind):
            return self._reference(kind, closed)
        make = self._makers.get(get_origin(kind))
        if make is None:
            raise TypeError(f"there is no schema of {kind!r}")
        return make(kind, closed)

    def _reference(self, kind: Any, closed: bool) -> Schema:
        name = kind.__name__.removesuffix("Json")
        if name not in self.named:
            self.named[name] = {}  # an object may hold its own kind
            self.named[name] = self._object(kind, closed)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: Any, closed: bool) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        there = {key: hint for key, hint in hints.items() if self._known(hint)}
        schema: Schema = {
            "type": "object",
            "description": kind.__doc__,
            "properties": {
                key: self.of(hint, closed=closed) for key, hint in there.items()
            },
            "required": [
                key for key, hint in there.items() if _is_needed(hint, closed)
            ],
        }
        if closed:
            schema["additionalProperties"] = False
        return schema

    def _known(self, hint: object) -> bool:
        return all(where.known(self._dialect) for where in _conditions(hint))

    def _required(self, kind: object, closed: bool) -> Schema:
        (inner,) = get_args(kind)
        return self.of(inner, closed=closed)

    def _annotated(self, kind: object, closed: bool) -> Schema:
        inner, *marks = get_args(kind)
        for mark in marks:
            if isinstance(mark, Spoken):
                inner = mark.by(self._dialect)
        schema = self.of(inner, closed=closed)
        for rule in marks:
            if isinstance(rule, Rule):
                schema |= _rule_schema(rule, schema.get("type"))
        return schema

    def _union(self, kind: object, closed: bool) -> Schema:
        members = [m for m in get_args(kind) if not (closed and m is types.NoneType)]
        schemas = [self.of(member, closed=closed) for member in members]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _list(self, kind: object, closed: bool) -> Schema:
        (item,) = get_args(kind)
        return {"type": "array", "items": self.of(item, closed=closed)}

    def _dict(self, kind: object, closed: bool) -> Schema:
        _, value = get_args(kind)
        inner = self.of(value, closed=closed)
        return {"type": "object", "additionalProperties": inner}


def _is_needed(hint: object, closed: bool) -> bool:
    # A key that a dialect sends at all, it always sends.
    return get_origin(hint) is not NotRequired or (closed and bool(_conditions(hint)))


def _conditions(hint: object) -> list[Where]:
    if get_origin(hint) is NotRequired:
        (hint,) = get_args(hint)
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return [mark for mark in marks if isinstance(mark, Where)]


def _rule_schema(rule: Rule, kind: object) -> Schema:
    what = "Items" if kind == "array" else "Length"
    given = {
        "format": rule.format,
        "pattern": rule.pattern,
        "minimum": rule.low,
        "maximum": rule.high,
        f"min{what}": rule.least,
        f"max{what}": rule.most,
        "enum": rule.values and list(rule.values),
    }
    return {word: value for word, value in given.items() if value is not None}
