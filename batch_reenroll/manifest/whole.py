"""Rules that need the whole manifest: nothing twice, one orchestrator per store.

About 250 bytes are kept per row, whatever its length: digests of 120 bits (a chance
repetition among a million rows: below 10**-24), the row's line, its orchestrator's
number. Two aliases of one store cost a second digest.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any

from batch_reenroll.manifest.rules import Fault, shown


class SeenRows:
    """What the rows so far leave behind. One object per pass; rows in file order."""

    def __init__(self) -> None:
        self._first_by_store: dict[bytes, int] = {}
        self._first_by_store_alias: dict[bytes, int] = {}
        self._first_by_id: dict[bytes, int] = {}
        self._agent_numbers: dict[str, int] = {}
        # One item per row; row numbers count from 1.
        self._lines = array("I", [0])
        self._alias_digests = array("Q", [0])
        self._agents = array("I", [0])
        self._implied = bytearray(1)

    def faults(
        self,
        row: Mapping[str, Any],
        *,
        row_no: int,
        line: int,
        row_id: str,
        spoiled: Collection[str | None],
    ) -> list[Fault]:
        """Return what is wrong with the row in the light of those before it.

        Args:
            row: Normalised values.
            row_no: Its number, above that of the call before. A row that shares nothing
                with any other may be left out.
            line: 1-based line where it begins.
            row_id: Given, or the number as text.
            spoiled: Columns with a fault of their own, not to be compared.
        """
        agent = None if "AgentGuid" in spoiled else row.get("AgentGuid")
        alias = None if "Alias" in spoiled else row.get("Alias")
        self._leave_out(row_no - len(self._lines))
        self._lines.append(line)
        self._agents.append(self._agent_number(agent))
        self._alias_digests.append(_alias_digest(alias))
        faults = []
        first = self._first_with_id(row_id, row_no)
        if first is not None:
            message = f"row id {shown(row_id)} is also that of {self._place(first)}"
            faults.append(Fault("row_id_duplicate", message, "RowId"))
        store = store_key(row, spoiled)
        if store is not None:
            faults += self._store_faults(store, row, row_no, alias)
        return faults

    def _leave_out(self, n_rows: int) -> None:
        for column in (self._lines, self._agents, self._alias_digests):
            column.extend([0] * n_rows)
        self._implied.extend(bytes(n_rows))

    def _first_with_id(self, row_id: str, row_no: int) -> int | None:
        """Return the earlier row of the same id, or None; only given ids are kept."""
        implied = row_id == str(row_no)
        self._implied.append(implied)
        if implied:
            return self._first_by_id.get(_digest(row_id)) if self._first_by_id else None
        if row_id.isascii() and row_id.isdigit() and len(row_id) < 16:
            number = int(row_id)
            if 0 < number < row_no and str(number) == row_id and self._implied[number]:
                return number
        first = self._first_by_id.setdefault(_digest(row_id), row_no)
        return None if first == row_no else first

    def _store_faults(
        self, store: str, row: Mapping[str, Any], row_no: int, alias: str | None
    ) -> list[Fault]:
        first = self._first_by_store.setdefault(_digest(store), row_no)
        if first == row_no:
            return []
        faults = []
        known = self._agents[first]
        if known == 0:
            self._agents[first] = self._agents[row_no]
        elif self._agents[row_no] not in (0, known):
            message = f"the store's orchestrator is {shown(row['AgentGuid'])} here but "
            message += "another one above; the store stands first in "
            message += self._place(first)
            faults.append(Fault("orchestrator_conflict", message, "AgentGuid"))
        twin = None if alias is None else self._twin(store, first, row_no, alias)
        if twin is not None:
            message = f"store and alias {shown(alias)} are also those of "
            message += self._place(twin)
            faults.append(Fault("store_alias_duplicate", message, "Alias"))
        return faults

    def _twin(self, store: str, first: int, row_no: int, alias: str) -> int | None:
        if self._alias_digests[row_no] == self._alias_digests[first]:
            return first
        key = _digest(f"{store}\0{alias}")
        twin = self._first_by_store_alias.setdefault(key, row_no)
        return None if twin == row_no else twin

    def _agent_number(self, agent: str | None) -> int:
        if agent is None:
            return 0
        return self._agent_numbers.setdefault(agent, len(self._agent_numbers) + 1)

    def _place(self, row_no: int) -> str:
        return f"row {row_no} (line {self._lines[row_no]})"


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=15).digest()


def _alias_digest(alias: str | None) -> int:
    if alias is None:
        return 0
    digest = blake2b(alias.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) or 1


def store_key(row: Mapping[str, Any], spoiled: Collection[str | None]) -> str | None:
    """Return the store's name for comparing: the GUID, else machine, path and type."""
    if "KeystoreId" in spoiled:
        return None
    if "KeystoreId" in row:
        return str(row["KeystoreId"])
    parts = ("ClientMachine", "StorePath", "StoreType")
    if any(part in spoiled for part in parts) or not {*parts[:2]} <= row.keys():
        return None
    machine, path, kind = (str(row.get(part, "")) for part in parts)
    return f"{machine.casefold()}\0{path}\0{kind.casefold()}"
