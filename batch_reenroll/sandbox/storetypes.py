"""The certificate store types that the sandbox knows, as values.

The shapes are those of ``GET /CertificateStoreTypes`` (keyfactor-command.md 4.3, 12).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StoreFormat(StrEnum):
    """How a store lies on disk."""

    PEM = "pem"
    PKCS12 = "pkcs12"
    JKS = "jks"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryParameter:
    """A value that belongs to each certificate of a store of this type."""

    name: str
    kind: str = "String"
    default: str = ""
    required_on_reenrollment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreType:
    """One store type.

    Attributes:
        number: ``StoreType`` of the type, ``CertStoreType`` of its stores.
        capability: Prefix of its job types: ``PEM`` makes ``PEMReenrollment``.
        reenrollable: ``SupportedOperations.Enrollment``.
        custom_alias: 0 forbidden, 1 optional, 2 required.
        job_properties: The older list; a type has this or entry parameters.
        job_type_guids: Inventory, management, discovery, enrollment.
    """

    number: int
    name: str
    short_name: str
    capability: str
    file_format: StoreFormat
    reenrollable: bool = True
    custom_alias: int = 1
    password_required: bool = False
    entry_parameters: tuple[EntryParameter, ...] = ()
    job_properties: tuple[str, ...] = ()
    job_type_guids: tuple[str, str, str, str]

    def job_type(self, kind: str) -> str:
        """Return the type of a job as Command shows it: ``JKSInventory``."""
        return f"{self.capability}{kind}"


_OVERWRITE = (EntryParameter(name="Overwrite", kind="Bool", default="true"),)

PEM = StoreType(
    number=2,
    name="PEM File",
    short_name="PEM",
    capability="PEM",
    file_format=StoreFormat.PEM,
    entry_parameters=_OVERWRITE,
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
    custom_alias=2,
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
    reenrollable=False,
    job_properties=("NetscalerVserver",),
    job_type_guids=(
        "d9e20c57-3b0d-4b62-b1a7-05a4f6c0a101",
        "d9e20c57-3b0d-4b62-b1a7-05a4f6c0a102",
        "d9e20c57-3b0d-4b62-b1a7-05a4f6c0a103",
        "00000000-0000-0000-0000-000000000000",
    ),
)

BUILT_IN = (JKS, PEM, NETSCALER, PKCS12)
