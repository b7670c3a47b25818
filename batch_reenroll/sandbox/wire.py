"""The JSON shapes of the answers (keyfactor-command.md 2 to 4 and 12).

A key without a value is left out rather than null, because clients of Keyfactor's
own choke on null (section 12).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from batch_reenroll.sandbox.exchange import iso_time
from batch_reenroll.sandbox.state import (
    RESULT_NAMES,
    STATUS_NAMES,
    HistoryRow,
    Job,
    Orchestrator,
    Store,
)
from batch_reenroll.sandbox.storetypes import EntryParameter, StoreType
from batch_reenroll.sandbox.works import Certificate, Entry
from batch_reenroll.sandbox.world import World

Json = dict[str, object]

_ALIAS_POLICY = ("Forbidden", "Optional", "Required")
_DAILY = {"Daily": {"Time": "2026-01-01T02:00:00Z"}}
NOT_REENROLLABLE = (
    "The agent does not support key generation for this certificate store."
)


def wire_time(world: World, at: float) -> str:
    """Return a time as this dialect sends it."""
    text = iso_time(at)
    return text if world.settings.zone_suffix else text[:-1]


def _present(pairs: Mapping[str, object]) -> Json:
    return {key: value for key, value in pairs.items() if value is not None}


def store_json(world: World, store: Store) -> Json:
    """Return one item of ``GET /CertificateStores``."""
    plan = store.plan
    nightly = world.settings.nightly_inventory
    properties = {"separatePrivateKey": {"value": "false"}}
    return _present(
        {
            "Id": store.store_id,
            "ContainerId": plan.container_id or None,
            "DisplayName": f"{plan.machine} - {plan.path}",
            "ClientMachine": plan.machine,
            "Storepath": plan.path,
            "CertStoreInventoryJobId": store.inventory_job_id if nightly else None,
            "CertStoreType": plan.store_type.number,
            "Approved": store.approved,
            "CreateIfMissing": False,
            "Properties": json.dumps(properties),
            "AgentId": plan.agent_id,
            "AgentAssigned": True,
            "ContainerName": plan.container,
            "InventorySchedule": _DAILY if nightly else None,
            "ReenrollmentStatus": _reenrollment_status(store),
            "SetNewPasswordAllowed": plan.store_type.password_required,
        }
    )


def _reenrollment_status(store: Store) -> Json:
    kind = store.plan.store_type
    if not kind.reenrollable:
        return {
            "Data": False,
            "Message": NOT_REENROLLABLE,
            "CustomAliasAllowed": 0,
            "EntryParameters": [],
        }
    return {
        "Data": True,
        "AgentId": store.plan.agent_id,
        "Message": "",
        "JobProperties": "",
        "CustomAliasAllowed": kind.custom_alias,
        "EntryParameters": [_parameter(kind, item) for item in kind.entry_parameters],
    }


def _parameter(kind: StoreType, item: EntryParameter) -> Json:
    return {
        "StoreTypeId": kind.number,
        "Name": item.name,
        "DisplayName": item.name,
        "Type": item.kind,
        "RequiredWhen": {
            "HasPrivateKey": False,
            "OnAdd": False,
            "OnRemove": False,
            "OnReenrollment": item.required_on_reenrollment,
        },
        "DependsOn": "",
        "DefaultValue": item.default,
        "Options": "",
    }


def store_type_json(kind: StoreType) -> Json:
    """Return one item of ``GET /CertificateStoreTypes``."""
    inventory, management, discovery, enrollment = kind.job_type_guids
    return {
        "Name": kind.name,
        "ShortName": kind.short_name,
        "Capability": kind.capability,
        "StoreType": kind.number,
        "ImportType": kind.number,
        "LocalStore": False,
        "SupportedOperations": {
            "Add": True,
            "Create": False,
            "Discovery": True,
            "Enrollment": kind.reenrollable,
            "Remove": True,
        },
        "Properties": [],
        "EntryParameters": [_parameter(kind, item) for item in kind.entry_parameters],
        "PasswordOptions": {
            "EntrySupported": False,
            "StoreRequired": kind.password_required,
            "Style": "Default",
        },
        "StorePathType": "Freeform",
        "StorePathValue": "",
        "PrivateKeyAllowed": "Optional",
        "CustomAliasAllowed": _ALIAS_POLICY[kind.custom_alias],
        "JobProperties": list(kind.job_properties),
        "ServerRequired": False,
        "ServerRegistration": 0,
        "PowerShell": False,
        "BlueprintAllowed": True,
        "InventoryEndpoint": f"/{kind.short_name}Inventory/Update",
        "InventoryJobType": inventory,
        "ManagementJobType": management,
        "DiscoveryJobType": discovery,
        "EnrollmentJobType": enrollment,
    }


def agent_json(world: World, agent: Orchestrator) -> Json:
    """Return one item of ``GET /Agents``."""
    return {
        "AgentId": agent.agent_id,
        "ClientMachine": agent.plan.machine,
        "Username": f"EXAMPLE\\svc-{agent.plan.machine.partition('.')[0]}",
        "AgentPlatform": 5,
        "Version": "25.1.0",
        "Status": agent.status,
        "LastSeen": wire_time(world, agent.last_seen),
        "Capabilities": list(agent.capabilities),
        "Blueprint": "",
        "Thumbprint": "",
        "LegacyThumbprint": "",
        "AuthCertificateReenrollment": "None",
        "LastThumbprintUsed": "",
        "LastErrorCode": 0,
        "LastErrorMessage": "",
    }


def _schedule(job: Job) -> Json:
    return {"Immediate": True} if job.immediate else dict(_DAILY)


def scheduled_json(world: World, job: Job) -> Json:
    """Return one item of ``GET /OrchestratorJobs/ScheduledJobs``.

    undocumented: ``Target`` is the store's path; ``ClientMachine`` is taken to be the
    orchestrator's, as a script of Keyfactor's reads it.
    """
    agent = world.orchestrators[job.store.plan.agent_id]
    return {
        "Id": job.job_id,
        "ClientMachine": agent.plan.machine,
        "Target": job.store.plan.path,
        "Schedule": _schedule(job),
        "Requested": wire_time(world, job.requested_at),
        "JobType": job.job_type,
    }


def history_json(world: World, row: HistoryRow) -> Json:
    """Return one item of ``GET /OrchestratorJobs/JobHistory``."""
    ended = None if row.ended_at is None else wire_time(world, row.ended_at)
    names = world.settings.result_enums == "string"
    return _present(
        {
            "JobHistoryId": row.history_id,
            "AgentMachine": row.agent.plan.machine,
            "JobId": row.job.job_id,
            "Schedule": _schedule(row.job),
            "JobType": row.job.job_type,
            "OperationStart": wire_time(world, row.started_at),
            "OperationEnd": ended,
            "Message": row.message,
            "Result": RESULT_NAMES[row.result] if names else int(row.result),
            "Status": STATUS_NAMES[row.status] if names else int(row.status),
            "StorePath": row.job.store.plan.path,
            "ClientMachine": row.job.store.plan.machine,
        }
    )


def inventory_json(world: World, store: Store, entry: Entry) -> Json:
    """Return one item of ``GET /CertificateStores/{id}/Inventory``."""
    return {
        "Name": entry.alias,
        "Certificates": [_certificate(world, item) for item in entry.certificates],
        "Parameters": {},
        "CertStoreId": store.store_id,
    }


def _certificate(world: World, item: Certificate) -> Json:
    number = world.certificate_id(item.thumbprint)
    return {
        "Id": number,
        "IssuedDN": item.subject,
        "SerialNumber": item.serial,
        "NotBefore": wire_time(world, item.not_before),
        "NotAfter": wire_time(world, item.not_after),
        "SigningAlgorithm": item.algorithm,
        "IssuerDN": item.issuer,
        "Thumbprint": item.thumbprint,
        "CertStoreInventoryItemId": number,
        "CertState": 1,
        "Metadata": {},
    }
