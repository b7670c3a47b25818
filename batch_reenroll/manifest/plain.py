"""Which rows are plainly good, so that nobody need ask the slow judge.

One direction only: in what :class:`Gate` clears, the judge (``rows.Judge``) finds no
fault. What it does not clear may be good or bad; the judge says, and words the faults.
Columns are looked at whole where that is quicker than row by row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from batch_reenroll.campaign.endpoint import Endpoint
from batch_reenroll.manifest.columns import PAIRED, is_carried
from batch_reenroll.manifest.header import Header
from batch_reenroll.manifest.normal import guid, normalised
from batch_reenroll.manifest.rules import Fault
from batch_reenroll.manifest.schema import moment_has_zone
from batch_reenroll.manifest.subject import parses

#: Says whether a text that is not empty is good in its column.
Predicate = Callable[[str], object]

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_THUMBPRINT = re.compile(r"(?:[0-9A-Fa-f]{2}[: ]?){20}")
_PATTERN_ID = re.compile(r"[1-9][0-9]{0,8}")
_MAX_ROW_ID = 200
# JSON cells and moments repeat from row to row; longer texts are not kept.
_KEPT, _MAX_KEPT = 4_096, 1_000


def _is_guid(text: str) -> object:
    return _GUID.fullmatch(guid(text.strip()))


def _is_alias(text: str) -> bool:
    return text.isprintable() and text[0] != " " and text[-1] != " "


def _is_row_id(text: str) -> bool:
    return _is_alias(text) and len(text) <= _MAX_ROW_ID


def _remembered(predicate: Predicate) -> Predicate:
    kept = lru_cache(_KEPT)(predicate)
    return lambda text: kept(text) if len(text) <= _MAX_KEPT else predicate(text)


def _read(column: str, text: str) -> Any:
    faults: list[Fault] = []
    return normalised({column: text}, faults).get(column)


def _has_names(value: object) -> bool:
    return isinstance(value, dict) and "" not in value


def _has_texts(value: Any) -> bool:
    return _has_names(value) and all(isinstance(text, str) for text in value.values())


def _has_lists(value: Any) -> bool:
    return _has_names(value) and all(
        isinstance(texts, list)
        and texts
        and all(isinstance(text, str) and text for text in texts)
        for texts in value.values()
    )


def _is_endpoint(text: str) -> bool:
    try:
        Endpoint.parse(text)
    except ValueError:
        return False
    return True


def _is_pattern_id(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


# What YAML gave, where it is no text.
_STRUCTURED: Mapping[str, Callable[[object], bool]] = {
    "JobProperties": _has_names,
    "SANs": _has_lists,
    "EnrollmentPatternId": _is_pattern_id,
    "Metadata": _has_texts,
    "AdditionalEnrollmentFields": _has_texts,
}

# None: any text will do.
_PLAIN: Mapping[str, Predicate | None] = {
    "KeystoreId": _is_guid,
    "SubjectName": parses,
    "AgentGuid": _is_guid,
    "Alias": _is_alias,
    "CertificateAuthority": str.isprintable,
    "CertificateTemplate": str.isprintable,
    "JobProperties": _remembered(lambda t: _has_names(_read("JobProperties", t))),
    "SANs": lambda text: _has_lists(_read("SANs", text)),
    "EnrollmentPatternId": _PATTERN_ID.fullmatch,
    "Metadata": _remembered(lambda t: _has_texts(_read("Metadata", t))),
    "AdditionalEnrollmentFields": _remembered(
        lambda t: _has_texts(_read("AdditionalEnrollmentFields", t))
    ),
    "OwnerRoleName": str.isprintable,
    "RowId": _is_row_id,
    "Wave": str.isprintable,
    "Deadline": _remembered(lambda text: moment_has_zone(text.strip())),
    "Owner": None,
    "Ticket": None,
    "CurrentThumbprint": _THUMBPRINT.fullmatch,
    "Endpoint": _is_endpoint,
    "ClientMachine": str.isprintable,
    "StorePath": str.isprintable,
    "StoreType": str.isprintable,
}


# Of columns looked at whole: there a GUID needs no more than lower case.
_DASHED: Mapping[str, Predicate] = {
    "KeystoreId": _GUID.fullmatch,
    "AgentGuid": _GUID.fullmatch,
}


class Gate:
    """Clears rows of one manifest.

    Args:
        header: The manifest's header; its defaults must be without fault.
        excused: Columns whose absence was reported for the whole file.
    """

    def __init__(self, header: Header, excused: Collection[str]) -> None:
        self._predicates = dict(_PLAIN)
        if header.waves:
            waves = {wave.name for wave in header.waves}
            self._predicates["Wave"] = lambda t: t.isprintable() and t.strip() in waves
        self._defaults = header.defaults
        # What a row need not give itself.
        self._granted = {*header.defaults, *header.unusable_defaults, *excused}
        lost = {*header.unusable_defaults, *excused}
        if lost & {"KeystoreId", "ClientMachine", "StorePath"}:
            self._granted |= {"KeystoreId"}

    def clears(
        self, values: Mapping[str, Any], named: Mapping[str, Mapping[str, str]]
    ) -> bool:
        """Return whether a row is plainly good.

        Args:
            values: By column in the contract's spelling; text, or what YAML gave.
            named: The ``JobProperties.<Name>`` cells and their like that hold anything.
        """
        given = self._granted.copy()
        for key, value in values.items():
            if value is None or value == "":
                continue
            if not self._is_good(key, value):
                return False
            if not isinstance(value, str) or not value.isspace():
                given.add(key)
        return _is_complete(given) and not any(
            self._may_clash(column, values, names) for column, names in named.items()
        )

    def _is_good(self, key: str, value: object) -> object:
        if not isinstance(value, str):
            return key in _STRUCTURED and _STRUCTURED[key](value)
        if key in self._predicates:
            predicate = self._predicates[key]
            return predicate is None or predicate(value)
        return is_carried(key) and key.isprintable()

    def _may_clash(
        self, column: str, values: Mapping[str, Any], names: Iterable[str]
    ) -> bool:
        default = self._defaults.get(column, {})
        return bool(values.get(column)) or any(name in default for name in names)

    def doubtful(
        self, columns: Mapping[str, Sequence[str]], everyone: Sequence[int]
    ) -> Sequence[int]:
        """Return the indexes of the rows it does not clear, in order.

        Args:
            columns: As in :class:`~batch_reenroll.manifest.csv_file.Block`.
            everyone: All indexes, n >= 1.
        """
        if any(self._named_may_clash(column, columns) for column in PAIRED):
            return everyone
        found = set(self._incomplete(columns, everyone))
        for key, cells in columns.items():
            predicate = _DASHED.get(key) or self._predicates.get(key)
            if predicate is not None:
                found.update(_failing(predicate, cells))
        return sorted(found)

    def _named_may_clash(
        self, column: str, columns: Mapping[str, Sequence[str]]
    ) -> bool:
        start = f"{column}."
        names = [key.removeprefix(start) for key in columns if key.startswith(start)]
        if not names:
            return False
        default = self._defaults.get(column, {})
        return any(columns.get(column, ())) or any(name in default for name in names)

    def _incomplete(
        self, columns: Mapping[str, Sequence[str]], everyone: Iterable[int]
    ) -> Iterable[int]:
        full = {key for key, cells in columns.items() if all(map(str.strip, cells))}
        if _is_complete(full | self._granted):
            return ()
        return [
            index
            for index in everyone
            if not _is_complete(
                {*self._granted, *(k for k, c in columns.items() if c[index].strip())}
            )
        ]


def _failing(predicate: Predicate, cells: Sequence[str]) -> Iterable[int]:
    if not any(cells) or all(map(predicate, filter(None, cells))):
        return ()
    return [index for index, text in enumerate(cells) if text and not predicate(text)]


def _is_complete(given: set[str]) -> bool:
    return {"SubjectName", "Alias"} <= given and (
        "KeystoreId" in given or {"ClientMachine", "StorePath"} <= given
    )
