"""Whatever one byte or one line of a report folder is changed to, it is found."""

from __future__ import annotations

import io
import math

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.evidence.making import faults_of, journal_of, sound, with_journal

from batch_reenroll.evidence import Fault
from batch_reenroll.evidence.canonical import canonical, parsed
from batch_reenroll.text import canonical_json

NAMES = sorted(sound())
LINES = journal_of(sound())
JOURNAL = b"".join(LINES)


def journal_lines(faults: list[Fault]) -> set[int | None]:
    """Return the journal's lines that faults name, but for that of its digest."""
    return {f.line for f in faults if f.file == "events.jsonl" and f.line}


def test_the_folder_as_it_was_written_holds() -> None:
    assert faults_of(sound()) == []


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_changed_byte_of_any_file_is_found_in_that_file(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    content = bytearray(sound()[name])
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    faults = faults_of({**sound(), name: bytes(content)})
    assert name in {fault.file for fault in faults}


@settings(max_examples=250, deadline=None)
@given(at=st.integers(0, len(JOURNAL) - 1), flip=st.integers(1, 255))
def test_a_changed_byte_of_the_journal_is_found_in_its_line(at: int, flip: int) -> None:
    content = bytearray(JOURNAL)
    content[at] ^= flip
    line = JOURNAL[:at].count(b"\n") + 1
    found = journal_lines(faults_of({**sound(), "events.jsonl": bytes(content)}))
    assert line in found
    # And not all over the place: the line before may not be vouched for, a line that
    # was broken in two counts as two.
    assert min(filter(None, found)) >= line - 1


@settings(max_examples=60, deadline=None)
@given(first=st.integers(0, len(LINES) - 1), n=st.integers(1, 4))
def test_dropped_lines_are_missed_where_they_stood(first: int, n: int) -> None:
    left = [*LINES[:first], *LINES[first + n :]]
    found = journal_lines(faults_of(with_journal(sound(), left)))
    # A journal that was cut is found to be at its last line.
    assert min(first + 1, len(left)) in found or not left


@settings(max_examples=60, deadline=None)
@given(copied=st.integers(0, len(LINES) - 1), at=st.integers(0, len(LINES)))
def test_a_line_that_is_there_twice_is_found(copied: int, at: int) -> None:
    lines = [*LINES[:at], LINES[copied], *LINES[at:]]
    found = journal_lines(faults_of(with_journal(sound(), lines)))
    # Two equal lines side by side: it cannot be told which of them is the copy.
    assert found & ({at + 1, at + 2} if at == copied else {at + 1})


@settings(max_examples=60, deadline=None)
@given(pair=st.sets(st.integers(0, len(LINES) - 1), min_size=2, max_size=2))
def test_swapped_lines_are_found_where_the_first_stands(pair: set[int]) -> None:
    one, other = sorted(pair)
    lines = list(LINES)
    lines[one], lines[other] = lines[other], lines[one]
    assert one + 1 in journal_lines(faults_of(with_journal(sound(), lines)))


@settings(max_examples=40, deadline=None)
@given(n_bytes=st.integers(0, len(JOURNAL) - 1))
def test_a_cut_tail_is_found_at_the_last_line_that_is_left(n_bytes: int) -> None:
    left = JOURNAL[:n_bytes]
    faults = faults_of({**sound(), "events.jsonl": left})
    n_lines = len(list(io.BytesIO(left)))
    assert n_lines in journal_lines(faults) or not left


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(len(LINES))))
def test_any_other_order_of_the_lines_is_found(order: list[int]) -> None:
    lines = [LINES[at] for at in order]
    found = journal_lines(faults_of(with_journal(sound(), lines)))
    assert found or lines == LINES


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abz_é", max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(value=st.dictionaries(st.text("abcxyz_", max_size=4), VALUES, max_size=4))
def test_both_canonicalisers_write_the_same(value: dict[str, object]) -> None:
    text = canonical_json(value).encode()
    assert canonical(value) == text
    assert parsed(text) == value


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_a_line_of_anything_is_a_fault_and_no_crash(raw: bytes) -> None:
    lines = [*LINES[:3], raw.replace(b"\n", b"") + b"\n", *LINES[3:]]
    assert 4 in journal_lines(faults_of(with_journal(sound(), lines)))


def test_the_samples_are_large_enough_to_say_something() -> None:
    assert len(LINES) > 40
    assert math.prod(len(sound()[name]) > 100 for name in NAMES)
