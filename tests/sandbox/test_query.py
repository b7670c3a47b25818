"""The query language: every operator, precedence, values, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.sandbox.query import (
    Context,
    Field,
    Kind,
    QueryError,
    compile_query,
)

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
MIDNIGHT = NOW - 8 * 3600
CONTEXT = Context(now=NOW, me=r"EXAMPLE\sandbox")
GUID = "7326cd6d-0153-4ced-a83b-ea488498bcd8"


@dataclass(frozen=True)
class Row:
    name: str | None = "Alpha"
    count: int | None = 4
    flag: bool = True
    seen: float | None = NOW
    guid: str = GUID


FIELDS: dict[str, Field[Row]] = {
    "name": Field(Kind.TEXT, lambda row: row.name),
    "count": Field(Kind.INTEGER, lambda row: row.count, {"failure": 4}),
    "flag": Field(Kind.BOOLEAN, lambda row: row.flag),
    "seen": Field(Kind.DATE, lambda row: row.seen),
    "guid": Field(Kind.GUID, lambda row: row.guid),
}


def matches(text: str, row: Row | None = None) -> bool:
    return compile_query(text, FIELDS, CONTEXT)(row or Row())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        'name -eq "alpha"',
        "NAME -EQ Alpha",
        'name -ne "beta"',
        'name -contains "LPH"',
        'name -notcontains "x"',
        'name -startswith "al"',
        'name -endswith "HA"',
        "name -ne NULL",
        'count -eq "4"',
        "count -eq 4",
        "count -eq Failure",
        "count -ne 5",
        "count -lt 5",
        "count -le 4",
        "count -gt 3",
        "count -ge 4",
        "flag -eq true",
        'flag -ne "False"',
        f'guid -eq "{GUID.upper()}"',
        f"guid -eq {{{GUID}}}",
        'seen -gt "%TODAY-1%"',
        "seen -lt %TODAY+1%",
        'seen -eq "2027-01-15T08:00:00Z"',
        'seen -ge "2027-01-15"',
        "seen -lt 2027-01-15T08:00:01",
        "(count -eq 4)",
        "((count -eq 4))",
        'count -eq 9 OR name -eq "Alpha"',
        'count -eq 4 and name -eq "Alpha"',
        '(count -eq "4" OR count -eq "3") AND (flag -eq "true")',
        # AND binds tighter than OR
        'name -eq "Alpha" OR count -eq 9 AND flag -eq false',
    ],
)
def test_a_query_that_holds(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        'name -eq "alph"',
        'name -eq "NULL"',
        "name -eq NULL",
        'name -contains "%ME%"',
        "count -gt 4",
        "count -lt 4",
        "seen -lt %TODAY%",
        "flag -eq false",
        "guid -ne " + GUID,
        '(name -eq "Alpha" OR count -eq 9) AND flag -eq false',
    ],
)
def test_a_query_that_does_not_hold(text: str) -> None:
    assert not matches(text)


@pytest.mark.parametrize(
    "text",
    [
        'nosuch -eq "x"',
        "name",
        "name -eq",
        "name -like x",
        "name -lt x",
        "count -contains 4",
        "count -eq four",
        "count -eq 99999999999999999999999999",
        "flag -gt true",
        "flag -eq maybe",
        "guid -eq 12",
        'guid -contains "7326"',
        'seen -eq "yesterday"',
        "seen -eq %TODAY+999999%",
        'seen -eq "2027-13-01"',
        "name -contains NULL",
        'name -eq "x',
        '"name" -eq "x"',
        "(name -eq x",
        "name -eq x)",
        "name -eq (x)",
        "name -eq x name -eq y",
        "name -eq x AND",
        "AND",
        "()",
        "(" * 60 + "name -eq x" + ")" * 60,
        "name -eq " + "x" * 20_000,
    ],
)
def test_a_query_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        matches(text)


def test_null_is_matched_only_by_null() -> None:
    row = Row(name=None, count=None, seen=None)

    assert matches("name -eq NULL AND count -eq NULL AND seen -eq NULL", row)
    assert not matches('name -contains "a"', row)
    assert not matches("count -lt 100", row)
    assert not matches("seen -gt %TODAY-999%", row)
    assert matches('name -ne "a" AND count -ne 1', row)


def test_me_is_the_caller() -> None:
    assert matches('name -eq "%ME%"', Row(name=r"example\SANDBOX"))


def test_today_is_midnight_utc() -> None:
    assert matches("seen -eq %TODAY%", Row(seen=MIDNIGHT))


Node = tuple[str, Callable[[Row], bool]]
_LEAVES: tuple[Node, ...] = (
    ("name -eq Alpha", lambda row: row.name == "Alpha"),
    ('name -contains "et"', lambda row: "et" in (row.name or "")),
    ("count -ge 3", lambda row: row.count is not None and row.count >= 3),
    ("count -eq NULL", lambda row: row.count is None),
    ("flag -eq true", lambda row: row.flag),
)


def _joined(parts: tuple[str, list[Node]]) -> Node:
    word, nodes = parts
    text = f" {word} ".join(f"({text})" for text, _ in nodes)
    every = all if word == "AND" else any
    return text, lambda row: every(test(row) for _, test in nodes)


NODES = st.recursive(
    st.sampled_from(_LEAVES),
    lambda children: st.tuples(
        st.sampled_from(("AND", "OR")), st.lists(children, min_size=1, max_size=3)
    ).map(_joined),
    max_leaves=12,
)
ROWS = st.builds(
    Row,
    name=st.sampled_from(("Alpha", "Beta", None)),
    count=st.sampled_from((1, 3, 4, None)),
    flag=st.booleans(),
)


@given(NODES, ROWS)
def test_a_query_means_what_its_tree_means(node: Node, row: Row) -> None:
    text, meaning = node

    assert matches(text, row) is meaning(row)


@given(st.text(alphabet='()"-% \t\n\x00ANDORnamecounteqNULL19é', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(QueryError):
        assert matches(text) in (True, False)
