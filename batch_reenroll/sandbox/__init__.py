"""The embedded Command: a stand-in server with real keys and certificates.

Its core is a pure state machine over an explicit clock (:class:`Core`); the served
sandbox (:class:`SandboxServer`) and the in-process transport are thin shells around
it. Nothing of it is for production.

It imports nothing else of batch_reenroll: a shared parser would hide a shared mistake.
"""

from batch_reenroll.sandbox.config import SandboxConfig
from batch_reenroll.sandbox.core import Core
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
    draw_fleet,
)
from batch_reenroll.sandbox.frontdoor import FrontDoor
from batch_reenroll.sandbox.identity import Identity
from batch_reenroll.sandbox.policy import CaPolicy, Template
from batch_reenroll.sandbox.server import (
    NOT_FOR_PRODUCTION,
    SandboxServer,
    export_lines,
    serve_forever,
)
from batch_reenroll.sandbox.settings import Settings
from batch_reenroll.sandbox.simworks import SimulatedWorks
from batch_reenroll.sandbox.transport import ConnectionDropped, InProcessTransport

__all__ = [
    "LOG_NAME",
    "NOT_FOR_PRODUCTION",
    "Action",
    "CaPolicy",
    "ConnectionDropped",
    "Core",
    "FaultScript",
    "Fleet",
    "FleetPlan",
    "FrontDoor",
    "Identity",
    "InProcessTransport",
    "JobFault",
    "JobFaults",
    "Match",
    "PlannedOrchestrator",
    "PlannedStore",
    "Request",
    "RequestFault",
    "RequestFaults",
    "Response",
    "SandboxConfig",
    "SandboxError",
    "SandboxServer",
    "Settings",
    "SimulatedWorks",
    "Template",
    "draw_fleet",
    "export_lines",
    "load_faults",
    "serve_forever",
]
