"""Who may have a twin: a cheap first look at the rules that need the whole manifest.

32 bytes a row, whatever its length: hashes of what must be unique. Equal texts have
equal hashes, so a row whose hashes are all single breaks no rule of
:class:`~batch_reenroll.manifest.whole.SeenRows`; the others are put before it. A chance
repetition costs time and no truth.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping
from itertools import repeat
from typing import Any

from batch_reenroll.manifest.csv_file import Block
from batch_reenroll.manifest.whole import store_key


class Screen:
    """Hashes of the rows so far; row numbers count from 1, one after the other."""

    def __init__(self) -> None:
        self._ids = array("q")
        self._stores = array("q")
        self._aliases = array("q")
        self._agents = array("q")

    def add(
        self,
        row: Mapping[str, Any],
        *,
        row_no: int,
        row_id: str,
        spoiled: Collection[str | None] = (),
    ) -> None:
        """Take the next row in, or one of the last block as it was judged.

        Args:
            row: Normalised values.
            row_no: Its number.
            row_id: Given, or the number as text.
            spoiled: Columns with a fault of their own, not to be compared.
        """
        store = store_key(row, spoiled) or f"\0{row_no}"
        alias = None if "Alias" in spoiled else row.get("Alias")
        agent = None if "AgentGuid" in spoiled else row.get("AgentGuid")
        hashes = (
            (self._ids, hash(row_id)),
            (self._stores, hash(store)),
            (self._aliases, hash((store, row_no if alias is None else alias))),
            (self._agents, hash((store, agent)) if agent else 0),
        )
        for column, value in hashes:
            column[row_no - 1 : row_no] = array("q", [value])

    def add_block(self, block: Block, defaults: Mapping[str, Any]) -> bool:
        """Take the next rows in, those with a fault too; whether that could be done.

        Rows with a fault are to be added once more, as they are judged. It cannot be
        done where a row does not name its store by GUID or gives no alias.

        Args:
            block: Rows whose GUIDs, where good, need only be put in lower case.
            defaults: Normalised values by column.
        """
        stores = block.columns.get("KeystoreId", ("",))
        aliases = block.columns.get("Alias", ("",))
        if not (all(stores) and all(aliases)):
            return False
        stores = list(map(str.lower, stores))
        agents = block.columns.get("AgentGuid", repeat("", len(stores)))
        default = str(defaults.get("AgentGuid", ""))
        row_ids = block.columns.get("RowId", repeat("", len(stores)))
        numbers = range(block.row_no, block.row_no + len(stores))
        self._ids.extend(
            hash(row_id or str(row_no))
            for row_id, row_no in zip(row_ids, numbers, strict=True)
        )
        self._stores.extend(map(hash, stores))
        self._aliases.extend(map(hash, zip(stores, aliases, strict=True)))
        self._agents.extend(
            hash((store, agent.lower() or default)) if agent or default else 0
            for store, agent in zip(stores, agents, strict=True)
        )
        return True

    def suspects(self) -> set[int]:
        """Return the numbers of all rows that may have to do with a fault."""
        found = {*_repeated(self._ids), *_repeated(self._aliases)}
        if len(set(self._stores)) < len(self._stores):
            found |= self._of_several_agents()
        return found

    def _of_several_agents(self) -> set[int]:
        first: dict[int, int] = {}
        several = {
            store
            for store, agent in zip(self._stores, self._agents, strict=True)
            if agent and first.setdefault(store, agent) != agent
        }
        return {no for no, store in enumerate(self._stores, 1) if store in several}


def _repeated(hashes: array[int]) -> Iterable[int]:
    if len(set(hashes)) == len(hashes):
        return ()
    once: set[int] = set()
    twice = {value for value in hashes if value in once or once.add(value)}  # type: ignore[func-returns-value]
    return (no for no, value in enumerate(hashes, 1) if value in twice)
