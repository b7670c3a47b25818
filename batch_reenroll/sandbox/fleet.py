"""The fleet: which stores and orchestrators there are, as values.

How they are drawn is ``draw``'s; files and keys are made elsewhere.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import asdict, dataclass

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.policy import NEW_CA, Template
from batch_reenroll.sandbox.storetypes import StoreFormat, StoreType

MAX_STORES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """What to lay out.

    Attributes:
        stores: All stores, >= 0, those of the next two lines among them.
        unsupported_stores: Stores of a type that cannot be reenrolled.
        broken_stores: Stores whose template the CA refuses (their jobs fail).
        iis_stores: Stores of the IIS-like type, whose alias is the thumbprint.
        discovered_stores: Stores that were found and not approved yet.
        store_types: Types besides the built-in ones. Those that can be reenrolled have
            stores, each as many as another type.
        orchestrators: >= 1, offline and unapproved ones among them.
        offline: How many orchestrators never ask for work, <= ``orchestrators``.
        unapproved: How many of the others nobody has approved: they get no work.
        offline_stores: Stores of each offline orchestrator; None = an equal share.
        slow: How many of the online orchestrators take three times as long; None =
            two where there are at least four.
        skew: Share of the online stores, 0 to 1, that is given to the first
            orchestrator before the rest is dealt out evenly.
        rsa_pct: Percent of stores that use the RSA-2048 template.
        more_names: About half of the stores hold a certificate with a second DNS name,
            which a reenrollment that does not ask for it loses.
        seed: Any integer.
    """

    stores: int = 200
    unsupported_stores: int = 0
    broken_stores: int = 0
    iis_stores: int = 0
    discovered_stores: int = 0
    store_types: tuple[StoreType, ...] = ()
    orchestrators: int = 8
    offline: int = 0
    unapproved: int = 0
    offline_stores: int | None = None
    slow: int | None = None
    skew: float = 0.0
    rsa_pct: float = 1.0
    more_names: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        faults = [
            (not 0 <= self.stores <= MAX_STORES, f"stores must be 0 to {MAX_STORES}"),
            (min(self._special) < 0, "negative stores"),
            (sum(self._special) > self.stores, "more special stores than stores"),
            (not 1 <= self.orchestrators <= 10_000, "orchestrators must be 1 to 10000"),
            (not 0 <= self.offline <= self.orchestrators, "offline is out of range"),
            (
                not 0 <= self.unapproved <= self.orchestrators - self.offline,
                "unapproved is out of range",
            ),
            ((self.offline_stores or 0) < 0, "offline_stores must be >= 0"),
            ((self.slow or 0) < 0, "slow must be >= 0"),
            (not 0 <= self.skew <= 1, "skew must be 0 to 1"),
            (not 0 <= self.rsa_pct <= 100, "rsa_pct must be 0 to 100"),
        ]
        wrong = [text for bad, text in faults if bad]
        if wrong:
            raise SandboxError("fleet: " + "; ".join(wrong))

    @property
    def _special(self) -> tuple[int, int, int, int]:
        """How many stores there are of each kind that is asked for by number."""
        return (
            self.unsupported_stores,
            self.broken_stores,
            self.iis_stores,
            self.discovered_stores,
        )

    def special(self, rng: random.Random) -> dict[int, str]:
        """Return which stores, by number, are special, and in which way."""
        words = ("unsupported", "broken", "iis", "discovered")
        kinds = [w for w, n in zip(words, self._special, strict=True) for _ in range(n)]
        return dict(zip(rng.sample(range(self.stores), len(kinds)), kinds, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrchestrator:
    """One orchestrator.

    Attributes:
        online: It asks for work.
        approved: It is given some.
        slowness: Factor on the duration of its jobs, >= 1.
        phase: Share of a heartbeat interval before its first heartbeat, [0, 1).
    """

    agent_id: str
    machine: str
    online: bool
    approved: bool = True
    slowness: float
    phase: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStore:
    """One store and the certificate it holds at the start.

    Attributes:
        path: As Command shows it; unique on its machine.
        alias: Of its entry; empty where the thumbprint is the alias.
        sans: DNS names of the first certificate.
        template: What its next certificate is to be issued by.
        age_days, days_left: Since NotBefore and until NotAfter of the first one.
        password: Of the store file; empty for PEM. Guards nothing but the sandbox.
        approved: False for a store that was only discovered.
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
    approved: bool = True

    @property
    def file_format(self) -> StoreFormat:
        """How the store lies on disk."""
        return self.store_type.file_format


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Everything that ``draw_fleet`` drew, in a stable order."""

    plan: FleetPlan
    orchestrators: tuple[PlannedOrchestrator, ...]
    stores: tuple[PlannedStore, ...]

    def manifest_rows(self) -> list[dict[str, str]]:
        """Return one row for each store that can be reenrolled, in fleet order.

        Keys are the API's names, as a manifest's columns are. Stores without an alias
        of their own are left out: which thumbprint they hold only Command knows (see
        ``World.manifest_rows``).
        """
        return [
            manifest_row(store, store.alias)
            for store in self.stores
            if store.alias and store.store_type.reenrollable
        ]

    def fingerprint(self) -> dict[str, object]:
        """Return what must be equal for a folder to be opened again."""
        return asdict(self.plan)


def manifest_row(store: PlannedStore, alias: str) -> dict[str, str]:
    """Return the manifest row that reenrolls ``store``."""
    return {
        "KeystoreId": store.store_id,
        "SubjectName": store.subject,
        "AgentGuid": store.agent_id,
        "Alias": alias,
        "CertificateAuthority": NEW_CA,
        "CertificateTemplate": store.template.name,
        "ClientMachine": store.machine,
        "StorePath": store.path,
        "StoreType": store.store_type.short_name,
    }


def draw_guid(rng: random.Random) -> str:
    """Return a version 4 GUID in lower case, drawn from ``rng``."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
