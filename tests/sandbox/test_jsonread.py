"""JSON into dataclasses: what fits is built, what does not is told, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from batch_reenroll.sandbox.exchange import SandboxError
from batch_reenroll.sandbox.jsonread import BadShape, build, parse_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise SandboxError("number must be >= 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    share: float = 1.0
    on: bool = False
    word: Literal["a", "b"] | None = None
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    by_name: Mapping[str, int] = field(default_factory=dict)


def test_a_whole_object_is_built() -> None:
    value = {
        "name": "x",
        "share": 2,
        "word": "b",
        "inner": {"number": 1},
        "many": [{"number": 2}],
        "by_name": {"k": 3},
    }
    assert build(Outer, value, "it") == Outer(
        name="x",
        share=2,
        word="b",
        inner=Inner(number=1),
        many=(Inner(number=2),),
        by_name={"k": 3},
    )


def test_null_is_taken_only_where_none_may_stand() -> None:
    assert build(Outer, {"name": "x", "word": None, "inner": None}, "it").word is None
    with pytest.raises(BadShape, match=r"it\.name: expected a string"):
        build(Outer, {"name": None}, "it")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "it: expected an object"),
        ({}, "it: name is required"),
        ({"name": 1}, "it.name: expected a string"),
        ({"name": "x", "other": 1}, "it: unknown key 'other'"),
        ({"name": "x", "share": "1"}, "it.share: expected a number"),
        ({"name": "x", "share": True}, "it.share: expected a number"),
        ({"name": "x", "share": 10**400}, "it.share: expected a number"),
        ({"name": "x", "on": 1}, "it.on: expected true or false"),
        ({"name": "x", "word": "c"}, "it.word: expected one of 'a', 'b'"),
        ({"name": "x", "inner": []}, "it.inner: expected an object"),
        ({"name": "x", "many": {}}, "it.many: expected an array"),
        ({"name": "x", "many": [1]}, "it.many[0]: expected an object"),
        ({"name": "x", "many": [{"number": True}]}, "it.many[0].number: expected a"),
        ({"name": "x", "by_name": []}, "it.by_name: expected an object"),
        ({"name": "x", "by_name": {"k": "v"}}, "it.by_name.k: expected a whole"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(value: object, problem: str) -> None:
    with pytest.raises(BadShape) as caught:
        build(Outer, value, "it")
    (told,) = caught.value.problems
    assert told.startswith(problem)


def test_all_problems_are_told_at_once() -> None:
    value = {"share": "x", "many": [{"number": "a"}, {}], "odd": 1}
    with pytest.raises(BadShape) as caught:
        build(Outer, value, "it")
    assert len(caught.value.problems) == 5


def test_what_the_dataclass_refuses_is_passed_on() -> None:
    with pytest.raises(SandboxError, match="number must be >= 0"):
        build(Inner, {"number": -1}, "it")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"NaN", b'"\\ud800"', b"[" * 9999]
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(BadShape, match="not JSON"):
        parse_json(data)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]
