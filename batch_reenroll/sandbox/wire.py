"""The JSON shapes of the answers (keyfactor-command.md 2 to 4 and 12).

A key without a value is left out rather than null, because clients of Keyfactor's
own choke on null (section 12).
"""

from __future__ import annotations

import json
from typing import TypeVar, cast

from batch_reenroll.sandbox.checks import store_fault
from batch_reenroll.sandbox.exchange import iso_time
from batch_reenroll.sandbox.shapes import (
    AgentJson,
    CertificateJson,
    InventoryJson,
    JobHistoryJson,
    ReenrollmentStatusJson,
    ScheduledJobJson,
    ScheduleJson,
    StoreJson,
)
from batch_reenroll.sandbox.state import (
    RESULT_NAMES,
    STATUS_NAMES,
    HistoryRow,
    Job,
    Orchestrator,
    Store,
)
from batch_reenroll.sandbox.typewire import parameters_json
from batch_reenroll.sandbox.works import Certificate, Entry
from batch_reenroll.sandbox.world import World

J = TypeVar("J")

#: 2026-01-01 02:00 UTC; of a daily schedule only the time of day counts.
_TWO_O_CLOCK = 1_767_232_800.0


def wire_time(world: World, at: float) -> str:
    """Return a time as this dialect sends it."""
    text = iso_time(at)
    return text if world.settings.speech.zone_suffix else text[:-1]


def _present(shape: J) -> J:
    pairs = cast("dict[str, object]", shape).items()
    return cast("J", {key: value for key, value in pairs if value is not None})


def store_json(world: World, store: Store) -> StoreJson:
    """Return one item of ``GET /CertificateStores``."""
    plan = store.plan
    nightly = world.settings.nightly_inventory
    shape: StoreJson = {
        "Id": store.store_id,
        "ContainerId": plan.container_id or None,
        "DisplayName": f"{plan.machine} - {plan.path}",
        "ClientMachine": plan.machine,
        "Storepath": plan.path,
        "CertStoreInventoryJobId": store.inventory_job_id if nightly else None,
        "CertStoreType": plan.store_type.number,
        "Approved": store.approved,
        "CreateIfMissing": False,
        "Properties": _properties(store),
        "AgentId": plan.agent_id,
        "AgentAssigned": True,
        "ContainerName": plan.container,
        "InventorySchedule": _daily(world) if nightly else None,
        "ReenrollmentStatus": _reenrollment_status(world, store),
        "SetNewPasswordAllowed": plan.store_type.password_required,
    }
    return _present(shape)


def _properties(store: Store) -> str:
    """Return the store's properties as Command sends them: JSON in a string."""
    return json.dumps(
        {
            item.name: {"value": item.default}
            for item in store.plan.store_type.properties
            if item.default
        }
    )


def _reenrollment_status(world: World, store: Store) -> ReenrollmentStatusJson:
    kind = store.plan.store_type
    fault = store_fault(store, world.orchestrators[store.plan.agent_id])
    if fault:
        return {
            "Data": False,
            "Message": fault,
            "CustomAliasAllowed": 0,
            "EntryParameters": [],
        }
    # undocumented: how JobProperties, a string here, holds the list of the type.
    names = list(kind.job_properties)
    return {
        "Data": True,
        "AgentId": store.plan.agent_id,
        "Message": "",
        "JobProperties": json.dumps(names) if names else "",
        "CustomAliasAllowed": int(kind.custom_alias),
        "EntryParameters": parameters_json(world.settings.speech, kind),
    }


def agent_json(world: World, agent: Orchestrator) -> AgentJson:
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


def _daily(world: World) -> ScheduleJson:
    return {"Daily": {"Time": wire_time(world, _TWO_O_CLOCK)}}


def _schedule(world: World, job: Job) -> ScheduleJson:
    return {"Immediate": True} if job.immediate else _daily(world)


def scheduled_json(world: World, job: Job) -> ScheduledJobJson:
    """Return one item of ``GET /OrchestratorJobs/ScheduledJobs``.

    undocumented: ``Target`` is the store's path; ``ClientMachine`` is taken to be the
    orchestrator's, as a script of Keyfactor's reads it.
    """
    agent = world.orchestrators[job.store.plan.agent_id]
    return {
        "Id": job.job_id,
        "ClientMachine": agent.plan.machine,
        "Target": job.store.plan.path,
        "Schedule": _schedule(world, job),
        "Requested": wire_time(world, job.requested_at),
        "JobType": world.job_type(job),
    }


def history_json(world: World, row: HistoryRow) -> JobHistoryJson:
    """Return one item of ``GET /OrchestratorJobs/JobHistory``."""
    ended = None if row.ended_at is None else wire_time(world, row.ended_at)
    names = world.settings.speech.result_names
    shape: JobHistoryJson = {
        "JobHistoryId": row.history_id,
        "AgentMachine": row.agent.plan.machine,
        "JobId": row.job.job_id,
        "Schedule": _schedule(world, row.job),
        "JobType": world.job_type(row.job),
        "OperationStart": wire_time(world, row.started_at),
        "OperationEnd": ended,
        "Message": row.message,
        "Result": RESULT_NAMES[row.result] if names else int(row.result),
        "Status": STATUS_NAMES[row.status] if names else int(row.status),
        "StorePath": row.job.store.plan.path,
        "ClientMachine": row.job.store.plan.machine,
    }
    return _present(shape)


def inventory_json(world: World, store: Store, entry: Entry) -> InventoryJson:
    """Return one item of ``GET /CertificateStores/{id}/Inventory``."""
    shape: InventoryJson = {
        "Name": entry.alias,
        "Certificates": [_certificate(world, item) for item in entry.certificates],
        "Parameters": dict(store.parameters_of(entry.alias)),
    }
    if world.settings.speech.inventory_details:
        shape["CertStoreId"] = store.store_id
    return shape


def _certificate(world: World, item: Certificate) -> CertificateJson:
    number = world.certificate_id(item.thumbprint)
    shape: CertificateJson = {
        "Id": number,
        "IssuedDN": item.subject,
        "SerialNumber": item.serial,
        "NotBefore": wire_time(world, item.not_before),
        "NotAfter": wire_time(world, item.not_after),
        "SigningAlgorithm": item.algorithm,
        "IssuerDN": item.issuer,
        "Thumbprint": item.thumbprint,
        "CertStoreInventoryItemId": number,
        "Metadata": {},
    }
    if world.settings.speech.inventory_details:
        shape["CertState"] = 1
    return shape
