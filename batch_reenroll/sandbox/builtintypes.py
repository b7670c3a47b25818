"""The store types that every sandbox knows, and how custom ones join them.

They follow keyfactor-command.md 1.5, 4.3 and 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from batch_reenroll.sandbox.storetypes import (
    EntryParameter,
    Operations,
    ParameterKind,
    Policy,
    StoreFormat,
    StoreProperty,
    StoreType,
)

_NO_GUID = "00000000-0000-0000-0000-000000000000"
_OVERWRITE = (
    EntryParameter(name="Overwrite", kind=ParameterKind.BOOL, default="true"),
)

PEM = StoreType(
    number=2,
    name="PEM File",
    short_name="PEM",
    capability="PEM",
    file_format=StoreFormat.PEM,
    entry_parameters=_OVERWRITE,
    properties=(
        StoreProperty(
            name="separatePrivateKey",
            title="Separate Private Key File Location",
            kind=ParameterKind.BOOL,
            default="false",
        ),
        StoreProperty(
            name="privateKeyPath",
            title="Path to Private Key File",
            depends_on="separatePrivateKey",
        ),
    ),
    job_type_guids=(
        "a52c0a6f-0c43-4d3f-8e0a-6f1c5ae0a101",
        "a52c0a6f-0c43-4d3f-8e0a-6f1c5ae0a102",
        "a52c0a6f-0c43-4d3f-8e0a-6f1c5ae0a103",
        # The C agent's id for PEM reenrollment (keyfactor-command.md 10).
        "aa015d10-cffc-41f7-a9a4-c9615f6f3bdf",
    ),
)
JKS = StoreType(
    number=0,
    name="Java Keystore",
    short_name="JKS",
    capability="JKS",
    file_format=StoreFormat.JKS,
    custom_alias=Policy.REQUIRED,
    password_required=True,
    entry_parameters=_OVERWRITE,
    job_type_guids=(
        "b7c90a34-5a8e-49f4-8c35-2be1d7a0a101",
        "b7c90a34-5a8e-49f4-8c35-2be1d7a0a102",
        "b7c90a34-5a8e-49f4-8c35-2be1d7a0a103",
        # The C agent's id for JKS reenrollment (keyfactor-command.md 10).
        "48743e90-108e-4dc3-b81c-7fb830215d1f",
    ),
)
PKCS12 = StoreType(
    number=104,  # custom types have numbers from 102 (keyfactor-command.md 12)
    name="PKCS12 File",
    short_name="PKCS12",
    capability="PKCS12",
    file_format=StoreFormat.PKCS12,
    password_required=True,
    entry_parameters=_OVERWRITE,
    job_type_guids=(
        "c6d1f0b2-7c11-4f6b-9a7f-90bd3ce0a101",
        "c6d1f0b2-7c11-4f6b-9a7f-90bd3ce0a102",
        "c6d1f0b2-7c11-4f6b-9a7f-90bd3ce0a103",
        "c6d1f0b2-7c11-4f6b-9a7f-90bd3ce0a104",
    ),
)
# It has job properties but no reenrollment (the v10 page of the endpoint says so).
# undocumented: its number.
NETSCALER = StoreType(
    number=5,
    name="Citrix NetScaler",
    short_name="NS",
    capability="NS",
    file_format=StoreFormat.PEM,
    operations=Operations(enrollment=False),
    job_properties=("NetscalerVserver",),
    job_type_guids=(
        "d9e20c57-3b0d-4b62-b1a7-05a4f6c0a101",
        "d9e20c57-3b0d-4b62-b1a7-05a4f6c0a102",
        "d9e20c57-3b0d-4b62-b1a7-05a4f6c0a103",
        _NO_GUID,
    ),
)
# The alias policy, the three required parameters and their defaults are those of
# Keyfactor's type (keyfactor-command.md 1.5); the optional ones are a selection.
IIS = StoreType(
    number=105,
    name="IIS Bound Certificate",
    short_name="IISU",
    capability="IISU",
    file_format=StoreFormat.PKCS12,
    operations=Operations(discovery=False),
    custom_alias=Policy.FORBIDDEN,
    private_key=Policy.REQUIRED,
    entry_parameters=(
        EntryParameter(
            name="SiteName",
            title="IIS Site Name",
            default="Default Web Site",
            on_add=True,
            on_remove=True,
            on_reenrollment=True,
        ),
        EntryParameter(
            name="IPAddress",
            title="IP Address",
            default="*",
            on_add=True,
            on_remove=True,
            on_reenrollment=True,
        ),
        EntryParameter(name="Port", default="443"),
        EntryParameter(name="HostName", title="Host Name"),
        EntryParameter(
            name="Protocol",
            kind=ParameterKind.MULTIPLE_CHOICE,
            default="https",
            options=("https", "http"),
            on_add=True,
            on_remove=True,
            on_reenrollment=True,
        ),
        EntryParameter(name="ProviderName", title="Crypto Provider Name"),
    ),
    server_required=True,
    blueprint=False,
    job_type_guids=(
        "e1b7fd48-52a4-49bb-8a58-6f2c77d0a101",
        "e1b7fd48-52a4-49bb-8a58-6f2c77d0a102",
        _NO_GUID,
        # The id that the C agent's table has for IIS (keyfactor-command.md 10).
        "b80019d6-df3d-4a8c-9e60-1977b806f545",
    ),
)

BUILT_IN = (JKS, PEM, NETSCALER, PKCS12, IIS)


def merged(types: Sequence[StoreType]) -> tuple[StoreType, ...]:
    """Return the built-in types, in their order, and then ``types``.

    One of ``types`` with a built-in's short name takes its place; the number and the
    format on disk stay, so that stores drawn earlier are still of it. Others may share
    a short name, as some of Keyfactor's own do.
    """
    given = {kind.short_name.lower(): kind for kind in types}
    taken = {kind.short_name.lower() for kind in BUILT_IN}
    return (
        *(_replaced(old, given.get(old.short_name.lower())) for old in BUILT_IN),
        *(kind for kind in types if kind.short_name.lower() not in taken),
    )


def _replaced(old: StoreType, new: StoreType | None) -> StoreType:
    if new is None:
        return old
    return replace(new, number=old.number, file_format=old.file_format)
