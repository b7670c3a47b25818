"""Is the new certificate there? What the inventory says before and after a job.

Success is proven, not believed: after the job the inventory must show another
thumbprint and a later NotBefore.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from batch_reenroll.campaign.nouns import InventoryCertificate
from batch_reenroll.campaign.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The store as the inventory had it just before an attempt.

    Attributes:
        certificates: Alias to thumbprint, every leaf of the store.
        under_alias: The certificate under the row's alias, or None.
    """

    certificates: Mapping[str, str]
    under_alias: InventoryCertificate | None


def before(row: Row, inventory: Sequence[InventoryCertificate]) -> Before:
    """Return what to remember of a store's inventory before submitting ``row``."""
    alias = row.request.alias.casefold()
    under = next((c for c in inventory if c.alias.casefold() == alias), None)
    if under is None and row.current_thumbprint:
        known = row.current_thumbprint
        under = next((c for c in inventory if c.thumbprint == known), None)
    return Before(
        certificates={c.alias: c.thumbprint for c in inventory}, under_alias=under
    )


def already_rotated(
    row: Row, inventory: Sequence[InventoryCertificate]
) -> InventoryCertificate | None:
    """Return the certificate that shows the row was rotated before, or None.

    Only a row that says which certificate it means to replace can be recognised: by
    what an earlier attempt of ours saw there, or by its ``CurrentThumbprint``. The
    latter was rotated when the alias holds another certificate, or, where the alias
    *is* the thumbprint (IIS-like types) and so changed, when it is gone.
    """
    if row.thumbprint_before:
        return proven(row, inventory)
    known = row.current_thumbprint
    if not known:
        return None
    alias = row.request.alias.casefold()
    under = next((c for c in inventory if c.alias.casefold() == alias), None)
    if under is not None:
        return under if under.thumbprint != known else None
    if alias != known or any(c.thumbprint == known for c in inventory):
        return None
    return max(inventory, key=_not_before, default=None)


def proven(
    row: Row, inventory: Sequence[InventoryCertificate]
) -> InventoryCertificate | None:
    """Return the new certificate of a row whose job has ended, or None if unproven.

    It stands under the row's alias with another thumbprint and a later NotBefore than
    before; or, where the alias changed, under an alias that was not there before and
    with a thumbprint that was not there before. Where the store was empty or never
    inventoried before, any certificate under the row's alias is new.
    """
    known = row.before or {}
    old = set(known.values())
    if row.thumbprint_before:
        old.add(row.thumbprint_before)
    fresh = [c for c in inventory if c.thumbprint not in old and _is_later(row, c)]
    alias = row.request.alias.casefold()
    same = [c for c in fresh if c.alias.casefold() == alias]
    if same:
        return same[0]
    if not known:
        return None
    aliases = {a.casefold() for a in known}
    renamed = [c for c in fresh if c.alias.casefold() not in aliases]
    return max(renamed, key=_not_before, default=None)


def _is_later(row: Row, certificate: InventoryCertificate) -> bool:
    if row.not_before_before is None or certificate.not_before is None:
        return True
    return certificate.not_before > row.not_before_before


def _not_before(certificate: InventoryCertificate) -> float:
    at: datetime | None = certificate.not_before
    return at.timestamp() if at else float("-inf")
