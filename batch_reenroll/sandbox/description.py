"""The OpenAPI description without a running server, for ``sandbox openapi``."""

from __future__ import annotations

from typing import Any

from batch_reenroll.sandbox.core import Core
from batch_reenroll.sandbox.draw import draw_fleet
from batch_reenroll.sandbox.endpoints import ENDPOINTS
from batch_reenroll.sandbox.fleet import FleetPlan
from batch_reenroll.sandbox.openapi import describe
from batch_reenroll.sandbox.settings import Settings
from batch_reenroll.sandbox.simworks import SimulatedWorks
from batch_reenroll.sandbox.site import open_listings


def openapi_document(settings: Settings) -> dict[str, Any]:
    """Return what a sandbox with these settings serves, as an OpenAPI 3.1 document.

    A served sandbox answers the same at ``/KeyfactorAPI/openapi.json``, with examples
    from its own fleet.
    """
    fleet = draw_fleet(FleetPlan(stores=1, orchestrators=1))
    core = Core(fleet, SimulatedWorks(), started_at=0.0, settings=settings)
    return describe(ENDPOINTS, open_listings(core.world), settings)
