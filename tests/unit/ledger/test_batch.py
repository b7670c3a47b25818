"""A batch in few statements comes to the same as its moves one by one."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.ledger.books import NOW, assert_sound, lines, move, rows, write

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.rows import Fence, Move, Note
from batch_reenroll.ledger import SqliteLedger, sqlite
from batch_reenroll.ledger.batch import update_of
from batch_reenroll.ledger.schema import TABLES

S = State
N_ROWS = 8
Entry = Move | Note


def moves(targets: list[State]) -> st.SearchStrategy[Move]:
    texts = st.sampled_from([None, "", "plain", 'q"uo\\te', "nul\0", "𝔘nicode ü"])
    return st.builds(
        lambda row_no, target, message, fence: move(
            row_no,
            S.PENDING,
            target,
            message=message,
            changes={"fence": fence, "attempts": 1},
        ),
        st.integers(1, N_ROWS + 1),
        st.sampled_from(targets),
        texts,
        st.sampled_from([None, Fence(history_id=7, jobs=frozenset("ab"))]),
    )


def batches() -> st.SearchStrategy[list[Entry]]:
    """Return batches that can be written together, and some that cannot."""
    fine = st.lists(
        moves([S.SUBMITTING, S.CANCELLED]),
        min_size=4,
        max_size=N_ROWS,
        unique_by=lambda one: one.row_no,
    )
    noted = st.just(Note(event="wave_opened", at=NOW, detail={"wave": "rest"}))
    any_move = moves([S.SUBMITTING, S.CANCELLED, S.VERIFIED])
    return st.one_of(fine, st.lists(st.one_of(any_move, noted), min_size=4, max_size=9))


@settings(max_examples=30, deadline=None)
@given(batches())
def test_a_batch_comes_to_what_its_moves_come_to_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, batch: list[Entry]
) -> None:
    found = []
    for worth_it in (1, 1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sqlite, "_WORTH_IT", worth_it)
            path = tmp_path_factory.mktemp("batch") / "ledger.db"
            with SqliteLedger(path) as ledger:
                number = write(ledger, planned_rows=rows(N_ROWS))
                results = ledger.apply(number, batch, {"submit": 1})
                assert_sound(ledger)
                found.append(
                    (
                        [(type(result), str(result)) for result in results],
                        [tuple(record) for record in ledger.records(number)],
                        lines(ledger, number),
                    )
                )
    assert found[0] == found[1]


def test_a_batch_looks_its_rows_up_and_does_not_walk_the_campaign() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(TABLES)
    plan = database.execute(
        f"EXPLAIN QUERY PLAN {update_of(('state', 'attempts'))}", ("[]", 1)
    ).fetchall()
    database.close()
    assert any("campaign=? AND row_no=?" in step[3] for step in plan)
