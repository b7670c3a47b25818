"""The table of endpoints: routing, permissions and the description come from it."""

from __future__ import annotations

from batch_reenroll.sandbox.bodies import (
    AuditIdsBody,
    AuditQueryBody,
    JobIdsBody,
    JobQueryBody,
    ReenrollmentBody,
)
from batch_reenroll.sandbox.calls import (
    acknowledge,
    json_response,
    list_agents,
    list_authorities,
    list_certificates,
    list_history,
    list_inventory,
    list_scheduled,
    list_store_types,
    list_stores,
    list_templates,
    my_security,
    one_agent,
    one_store,
    one_store_type,
    reenroll,
    reschedule,
    sees,
    store_types_named,
    unschedule,
)
from batch_reenroll.sandbox.certwire import KnownCertificateJson
from batch_reenroll.sandbox.endpoint import Endpoint, Link
from batch_reenroll.sandbox.exchange import Response
from batch_reenroll.sandbox.marks import (
    StoreTypeId,
)
from batch_reenroll.sandbox.openapi import describe
from batch_reenroll.sandbox.params import INVENTORY
from batch_reenroll.sandbox.rights import Right
from batch_reenroll.sandbox.shapes import (
    AgentJson,
    CertificateAuthorityJson,
    InventoryJson,
    JobHistoryJson,
    ScheduledJobJson,
    SecurityMyJson,
    StoreJson,
    StoreTypeJson,
    TemplateJson,
)
from batch_reenroll.sandbox.site import Call, Site


def _list_endpoints(_site: Site, _call: Call) -> Response:
    """Answer ``GET /Status/Endpoints``.

    undocumented: the form of the strings; that it is an array of strings is known.
    """
    served = (item for item in ENDPOINTS if not item.own)
    return json_response([f"{item.method} {item.path}" for item in served])


def _description(site: Site, call: Call) -> Response:
    """Answer ``GET /openapi.json``."""
    settings = site.world.settings
    examples = _examples(site, call)
    return json_response(describe(ENDPOINTS, site.listings, settings, examples))


def _examples(site: Site, call: Call) -> dict[str, object]:
    """Return what is there for the caller to ask for, by endpoint."""
    stores = site.world.stores
    for row in site.world.fleet.manifest_rows():
        store = stores[row["KeystoreId"]]
        if sees(call.caller, store):
            kind = store.plan.store_type
            return {
                "get_store": store.store_id,
                "list_inventory": store.store_id,
                "get_agent": store.plan.agent_id,
                "get_store_type": kind.number,
                "find_store_types": kind.short_name,
                "reenroll_store": {
                    key: row[key]
                    for key in ReenrollmentBody.__annotations__
                    if key in row
                },
            }
    return {}


# The first path that fits counts: a word stands before the placeholder it would fill.
# undocumented: what ScheduledJobs needs (we take JobHistory's) and what the store types
# need (we take that of stores); that Status/Endpoints and Security/My need nothing but
# a caller, and that other versions than 11 have the latter; that everybody with the
# right sees all CAs and templates.
ENDPOINTS = (
    Endpoint(
        name="list_stores",
        method="GET",
        path="/CertificateStores",
        answer=list_stores,
        rights=(Right.READ_STORES,),
        listing=lambda of: of.stores,
        returns=list[StoreJson],
        links=(
            Link(to="get_store", argument="Id"),
            Link(to="list_inventory", argument="Id"),
            Link(
                to="reenroll_store",
                body={"KeystoreId": "Id", "AgentGuid": "AgentId"},
            ),
        ),
    ),
    Endpoint(
        name="reenroll_store",
        method="POST",
        path="/CertificateStores/Reenrollment",
        answer=reenroll,
        rights=(Right.ENROLL_CSR, Right.MODIFY_STORES),
        body=ReenrollmentBody,
    ),
    Endpoint(
        name="get_store",
        method="GET",
        path="/CertificateStores/{id}",
        answer=one_store,
        rights=(Right.READ_STORES,),
        returns=StoreJson,
    ),
    Endpoint(
        name="list_inventory",
        method="GET",
        path="/CertificateStores/{id}/Inventory",
        answer=list_inventory,
        rights=(Right.READ_STORES,),
        prefix=INVENTORY,
        returns=list[InventoryJson],
    ),
    Endpoint(
        name="list_scheduled_jobs",
        method="GET",
        path="/OrchestratorJobs/ScheduledJobs",
        answer=list_scheduled,
        rights=(Right.READ_AGENTS,),
        listing=lambda of: of.scheduled,
        returns=list[ScheduledJobJson],
    ),
    Endpoint(
        name="list_job_history",
        method="GET",
        path="/OrchestratorJobs/JobHistory",
        answer=list_history,
        rights=(Right.READ_AGENTS,),
        listing=lambda of: of.history,
        returns=list[JobHistoryJson],
    ),
    Endpoint(
        name="unschedule_jobs",
        method="POST",
        path="/OrchestratorJobs/Unschedule",
        answer=unschedule,
        rights=(Right.MODIFY_AGENTS, Right.SCHEDULE_STORES),
        body=JobIdsBody | JobQueryBody,
    ),
    Endpoint(
        name="reschedule_jobs",
        method="POST",
        path="/OrchestratorJobs/Reschedule",
        answer=reschedule,
        rights=(Right.MODIFY_AGENTS, Right.SCHEDULE_STORES),
        body=AuditIdsBody | AuditQueryBody,
    ),
    Endpoint(
        name="acknowledge_jobs",
        method="POST",
        path="/OrchestratorJobs/Acknowledge",
        answer=acknowledge,
        rights=(Right.MODIFY_AGENTS,),
        body=AuditIdsBody | AuditQueryBody,
    ),
    Endpoint(
        name="list_store_types",
        method="GET",
        path="/CertificateStoreTypes",
        answer=list_store_types,
        rights=(Right.READ_STORES,),
        listing=lambda of: of.store_types,
        returns=list[StoreTypeJson],
        links=(
            Link(to="find_store_types", argument="ShortName"),
            Link(to="get_store_type", argument="StoreType"),
        ),
    ),
    Endpoint(
        name="find_store_types",
        method="GET",
        path="/CertificateStoreTypes/Name/{name}",
        answer=store_types_named,
        argument=str,
        rights=(Right.READ_STORES,),
        returns=list[StoreTypeJson],
    ),
    Endpoint(
        name="get_store_type",
        method="GET",
        path="/CertificateStoreTypes/{id}",
        answer=one_store_type,
        argument=StoreTypeId,
        rights=(Right.READ_STORES,),
        returns=StoreTypeJson,
    ),
    Endpoint(
        name="list_agents",
        method="GET",
        path="/Agents",
        answer=list_agents,
        rights=(Right.READ_AGENTS,),
        listing=lambda of: of.agents,
        returns=list[AgentJson],
        links=(Link(to="get_agent", argument="AgentId"),),
    ),
    Endpoint(
        name="get_agent",
        method="GET",
        path="/Agents/{id}",
        answer=one_agent,
        rights=(Right.READ_AGENTS,),
        returns=AgentJson,
    ),
    Endpoint(
        name="list_certificate_authorities",
        method="GET",
        path="/CertificateAuthority",
        answer=list_authorities,
        rights=(Right.READ_AUTHORITIES,),
        listing=lambda of: of.authorities,
        returns=list[CertificateAuthorityJson],
    ),
    Endpoint(
        name="list_templates",
        method="GET",
        path="/Templates",
        answer=list_templates,
        rights=(Right.READ_TEMPLATES,),
        listing=lambda of: of.templates,
        returns=list[TemplateJson],
    ),
    Endpoint(
        name="list_certificates",
        method="GET",
        path="/Certificates",
        answer=list_certificates,
        rights=(Right.READ_CERTIFICATES,),
        listing=lambda of: of.certificates,
        returns=list[KnownCertificateJson],
    ),
    Endpoint(
        name="get_my_security",
        method="GET",
        path="/Security/My",
        answer=my_security,
        returns=SecurityMyJson,
    ),
    Endpoint(
        name="list_endpoints",
        method="GET",
        path="/Status/Endpoints",
        answer=_list_endpoints,
        returns=list[str],
    ),
    Endpoint(
        name="describe",
        method="GET",
        path="/openapi.json",
        answer=_description,
        returns=dict[str, object],
        own=True,
    ),
)
