"""The fleet: which stores and orchestrators there are, drawn from a seed.

Pure: the same plan gives the same GUIDs, subjects, paths and behaviours. Files and
keys are made elsewhere.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import asdict, dataclass

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.policy import (
    BROKEN,
    NEW_CA,
    WEB_SERVER,
    WEB_SERVER_RSA,
    Template,
)
from batch_reenroll.sandbox.storetypes import (
    JKS,
    NETSCALER,
    PEM,
    PKCS12,
    StoreFormat,
    StoreType,
)

MAX_STORES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """What to lay out.

    Attributes:
        stores: All stores, >= 0, those of the next two lines among them.
        unsupported_stores: Stores of a type that cannot be reenrolled.
        broken_stores: Stores whose template the CA refuses (their jobs fail).
        orchestrators: >= 1, offline ones among them.
        offline: How many orchestrators never ask for work, < ``orchestrators``.
        offline_stores: Stores of each offline orchestrator; None = an equal share.
        slow: How many of the online orchestrators take three times as long; None =
            two where there are at least four.
        skew: Share of the online stores, 0 to 1, that is given to the first
            orchestrator before the rest is dealt out evenly.
        rsa_pct: Percent of stores that use the RSA-2048 template.
        seed: Any integer.
    """

    stores: int = 200
    unsupported_stores: int = 0
    broken_stores: int = 0
    orchestrators: int = 8
    offline: int = 0
    offline_stores: int | None = None
    slow: int | None = None
    skew: float = 0.0
    rsa_pct: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        special = self.unsupported_stores + self.broken_stores
        faults = [
            (not 0 <= self.stores <= MAX_STORES, f"stores must be 0 to {MAX_STORES}"),
            (min(self.unsupported_stores, self.broken_stores) < 0, "negative stores"),
            (special > self.stores, "more special stores than stores"),
            (not 1 <= self.orchestrators <= 10_000, "orchestrators must be 1 to 10000"),
            (not 0 <= self.offline <= self.orchestrators, "offline is out of range"),
            ((self.offline_stores or 0) < 0, "offline_stores must be >= 0"),
            ((self.slow or 0) < 0, "slow must be >= 0"),
            (not 0 <= self.skew <= 1, "skew must be 0 to 1"),
            (not 0 <= self.rsa_pct <= 100, "rsa_pct must be 0 to 100"),
        ]
        wrong = [text for bad, text in faults if bad]
        if wrong:
            raise SandboxError("fleet: " + "; ".join(wrong))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrchestrator:
    """One orchestrator.

    Attributes:
        slowness: Factor on the duration of its jobs, >= 1.
        phase: Share of a heartbeat interval before its first heartbeat, [0, 1).
    """

    agent_id: str
    machine: str
    online: bool
    slowness: float
    phase: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStore:
    """One store and the certificate it holds at the start.

    Attributes:
        path: As Command shows it, absolute, ``/`` between; unique on its machine.
        sans: DNS names of the first certificate.
        template: What its next certificate is to be issued by.
        age_days, days_left: Since NotBefore and until NotAfter of the first one.
        password: Of the store file; empty for PEM. Guards nothing but the sandbox.
    """

    store_id: str
    agent_id: str
    machine: str
    path: str
    store_type: StoreType
    container_id: int
    container: str
    alias: str
    subject: str
    sans: tuple[str, ...]
    template: Template
    age_days: int
    days_left: int
    password: str

    @property
    def file_format(self) -> StoreFormat:
        """How the store lies on disk."""
        return self.store_type.file_format


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Everything that :func:`draw_fleet` drew, in a stable order."""

    plan: FleetPlan
    orchestrators: tuple[PlannedOrchestrator, ...]
    stores: tuple[PlannedStore, ...]

    def manifest_rows(self) -> list[dict[str, str]]:
        """Return one row for each store that can be reenrolled, in fleet order.

        Keys are the API's names, as a manifest's columns are.
        """
        return [_row(store) for store in self.stores if store.store_type.reenrollable]

    def fingerprint(self) -> dict[str, object]:
        """Return what must be equal for a folder to be opened again."""
        return asdict(self.plan)


def _row(store: PlannedStore) -> dict[str, str]:
    return {
        "KeystoreId": store.store_id,
        "SubjectName": store.subject,
        "AgentGuid": store.agent_id,
        "Alias": store.alias,
        "CertificateAuthority": NEW_CA,
        "CertificateTemplate": store.template.name,
        "ClientMachine": store.machine,
        "StorePath": store.path,
        "StoreType": store.store_type.short_name,
    }


def draw_guid(rng: random.Random) -> str:
    """Return a version 4 GUID in lower case, drawn from ``rng``."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def draw_fleet(plan: FleetPlan) -> Fleet:
    """Return the fleet that ``plan`` describes; equal plans give equal fleets."""
    rng = random.Random(f"fleet:{plan.seed}")  # noqa: S311 - reproducible, no secret
    orchestrators = _draw_orchestrators(plan, rng)
    owners = _deal(plan, orchestrators, rng)
    special = rng.sample(
        range(plan.stores), plan.unsupported_stores + plan.broken_stores
    )
    unsupported = set(special[: plan.unsupported_stores])
    broken = set(special[plan.unsupported_stores :])
    stores = tuple(
        _draw_store(n, owners[n], n in unsupported, n in broken, plan, rng)
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


def _draw_store(
    n: int,
    owner: str,
    unsupported: bool,
    broken: bool,
    plan: FleetPlan,
    rng: random.Random,
) -> PlannedStore:
    role, unit, (container_id, container) = rng.choice(_ROLES)
    name = f"{role}-{n + 1:04d}"
    kind = NETSCALER if unsupported else rng.choice((PEM, PEM, JKS, PKCS12))
    rsa = rng.random() * 100 < plan.rsa_pct
    path = rng.choice(_PATHS[kind.file_format]).format(name=name)
    template = WEB_SERVER_RSA if rsa else WEB_SERVER
    return PlannedStore(
        store_id=draw_guid(rng),
        agent_id=owner,
        # About four stores to a machine, as on real hosts.
        machine=f"{role}-host-{n // 16 + 1:03d}.example.com",
        path="/nsconfig/ssl/" + name + ".pem" if unsupported else path,
        store_type=kind,
        container_id=container_id,
        container=container,
        alias=name,
        subject=f"CN={name}.example.com,OU={unit},{rng.choice(_ORGANISATIONS)},"
        "L=Independence,ST=OH,C=US",
        sans=(f"{name}.example.com", f"{name}.internal.example.com")[
            : rng.randint(1, 2)
        ],
        template=BROKEN if broken else template,
        age_days=rng.randint(330, 395),
        days_left=rng.randint(2, 30),
        password=f"sandbox-{rng.getrandbits(40):010x}"
        if kind.password_required
        else "",
    )
