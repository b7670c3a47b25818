"""``results.parquet``: the results with types, for analysts.

Input cells are text as they came, result texts are printable as in ``results.csv``
(and need no quote before a formula: nothing runs a Parquet cell).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from batch_reenroll.report.facts import RESULT_COLUMNS, CampaignFacts, RowFacts
from batch_reenroll.report.typed import TIMES, WHOLE_NUMBERS, typed_value
from batch_reenroll.text import well_formed

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

#: Rows of one row group: they are in memory together, some 20 MB.
ROWS_PER_GROUP = 20_000


def parquet(facts: CampaignFacts, rows: Iterable[RowFacts]) -> Iterator[bytes]:
    """Yield ``results.parquet`` in chunks: columns as in ``results.csv``.

    Times are ``timestamp[ms, UTC]``, ``attempts`` and ``http_status`` ``int64``,
    ``duration_s`` ``double``, the rest text. What is missing or is none is null.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

    schema = _schema(facts)
    drain = _Drain()
    source = iter(rows)
    with ParquetWriter(pa.PythonFile(drain, mode="w"), schema) as writer:
        while group := list(islice(source, ROWS_PER_GROUP)):
            arrays = list(_arrays(group, schema))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield drain.taken()
    yield drain.taken()


class _Drain:
    """A file for pyarrow to write to, whose bytes are taken away as they come."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._n_bytes = 0

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        self._n_bytes += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._n_bytes

    def flush(self) -> None:
        """Do nothing: whoever takes the bytes writes them."""

    def close(self) -> None:
        """Do nothing: what is left is still to be taken."""

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        piece = b"".join(self._pieces)
        self._pieces.clear()
        return piece


def _schema(facts: CampaignFacts) -> pa.Schema:
    import pyarrow as pa

    kinds: dict[str, Any] = {
        **dict.fromkeys(TIMES, pa.timestamp("ms", tz="UTC")),
        **dict.fromkeys(WHOLE_NUMBERS, pa.int64()),
        "duration_s": pa.float64(),
    }
    fields = [pa.field(well_formed(name), pa.string()) for name in facts.input_columns]
    fields += [pa.field(name, kinds.get(name, pa.string())) for name in RESULT_COLUMNS]
    return pa.schema(fields)


def _arrays(group: Sequence[RowFacts], schema: pa.Schema) -> Iterator[pa.Array]:
    import pyarrow as pa

    n_input = len(schema) - len(RESULT_COLUMNS)
    for at in range(n_input):
        yield pa.array([well_formed(row.cells[at]) for row in group], pa.string())
    for at, name in enumerate(RESULT_COLUMNS, start=n_input):
        values = [typed_value(row, name) for row in group]
        yield pa.array(values, schema.field(at).type)
