"""The JSON bodies that are taken, as types (keyfactor-command.md 1, 2.7, 3.2, 3.3).

``intake`` and ``selection`` read them; the OpenAPI description is made from them, and
schemathesis holds the readers to it.
"""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

from batch_reenroll.sandbox.marks import (
    Guid,
    Int32,
    Int64,
    Rule,
    Spoken,
    Text,
    Where,
)

Newer = Where(lambda of: of.newer_fields)
Pairs = dict[str, object]
JobProperties = Annotated[
    Pairs | list[Pairs],
    Spoken(lambda of: Pairs | list[Pairs] if of.properties_array else Pairs),
]


class SansBody(TypedDict):
    """The SANs by kind, as PFX enrollment names them."""

    dns: NotRequired[list[Text]]
    ip4: NotRequired[list[Text]]
    ip6: NotRequired[list[Text]]
    email: NotRequired[list[Text]]
    upn: NotRequired[list[Text]]


class ReenrollmentBody(TypedDict):
    """What ``POST /CertificateStores/Reenrollment`` takes; other keys are ignored."""

    KeystoreId: Guid
    SubjectName: Text
    AgentGuid: Guid
    Alias: Text
    JobProperties: NotRequired[JobProperties | None]
    CertificateAuthority: NotRequired[str | None]
    CertificateTemplate: NotRequired[str | None]
    SANs: NotRequired[Annotated[SansBody | None, Newer]]
    EnrollmentPatternId: NotRequired[Annotated[Int32 | None, Newer]]
    Metadata: NotRequired[Annotated[dict[str, str | None] | None, Newer]]
    AdditionalEnrollmentFields: NotRequired[
        Annotated[dict[str, str | None] | None, Newer]
    ]
    OwnerRoleId: NotRequired[Annotated[Int32 | None, Newer]]
    OwnerRoleName: NotRequired[Annotated[str | None, Newer]]
    Overwrite: NotRequired[Annotated[bool | None, Newer]]


Nothing = Annotated[list[object], Rule(most=0)] | None


class JobIdsBody(TypedDict):
    """Jobs by their ids."""

    JobIds: Annotated[list[Guid], Rule(least=1)]
    Query: NotRequired[None]


class JobQueryBody(TypedDict):
    """Jobs by a query on ScheduledJobs."""

    JobIds: NotRequired[Nothing]
    Query: Text


class AuditIdsBody(TypedDict):
    """Jobs by JobHistoryIds."""

    JobAuditIds: Annotated[list[Int64], Rule(least=1)]
    Query: NotRequired[None]


class AuditQueryBody(TypedDict):
    """Jobs by a query on JobHistory."""

    JobAuditIds: NotRequired[Nothing]
    Query: Text
