"""Command's nouns as the campaign sees them: values without a trace of the wire.

``command/`` turns JSON of any Command version into these; decisions use nothing else.
Text fields are as Command sent them; GUIDs are lower-case; times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class JobResult(IntEnum):
    """``Result`` of a JobHistory row (keyfactor-command.md 2.4)."""

    UNKNOWN = 0
    PROCESSING = 1  # in the enum, undocumented; the C agent's "processing"
    SUCCESS = 2
    WARNING = 3
    FAILURE = 4


class JobStatus(IntEnum):
    """``Status`` of a JobHistory row. Only COMPLETED and ACKNOWLEDGED are final."""

    UNKNOWN = 0
    WAITING = 1
    IN_PROCESS = 2
    COMPLETED = 3
    ACKNOWLEDGED = 4
    COMPLETED_WILL_RETRY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReenrollmentRequest:
    """One body of ``POST /CertificateStores/Reenrollment``.

    Attributes:
        keystore_id, agent_guid: GUIDs.
        subject_name: X.500, exactly as the user wrote it.
        alias: The certificate's alias in the store.
        job_properties: Entry parameters by name; an empty one is left out of the body.
        certificate_authority, certificate_template: None = Command's own setting.
        sans: Kind of name to values (25.x servers), or None.
        enrollment_pattern_id: For 25.x servers, or None.
        metadata, additional_enrollment_fields: Name to text (25.x servers), or None.
        owner_role_name: For 25.x servers, or None.
    """

    keystore_id: str
    subject_name: str
    agent_guid: str
    alias: str
    job_properties: Mapping[str, Any] = field(default_factory=dict)
    certificate_authority: str | None = None
    certificate_template: str | None = None
    sans: Mapping[str, list[str]] | None = None
    enrollment_pattern_id: int | None = None
    metadata: Mapping[str, str] | None = None
    additional_enrollment_fields: Mapping[str, str] | None = None
    owner_role_name: str | None = None


class AliasRule(IntEnum):
    """``CustomAliasAllowed`` (keyfactor-command.md 12)."""

    FORBIDDEN = 0
    OPTIONAL = 1
    REQUIRED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryParameter:
    """What a store type wants to know of each certificate.

    Attributes:
        name: Key in ``JobProperties``.
        kind: ``String``, ``Bool``, ``MultipleChoice``, ``Secret``, or "" if unknown.
        required: Whether a reenrollment needs it.
        options: Values allowed; none = any.
        default: Command's own value, or "".
        depends_on: Only wanted where this other parameter is set, or "".
    """

    name: str
    kind: str = ""
    required: bool = False
    options: tuple[str, ...] = ()
    default: str = ""
    depends_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A certificate store. ``reenrollable`` is None where Command does not say.

    ``entry_parameters`` are those that its reenrollment takes; none where Command
    does not say.
    """

    store_id: str
    agent_id: str | None
    client_machine: str
    store_path: str
    store_type: int
    approved: bool
    agent_assigned: bool
    container: str
    reenrollable: bool | None
    reenrollment_message: str
    inventory_scheduled: bool
    entry_parameters: tuple[EntryParameter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreType:
    """A store type.

    Attributes:
        store_type: Its number, as stores name it.
        name, short_name: As Command shows them.
        capability: Prefix of its job types (``WinCert``).
        supports_reenrollment: Its ``SupportedOperations.Enrollment``.
        entry_parameters, job_properties: What ``JobProperties`` may hold; a type has
            the one or the other (keyfactor-command.md 1.2).
        custom_alias: Its rule for aliases, None where Command does not say.
    """

    store_type: int
    name: str
    short_name: str
    capability: str
    supports_reenrollment: bool
    entry_parameters: tuple[EntryParameter, ...] = ()
    job_properties: tuple[str, ...] = ()
    custom_alias: AliasRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orchestrator:
    """An orchestrator ("agent"). ``status`` 2 is approved."""

    agent_id: str
    client_machine: str
    status: int
    last_seen: datetime | None
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """A job that no orchestrator has taken yet.

    ``client_machine`` is taken to be the orchestrator's, ``target`` the store path;
    neither is confirmed (keyfactor-command.md 3.1), so correlation accepts more.
    """

    job_id: str
    client_machine: str
    target: str
    job_type: str
    requested: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One row of JobHistory: one try of one job."""

    history_id: int
    job_id: str
    agent_machine: str
    client_machine: str
    store_path: str
    job_type: str
    started_at: datetime | None
    ended_at: datetime | None
    message: str
    result: JobResult
    status: JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryCertificate:
    """The leaf certificate under one alias of a store's inventory."""

    alias: str
    thumbprint: str  # lower-case hex
    subject: str
    issuer: str
    serial: str
    not_before: datetime | None
    not_after: datetime | None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list, or several joined.

    Attributes:
        items: In the server's order.
        total: ``X-Total-Count``, or None where the server sends none.
        server_time: The ``Date`` header, or None.
        dropped: Items left out because they were not asked for, >= 0.
    """

    items: tuple[T, ...]
    total: int | None = None
    server_time: datetime | None = None
    dropped: int = 0
