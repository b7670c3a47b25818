"""What a certificate store type is; the ones there are stand in ``builtintypes``.

The shapes are those of ``GET /CertificateStoreTypes`` (keyfactor-command.md 4.3, 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class StoreFormat(StrEnum):
    """How a store lies on disk."""

    PEM = "pem"
    PKCS12 = "pkcs12"
    JKS = "jks"


class Policy(IntEnum):
    """Whether something may, or must, be there; the numbers are Command's."""

    FORBIDDEN = 0
    OPTIONAL = 1
    REQUIRED = 2


class ParameterKind(IntEnum):
    """``Type`` of a property or an entry parameter.

    undocumented: which number is which. The SDKs know 0 to 3; this is the order in
    which their pages name the four.
    """

    STRING = 0
    BOOL = 1
    MULTIPLE_CHOICE = 2
    SECRET = 3


#: The names of both, as kfutil and the Go SDK send and read them.
POLICY_NAMES: Mapping[Policy, str] = {
    Policy.FORBIDDEN: "Forbidden",
    Policy.OPTIONAL: "Optional",
    Policy.REQUIRED: "Required",
}
KIND_NAMES: Mapping[ParameterKind, str] = {
    ParameterKind.STRING: "String",
    ParameterKind.BOOL: "Bool",
    ParameterKind.MULTIPLE_CHOICE: "MultipleChoice",
    ParameterKind.SECRET: "Secret",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryParameter:
    """A value that belongs to each certificate of a store of this type.

    Attributes:
        title: ``DisplayName``; empty = the name.
        default: As text; empty = none.
        options: Of a multiple choice.
        depends_on: Name of the parameter without which this one means nothing.
        with_private_key, on_add, on_remove, on_reenrollment: ``RequiredWhen``.
    """

    name: str
    title: str = ""
    kind: ParameterKind = ParameterKind.STRING
    default: str = ""
    options: tuple[str, ...] = ()
    depends_on: str = ""
    with_private_key: bool = False
    on_add: bool = False
    on_remove: bool = False
    on_reenrollment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProperty:
    """A value that belongs to the store as a whole; it plays no part in a job."""

    name: str
    title: str = ""
    kind: ParameterKind = ParameterKind.STRING
    default: str = ""
    depends_on: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """``SupportedOperations``."""

    add: bool = True
    create: bool = False
    discovery: bool = True
    enrollment: bool = True
    remove: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreType:
    """One store type.

    Attributes:
        number: ``StoreType`` of the type, ``CertStoreType`` of its stores.
        capability: Prefix of its job types: ``PEM`` makes ``PEMReenrollment``.
        file_format: How the sandbox keeps its stores on disk.
        custom_alias: Whether a request may choose the alias. Where it is forbidden the
            thumbprint is the alias, as with IIS, WinCert and Akamai
            (keyfactor-command.md 1.5), and so changes at each rotation.
        job_properties: The older list; a type has this or entry parameters.
        job_type_guids: Inventory, management, discovery, enrollment.
    """

    number: int
    name: str
    short_name: str
    capability: str
    file_format: StoreFormat
    operations: Operations = Operations()
    custom_alias: Policy = Policy.OPTIONAL
    private_key: Policy = Policy.OPTIONAL
    password_required: bool = False
    entry_password: bool = False
    entry_parameters: tuple[EntryParameter, ...] = ()
    properties: tuple[StoreProperty, ...] = ()
    job_properties: tuple[str, ...] = ()
    path_type: str = "Freeform"
    path_value: str = ""
    server_required: bool = False
    power_shell: bool = False
    blueprint: bool = True
    job_type_guids: tuple[str, str, str, str]

    @property
    def reenrollable(self) -> bool:
        """``SupportedOperations.Enrollment``."""
        return self.operations.enrollment

    @property
    def alias_is_thumbprint(self) -> bool:
        """Whether an entry is known by the thumbprint of its certificate."""
        return self.custom_alias is Policy.FORBIDDEN

    @property
    def locked(self) -> bool:
        """Whether a store file of this type needs a password to be written at all."""
        return self.file_format is not StoreFormat.PEM

    def job_type(self, kind: str) -> str:
        """Return the type of a job as Command shows it: ``JKSInventory``."""
        return f"{self.capability}{kind}"
