"""Which fields each list can be queried and sorted by (keyfactor-command.md 2 to 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from batch_reenroll.sandbox.enrollwire import (
    CSR_ENROLLMENT,
    TENANT,
    host_of,
    logical_of,
    title_of,
)
from batch_reenroll.sandbox.memory import Memory
from batch_reenroll.sandbox.params import (
    AGENTS,
    AUTHORITIES,
    JOBS,
    STORE_TYPES,
    STORES,
    TEMPLATES,
    Listing,
)
from batch_reenroll.sandbox.policy import Numbered, Template
from batch_reenroll.sandbox.query import Field, Kind, Scalar
from batch_reenroll.sandbox.state import (
    APPROVED,
    RESULT_NAMES,
    STATUS_NAMES,
    HistoryRow,
    Job,
    Orchestrator,
    Store,
)
from batch_reenroll.sandbox.storetypes import StoreType
from batch_reenroll.sandbox.world import World

T = TypeVar("T")


def _text(get: Callable[[T], Scalar]) -> Field[T]:
    return Field(Kind.TEXT, get)


def _guid(get: Callable[[T], Scalar]) -> Field[T]:
    return Field(Kind.GUID, get)


def _integer(get: Callable[[T], Scalar]) -> Field[T]:
    return Field(Kind.INTEGER, get)


def _boolean(get: Callable[[T], Scalar]) -> Field[T]:
    return Field(Kind.BOOLEAN, get)


def _date(get: Callable[[T], Scalar]) -> Field[T]:
    return Field(Kind.DATE, get)


# undocumented: 10.x sends names for these numbers; that a query takes them is ours.
_RESULTS = {name.lower(): number for number, name in RESULT_NAMES.items()}
_STATUSES = {name.lower(): number for number, name in STATUS_NAMES.items()}


def _sorts(fields: dict[str, Field[T]]) -> dict[str, Callable[[T], Scalar]]:
    # undocumented: the sort names; we take every query field, and what is added.
    return {name: field.get for name, field in fields.items()}


def history_listing(world: World) -> Listing[HistoryRow]:
    """Return how JobHistory is queried."""
    fields: dict[str, Field[HistoryRow]] = {
        "agentid": _guid(lambda row: row.agent.agent_id),
        "agent": _text(lambda row: row.agent.plan.machine),
        "jobid": _guid(lambda row: row.job.job_id),
        "result": Field(Kind.INTEGER, lambda row: int(row.result), _RESULTS),
        "status": Field(Kind.INTEGER, lambda row: int(row.status), _STATUSES),
        "jobtype": _text(lambda row: world.job_type(row.job)),
        "message": _text(lambda row: row.message),
        "operationstart": _date(lambda row: row.started_at),
        "scheduletype": _text(
            lambda row: None if row.job.immediate else "D_02:00",
        ),
        "targetpath": _text(lambda row: row.job.store.plan.path),
    }
    sorts = _sorts(fields) | {
        "jobhistoryid": lambda row: row.history_id,
        "agentmachine": lambda row: row.agent.plan.machine,
        "operationend": lambda row: row.ended_at,
        "storepath": lambda row: row.job.store.plan.path,
        "clientmachine": lambda row: row.job.store.plan.machine,
    }
    # undocumented: the default order; oldest first shows clients that forgot to ask.
    return Listing(
        fields=fields,
        sorts=sorts,
        default_sort="jobhistoryid",
        prefix=JOBS,
        is_of_jobs=True,
        unchanging=frozenset(fields) - {"result", "status", "message"},
        memory=Memory(lambda: world.settings),
        stands_by="jobhistoryid",
        index=("jobid", world.tries_of),
    )


def scheduled_listing(world: World) -> Listing[Job]:
    """Return how ScheduledJobs is queried.

    ``AgentId`` and ``JobType`` are seen in use; undocumented: the others.
    """

    def machine(job: Job) -> str:
        return world.orchestrators[job.store.plan.agent_id].plan.machine

    fields: dict[str, Field[Job]] = {
        "agentid": _guid(lambda job: job.store.plan.agent_id),
        "jobtype": _text(world.job_type),
        "clientmachine": _text(machine),
        "agent": _text(machine),
        "target": _text(lambda job: job.store.plan.path),
        "targetpath": _text(lambda job: job.store.plan.path),
        "id": _guid(lambda job: job.job_id),
        "jobid": _guid(lambda job: job.job_id),
        "requested": _date(lambda job: job.requested_at),
    }
    return Listing(
        fields=fields,
        sorts=_sorts(fields),
        prefix=JOBS,
        is_of_jobs=True,
        unchanging=frozenset(fields),
        memory=Memory(lambda: world.settings),
        index=("agentid", world.jobs_of),
    )


def store_listing(world: World) -> Listing[Store]:
    """Return how CertificateStores is queried.

    undocumented: ``AgentAvailable``; here it means an approved orchestrator.
    """

    def held(store: Store) -> Scalar:
        entries = store.inventory or ()
        leaves = [entry.certificates[0].thumbprint for entry in entries]
        return world.certificate_id(leaves[0]) if leaves else None

    fields: dict[str, Field[Store]] = {
        "addsupported": _boolean(lambda store: store.plan.store_type.operations.add),
        "agentavailable": _boolean(
            lambda store: world.orchestrators[store.plan.agent_id].status == APPROVED
        ),
        "agentid": _guid(lambda store: store.plan.agent_id),
        "approved": _boolean(lambda store: store.approved),
        "category": _integer(lambda store: store.plan.store_type.number),
        "certificateid": _integer(held),
        "certstoretype": _integer(lambda store: store.plan.store_type.number),
        "clientmachine": _text(lambda store: store.plan.machine),
        "container": _text(lambda store: store.plan.container or None),
        "containerid": _integer(lambda store: store.plan.container_id or None),
        "hasinventoryscheduled": _boolean(
            lambda _store: world.settings.nightly_inventory
        ),
        "privatekeyallowed": _integer(
            lambda store: int(store.plan.store_type.private_key)
        ),
        "removesupported": _boolean(
            lambda store: store.plan.store_type.operations.remove
        ),
        "storepath": _text(lambda store: store.plan.path),
    }
    # undocumented: Id, which swagger-made clients like to page by.
    sorts = _sorts(fields) | {"id": lambda store: store.store_id}
    changing = {"agentavailable", "approved", "certificateid"}
    return Listing(
        fields=fields,
        sorts=sorts,
        default_sort="clientmachine",
        prefix=STORES,
        unchanging=(frozenset(fields) | {"id"}) - changing,
        memory=Memory(lambda: world.settings),
    )


def agent_listing() -> Listing[Orchestrator]:
    """Return how Agents is queried."""
    fields: dict[str, Field[Orchestrator]] = {
        "agentid": _guid(lambda agent: agent.agent_id),
        "identity": _text(lambda agent: agent.plan.machine),
        "clientmachine": _text(lambda agent: agent.plan.machine),
        "lastseen": _date(lambda agent: agent.last_seen),
        "platform": _integer(lambda _agent: 5),
        "status": _integer(lambda agent: agent.status),
        "version": _text(lambda _agent: "25.1.0"),
        "capabilities": _text(lambda agent: ",".join(agent.capabilities)),
    }
    return Listing(
        fields=fields,
        sorts=_sorts(fields),
        default_sort="clientmachine",
        prefix=AGENTS,
    )


def store_type_listing() -> Listing[StoreType]:
    """Return how CertificateStoreTypes is queried; undocumented: its fields."""
    fields: dict[str, Field[StoreType]] = {
        "name": _text(lambda kind: kind.name),
        "shortname": _text(lambda kind: kind.short_name),
        "capability": _text(lambda kind: kind.capability),
        "storetype": _integer(lambda kind: kind.number),
    }
    return Listing(
        fields=fields,
        sorts=_sorts(fields),
        default_sort="name",
        prefix=STORE_TYPES,
    )


def authority_listing() -> Listing[Numbered[str]]:
    """Return how CertificateAuthority is queried.

    Fields and default order as the page of 25.1 has them.
    """
    fields: dict[str, Field[Numbered[str]]] = {
        "agent": _guid(lambda _row: None),
        "configurationtenant": _text(lambda _row: TENANT),
        "forestroot": _text(lambda _row: TENANT),
        "hostname": _text(lambda row: host_of(row.item)),
        "id": _integer(lambda row: row.number),
        "logicalname": _text(lambda row: logical_of(row.item)),
    }
    return Listing(
        fields=fields, sorts=_sorts(fields), default_sort="id", prefix=AUTHORITIES
    )


def template_listing() -> Listing[Numbered[Template]]:
    """Return how Templates is queried.

    Fields and default order as the pages of 10.2 to 25.1 have them.
    """
    fields: dict[str, Field[Numbered[Template]]] = {
        "allowedenrollmenttype": _integer(lambda _row: CSR_ENROLLMENT),
        "configurationtenant": _text(lambda _row: TENANT),
        "displayname": _text(lambda row: title_of(row.item)),
        "forestroot": _text(lambda _row: TENANT),
        "friendlyname": _text(lambda _row: None),
        "hasprivatekeyretention": _boolean(lambda _row: False),
        "isdefaulttemplate": _boolean(lambda _row: False),
        "shortname": _text(lambda row: row.item.name),
    }
    # The page sorts by a column that it does not query by.
    sorts = _sorts(fields) | {"commonname": lambda row: row.item.name}
    return Listing(
        fields=fields, sorts=sorts, default_sort="commonname", prefix=TEMPLATES
    )
