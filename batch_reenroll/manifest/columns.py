"""The columns of a manifest: their names, their order, and a CSV header's meaning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batch_reenroll.manifest.rules import Fault, did_you_mean, shown

#: Every column in the order of the contract: the API's own, then those for planning.
COLUMNS = (
    "KeystoreId",
    "SubjectName",
    "AgentGuid",
    "Alias",
    "CertificateAuthority",
    "CertificateTemplate",
    "JobProperties",
    "SANs",
    "EnrollmentPatternId",
    "Metadata",
    "AdditionalEnrollmentFields",
    "OwnerRoleName",
    "RowId",
    "Wave",
    "Deadline",
    "Owner",
    "Ticket",
    "CurrentThumbprint",
    "Endpoint",
    "ClientMachine",
    "StorePath",
    "StoreType",
)
#: Columns of pairs: ``JobProperties.<Name>`` holds one of them as text (CSV only).
PAIRED = ("JobProperties", "Metadata", "AdditionalEnrollmentFields")
#: Columns that begin so are carried to the results and decide nothing.
CARRIED_PREFIX = "x-"

_BY_FOLDED = {name.casefold(): name for name in COLUMNS}
_PAIRED_BY_FOLDED = {name.casefold(): name for name in PAIRED}
# Two columns that only a results.csv has (design.md, section 5).
_RESULT_COLUMNS = {"outcome", "reason_code"}
#: No honest manifest is wider; each column costs memory and time in every row.
MAX_COLUMNS = 1_000
# Guessing what was meant costs time.
_MAX_GUESSED = 100


def is_carried(name: str) -> bool:
    """Return whether the column is only carried to the results."""
    return name[:2].casefold() == CARRIED_PREFIX and len(name) > len(CARRIED_PREFIX)


def pair_of(name: str) -> tuple[str, str] | None:
    """Return the column and the name in ``JobProperties.<Name>`` and its like."""
    head, _, rest = name.partition(".")
    column = _PAIRED_BY_FOLDED.get(head.casefold())
    return (column, rest) if column is not None and rest else None


def canonical(name: str) -> str | None:
    """Return the contract's spelling of a column, or None where it is unknown."""
    known = _BY_FOLDED.get(name.casefold())
    if known is not None:
        return known
    pair = pair_of(name)
    if pair is not None:
        return ".".join(pair)
    return CARRIED_PREFIX + name[2:] if is_carried(name) else None


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return known columns in the contract's order, then carried ones as they came."""
    seen = dict.fromkeys(names)
    known = [name for name in COLUMNS if name in seen]
    return (*known, *(name for name in seen if is_carried(name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the header of a CSV file says.

    Attributes:
        columns: Names as the user wrote them, without white space around.
        keys: The contract's spelling for each, or None for one that is ignored because
            it is unknown or a repetition (a fault says so).
        delimiter: ``,`` ``;`` or a tab.
        line: 1-based line of the header.
    """

    columns: tuple[str, ...]
    keys: tuple[str | None, ...]
    delimiter: str
    line: int


def keys_of(names: Sequence[str]) -> tuple[tuple[str | None, ...], list[Fault]]:
    """Return the meaning of each header name, and the header's own faults."""
    folded = {name.casefold() for name in names}
    faults: list[Fault] = []
    looks_like_results = folded >= _RESULT_COLUMNS
    if looks_like_results:
        message = "these are the columns of a results.csv, not of a manifest"
        hint = "use failure.csv or remaining.csv of the same folder"
        faults.append(Fault("column_unknown", message, hint=hint))
    keys: list[str | None] = []
    seen: dict[str, str] = {}
    for at, name in enumerate(names, start=1):
        key = canonical(name)
        if key is None:
            if not looks_like_results:
                faults.append(_unknown(name, at))
        elif key.casefold() in seen:
            message = f"columns {seen[key.casefold()]} and {shown(name)} are the same"
            faults.append(Fault("header_duplicate_column", message, key))
            key = None
        else:
            seen[key.casefold()] = shown(name)
        keys.append(key)
    return tuple(keys), faults


def _unknown(name: str, at: int) -> Fault:
    if not name:
        message = f"column {at} has no name"
        return Fault("column_unknown", message, hint="name it, or remove the column")
    message = f"column {shown(name)} is not part of a manifest"
    guess = did_you_mean(name, COLUMNS) if at <= _MAX_GUESSED else None
    return Fault("column_unknown", message, name, hint=guess)


def missing_columns(present: Iterable[str | None]) -> list[str]:
    """Return the columns that every row needs and none of ``present`` can give."""
    have = set(present)
    missing = [name for name in ("SubjectName", "Alias") if name not in have]
    if "KeystoreId" not in have and not {"ClientMachine", "StorePath"} <= have:
        missing.insert(0, "KeystoreId")
    return missing
