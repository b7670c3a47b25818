"""JSON objects of any Command version into the nouns of the campaign (pure).

Each function takes one decoded item and raises nothing but ContractViolation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from batch_reenroll.campaign.nouns import (
    AliasRule,
    EntryParameter,
    InventoryCertificate,
    JobRecord,
    JobResult,
    JobStatus,
    Orchestrator,
    Page,
    ReenrollmentRequest,
    ScheduledJob,
    Store,
    StoreType,
)
from batch_reenroll.command.answer import Answer, server_time, total_count
from batch_reenroll.command.secret import Redactor
from batch_reenroll.command.wire import Fields, parse_list, violation
from batch_reenroll.errors import ContractViolation

T = TypeVar("T")

# "Agents: Status 1 New, 2 Approved, 3 Disapproved" (keyfactor-command.md 4.4).
_AGENT_STATUS = {"new": 1, "approved": 2, "disapproved": 3, "notindatabase": 4}


def page_of(
    answer: Answer, redactor: Redactor, decode: Callable[[object], T]
) -> Page[T]:
    """Return the decoded list in ``answer``, with its total and the server's time.

    Raises:
        ContractViolation: The body, or one item of it, is not what it should be; the
            error says which item.
    """
    items: list[T] = []
    for index, raw in enumerate(parse_list(answer, redactor)):
        try:
            items.append(decode(raw))
        except ContractViolation as exc:
            reason = f"item {index} of the answer: {exc.message}"
            raise violation(answer, redactor, reason) from exc
    return Page(
        items=tuple(items), total=total_count(answer), server_time=server_time(answer)
    )


def job_record(raw: object) -> JobRecord:
    """Return one row of JobHistory."""
    row = Fields(raw)
    return JobRecord(
        history_id=row.required_int("JobHistoryId"),
        job_id=row.required_guid("JobId"),
        agent_machine=row.text("AgentMachine"),
        client_machine=row.text("ClientMachine"),
        store_path=row.text("StorePath"),
        job_type=row.text("JobType"),
        started_at=row.moment("OperationStart"),
        ended_at=row.moment("OperationEnd"),
        message=row.text("Message"),
        result=row.enum("Result", JobResult, JobResult.UNKNOWN),
        status=row.enum("Status", JobStatus, JobStatus.UNKNOWN),
    )


def scheduled_job(raw: object) -> ScheduledJob:
    """Return one job that waits. ``Requested`` is text in every SDK; often a time."""
    row = Fields(raw)
    return ScheduledJob(
        job_id=row.required_guid("Id"),
        client_machine=row.text("ClientMachine"),
        target=row.text("Target"),
        job_type=row.text("JobType"),
        requested=row.moment("Requested"),
    )


def store(raw: object) -> Store:
    """Return one certificate store."""
    row = Fields(raw)
    status = row.child("ReenrollmentStatus")
    schedule = row.raw("InventorySchedule")
    store_type = row.integer("CertStoreType")
    agent_id = row.guid("AgentId")
    assigned = row.flag("AgentAssigned")
    return Store(
        store_id=row.required_guid("Id"),
        agent_id=agent_id,
        client_machine=row.text("ClientMachine"),
        # Answers spell it Storepath, requests StorePath; keys are found in any case.
        store_path=row.text("StorePath"),
        # undocumented: a store without a type. No type has a negative number.
        store_type=-1 if store_type is None else store_type,
        # undocumented: flags left out. An unapproved store would be seen as such by
        # the documented flag, so silence does not refuse it.
        approved=row.flag("Approved") is not False,
        agent_assigned=agent_id is not None if assigned is None else assigned,
        container=row.text("ContainerName"),
        reenrollable=status.flag("Data"),
        reenrollment_message=status.text("Message"),
        inventory_scheduled=bool(schedule)
        or row.guid("CertStoreInventoryJobId") is not None,
        entry_parameters=_entry_parameters(status),
    )


def store_type(raw: object) -> StoreType:
    """Return one store type."""
    row = Fields(raw)
    return StoreType(
        store_type=row.required_int("StoreType"),
        name=row.text("Name"),
        short_name=row.text("ShortName"),
        capability=row.text("Capability"),
        supports_reenrollment=row.child("SupportedOperations").flag("Enrollment")
        is True,
        entry_parameters=_entry_parameters(row),
        job_properties=tuple(p for p in row.items("JobProperties") if _is_name(p)),
        custom_alias=_alias_rule(row),
    )


def _entry_parameters(row: Fields) -> tuple[EntryParameter, ...]:
    """Return the entry parameters; what cannot be read of one is left out."""
    items = [item for item in row.items("EntryParameters") if isinstance(item, Mapping)]
    return tuple(
        _entry_parameter(item) for item in map(Fields, items) if item.text("Name")
    )


def _entry_parameter(row: Fields) -> EntryParameter:
    options = row.raw("Options")
    if isinstance(options, list):
        words = [str(option) for option in options]
    else:
        words = row.text("Options").split(",")
    return EntryParameter(
        name=row.text("Name"),
        kind=_parameter_kind(row),
        required=_is_required(row),
        options=tuple(word.strip() for word in words if word.strip()),
        default=row.text("DefaultValue"),
        depends_on=row.text("DependsOn").strip(),
    )


def _parameter_kind(row: Fields) -> str:
    number = row.integer("Type")
    if number is None:
        return row.text("Type").strip()
    # undocumented: which number is which; the order of Keyfactor's own list.
    return _PARAMETER_KINDS[number] if number in range(len(_PARAMETER_KINDS)) else ""


_PARAMETER_KINDS = ("String", "Bool", "MultipleChoice", "Secret")

#: ``RequiredWhen`` as flags (keyfactor-command.md 12): 1, 2, 4 and 8, in the order of
#: the object's names. undocumented: that the last one is OnReenrollment.
_ON_REENROLLMENT = 8


def _is_required(row: Fields) -> bool:
    """Return whether a reenrollment needs the parameter.

    Newer versions call it ``ValidationOptions.OnODKG``; what its number means is not
    known, so that it never refuses a row (keyfactor-command.md 4.3).
    """
    flags = row.integer("RequiredWhen")
    if flags is not None:
        return bool(flags & _ON_REENROLLMENT)
    return row.child("RequiredWhen").flag("OnReenrollment") is True


def _alias_rule(row: Fields) -> AliasRule | None:
    for rule in AliasRule:
        if row.integer("CustomAliasAllowed") == rule:
            return rule
        if row.text("CustomAliasAllowed").strip().lower() == rule.name.lower():
            return rule
    return None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def orchestrator(raw: object) -> Orchestrator:
    """Return one orchestrator; an unknown status is 0."""
    row = Fields(raw)
    status = row.integer("Status")
    if status is None:
        status = _AGENT_STATUS.get(row.text("Status").strip().lower(), 0)
    return Orchestrator(
        agent_id=row.required_guid("AgentId"),
        client_machine=row.text("ClientMachine"),
        status=status,
        last_seen=row.moment("LastSeen"),
        capabilities=tuple(c for c in row.items("Capabilities") if isinstance(c, str)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEntry:
    """One entry of an inventory; ``leaf`` is None where it holds no certificate."""

    alias: str
    leaf: InventoryCertificate | None


def entry_key(entry: InventoryEntry) -> tuple[str, str]:
    """Return what tells entries of one store apart."""
    return entry.alias, entry.leaf.thumbprint if entry.leaf else ""


def inventory_entry(raw: object) -> InventoryEntry:
    """Return one entry; its leaf is the first of ``Certificates``.

    Source: keyfactor-command.md 4.2.
    """
    row = Fields(raw)
    alias = row.text("Name")
    chain = row.items("Certificates")
    if not chain:
        return InventoryEntry(alias=alias, leaf=None)
    leaf = Fields(chain[0])
    parameters = row.raw("Parameters")
    certificate = InventoryCertificate(
        alias=alias,
        thumbprint=re.sub(r"[\s:]", "", leaf.text("Thumbprint")).lower(),
        subject=leaf.text("IssuedDN"),
        issuer=leaf.text("IssuerDN"),
        serial=leaf.text("SerialNumber"),
        not_before=leaf.moment("NotBefore"),
        not_after=leaf.moment("NotAfter"),
        parameters=parameters if isinstance(parameters, Mapping) else {},
    )
    return InventoryEntry(alias=alias, leaf=certificate)


def reenrollment_body(
    request: ReenrollmentRequest, *, properties_as_array: bool
) -> dict[str, Any]:
    """Return the body of one POST; what was not given is left out.

    Args:
        request: What to ask for.
        properties_as_array: Send ``JobProperties`` as an array of one-pair objects,
            as the v10 text describes it (keyfactor-command.md 1.2).
    """
    body: dict[str, Any] = {
        "KeystoreId": request.keystore_id,
        "SubjectName": request.subject_name,
        "AgentGuid": request.agent_guid,
        "Alias": request.alias,
    }
    properties = dict(request.job_properties)
    if properties:
        pairs = [{name: value} for name, value in properties.items()]
        body["JobProperties"] = pairs if properties_as_array else properties
    optional = {
        "CertificateAuthority": request.certificate_authority,
        "CertificateTemplate": request.certificate_template,
        "SANs": _pairs(request.sans),
        "EnrollmentPatternId": request.enrollment_pattern_id,
        "Metadata": _pairs(request.metadata),
        "AdditionalEnrollmentFields": _pairs(request.additional_enrollment_fields),
        "OwnerRoleName": request.owner_role_name,
    }
    body.update({name: v for name, v in optional.items() if v is not None})
    return body


def _pairs(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else dict(value)
