"""Rows resolved against a live Command: who may go, and why the others may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime

from batch_reenroll.campaign.nouns import (
    Orchestrator,
    ReenrollmentRequest,
    Store,
    StoreType,
)
from batch_reenroll.campaign.permissions import Permissions
from batch_reenroll.campaign.preflight import Case, Enrollment, cautions, obstacles
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.text import visible

_APPROVED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the plan needs of one manifest row; the manifest's own names and meaning."""

    keystore_id: str | None
    agent_guid: str | None
    client_machine: str | None
    store_path: str | None
    store_type: str | None
    subject_name: str
    alias: str
    certificate_authority: str | None
    certificate_template: str | None
    job_properties: Mapping[str, object]
    sans: Mapping[str, list[str]] | None
    enrollment_pattern_id: int | None
    metadata: Mapping[str, str] | None = None
    additional_enrollment_fields: Mapping[str, str] | None = None
    owner_role_name: str | None = None


def wish_of(request: ReenrollmentRequest) -> Wish:
    """Return the wish that a resolved request stands for."""
    said = {f.name: getattr(request, f.name) for f in fields(request)}
    return Wish(**said, client_machine=None, store_path=None, store_type=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether one row can run. ``reason`` is None where it can.

    ``request`` is complete where the store was found; otherwise it holds what the row
    said, with empty GUIDs for what it did not. The texts are Command's own, "" where
    the store was not found; ``inventory_scheduled`` is None there. ``cautions`` do not
    stop the row.
    """

    request: ReenrollmentRequest
    reason: Reason | None = None
    message: str = ""
    client_machine: str = ""
    store_path: str = ""
    orchestrator: str = ""
    store_type: str = ""
    capability: str = ""
    place_unique: bool = False
    inventory_scheduled: bool | None = None
    cautions: tuple[tuple[Reason, str], ...] = ()


@dataclass(slots=True)
class Directory:
    """Command's stores, types and orchestrators, indexed for resolving rows.

    Attributes:
        enrollment: What Command can issue.
        permissions: What the account may do everywhere.
        version: Command's product version (``25.4.1+…``), "" where it shows none.
        read_at: When all this was read, aware; None = nobody asks for cautions.
    """

    stores: dict[str, Store] = field(default_factory=dict)
    types: dict[int, StoreType] = field(default_factory=dict)
    orchestrators: dict[str, Orchestrator] = field(default_factory=dict)
    enrollment: Enrollment = field(default_factory=Enrollment)
    permissions: Permissions = field(default_factory=Permissions)
    version: str = ""
    read_at: datetime | None = None
    _by_place: dict[tuple[str, str], list[Store]] = field(default_factory=dict)
    _paths: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add_stores(self, stores: Iterable[Store]) -> None:
        """Index stores; one seen before (paging over a growing list) counts once."""
        for store in stores:
            if store.store_id in self.stores:
                continue
            self.stores[store.store_id] = store
            path = store.store_path.casefold()
            place = store.client_machine.casefold(), path
            self._by_place.setdefault(place, []).append(store)
            self._paths[store.agent_id or "", path] += 1

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of the plan as a whole; a sentence each."""
        return (*self.enrollment.unread, *self.permissions.remarks)

    def type_of(self, store_id: str) -> StoreType | None:
        """Return a store's type, None where Command lists none."""
        store = self.stores.get(store_id)
        return self.types.get(store.store_type) if store else None

    def at_place(self, machine: str, path: str, type_name: str | None) -> list[Store]:
        """Return the stores at a machine and path, of a named type or of any."""
        found = self._by_place.get((machine.casefold(), path.casefold()), [])
        if type_name is None:
            return found
        return [s for s in found if self._is_type(s, type_name)]

    def path_is_unique(self, store: Store) -> bool:
        """Return whether no other store of its orchestrator has the store's path."""
        return self._paths[store.agent_id or "", store.store_path.casefold()] == 1

    def _is_type(self, store: Store, type_name: str) -> bool:
        kind = self.types.get(store.store_type)
        wanted = type_name.casefold()
        return kind is not None and wanted in (
            kind.short_name.casefold(),
            kind.name.casefold(),
            kind.capability.casefold(),
        )


def resolve(
    wish: Wish, directory: Directory, *, ignore: frozenset[Reason] = frozenset()
) -> Verdict:
    """Return the verdict on one row.

    The first thing that stops it is the reason; the message names everything that a
    correction of the row itself would mend.

    Args:
        wish: What the row says.
        directory: What Command showed.
        ignore: Obstacles that become cautions.
    """
    store, refusal = _find(wish, directory)
    if store is None:
        return refusal
    kind = directory.types.get(store.store_type)
    agent_id = store.agent_id or wish.agent_guid or ""
    agent = directory.orchestrators.get(agent_id)
    request = _request(wish, store.store_id, agent_id)
    case = Case(
        request=request,
        store=store,
        kind=kind,
        agent=agent,
        enrollment=directory.enrollment,
        version=directory.version,
    )
    reason, message = _judge(wish, store, kind, agent, agent_id)
    found = [] if reason else list(obstacles(case))
    stopping = [one for one in found if one.reason not in ignore]
    if stopping:
        reason = stopping[0].reason
        message = "; ".join(one.message for one in stopping)
    said = [one for one in found if one.reason in ignore]
    if reason is None and directory.read_at is not None:
        said += cautions(case, directory.read_at)
    return Verdict(
        request=request,
        reason=reason,
        message=message,
        client_machine=store.client_machine,
        store_path=store.store_path,
        orchestrator=agent.client_machine if agent else "",
        store_type=kind.short_name if kind else str(store.store_type),
        capability=kind.capability if kind else "",
        place_unique=directory.path_is_unique(store),
        inventory_scheduled=store.inventory_scheduled,
        cautions=tuple((one.reason, one.message) for one in said),
    )


def _find(wish: Wish, directory: Directory) -> tuple[Store | None, Verdict]:
    request = _request(wish, wish.keystore_id or "", wish.agent_guid or "")

    def refuse(reason: Reason, message: str) -> tuple[None, Verdict]:
        return None, Verdict(request=request, reason=reason, message=message)

    if wish.keystore_id:
        store = directory.stores.get(wish.keystore_id)
        if store is None:
            return refuse(
                Reason.STORE_UNKNOWN, f"Command has no store {wish.keystore_id}"
            )
        return store, Verdict(request=request)
    machine, path = wish.client_machine or "", wish.store_path or ""
    found = directory.at_place(machine, path, wish.store_type)
    where = f"{visible(machine, 256)} {visible(path, 512)}"
    if not found:
        return refuse(Reason.STORE_UNKNOWN, f"Command has no store at {where}")
    if len(found) > 1:
        ids = ", ".join(sorted(s.store_id for s in found))
        return refuse(Reason.STORE_AMBIGUOUS, f"several stores at {where}: {ids}")
    return found[0], Verdict(request=request)


def _judge(
    wish: Wish,
    store: Store,
    kind: StoreType | None,
    agent: Orchestrator | None,
    agent_id: str,
) -> tuple[Reason | None, str]:
    if not store.approved:
        return Reason.STORE_NOT_APPROVED, "the store is not approved"
    if not agent_id:
        return Reason.STORE_NOT_APPROVED, "the store has no orchestrator"
    if wish.agent_guid and wish.agent_guid != agent_id:
        return (
            Reason.ORCHESTRATOR_MISMATCH,
            f"the store belongs to orchestrator {agent_id}, not {wish.agent_guid}",
        )
    if agent is None:
        return Reason.ORCHESTRATOR_MISSING, f"Command has no orchestrator {agent_id}"
    if agent.status != _APPROVED:
        return (
            Reason.ORCHESTRATOR_UNAPPROVED,
            f"orchestrator {visible(agent.client_machine, 256)} has "
            f"status {agent.status}, not 2 (approved)",
        )
    # Where Command says nothing of the store, its type's word counts.
    can = store.reenrollable
    if can is None and kind is not None:
        can = kind.supports_reenrollment
    if can is False:
        said = visible(store.reenrollment_message, 1024)
        return (
            Reason.REENROLLMENT_UNSUPPORTED,
            said or "Command says that the store's type does not support it",
        )
    return None, ""


def _request(wish: Wish, keystore_id: str, agent_guid: str) -> ReenrollmentRequest:
    return ReenrollmentRequest(
        keystore_id=keystore_id,
        subject_name=wish.subject_name,
        agent_guid=agent_guid,
        alias=wish.alias,
        job_properties=dict(wish.job_properties),
        certificate_authority=wish.certificate_authority,
        certificate_template=wish.certificate_template,
        sans=wish.sans,
        enrollment_pattern_id=wish.enrollment_pattern_id,
        metadata=wish.metadata,
        additional_enrollment_fields=wish.additional_enrollment_fields,
        owner_role_name=wish.owner_role_name,
    )
