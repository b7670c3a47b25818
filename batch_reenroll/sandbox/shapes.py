"""The JSON shapes of the answers, as types (keyfactor-command.md 2 to 4, 12).

The type checker holds ``wire`` to them and the OpenAPI description is made from them,
so neither can say what the other does not do. A value that may be None here is left
out of the JSON where it is.
"""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

from batch_reenroll.sandbox.marks import (
    DataType,
    EnrollmentTypes,
    Guid,
    Int64,
    PasswordStyle,
    Policy,
    Result,
    Rule,
    Spoken,
    Status,
    Time,
    Where,
)


class ErrorJson(TypedDict):
    """The body of every refusal."""

    ErrorCode: Annotated[str, Rule(pattern="^0x[0-9A-F]{8}$")]
    Message: str


class AtTime(TypedDict):
    """``Daily`` of a schedule."""

    Time: Time


class ScheduleJson(TypedDict):
    """When a job runs; one of the keys."""

    Immediate: NotRequired[bool]
    Daily: NotRequired[AtTime]


class RequiredWhenJson(TypedDict):
    """When an entry parameter must be given."""

    HasPrivateKey: bool
    OnAdd: bool
    OnRemove: bool
    OnReenrollment: bool


RequiredWhen = Annotated[
    RequiredWhenJson | int,
    Spoken(lambda dialect: int if dialect.required_when_flags else RequiredWhenJson),
]


class EntryParameterJson(TypedDict):
    """One entry parameter of a store type."""

    StoreTypeId: int
    Name: str
    DisplayName: str
    Type: DataType
    RequiredWhen: RequiredWhen
    DependsOn: str
    DefaultValue: str
    Options: str


class ReenrollmentStatusJson(TypedDict):
    """Whether a store can be reenrolled, and what that takes."""

    Data: bool
    AgentId: NotRequired[Guid]
    Message: str
    JobProperties: NotRequired[str]
    CustomAliasAllowed: Annotated[int, Rule(low=0, high=2)]
    EntryParameters: list[EntryParameterJson]


class StoreJson(TypedDict):
    """One certificate store."""

    Id: Guid
    ContainerId: NotRequired[int | None]
    DisplayName: str
    ClientMachine: str
    Storepath: str
    CertStoreInventoryJobId: NotRequired[Guid | None]
    CertStoreType: int
    Approved: bool
    CreateIfMissing: bool
    Properties: str
    AgentId: Guid
    AgentAssigned: bool
    ContainerName: NotRequired[str | None]
    InventorySchedule: NotRequired[ScheduleJson | None]
    ReenrollmentStatus: ReenrollmentStatusJson
    SetNewPasswordAllowed: bool


class SupportedOperationsJson(TypedDict):
    """What stores of a type can do."""

    Add: bool
    Create: bool
    Discovery: bool
    Enrollment: bool
    Remove: bool


class PasswordOptionsJson(TypedDict):
    """How stores of a type are protected."""

    EntrySupported: bool
    StoreRequired: bool
    Style: PasswordStyle


class StorePropertyJson(TypedDict):
    """One property of the stores of a type."""

    StoreTypeId: int
    Name: str
    DisplayName: str
    Type: DataType
    DependsOn: str
    DefaultValue: str
    Required: bool


class StoreTypeJson(TypedDict):
    """One certificate store type."""

    Name: str
    ShortName: str
    Capability: str
    StoreType: int
    ImportType: int
    LocalStore: bool
    SupportedOperations: SupportedOperationsJson
    Properties: list[StorePropertyJson]
    EntryParameters: list[EntryParameterJson]
    PasswordOptions: PasswordOptionsJson
    StorePathType: str
    StorePathValue: str
    PrivateKeyAllowed: Policy
    CustomAliasAllowed: Policy
    JobProperties: list[str]
    ServerRequired: bool
    ServerRegistration: int
    PowerShell: bool
    BlueprintAllowed: bool
    InventoryEndpoint: str
    InventoryJobType: Guid
    ManagementJobType: Guid
    DiscoveryJobType: Guid
    EnrollmentJobType: Guid


class AgentJson(TypedDict):
    """One orchestrator."""

    AgentId: Guid
    ClientMachine: str
    Username: str
    AgentPlatform: Annotated[int, Rule(low=0, high=7)]
    Version: str
    Status: Annotated[int, Rule(low=1, high=4)]
    LastSeen: Time
    Capabilities: list[str]
    Blueprint: str
    Thumbprint: str
    LegacyThumbprint: str
    AuthCertificateReenrollment: str
    LastThumbprintUsed: str
    LastErrorCode: Int64
    LastErrorMessage: str


ForestRoot = Annotated[str, Where(lambda of: of.forest_root)]


class CertificateAuthorityJson(TypedDict):
    """One certificate authority."""

    Id: int
    LogicalName: str
    HostName: str
    Delegate: bool
    DelegateEnrollment: bool
    ForestRoot: NotRequired[ForestRoot]
    ConfigurationTenant: str
    Remote: bool
    Standalone: bool
    AllowedEnrollmentTypes: EnrollmentTypes
    CAType: Annotated[int, Rule(low=0, high=1)]
    UseAllowedRequesters: bool
    AllowedRequesters: list[str]


class GlobalPermissionJson(TypedDict):
    """One right that the caller holds for everything."""

    Area: str
    Permission: str


class SecurityMyJson(TypedDict):
    """What the caller is and may do."""

    Roles: list[str]
    GlobalPermissions: list[GlobalPermissionJson]


class TemplateJson(TypedDict):
    """One certificate template."""

    Id: int
    CommonName: str
    TemplateName: str
    Oid: str
    KeySize: str
    KeyType: str
    ForestRoot: NotRequired[ForestRoot]
    ConfigurationTenant: str
    FriendlyName: str
    DisplayName: str
    AllowedEnrollmentTypes: EnrollmentTypes
    UseAllowedRequesters: bool
    AllowedRequesters: list[str]
    RequiresApproval: bool


class ScheduledJobJson(TypedDict):
    """One job that no orchestrator has begun."""

    Id: Guid
    ClientMachine: str
    Target: str
    Schedule: ScheduleJson
    Requested: str
    JobType: str


class JobHistoryJson(TypedDict):
    """One try of one job."""

    JobHistoryId: Int64
    AgentMachine: str
    JobId: Guid
    Schedule: ScheduleJson
    JobType: str
    OperationStart: Time
    OperationEnd: NotRequired[Time | None]
    Message: str
    Result: Result
    Status: Status
    StorePath: str
    ClientMachine: str


class CertificateJson(TypedDict):
    """One certificate of an inventory."""

    Id: int
    IssuedDN: str
    SerialNumber: str
    NotBefore: Time
    NotAfter: Time
    SigningAlgorithm: str
    IssuerDN: str
    Thumbprint: str
    CertStoreInventoryItemId: int
    CertState: NotRequired[Annotated[int, Where(lambda of: of.inventory_details)]]
    Metadata: dict[str, str]


class InventoryJson(TypedDict):
    """One entry of a store, its leaf first."""

    Name: str
    Certificates: list[CertificateJson]
    Parameters: dict[str, object]
    CertStoreId: NotRequired[Annotated[Guid, Where(lambda of: of.inventory_details)]]
