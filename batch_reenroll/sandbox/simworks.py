"""Store works without keys: the same answers as the real ones, in microseconds.

For simulation of thousands of campaigns. Deterministic: thumbprints and serials come
from the store's id and a counter.
"""

from __future__ import annotations

import hashlib

from batch_reenroll.sandbox.fleet import PlannedStore
from batch_reenroll.sandbox.names import (
    BadSubject,
    common_name,
    parse_subject,
    render,
)
from batch_reenroll.sandbox.policy import OLD_CA, Template
from batch_reenroll.sandbox.storetypes import StoreFormat
from batch_reenroll.sandbox.works import (
    SAN_TYPES,
    SERVER_AUTH,
    Certificate,
    Enrolled,
    Entry,
    Inventoried,
    InventoryOrder,
    Order,
    ReenrollOrder,
    WorkFailed,
    WorkResult,
    alias_fault,
    first_times,
    issue_times,
    kept_alias,
    san_fault,
)


class SimulatedWorks:
    """Stores in memory."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Entry, ...]] = {}
        self._issued = 0

    def lay_out(self, store: PlannedStore, *, at: float) -> tuple[Entry, ...]:
        """Make the store's first certificate unless it has one; return its entries."""
        held = self._held.get(store.store_id)
        if held is None:
            times = first_times(store, at)
            names = tuple((SAN_TYPES["dns"], name) for name in store.sans)
            first = self._issue(store, store.subject, OLD_CA, times, names)
            alias = kept_alias(store, store.alias, first.thumbprint)
            held = (Entry(alias=alias, certificates=(first,)),)
            self._held[store.store_id] = held
        return held

    def perform(self, order: Order) -> WorkResult:
        """Carry ``order`` out at once."""
        if isinstance(order, InventoryOrder):
            held = self._held.get(order.store.store_id)
            if held is None:
                return WorkFailed(message=f"No store at {order.store.path}")
            return Inventoried(entries=held)
        return self._reenroll(order)

    def _reenroll(self, order: ReenrollOrder) -> WorkResult:
        fault = alias_fault(order.alias) or san_fault(order.sans)
        if fault:
            return WorkFailed(message=fault)
        try:
            leaf = self._issue(
                order.store,
                order.subject,
                order.authority,
                issue_times(order),
                _names(order),
                order.template,
            )
        except BadSubject as exc:
            return WorkFailed(message=f"Unable to create a CSR: {exc}")
        alias = kept_alias(order.store, order.alias, leaf.thumbprint)
        self._put(order.store, alias, leaf)
        return Enrolled(certificate=leaf, alias=alias)

    def _issue(
        self,
        store: PlannedStore,
        subject: str,
        ca: str,
        times: tuple[float, float],
        names: tuple[tuple[int, str], ...],
        template: Template | None = None,
    ) -> Certificate:
        name = render(parse_subject(subject))
        self._issued += 1
        digest = hashlib.sha256(f"{store.store_id}:{self._issued}".encode())
        return Certificate(
            subject=name,
            issuer=f"CN={ca.rpartition(chr(92))[2]}",
            serial=f"{self._issued:038X}",
            not_before=times[0],
            not_after=times[1],
            algorithm="sha256ECDSA",
            thumbprint=digest.hexdigest()[:40].upper(),
            names=names,
            usages=(SERVER_AUTH,),
            template="" if template is None else template.name,
        )

    def _put(self, store: PlannedStore, alias: str, leaf: Certificate) -> None:
        fresh = Entry(alias=alias, certificates=(leaf,))
        held = self._held.get(store.store_id, ())
        if store.file_format is not StoreFormat.JKS:
            held = ()  # a PEM file and our PKCS#12 files hold one key
        rest = tuple(entry for entry in held if entry.alias != alias)
        self._held[store.store_id] = (*rest, fresh)


def _names(order: ReenrollOrder) -> tuple[tuple[int, str], ...]:
    """Return the names that a real CA would grant; without any, the CN is one."""
    cn = common_name(parse_subject(order.subject)) or ""
    names = [
        (SAN_TYPES[kind], value)
        for kind, values in order.sans.items()
        for value in values
        if not order.template.cn_only or (kind == "dns" and value == cn)
    ]
    if not order.sans and "." in cn and " " not in cn and cn.isascii():
        names = [(SAN_TYPES["dns"], cn)]
    return tuple(names)
