"""Drawing a fleet from a seed.

Pure: the same plan gives the same GUIDs, subjects, paths and behaviours.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from batch_reenroll.sandbox.builtintypes import merged
from batch_reenroll.sandbox.fleet import (
    Fleet,
    FleetPlan,
    PlannedOrchestrator,
    PlannedStore,
    draw_guid,
)
from batch_reenroll.sandbox.policy import BROKEN, WEB_SERVER, WEB_SERVER_RSA
from batch_reenroll.sandbox.storetypes import StoreFormat, StoreType


def draw_fleet(plan: FleetPlan) -> Fleet:
    """Return the fleet that ``plan`` describes; equal plans give equal fleets."""
    rng = random.Random(f"fleet:{plan.seed}")  # noqa: S311 - reproducible, no secret
    orchestrators = _draw_orchestrators(plan, rng)
    owners = _deal(plan, orchestrators, rng)
    special = plan.special(rng)
    kinds = _Kinds.of(plan)
    stores = tuple(
        _draw_store(n, owners[n], special.get(n, ""), kinds, plan, rng)
        for n in range(plan.stores)
    )
    return Fleet(plan=plan, orchestrators=orchestrators, stores=stores)


def _draw_orchestrators(
    plan: FleetPlan, rng: random.Random
) -> tuple[PlannedOrchestrator, ...]:
    online = plan.orchestrators - plan.offline
    slow = plan.slow if plan.slow is not None else 2 * (online >= 4)
    return tuple(
        PlannedOrchestrator(
            agent_id=draw_guid(rng),
            machine=f"orch-{n + 1:02d}.example.com",
            online=n < online,
            approved=not online - plan.unapproved <= n < online,
            # The last online ones, so that ``skew`` loads a quick one.
            slowness=3.0 if online - slow <= n < online else 1.0,
            phase=rng.random(),
        )
        for n in range(plan.orchestrators)
    )


def _deal(
    plan: FleetPlan, orchestrators: tuple[PlannedOrchestrator, ...], rng: random.Random
) -> list[str]:
    """Return the orchestrator of each store."""
    online = [item.agent_id for item in orchestrators if item.online]
    offline = [item.agent_id for item in orchestrators if not item.online]
    owners: list[str] = []
    if plan.offline_stores is not None and online:
        owners = [guid for guid in offline for _ in range(plan.offline_stores)]
        offline = []
    owners = owners[: plan.stores]
    if online:
        owners += online[:1] * int(plan.skew * (plan.stores - len(owners)))
    dealt = online + offline
    rest = plan.stores - len(owners)
    owners += [dealt[n % len(dealt)] for n in range(rest)]
    rng.shuffle(owners)
    return owners


#: Role, organisational unit, container.
_ROLES = (
    ("web", "IT", (1, "Web Farm")),
    ("api", "Platform", (2, "Platform")),
    ("pay", "Payments", (3, "Payments")),
    ("mail", "IT", (0, "")),
)
#: The three ways people write an organisation with a comma, and one without.
_ORGANISATIONS = (
    'O="Key Example, Inc."',
    r"O=Key Example\, Inc.",
    "O=Key Example",
    'O="Key Example, Inc."',
)
_PATHS = {
    StoreFormat.PEM: ("/etc/pki/tls/{name}.pem", "/opt/nginx/certs/{name}.pem"),
    StoreFormat.JKS: ("/opt/tomcat/conf/{name}.jks", "/srv/kafka/ssl/{name}.jks"),
    StoreFormat.PKCS12: ("/opt/app/certs/{name}.p12", "/var/lib/iis/{name}.pfx"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kinds:
    """The types that stores are drawn of: the usual ones, and the special two."""

    usual: tuple[StoreType, ...]
    unsupported: StoreType
    iis: StoreType

    @classmethod
    def of(cls, plan: FleetPlan) -> _Kinds:
        jks, pem, netscaler, pkcs12, iis, *own = merged(plan.store_types)
        custom = (kind for kind in own if kind.reenrollable)
        return cls(
            usual=(pem, pem, jks, pkcs12, *custom), unsupported=netscaler, iis=iis
        )

    def draw(self, special: str, rng: random.Random) -> StoreType:
        if special == "unsupported":
            return self.unsupported
        return self.iis if special == "iis" else rng.choice(self.usual)


def _place(
    kind: StoreType, special: str, role: str, n: int, rng: random.Random
) -> tuple[str, str]:
    """Return machine and path of store ``n``, which no other store has."""
    name = f"{role}-{n + 1:04d}"
    # About four stores to a machine, as on real hosts.
    machine = f"{role}-host-{n // 16 + 1:03d}.example.com"
    path = rng.choice(_PATHS[kind.file_format]).format(name=name)
    if special == "iis":
        # Windows has one store of a name on each machine, and the name is all there
        # is of a path.
        return f"win-{name}.example.com", "My"
    if special == "unsupported":
        return machine, f"/nsconfig/ssl/{name}.pem"
    return machine, path


def _draw_store(
    n: int,
    owner: str,
    special: str,
    kinds: _Kinds,
    plan: FleetPlan,
    rng: random.Random,
) -> PlannedStore:
    role, unit, (container_id, container) = rng.choice(_ROLES)
    name = f"{role}-{n + 1:04d}"
    kind = kinds.draw(special, rng)
    rsa = rng.random() * 100 < plan.rsa_pct
    machine, path = _place(kind, special, role, n, rng)
    template = WEB_SERVER_RSA if rsa else WEB_SERVER
    return PlannedStore(
        store_id=draw_guid(rng),
        agent_id=owner,
        machine=machine,
        path=path,
        store_type=kind,
        container_id=container_id,
        container=container,
        alias="" if kind.alias_is_thumbprint else name,
        subject=f"CN={name}.example.com,OU={unit},{rng.choice(_ORGANISATIONS)},"
        "L=Independence,ST=OH,C=US",
        sans=(f"{name}.example.com", f"{name}.internal.example.com")[
            : min(rng.randint(1, 2), 1 + plan.more_names)
        ],
        template=BROKEN if special == "broken" else template,
        age_days=rng.randint(330, 395),
        days_left=rng.randint(2, 30),
        password=f"sandbox-{rng.getrandbits(40):010x}" if kind.locked else "",
        approved=special != "discovered",
    )
