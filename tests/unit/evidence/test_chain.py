"""What exactly a broken chain is said to be, and at which line: no more, no less."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from batch_reenroll.evidence.canonical import canonical
from batch_reenroll.evidence.chain import Chain
from batch_reenroll.evidence.findings import Fault, Faults

N = 8
ZEROS = "0" * 64


def chained(n: int = N, *, prev: str = ZEROS, seqs: Sequence[int] = ()) -> list[bytes]:
    """Return lines with whole links, numbered from 0 or by ``seqs``."""
    lines = []
    for number in range(n):
        seq = seqs[number] if seqs else number
        line = canonical({"event": f"e{number}", "prev": prev, "seq": seq})
        prev = hashlib.sha256(line).hexdigest()
        lines.append(line)
    return lines


LINES = chained()
HEAD = hashlib.sha256(LINES[-1]).hexdigest()


def said_of(
    lines: Sequence[bytes], *, head: str = HEAD, n: int | None = N, ended: bool = True
) -> list[Fault]:
    """Return the faults of a journal whose head and length are noted so."""
    faults = Faults()
    chain = Chain("j", faults, {head} - {""})
    for at, line in enumerate(lines, start=1):
        chain.add(line, ended=ended or at < len(lines))
    chain.end(n)
    return faults.kept


def said(lines: Sequence[bytes], **noted: object) -> list[tuple[str, int | None]]:
    found = said_of(lines, **noted)  # type: ignore[arg-type]
    return [(fault.code, fault.line) for fault in found]


def test_a_whole_chain_has_no_fault() -> None:
    assert said(LINES) == []
    assert said(LINES, n=None) == []


def test_a_changed_line_is_the_one_fault() -> None:
    for at in range(N):
        lines = list(LINES)
        lines[at] = lines[at].replace(b'"e', b'"f')
        (fault,) = said_of(lines)
        assert (fault.code, fault.line) == ("line_changed", at + 1)
        assert fault.expected == hashlib.sha256(LINES[at]).hexdigest()
        assert fault.found == hashlib.sha256(lines[at]).hexdigest()


@pytest.mark.parametrize("at", range(1, N))
def test_a_changed_prev_leaves_the_line_before_unvouched_for(at: int) -> None:
    lines = list(LINES)
    sealed = hashlib.sha256(lines[at - 1]).hexdigest().encode()
    lines[at] = lines[at].replace(sealed, b"f" * 64)
    assert said(lines) == [("line_unvouched", at), ("line_changed", at + 1)]


def test_a_chain_that_begins_elsewhere_is_a_fault_of_its_first_line() -> None:
    lines = chained(prev="e" * 64)
    head = hashlib.sha256(lines[-1]).hexdigest()
    assert said(lines, head=head) == [("genesis_prev", 1)]


def test_numbers_that_do_not_count_on_are_a_fault_although_the_links_hold() -> None:
    lines = chained(seqs=(0, 1, 2, 3, 3, 5, 6, 7))
    head = hashlib.sha256(lines[-1]).hexdigest()
    (fault,) = said_of(lines, head=head)
    assert (fault.code, fault.line) == ("seq_wrong", 5)
    assert (fault.expected, fault.found) == ("4", "3")


@pytest.mark.parametrize("at", range(N - 1))
@pytest.mark.parametrize("n", [1, 2])
def test_dropped_lines_are_one_fault(at: int, n: int) -> None:
    left = [*LINES[:at], *LINES[at + n :]]
    (fault,) = said_of(left)
    assert fault.code == "lines_missing"
    assert fault.line == min(at + 1, len(left))


@pytest.mark.parametrize("n", range(1, N))
def test_a_cut_tail_is_one_fault_that_says_how_much_is_gone(n: int) -> None:
    (fault,) = said_of(LINES[:n])
    assert (fault.code, fault.line) == ("lines_missing", n)
    assert f"{N - n} lines are missing at its end" in fault.message


def test_a_journal_that_is_gone_is_a_fault_without_a_line() -> None:
    assert said([]) == [("lines_missing", None)]


def test_lines_behind_the_head_are_one_fault_at_the_first_of_them() -> None:
    longer = chained(N + 3)
    assert said(longer) == [("lines_added", N + 1)]


@pytest.mark.parametrize("at", range(N - 2))
def test_neighbors_that_change_places_are_two_faults(at: int) -> None:
    lines = list(LINES)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    assert said(lines) == [("line_out_of_place", at + 1), ("lines_missing", at + 3)]


@pytest.mark.parametrize("at", range(1, N))
def test_a_line_that_stands_twice_is_one_fault(at: int) -> None:
    lines = [*LINES[: at + 1], LINES[at - 1], *LINES[at + 1 :]]
    assert said(lines) == [("line_out_of_place", at + 2)]


def test_a_line_from_further_down_is_one_fault_where_it_was_put() -> None:
    lines = [*LINES[:2], LINES[5], *LINES[2:]]
    assert said(lines) == [("line_out_of_place", 3)]


def test_a_line_feed_that_is_missing_at_the_end_is_one_fault() -> None:
    assert said(LINES, ended=False) == [("no_line_end", N)]


def test_a_line_that_is_no_json_is_one_fault_and_the_rest_is_judged_on() -> None:
    lines = list(LINES)
    lines[2], lines[5] = b"{", lines[5].replace(b'"e', b'"f')
    assert said(lines) == [("not_canonical", 3), ("line_changed", 6)]


def test_a_line_broken_in_two_is_two_faults_and_no_more() -> None:
    lines = [*LINES[:3], LINES[3][:20], LINES[3][20:], *LINES[4:]]
    assert said(lines) == [("not_canonical", 4), ("not_canonical", 5)]


def test_a_line_that_is_too_long_is_counted() -> None:
    faults = Faults()
    chain = Chain("j", faults, {HEAD})
    for line in LINES[:4]:
        chain.add(line)
    chain.skip("too long")
    for line in LINES[5:]:
        chain.add(line)
    chain.end(N)
    assert [(f.code, f.line) for f in faults.kept] == [("not_canonical", 5)]


def test_without_a_head_the_last_line_is_taken_as_it_is() -> None:
    changed = [*LINES[:-1], LINES[-1].replace(b'"e', b'"f')]
    assert said(changed, head="", n=None) == []
