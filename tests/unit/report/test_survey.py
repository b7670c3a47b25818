"""One pass over the rows finds what the page lists and draws."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from unit.report.synthetic import row

from batch_reenroll.report.rowlines import RowLines
from batch_reenroll.report.survey import MAX_NAMES, OTHERS, Column, survey

OLD, NEW = "2026-12-01T00:00:00.000Z", "2027-02-01T00:00:00Z"


def posix_s(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def test_an_old_certificate_is_still_there_where_no_new_one_was_seen() -> None:
    rows = [
        row(1, not_after_before=OLD, not_after_after=NEW),
        row(2, "failed", not_after_before=OLD),
        row(3, "failed"),
    ]
    found = survey(rows, ())
    assert list(found.expiry_before) == [posix_s(OLD)] * 2
    assert list(found.expiry_new) == [posix_s(NEW)]
    assert list(found.expiry_kept) == [posix_s(OLD)]


def test_the_ten_slowest_come_slowest_first_and_earlier_rows_before_later() -> None:
    rows = [row(n, duration_s=float(n // 2)) for n in range(1, 31)]
    slowest = survey(rows, ()).slowest()
    assert [s.row_id for s in slowest] == [
        *("30", "28", "29", "26", "27"),
        *("24", "25", "22", "23", "20"),
    ]


def test_times_that_cannot_be_read_are_left_out() -> None:
    found = survey([row(1, submitted_at="soon", finished_at=OLD)], ())
    assert list(found.moments["submitted_at"]) == []
    assert list(found.moments["finished_at"]) == [posix_s(OLD)]


@pytest.mark.parametrize("duration_s", [None, float("nan"), float("inf"), "12"])
def test_a_duration_that_is_no_finite_number_is_none(duration_s: object) -> None:
    found = survey([row(1, duration_s=duration_s)], ())  # type: ignore[arg-type]
    assert found.slowest() == []


def test_names_beyond_the_cap_share_one_name() -> None:
    column = Column()
    for n in range(MAX_NAMES + 5):
        column.add(f"orchestrator {n}")
    column.add("orchestrator 7")
    assert len(column.names) == MAX_NAMES + 1
    assert column.names[column.codes[-2]] == OTHERS
    assert column.names[column.codes[-1]] == "orchestrator 7"


def test_alias_and_subject_come_from_the_input_columns_in_any_case() -> None:
    lines = RowLines(("SUBJECTNAME", "alias"))
    lines.add(row(1, cells=["CN=a", "old"]), "verified")
    lines.add(row(2, cells=["CN=b", "old"], alias_after="new"), "verified")
    found = [(line["subject"], line["alias"]) for line in lines.first(2)]
    assert found == [("CN=a", "old"), ("CN=b", "new")]
