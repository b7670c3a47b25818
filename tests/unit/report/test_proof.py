"""What the page says of verification."""

from __future__ import annotations

from unit.report.reading import Outline, files_of
from unit.report.synthetic import report_of, row

from batch_reenroll.report.proof import LEVEL_MEANINGS, proof
from batch_reenroll.report.verification import LEVEL_NAMES

NOTHING = dict.fromkeys(LEVEL_NAMES, 0)


def test_every_level_but_none_has_its_meaning_the_furthest_first() -> None:
    assert tuple(LEVEL_MEANINGS) == LEVEL_NAMES[:0:-1]


def test_levels_without_rows_are_left_out() -> None:
    counts = {**NOTHING, "none": 4, "job": 1, "equivalent": 3}
    found = proof({"levels": counts, "why_not_higher": {"no_endpoint": 3}})
    assert found is not None
    assert [level[:2] for level in found.levels] == [("equivalent", 3), ("job", 1)]
    assert (found.whys, found.n_more) == ((("no_endpoint", 3),), 0)


def test_the_most_frequent_reasons_are_said_and_the_rest_counted() -> None:
    whys = {f"r{n}": 20 - n for n in range(12)}
    found = proof({"levels": {**NOTHING, "job": 1}, "why_not_higher": whys})
    assert found is not None
    assert [why for why, _ in found.whys] == [f"r{n}" for n in range(8)]
    assert found.n_more == 4


def test_without_a_row_that_ended_well_nothing_is_said() -> None:
    assert proof({"levels": {**NOTHING, "none": 9}, "why_not_higher": {}}) is None
    page = files_of(report_of([row(1, "failed")]))["report.html"].decode()
    assert "How far the success is proven" not in Outline(page).words


def test_the_page_says_the_level_and_what_kept_rows_from_the_next() -> None:
    rows = [row(1, "succeeded", reason_code="no_inventory_schedule")]
    words = Outline(files_of(report_of(rows))["report.html"].decode()).words
    assert "The job's own word, and no more." in words
    assert "no inventory schedule (1)" in words
