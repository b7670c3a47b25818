"""The JSON Schemas of the manifest as judges, and their verdicts in our words.

The files are ``schemas/*.v1.schema.json``: inside the installed package, or at the top
of a checkout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from batch_reenroll.manifest.normal import compact_json
from batch_reenroll.manifest.rules import RULES, Fault, did_you_mean, shown
from batch_reenroll.text import parse_time, visible

if TYPE_CHECKING:
    # A manifest whose rows are plain is judged without these libraries.
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import ValidationError
    from referencing import Registry

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_ZONE = re.compile(r"(?:Z|z|[+-]\d\d:\d\d)\Z", re.ASCII)

# What a value of the field is called when it is not as the schema wants it.
_CODE_BY_FIELD = {
    "KeystoreId": "guid_invalid",
    "AgentGuid": "guid_invalid",
    "Alias": "alias_invalid",
    "JobProperties": "job_properties_invalid",
    "SANs": "sans_invalid",
    "EnrollmentPatternId": "enrollment_pattern_invalid",
    "Metadata": "metadata_invalid",
    "AdditionalEnrollmentFields": "enrollment_fields_invalid",
    "RowId": "row_id_invalid",
    "Deadline": "deadline_invalid",
    "CurrentThumbprint": "thumbprint_invalid",
    "Endpoint": "endpoint_invalid",
    "deadline": "deadline_invalid",
    "from": "deadline_invalid",
    "to": "deadline_invalid",
    "duration": "duration_invalid",
    "cutoff": "duration_invalid",
    "soak": "duration_invalid",
    "size": "limit_invalid",
    "max_failures": "limit_invalid",
    "max_per_second": "number_invalid",
    "max_in_flight": "number_invalid",
    "per_orchestrator": "number_invalid",
    "min_rows": "number_invalid",
    "per_day": "number_invalid",
    "version": "version_unsupported",
}
# These fields say more by their own code even when the value's type is wrong.
_CODE_WINS = {
    "JobProperties",
    "SANs",
    "EnrollmentPatternId",
    "Metadata",
    "AdditionalEnrollmentFields",
    "duration",
    "cutoff",
    "soak",
    "version",
}
_HOLDERS = {"JobProperties", "SANs", "Metadata", "AdditionalEnrollmentFields"}
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
}
_TYPE_NAMES = {
    "string": "text",
    "object": "a mapping",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
}


def moment_has_zone(text: str) -> bool:
    """Return whether ``text`` names a moment, its zone with it."""
    return parse_time(text) is not None and _ZONE.search(text.strip()) is not None


def _formats() -> FormatChecker:
    from jsonschema import FormatChecker

    # Ours only: without further packages jsonschema lets any date-time pass.
    checker = FormatChecker(formats=())
    checker.checks("uuid")(
        lambda value: not isinstance(value, str) or _GUID.fullmatch(value) is not None
    )
    checker.checks("date-time")(
        lambda value: not isinstance(value, str) or moment_has_zone(value)
    )
    return checker


def load_schema(name: str) -> dict[str, Any]:
    """Return the schema ``row`` or ``manifest`` as its file has it."""
    from importlib.resources import files

    package = files("batch_reenroll")
    file_name = f"{name}.v1.schema.json"
    shipped = package / "schemas" / file_name
    source = shipped if shipped.is_file() else package / ".." / "schemas" / file_name
    schema: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return schema


@cache
def _validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    row = Resource.from_contents(load_schema("row"))
    registry: Registry[Any] = Registry().with_resource(row.id() or "", row)
    return Draft202012Validator(
        load_schema(name), registry=registry, format_checker=_formats()
    )


def faults_of_row(row: Mapping[str, Any]) -> list[Fault]:
    """Return what the row schema finds wrong with a normalised row, n >= 0."""
    found: dict[Fault, None] = {}
    for error in _validator("row").iter_errors(row):
        for fault in _faults_of(error):
            if error.absolute_path:
                fault = replace(fault, column=str(error.absolute_path[0]))
            found[fault] = None
    return list(found)


def faults_of_block(name: str, value: object) -> list[Fault]:
    """Return what the manifest schema finds wrong with one top-level key, n >= 0.

    Columns of the faults are paths such as ``waves[1].size``. ``rows`` is not judged
    here: rows are judged one by one as they stream by.
    """
    instance = {"version": 1, "rows_from": "elsewhere.csv", name: value}
    errors = _validator("manifest").iter_errors(instance)
    return list(dict.fromkeys(fault for error in errors for fault in _faults_of(error)))


def _faults_of(error: ValidationError) -> list[Fault]:
    path = _path(error)
    value: Any = error.validator_value
    instance: Any = error.instance
    match error.validator:
        case "required":
            return [
                Fault("required_missing", f"{field} is missing", field)
                for name in value
                if name not in instance
                for field in [_join(path, name)]
            ]
        case "additionalProperties" if value is False:
            return _unknown_keys(error, path)
        case "anyOf" if not path:
            message = "KeystoreId is missing, and so are ClientMachine and StorePath"
            hint = "fill in KeystoreId, or both ClientMachine and StorePath"
            return [Fault("required_missing", message, "KeystoreId", hint=hint)]
        case _:
            return [_value_fault(error, path)]


def _path(error: ValidationError) -> str:
    path = ""
    for step in error.absolute_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _unknown_keys(error: ValidationError, path: str) -> list[Fault]:
    schema: Any = error.schema
    instance: Any = error.instance
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    return [
        Fault(
            "unknown_key",
            f"key {shown(_join(path, name))} is not part of a manifest",
            _join(path, name),
            hint=did_you_mean(name, known),
        )
        for name in instance
        if name not in known and not any(re.search(p, name) for p in patterns)
    ]


def _value_fault(error: ValidationError, path: str) -> Fault:
    names = [step for step in error.absolute_path if isinstance(step, str)]
    # Names inside a column of pairs are the user's own, whatever they are.
    outer = next((name for name in names if name in _HOLDERS), "")
    inner = next((name for name in reversed(names) if name in _CODE_BY_FIELD), "")
    field = outer or inner
    if error.validator == "type" and field not in _CODE_WINS:
        return _type_fault(error, path)
    code = _CODE_BY_FIELD.get(field)
    if code is None:
        message = f"{path} is {_in_words(error.instance)}: it must not be empty"
        if error.validator not in {"minLength", "minItems"}:
            message = f"{path} is not as it should be: {visible(error.message, 200)}"
        return Fault("type_wrong", message, path)
    message = f"{path} is {_in_words(error.instance)}: {RULES[code].what}"
    if code == "number_invalid" and error.validator in _BOUNDS:
        bound = f"{_BOUNDS[error.validator]} {error.validator_value}"
        message = f"{path} is {_in_words(error.instance)}; expected {bound}"
    return Fault(code, message, path)


def _type_fault(error: ValidationError, path: str) -> Fault:
    wanted: Any = error.validator_value
    first = wanted if isinstance(wanted, str) else wanted[0]
    expected = _TYPE_NAMES.get(first, first)
    message = f"{path or 'the row'} is {_in_words(error.instance)}"
    hint = f"write {expected}"
    if first == "string" and not isinstance(error.instance, dict | list):
        hint = "put it into quotes"
    return Fault(
        "type_wrong", f"{message}; expected {expected}", path or None, hint=hint
    )


def _in_words(value: object) -> str:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else compact_json(value)[:80]
