"""Laws of text that crosses a border: nothing is lost, nothing slips through."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.text import (
    canonical_json,
    defuse,
    parse_time,
    plain,
    rfc3339,
    undefuse,
    visible,
)

FORMULA = "=+-@\t\r\n＝＋－＠"
BIDI = {"\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F))}
BIDI |= set(map(chr, range(0x2066, 0x206A)))

any_text = st.text(st.characters(), max_size=40)  # lone surrogates included
cells = st.text(st.sampled_from(["'", *FORMULA, "a"]), max_size=6) | any_text
utc_times = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the zone is given below
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
)

_plain_values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
_keys = st.text(st.characters(codec="ascii"), max_size=5)
documents = st.recursive(
    _plain_values,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(cells)
def test_undoing_a_defused_cell_gives_the_cell(cell: str) -> None:
    assert undefuse(defuse(cell)) == cell


@given(cells, cells)
def test_two_cells_are_defused_alike_only_if_they_are_alike(one: str, two: str) -> None:
    assert (defuse(one) == defuse(two)) == (one == two)


@given(cells)
def test_no_defused_cell_begins_a_formula(cell: str) -> None:
    assert not defuse(cell).startswith(tuple(FORMULA))


@given(any_text)
def test_nothing_visible_is_a_control_character(text: str) -> None:
    shown = visible(text)
    kinds = {unicodedata.category(c) for c in shown}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & BIDI
    shown.encode()


@given(any_text)
def test_visible_text_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(any_text, st.integers(40, 90))
def test_a_cut_text_begins_as_the_whole_does(text: str, limit: int) -> None:
    shown = visible(text, limit)
    kept, cut, _ = shown.partition("… (+")
    assert shown == visible(text) if len(visible(text)) <= limit else cut != ""
    assert len(shown) <= limit
    assert visible(text).startswith(kept) or "…" in text


@given(any_text)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(documents)
def test_canonical_json_reads_back_equal(document: object) -> None:
    assert json.loads(canonical_json(document)) == document


@given(st.dictionaries(_keys, _plain_values, max_size=6), st.randoms())
def test_canonical_json_does_not_depend_on_the_order_of_keys(
    document: dict[str, object], dice: Random
) -> None:
    items = list(document.items())
    dice.shuffle(items)
    assert canonical_json(dict(items)) == canonical_json(document)


@given(documents)
def test_canonical_json_is_one_line_with_sorted_keys(document: object) -> None:
    text = canonical_json(document)
    assert "\n" not in text

    def is_sorted(pairs: list[tuple[str, object]]) -> object:
        keys = [key for key, _ in pairs]
        assert keys == sorted(keys)
        return None

    json.loads(text, object_pairs_hook=is_sorted)


@given(utc_times)
def test_a_moment_reads_back_to_the_millisecond(moment: datetime) -> None:
    cut = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_time(rfc3339(moment)) == cut


@given(utc_times, st.integers(-23 * 60, 23 * 60))
def test_a_moment_is_the_same_in_every_zone(moment: datetime, minutes: int) -> None:
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert parse_time(there.isoformat()) == moment


@given(any_text | st.text("0123456789-:.TZ+ ", max_size=32))
def test_any_text_is_a_moment_in_utc_or_none(text: str) -> None:
    moment = parse_time(text)
    assert moment is None or moment.tzinfo is UTC
