"""Values made uniform before they are judged: GUIDs, thumbprints, JSON cells, names.

What cannot be made uniform is left as it is for the schema to refuse, except where
only the reading itself can tell what is wrong (JSON in a cell): then a fault says it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from batch_reenroll.manifest.rules import Fault, shown

_GUID = re.compile(
    r"(?:urn:uuid:)?([{(]?)([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})"
    r"-?([0-9a-f]{12})([})]?)",
    re.IGNORECASE | re.ASCII,
)
_BRACKETS = {"": "", "{": "}", "(": ")"}
# Windows' certificate dialog puts a left-to-right mark in front of what is copied.
_THUMBPRINT_NOISE = re.compile("[\\s:\u200e]+")
_SAN_PART = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*:\s*(\S(?:.*\S)?)\s*", re.DOTALL)
_MAX_DEPTH = 16

_GUIDS = ("KeystoreId", "AgentGuid")


def guid(text: str) -> str:
    """Return a GUID lower-case and dashed; any other text unchanged."""
    match = _GUID.fullmatch(text)
    if match is None or _BRACKETS[match.group(1)] != match.group(7):
        return text
    return "-".join(match.group(2, 3, 4, 5, 6)).lower()


def thumbprint(text: str) -> str:
    """Return ``text`` lower-case without colons and white space."""
    return _THUMBPRINT_NOISE.sub("", text).lower()


def normalised(values: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """Return the row's or the defaults' values by column, uniform in form.

    Args:
        values: Text from CSV cells, or what YAML gave; blank text and null mean
            "not given".
        faults: Grows by what only the reading can tell.

    Returns:
        A new dict, the same keys less those not given and those with a fault.
    """
    row: dict[str, Any] = {}
    for key, given in values.items():
        value = given.strip() if isinstance(given, str) and key != "Alias" else given
        if value is None or value == "" or (key == "Alias" and _blank(value)):
            continue
        try:
            row[key] = _uniform(key, value)
        except _Unreadable as reason:
            faults.append(Fault(_CODES[key], f"{key}: {reason}", key))
    return row


def _blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


class _Unreadable(Exception):
    """Why a cell cannot be read."""


def _uniform(key: str, value: Any) -> Any:
    if key == "JobProperties":
        return job_properties(value)
    if key in ("Metadata", "AdditionalEnrollmentFields"):
        return pairs(value)
    if key == "SANs":
        return sans(value) if isinstance(value, str) else value
    if key == "EnrollmentPatternId":
        return _whole_number(value) if isinstance(value, str) else value
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML without quotes; the reader let it pass because its text is exactly this.
        value = str(value)
    if isinstance(value, str):
        if key in _GUIDS:
            return guid(value)
        if key == "CurrentThumbprint":
            return thumbprint(value)
    return value


_CODES = {
    "JobProperties": "job_properties_invalid",
    "SANs": "sans_invalid",
    "Metadata": "metadata_invalid",
    "AdditionalEnrollmentFields": "enrollment_fields_invalid",
}


def _whole_number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


def job_properties(value: Any) -> Any:
    """Return the object that a cell, a mapping or an array of pairs stands for."""
    if isinstance(value, str):
        value = _parsed_json(value)
        if not isinstance(value, dict | list):
            raise _Unreadable("the JSON is no object")
    if not isinstance(value, list):
        return value
    merged: dict[str, Any] = {}
    for item in value:
        if not isinstance(item, dict) or len(item) != 1:
            raise _Unreadable("each item of the array must be an object with one pair")
        (key,) = item
        if key in merged:
            raise _Unreadable(f"key {shown(key)} stands twice")
        merged.update(item)
    return merged


def pairs(value: Any) -> Any:
    """Return the object of texts that a cell or a mapping stands for.

    Whole numbers become text: so YAML reads digits without quotes, and the API takes
    text only (keyfactor-command.md 1.1).
    """
    if isinstance(value, str):
        value = _parsed_json(value)
        if not isinstance(value, dict):
            raise _Unreadable("the JSON is no object")
    if not isinstance(value, dict):
        return value
    return {
        name: str(item)
        if isinstance(item, int) and not isinstance(item, bool)
        else item
        for name, item in value.items()
    }


def sans(text: str) -> Any:
    """Return kind -> values from a JSON object or from ``dns:a|dns:b``."""
    if text.startswith("{"):
        return _parsed_json(text)
    kinds: dict[str, list[str]] = {}
    spelling: dict[str, str] = {}
    for part in text.split("|"):
        match = _SAN_PART.fullmatch(part)
        if match is None:
            raise _Unreadable(f"{shown(part)} is not a kind, a colon and a value")
        kind = spelling.setdefault(match.group(1).casefold(), match.group(1))
        kinds.setdefault(kind, []).append(match.group(2))
    return kinds


def _parsed_json(text: str) -> Any:
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        message = f"not JSON at character {error.pos + 1}: {error.msg}"
        raise _Unreadable(message) from None
    except RecursionError:
        raise _Unreadable(f"nested deeper than {_MAX_DEPTH} levels") from None
    except ValueError as error:
        # json lets int() speak for numbers of more digits than Python converts.
        raise _Unreadable("a number has too many digits") from error
    _check_tree(value, 0)
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Unreadable(f"key {shown(twice)} stands twice")
    return found


def _no_constant(word: str) -> NoReturn:
    raise _Unreadable(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Unreadable(f"number {shown(text)} is too large")
    return number


def _check_tree(value: Any, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _Unreadable(f"nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_tree(key, depth)
            _check_tree(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_tree(item, depth + 1)
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Unreadable("half of a surrogate pair stands alone") from None


def with_named_pairs(
    row: dict[str, Any],
    column: str,
    named: Mapping[str, str],
    faults: list[Fault],
    source: str,
) -> None:
    """Add the ``<column>.<Name>`` columns to the pairs of the row's column.

    Args:
        row: Changed in place where ``named`` holds anything.
        column: ``JobProperties`` or another column of pairs.
        named: Name -> text; no blank text.
        faults: Grows by one for each key that both give, and differently.
        source: Whence the row's pairs are, for the message.
    """
    base = row.get(column, {})
    if not named or not isinstance(base, dict):
        return
    merged = dict(base)
    for key, text in named.items():
        if key not in merged:
            merged[key] = text
        elif _as_cell(merged[key]) != text:
            where = f"{column}.{key}"
            message = (
                f"{where} is {shown(text)} but {source} says "
                f"{shown(_as_cell(merged[key]))}"
            )
            hint = "give it in one of the two places"
            faults.append(Fault(_CODES[column], message, where, hint=hint))
    row[column] = merged


def _as_cell(value: Any) -> str:
    return value if isinstance(value, str) else compact_json(value)


def compact_json(value: Any) -> str:
    """Return ``value`` as JSON without white space, in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_cell(value: Any) -> str:
    """Return what a CSV cell would hold for ``value``, a value from YAML."""
    if value is None:
        return ""
    return value if isinstance(value, str) else compact_json(value)
