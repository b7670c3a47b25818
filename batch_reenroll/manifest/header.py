"""The blocks of a YAML manifest besides its rows, as values.

A CSV manifest has none of them: its header is :data:`EMPTY`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.quota import AuthorityLimit, authority_key
from batch_reenroll.campaign.waves import WavePlan
from batch_reenroll.campaign.windows import LONGEST_S, Blackout, Window
from batch_reenroll.manifest.columns import in_order
from batch_reenroll.manifest.normal import as_cell, normalised
from batch_reenroll.manifest.rules import Fault, shown
from batch_reenroll.manifest.schedule import (
    cron_fault,
    duration_s,
    timezone_fault,
)
from batch_reenroll.manifest.schema import faults_of_block
from batch_reenroll.text import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignBlock:
    """What the campaign is for. ``deadline`` is aware UTC; texts may be empty."""

    name: str = ""
    reason: str = ""
    ticket: str = ""
    requested_by: str = ""
    approved_by: str = ""
    owner: str = ""
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Ceilings; None = the manifest says nothing. Counts >= 1, the rate > 0.

    ``per_authority`` has the limits of CAs by their names as written.
    """

    max_per_second: float | None = None
    max_in_flight: int | None = None
    per_orchestrator: int | None = None
    per_authority: Mapping[str, AuthorityLimit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Failures allowed; None = the manifest says nothing. ``min_rows`` >= 0."""

    max_failures: Limit | None = None
    min_rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Everything a manifest says besides its rows.

    Attributes:
        defaults: Normalised values by column for rows that leave the field empty.
        unusable_defaults: Columns whose default had a fault.
    """

    campaign: CampaignBlock = CampaignBlock()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    unusable_defaults: frozenset[str] = frozenset()
    pace: Pace = Pace()
    windows: tuple[Window, ...] = ()
    blackouts: tuple[Blackout, ...] = ()
    waves: tuple[WavePlan, ...] = ()
    budget: Budget = Budget()

    def default_cells(self) -> dict[str, str]:
        """Return the defaults as CSV cells by column, in the contract's order."""
        return {name: as_cell(self.defaults[name]) for name in in_order(self.defaults)}


EMPTY = Header()


def build_header(document: Mapping[str, Any]) -> tuple[Header, list[Fault]]:
    """Return the header that the document writes, and every fault in it.

    A block with a fault is left out of the header; the faults' columns are paths such
    as ``waves[1].size``.

    Args:
        document: The YAML document without ``version``, ``rows`` and ``rows_from``.
    """
    faults: list[Fault] = []
    blocks: dict[str, Any] = {}
    for name, value in document.items():
        if name == "defaults" and isinstance(value, dict):
            blocks |= _defaults(value, faults)
            continue
        found = faults_of_block(name, value)
        faults += found
        if name in _ITEM_READERS and isinstance(value, list):
            # Sound items are judged for meaning even beside broken ones.
            items = _items(name, value, found, faults)
            blocks |= {} if found else {name: items}
        elif name in _READERS and not found:
            blocks[name] = _READERS[name](value, faults)
    return Header(**blocks), faults


def _items(
    name: str, block: list[Any], found: list[Fault], faults: list[Fault]
) -> tuple[Any, ...]:
    broken = {(fault.column or "").split("]")[0] + "]" for fault in found}
    items = []
    names: dict[str, str] = {}
    for at, given in enumerate(block):
        place = f"{name}[{at}]"
        if place in broken:
            continue
        item = _ITEM_READERS[name](place, given, faults)
        items.append(item)
        if isinstance(item, WavePlan) and names.setdefault(item.name, place) != place:
            message = f"{place} is named {shown(item.name)} like {names[item.name]}"
            faults.append(Fault("wave_duplicate", message, f"{place}.name"))
    return tuple(items)


def _defaults(given: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    found: list[Fault] = []
    values = normalised(given, found)
    found = [replace(fault, column=f"defaults.{fault.column}") for fault in found]
    found += faults_of_block("defaults", values)
    faults += found
    broken = {fault.column for fault in found}
    sound = {k: v for k, v in values.items() if f"defaults.{k}" not in broken}
    return {"defaults": sound, "unusable_defaults": frozenset(given) - frozenset(sound)}


def _campaign(block: dict[str, str], _faults: list[Fault]) -> CampaignBlock:
    texts = {key: text for key, text in block.items() if key != "deadline"}
    return CampaignBlock(**texts, deadline=parse_time(block.get("deadline", "")))


def _pace(block: dict[str, Any], faults: list[Fault]) -> Pace:
    limits = block.get("per_authority", {})
    names: dict[str, str] = {}
    for name in limits:
        first = names.setdefault(authority_key(name), name)
        if first != name:
            place = f"pace.per_authority.{name}"
            message = f"{shown(name)} is the same CA as {shown(first)}"
            faults.append(Fault("authority_duplicate", message, place))
    return Pace(**{**block, "per_authority": dict(map(_authority, limits.items()))})


def _authority(item: tuple[str, Mapping[str, Any]]) -> tuple[str, AuthorityLimit]:
    name, said = item
    return name, AuthorityLimit(
        rate_per_s=said.get("max_per_second"), per_day=said.get("per_day")
    )


def _budget(block: dict[str, Any], _faults: list[Fault]) -> Budget:
    return Budget(
        max_failures=_limit(block, "max_failures"), min_rows=block.get("min_rows")
    )


def _window(place: str, item: dict[str, str], faults: list[Fault]) -> Window:
    cron = cron_fault(item["cron"])
    if cron is not None:
        message = f"{place}.cron is {shown(item['cron'])}: {cron}"
        faults.append(Fault("cron_invalid", message, f"{place}.cron"))
    zone = timezone_fault(item["timezone"])
    if zone is not None:
        message = f"{place}.timezone: {zone}"
        faults.append(Fault("timezone_unknown", message, f"{place}.timezone"))
    window = Window(
        cron=" ".join(item["cron"].split()),
        timezone=item["timezone"],
        duration_s=duration_s(item["duration"]) or 0,
        cutoff_s=duration_s(item.get("cutoff", "0s")) or 0,
    )
    if window.duration_s <= window.cutoff_s:
        message = f"{place}: duration {item['duration']} is not longer than its "
        message += f"cutoff {item.get('cutoff', '0s')}"
        faults.append(Fault("window_too_short", message, f"{place}.duration"))
    if window.duration_s > LONGEST_S:
        message = f"{place}: duration {item['duration']} is longer than 366 days"
        faults.append(Fault("window_too_long", message, f"{place}.duration"))
    return window


def _blackout(place: str, item: dict[str, str], faults: list[Fault]) -> Blackout:
    start, end = (parse_time(item[edge]) or _NEVER for edge in ("from", "to"))
    if end <= start:
        message = f"{place} ends at {item['to']}, not after {item['from']}"
        faults.append(Fault("blackout_reversed", message, f"{place}.to"))
    return Blackout(start=start, end=end)


def _wave(place: str, item: dict[str, Any], faults: list[Fault]) -> WavePlan:
    windows = enumerate(item.get("windows", ()))
    return WavePlan(
        name=item["name"],
        size=_limit(item, "size"),
        soak_s=duration_s(item.get("soak", "0s")) or 0,
        max_failures=_limit(item, "max_failures"),
        windows=tuple(_window(f"{place}.windows[{n}]", w, faults) for n, w in windows),
    )


def _limit(block: Mapping[str, Any], name: str) -> Limit | None:
    return Limit.parse(str(block[name])) if name in block else None


# Never seen: the schema lets no text pass that names no moment.
_NEVER = datetime.max.replace(tzinfo=UTC)
_READERS: dict[str, Callable[[Any, list[Fault]], Any]] = {
    "campaign": _campaign,
    "pace": _pace,
    "budget": _budget,
}
_ITEM_READERS: dict[str, Callable[[str, Any, list[Fault]], Any]] = {
    "windows": _window,
    "blackouts": _blackout,
    "waves": _wave,
}
