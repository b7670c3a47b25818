"""Lists that are asked the same again answer as if they had been asked anew."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.sandbox.memory import Memory
from batch_reenroll.sandbox.query import Context, Field, Kind, compile_query, named_by

CONTEXT = Context(now=0.0, me="me")


def _low(row: int) -> bool:
    return row < 4


def _odd(row: int) -> bool:
    return row % 2 == 1


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=6))
def test_rows_that_are_added_are_found_with_those_before(
    grown: list[list[int]],
) -> None:
    memory: Memory[int] = Memory(lambda: None)
    rows: list[int] = []
    for more in grown:
        rows += more
        for name, fits in (("low", _low), ("odd", _odd)):
            found = memory.matching(rows, name, fits)
            assert list(found) == list(filter(fits, rows))
        ordered = memory.sorted(rows, "order", partial(sorted, rows))
        assert list(ordered) == sorted(rows)


def test_another_world_is_asked_anew() -> None:
    worlds: list[object] = [object()]
    memory: Memory[int] = Memory(lambda: worlds[-1])
    assert memory.matching([1, 2], "q", lambda row: row > 1) == [2]
    worlds.append(object())
    assert memory.matching([1, 2], "q", lambda row: row < 2) == [1]


def test_a_query_names_the_only_values_that_can_fit() -> None:
    guids = [f"{n:08x}-0000-0000-0000-000000000000" for n in range(3)]
    field: Field[str] = Field(Kind.GUID, lambda row: row)
    other: Field[str] = Field(Kind.TEXT, lambda row: row)
    fields = {"jobid": field, "other": other}

    def named(text: str) -> object:
        return named_by(compile_query(text, fields, CONTEXT), field.get)

    one, two = (f'JobId -eq "{guid}"' for guid in guids[:2])
    assert named(one) == {guids[0]}
    assert named(f"({one} OR {two})") == set(guids[:2])
    assert named(f'Other -contains "x" AND ({one} OR {two})') == set(guids[:2])
    assert named(f'{one} OR Other -eq "x"') is None
    assert named(f'JobId -ne "{guids[0]}"') is None
