"""Reading custom store types from a file in the format of kfutil's store_types.json.

That is an array of store types (or a single one) as ``POST /CertificateStoreTypes``
takes them. Keys that play no part here are passed over; ``StoreType`` numbers and job
type GUIDs are given by the server, so the file has none.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.jsonread import BadShape, parse_json
from batch_reenroll.sandbox.storetypes import (
    KIND_NAMES,
    POLICY_NAMES,
    EntryParameter,
    Operations,
    ParameterKind,
    Policy,
    StoreFormat,
    StoreProperty,
    StoreType,
)

E = TypeVar("E", bound=IntEnum)

#: Above the built-in types; custom ones have numbers from 102 on Command
#: (keyfactor-command.md 12).
FIRST_NUMBER = 120


def load_store_types(path: Path) -> tuple[StoreType, ...]:
    """Return the store types in the JSON file ``path``, in its order.

    Raises:
        SandboxError: It cannot be read, or is wrong in a way that is named; of a file
            with several faults all are.
    """
    try:
        return read_store_types(path.read_bytes())
    except OSError as exc:
        raise SandboxError(f"{path}: {exc.strerror}") from exc
    except BadShape as exc:
        raise SandboxError(f"{path}: {exc}") from exc


def read_store_types(data: bytes) -> tuple[StoreType, ...]:
    """Return the store types in ``data``.

    Raises:
        BadShape: Everything that is wrong.
    """
    value = parse_json(data)
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list) or not items:
        raise BadShape(["expected an array of store types"])
    problems: list[str] = []
    found = _objects(items, lambda n: f"store type {n + 1}", problems)
    kinds = [_store_type(item, n) for n, item in enumerate(found)]
    names = [kind.name.lower() for kind in kinds]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    problems += [f"two store types have the name {name}" for name in twice]
    if problems:
        raise BadShape(problems)
    return tuple(kinds)


class _Item:
    """One JSON object of the file; what is wrong with a value is noted."""

    def __init__(
        self, pairs: Mapping[str, Any], where: str, problems: list[str]
    ) -> None:
        self.where = where
        self._problems = problems
        self._pairs = pairs

    def fault(self, why: str) -> None:
        self._problems.append(f"{self.where}: {why}")

    def text(self, name: str, *, required: bool = False) -> str:
        """Return text; numbers and truth values become text as JSON writes them."""
        value = self._pairs.get(name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return str(value)
        if not isinstance(value, str | None):
            self.fault(f"{name} must be a string")
            return ""
        if required and not (value or "").strip():
            self.fault(f"{name} is required")
        return value or ""

    def flag(self, name: str) -> bool:
        value = self._pairs.get(name)
        if not isinstance(value, bool | None):
            self.fault(f"{name} must be true or false")
        return value is True

    def member(self, name: str, names: Mapping[E, str], default: E) -> E:
        """Return a member by its name, in any case, or by its number."""
        value = self._pairs.get(name)
        if value in (None, ""):
            return default
        for member, word in names.items():
            is_name = isinstance(value, str) and value.lower() == word.lower()
            if is_name or (type(value) is int and value == member):
                return member
        self.fault(f"{name} must be one of {', '.join(names.values())}")
        return default

    def child(self, name: str) -> _Item:
        value = self._pairs.get(name)
        if not isinstance(value, dict | None):
            self.fault(f"{name} must be an object")
            value = None
        return _Item(value or {}, f"{self.where}.{name}", self._problems)

    def children(self, name: str) -> Iterator[_Item]:
        def where(n: int) -> str:
            return f"{self.where}.{name}[{n}]"

        return _objects(self.array(name), where, self._problems)

    def array(self, name: str) -> list[Any]:
        value = self._pairs.get(name)
        if not isinstance(value, list | None):
            self.fault(f"{name} must be an array")
            return []
        return value or []

    def words(self, name: str) -> tuple[str, ...]:
        """Return an array of strings, or a string with commas between them."""
        value = self._pairs.get(name)
        parts = value.split(",") if isinstance(value, str) else self.array(name)
        if not all(isinstance(part, str) for part in parts):
            self.fault(f"{name} must hold strings")
            return ()
        return tuple(part.strip() for part in parts if part.strip())


def _objects(
    values: list[Any], where: Callable[[int], str], problems: list[str]
) -> Iterator[_Item]:
    """Yield the objects among ``values``; anything else is noted."""
    for n, value in enumerate(values):
        if isinstance(value, dict):
            yield _Item(value, where(n), problems)
        else:
            problems.append(f"{where(n)}: expected an object")


def _store_type(item: _Item, n: int) -> StoreType:
    short_name = item.text("ShortName", required=True)
    operations, password = (
        item.child("SupportedOperations"),
        item.child("PasswordOptions"),
    )
    kind = StoreType(
        number=FIRST_NUMBER + n,
        name=item.text("Name", required=True),
        short_name=short_name,
        capability=item.text("Capability") or short_name,
        file_format=StoreFormat.PKCS12,
        operations=Operations(
            add=operations.flag("Add"),
            create=operations.flag("Create"),
            discovery=operations.flag("Discovery"),
            enrollment=operations.flag("Enrollment"),
            remove=operations.flag("Remove"),
        ),
        custom_alias=item.member("CustomAliasAllowed", POLICY_NAMES, Policy.OPTIONAL),
        private_key=item.member("PrivateKeyAllowed", POLICY_NAMES, Policy.OPTIONAL),
        password_required=password.flag("StoreRequired"),
        entry_password=password.flag("EntrySupported"),
        entry_parameters=tuple(map(_parameter, item.children("EntryParameters"))),
        properties=tuple(map(_property, item.children("Properties"))),
        job_properties=item.words("JobProperties"),
        path_type=item.text("StorePathType"),
        path_value=item.text("StorePathValue"),
        server_required=item.flag("ServerRequired"),
        power_shell=item.flag("PowerShell"),
        blueprint=item.flag("BlueprintAllowed"),
        job_type_guids=_guids(short_name),
    )
    if kind.entry_parameters and kind.job_properties:
        item.fault("a type has EntryParameters or JobProperties, not both")
    return kind


def _parameter(item: _Item) -> EntryParameter:
    when = item.child("RequiredWhen")
    return EntryParameter(
        name=item.text("Name", required=True),
        title=item.text("DisplayName"),
        kind=item.member("Type", KIND_NAMES, ParameterKind.STRING),
        default=item.text("DefaultValue"),
        options=item.words("Options"),
        depends_on=item.text("DependsOn"),
        with_private_key=when.flag("HasPrivateKey"),
        on_add=when.flag("OnAdd"),
        on_remove=when.flag("OnRemove"),
        on_reenrollment=when.flag("OnReenrollment"),
    )


def _property(item: _Item) -> StoreProperty:
    return StoreProperty(
        name=item.text("Name", required=True),
        title=item.text("DisplayName"),
        kind=item.member("Type", KIND_NAMES, ParameterKind.STRING),
        default=item.text("DefaultValue"),
        depends_on=item.text("DependsOn"),
        required=item.flag("Required"),
    )


def _guids(short_name: str) -> tuple[str, str, str, str]:
    """Return job type GUIDs; on Command they differ from server to server."""

    def guid(job: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{short_name}:{job}"))

    return guid("inventory"), guid("management"), guid("discovery"), guid("enrollment")
