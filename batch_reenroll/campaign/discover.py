"""From what Command has to rows of a manifest: which stores, and what of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from batch_reenroll.campaign.nouns import (
    InventoryCertificate,
    Orchestrator,
    Store,
    StoreType,
)
from batch_reenroll.campaign.plan import Directory
from batch_reenroll.text import rfc3339

#: Columns of the manifest, in order. The ``x-`` ones are for whoever reads it.
COLUMNS = (
    "KeystoreId",
    "SubjectName",
    "AgentGuid",
    "Alias",
    "JobProperties",
    "CurrentThumbprint",
    "x-client-machine",
    "x-store-path",
    "x-store-type",
    "x-container",
    "x-orchestrator",
    "x-issuer",
    "x-not-after",
)

_APPROVED = 2


class LeftOutBecause(StrEnum):
    """Why a store, or a certificate of it, is not in the manifest."""

    NOT_APPROVED = "not_approved"
    NO_ORCHESTRATOR = "no_orchestrator"
    UNSUPPORTED = "unsupported"
    NO_INVENTORY_SCHEDULE = "no_inventory_schedule"
    NO_INVENTORY = "no_inventory"
    NO_ALIAS = "no_alias"
    DUPLICATE_ALIAS = "duplicate_alias"
    NO_SUBJECT = "no_subject"
    SUBJECT_UNREADABLE = "subject_unreadable"
    INVENTORY_UNREADABLE = "inventory_unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which stores and certificates are meant; what is None or empty allows all.

    Attributes:
        store_types: Short names or numbers, any case.
        containers, orchestrators: Names, any case; orchestrators also by GUID.
        expiring_before: Only certificates with NotAfter before this, aware.
        issuer: Only certificates whose issuer contains this, any case.
        excluded: GUIDs of stores to leave out.
    """

    store_types: frozenset[str] = frozenset()
    containers: frozenset[str] = frozenset()
    orchestrators: frozenset[str] = frozenset()
    expiring_before: datetime | None = None
    issuer: str = ""
    excluded: frozenset[str] = frozenset()

    def has_store(self, store: Store, directory: Directory) -> bool:
        """Return whether the store is one that was asked for."""
        kind = directory.types.get(store.store_type)
        agent = directory.orchestrators.get(store.agent_id or "")
        types = {str(store.store_type)} | ({kind.short_name} if kind else set())
        agents = {store.agent_id or ""} | ({agent.client_machine} if agent else set())
        return (
            store.store_id not in self.excluded
            and _meets(self.store_types, types)
            and _meets(self.containers, {store.container})
            and _meets(self.orchestrators, agents)
        )

    def has_certificate(self, certificate: InventoryCertificate) -> bool:
        """Return whether the certificate is one that was asked for."""
        if self.issuer.casefold() not in certificate.issuer.casefold():
            return False
        if self.expiring_before is None:
            return True
        not_after = certificate.not_after
        # Without a date nobody can say that it lasts.
        return not_after is None or not_after < self.expiring_before


def _meets(wanted: frozenset[str], names: set[str]) -> bool:
    return not wanted or bool(
        {name.casefold() for name in wanted} & {name.casefold() for name in names}
    )


def left_out(store: Store, directory: Directory) -> tuple[LeftOutBecause, str] | None:
    """Return why a store cannot be re-enrolled, or None where it can."""
    if not store.approved:
        return LeftOutBecause.NOT_APPROVED, "the store is not approved"
    agent = directory.orchestrators.get(store.agent_id or "")
    if agent is None or agent.status != _APPROVED:
        return (
            LeftOutBecause.NO_ORCHESTRATOR,
            "the store has no approved orchestrator",
        )
    kind = directory.types.get(store.store_type)
    can = store.reenrollable
    if can is None and kind is not None:
        can = kind.supports_reenrollment
    if can is False:
        said = store.reenrollment_message
        return LeftOutBecause.UNSUPPORTED, said or "its type has no reenrollment"
    return None


def rows_of(
    store: Store,
    inventory: Sequence[InventoryCertificate],
    directory: Directory,
    wanted: Wanted,
) -> Iterator[dict[str, str] | tuple[LeftOutBecause, str]]:
    """Yield a row for each certificate of the store that is wanted, or why not.

    Args:
        store: One that :func:`left_out` says nothing of.
        inventory: Its leaves.
        directory: What Command has.
        wanted: Which certificates are meant.
    """
    if not inventory:
        if store.inventory_scheduled:
            yield LeftOutBecause.NO_INVENTORY, "the inventory is empty"
        else:
            message = "the store has no inventory schedule, so nothing is known of it"
            yield LeftOutBecause.NO_INVENTORY_SCHEDULE, message
        return
    kind = directory.types.get(store.store_type)
    agent = directory.orchestrators.get(store.agent_id or "")
    seen: set[str] = set()
    for certificate in inventory:
        if not wanted.has_certificate(certificate):
            continue
        reason = _unfit(certificate, seen)
        seen.add(certificate.alias)
        yield reason or _row(store, certificate, kind, agent)


def _unfit(
    certificate: InventoryCertificate, seen: set[str]
) -> tuple[LeftOutBecause, str] | None:
    """Return why a certificate makes no row, or None where it does."""
    alias = certificate.alias
    if not alias.strip():
        message = f"the entry of certificate {certificate.thumbprint} has no alias"
        return LeftOutBecause.NO_ALIAS, message
    if alias in seen:
        return LeftOutBecause.DUPLICATE_ALIAS, f"alias {alias} is there twice"
    if not certificate.subject.strip():
        message = f"the certificate under alias {alias} has no subject"
        return LeftOutBecause.NO_SUBJECT, message
    return None


def _row(
    store: Store,
    certificate: InventoryCertificate,
    kind: StoreType | None,
    agent: Orchestrator | None,
) -> dict[str, str]:
    properties = replayed(certificate.parameters, store, kind)
    not_after = certificate.not_after
    return {
        "KeystoreId": store.store_id,
        "SubjectName": certificate.subject,
        "AgentGuid": store.agent_id or "",
        "Alias": certificate.alias,
        "JobProperties": json.dumps(properties) if properties else "",
        "CurrentThumbprint": certificate.thumbprint,
        "x-client-machine": store.client_machine,
        "x-store-path": store.store_path,
        "x-store-type": kind.short_name if kind else str(store.store_type),
        "x-container": store.container,
        "x-orchestrator": agent.client_machine if agent else "",
        "x-issuer": certificate.issuer,
        "x-not-after": rfc3339(not_after) if not_after else "",
    }


#: Entry parameters that hold the names of a certificate, and how they are written: IIS
#: and Windows types before 3.0 as ``dns=a&dns=b`` (their READMEs), Akamai as ``a&b``
#: (keyfactor-command.md 1.5).
_NAMES: Mapping[str, str] = {"san": "dns=", "sans": ""}


def names_wanted(
    row: Mapping[str, str], store: Store, kind: StoreType | None
) -> str | None:
    """Return the parameter of a row that should name the certificate's SANs, or None.

    None where the type has no such parameter, and where the inventory holds it.
    """
    known = store.entry_parameters or (kind.entry_parameters if kind else ())
    held = {name.casefold() for name in json.loads(row["JobProperties"] or "{}")}
    return next(
        (
            parameter.name
            for parameter in known
            if parameter.name.casefold() in _NAMES
            and parameter.name.casefold() not in held
        ),
        None,
    )


def with_names(
    row: Mapping[str, str], parameter: str, sans: frozenset[str] | None
) -> dict[str, str]:
    """Return the row with a certificate's SANs in a parameter.

    Only where all of them are DNS names in ASCII: how others are written there is not
    documented, and a row that names some of them would lose the rest. The plan stops
    a row that lacks a parameter which is required.

    Args:
        row: As :func:`rows_of` gives it.
        parameter: As :func:`names_wanted` gives it.
        sans: As :class:`~batch_reenroll.campaign.certificate.CertificateFacts` has
            them; None = not known.
    """
    if not sans or not all(n.startswith("dns:") and n.isascii() for n in sans):
        return dict(row)
    prefix = _NAMES[parameter.casefold()]
    values = sorted(name.partition(":")[2] for name in sans)
    properties = json.loads(row["JobProperties"] or "{}")
    properties[parameter] = "&".join(prefix + value for value in values)
    return {**row, "JobProperties": json.dumps(properties)}


def replayed(
    parameters: Mapping[str, Any], store: Store, kind: StoreType | None
) -> dict[str, Any]:
    """Return the inventory's parameters as ``JobProperties`` of the next enrollment.

    All of them that hold a value: an Akamai job without its ``EnrollmentId`` becomes
    a new enrollment (keyfactor-command.md 1.5). Secrets are left out: a manifest must
    not hold any.
    """
    known = store.entry_parameters or (kind.entry_parameters if kind else ())
    secret = {p.name.casefold() for p in known if p.kind.casefold() == "secret"}
    return {
        name: value
        for name, value in parameters.items()
        if value not in (None, "") and name.casefold() not in secret
    }
