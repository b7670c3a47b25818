"""The JSON shape of store types and of their entry parameters.

Two families of clients read it differently and no one answer suits both
(keyfactor-command.md 12), so the dialect decides.
"""

from __future__ import annotations

from batch_reenroll.sandbox.dialects import Dialect
from batch_reenroll.sandbox.shapes import (
    EntryParameterJson,
    StorePropertyJson,
    StoreTypeJson,
)
from batch_reenroll.sandbox.storetypes import (
    KIND_NAMES,
    POLICY_NAMES,
    EntryParameter,
    ParameterKind,
    Policy,
    StoreProperty,
    StoreType,
)


def store_type_json(dialect: Dialect, kind: StoreType) -> StoreTypeJson:
    """Return one item of ``GET /CertificateStoreTypes``."""
    inventory, management, discovery, enrollment = kind.job_type_guids
    operations = kind.operations
    return {
        "Name": kind.name,
        "ShortName": kind.short_name,
        "Capability": kind.capability,
        "StoreType": kind.number,
        "ImportType": kind.number,
        "LocalStore": False,
        "SupportedOperations": {
            "Add": operations.add,
            "Create": operations.create,
            "Discovery": operations.discovery,
            "Enrollment": operations.enrollment,
            "Remove": operations.remove,
        },
        "Properties": [_property(dialect, kind, item) for item in kind.properties],
        "EntryParameters": parameters_json(dialect, kind),
        "PasswordOptions": {
            "EntrySupported": kind.entry_password,
            "StoreRequired": kind.password_required,
            "Style": "Default" if dialect.type_names else 0,
        },
        "StorePathType": kind.path_type,
        "StorePathValue": kind.path_value,
        "PrivateKeyAllowed": _policy(dialect, kind.private_key),
        "CustomAliasAllowed": _policy(dialect, kind.custom_alias),
        "JobProperties": list(kind.job_properties),
        "ServerRequired": kind.server_required,
        "ServerRegistration": 0,
        "PowerShell": kind.power_shell,
        "BlueprintAllowed": kind.blueprint,
        "InventoryEndpoint": f"/{kind.short_name}Inventory/Update",
        "InventoryJobType": inventory,
        "ManagementJobType": management,
        "DiscoveryJobType": discovery,
        "EnrollmentJobType": enrollment,
    }


def parameters_json(dialect: Dialect, kind: StoreType) -> list[EntryParameterJson]:
    """Return the entry parameters of ``kind``, as types and stores bear them."""
    return [_parameter(dialect, kind, item) for item in kind.entry_parameters]


def _parameter(
    dialect: Dialect, kind: StoreType, item: EntryParameter
) -> EntryParameterJson:
    return {
        "StoreTypeId": kind.number,
        "Name": item.name,
        "DisplayName": item.title or item.name,
        "Type": _kind(dialect, item.kind),
        "RequiredWhen": _flags(item)
        if dialect.required_when_flags
        else {
            "HasPrivateKey": item.with_private_key,
            "OnAdd": item.on_add,
            "OnRemove": item.on_remove,
            "OnReenrollment": item.on_reenrollment,
        },
        "DependsOn": item.depends_on,
        "DefaultValue": item.default,
        "Options": ",".join(item.options),
    }


def _property(
    dialect: Dialect, kind: StoreType, item: StoreProperty
) -> StorePropertyJson:
    return {
        "StoreTypeId": kind.number,
        "Name": item.name,
        "DisplayName": item.title or item.name,
        "Type": _kind(dialect, item.kind),
        "DependsOn": item.depends_on,
        "DefaultValue": item.default,
        "Required": item.required,
    }


def _flags(item: EntryParameter) -> int:
    """Return the flag of the last occasion on which the parameter must be given.

    undocumented: whether several are summed up. Keyfactor's SDK of that version knows
    single flags only and raises on a sum, so the one that is sent is the one that
    matters here: reenrollment, where it is set.
    """
    ordered = (
        item.with_private_key,
        item.on_add,
        item.on_remove,
        item.on_reenrollment,
    )
    return max(is_set << bit for bit, is_set in enumerate(ordered))


def _policy(dialect: Dialect, policy: Policy) -> int | str:
    return POLICY_NAMES[policy] if dialect.type_names else int(policy)


def _kind(dialect: Dialect, kind: ParameterKind) -> int | str:
    return KIND_NAMES[kind] if dialect.type_names else int(kind)
