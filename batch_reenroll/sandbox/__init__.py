"""The embedded Command: a stand-in server with real keys and certificates.

Its core is a pure state machine over an explicit clock (:class:`Core`); the served
sandbox (:class:`SandboxServer`) and the in-process transport are thin shells around
it. Nothing of it is for production.

It imports nothing else of batch_reenroll: a shared parser would hide a shared mistake.
"""

from batch_reenroll.sandbox.config import SandboxConfig
from batch_reenroll.sandbox.core import Core
from batch_reenroll.sandbox.description import openapi_document
from batch_reenroll.sandbox.desk import Desk
from batch_reenroll.sandbox.draw import draw_fleet
from batch_reenroll.sandbox.eventlog import LOG_NAME
from batch_reenroll.sandbox.exchange import Request, Response, SandboxError
from batch_reenroll.sandbox.faultfile import load_faults
from batch_reenroll.sandbox.faults import (
    Action,
    FaultScript,
    JobFault,
    JobFaults,
    Match,
    RequestFault,
    RequestFaults,
)
from batch_reenroll.sandbox.fleet import (
    Fleet,
    FleetPlan,
    PlannedOrchestrator,
    PlannedStore,
)
from batch_reenroll.sandbox.foreground import (
    NOT_FOR_PRODUCTION,
    export_lines,
    serve_forever,
)
from batch_reenroll.sandbox.frontdoor import FrontDoor
from batch_reenroll.sandbox.identity import Identity
from batch_reenroll.sandbox.identityfile import IdentityFile, load_identities
from batch_reenroll.sandbox.management import Management
from batch_reenroll.sandbox.policy import CaPolicy, Template
from batch_reenroll.sandbox.rights import (
    ALL_RIGHTS,
    Enrollment,
    Right,
    Rights,
    read_rights,
)
from batch_reenroll.sandbox.server import SandboxServer
from batch_reenroll.sandbox.settings import Settings
from batch_reenroll.sandbox.simworks import SimulatedWorks
from batch_reenroll.sandbox.tokens import TOKEN_PATH
from batch_reenroll.sandbox.transport import ConnectionDropped, InProcessTransport
from batch_reenroll.sandbox.typefile import load_store_types

__all__ = [
    "ALL_RIGHTS",
    "LOG_NAME",
    "NOT_FOR_PRODUCTION",
    "TOKEN_PATH",
    "Action",
    "CaPolicy",
    "ConnectionDropped",
    "Core",
    "Desk",
    "Enrollment",
    "FaultScript",
    "Fleet",
    "FleetPlan",
    "FrontDoor",
    "Identity",
    "IdentityFile",
    "InProcessTransport",
    "JobFault",
    "JobFaults",
    "Management",
    "Match",
    "PlannedOrchestrator",
    "PlannedStore",
    "Request",
    "RequestFault",
    "RequestFaults",
    "Response",
    "Right",
    "Rights",
    "SandboxConfig",
    "SandboxError",
    "SandboxServer",
    "Settings",
    "SimulatedWorks",
    "Template",
    "draw_fleet",
    "export_lines",
    "load_faults",
    "load_identities",
    "load_store_types",
    "openapi_document",
    "read_rights",
    "serve_forever",
]
