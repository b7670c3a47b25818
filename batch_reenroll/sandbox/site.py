"""What a call has at hand: the site it is made on, and the call itself."""

from __future__ import annotations

from dataclasses import dataclass

from batch_reenroll.sandbox.access import Caller
from batch_reenroll.sandbox.certwire import certificate_listing
from batch_reenroll.sandbox.exchange import Request
from batch_reenroll.sandbox.jobcontrol import JobControl
from batch_reenroll.sandbox.listings import (
    agent_listing,
    authority_listing,
    history_listing,
    scheduled_listing,
    store_listing,
    store_type_listing,
    template_listing,
)
from batch_reenroll.sandbox.orchestration import Orchestration
from batch_reenroll.sandbox.params import Listing
from batch_reenroll.sandbox.policy import Numbered, Template
from batch_reenroll.sandbox.state import HistoryRow, Job, Orchestrator, Store
from batch_reenroll.sandbox.storetypes import StoreType
from batch_reenroll.sandbox.works import Certificate
from batch_reenroll.sandbox.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Listings:
    """How each list is queried and sorted."""

    stores: Listing[Store]
    scheduled: Listing[Job]
    history: Listing[HistoryRow]
    agents: Listing[Orchestrator]
    store_types: Listing[StoreType]
    authorities: Listing[Numbered[str]]
    templates: Listing[Numbered[Template]]
    certificates: Listing[Certificate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the calls work on; the same for every call."""

    world: World
    orchestration: Orchestration
    listings: Listings
    control: JobControl


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    r"""One authenticated request.

    Attributes:
        request: As it came.
        caller: ``DOMAIN\user``.
        argument: What stands in the path for its placeholder, in lower case, decoded;
            empty where there is none.
    """

    request: Request
    caller: Caller
    argument: str = ""


def open_listings(world: World) -> Listings:
    """Return how the lists of ``world`` are queried."""
    return Listings(
        stores=store_listing(world),
        scheduled=scheduled_listing(world),
        history=history_listing(world),
        agents=agent_listing(),
        store_types=store_type_listing(),
        authorities=authority_listing(),
        templates=template_listing(),
        certificates=certificate_listing(world),
    )


def open_site(world: World, orchestration: Orchestration) -> Site:
    """Return the site of ``world``."""
    listings = open_listings(world)
    control = JobControl(
        world,
        orchestration,
        scheduled=listings.scheduled,
        history=listings.history,
    )
    return Site(
        world=world, orchestration=orchestration, listings=listings, control=control
    )
