"""Pictures show the numbers they are made from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.report.charts import expiry, progress, stacked

DAY_S = 86_400.0


def test_a_bar_is_as_wide_as_its_rows_and_leaves_zeros_out() -> None:
    parts = stacked({"a": 1, "b": 0, "c": 3})
    assert [(p.name, p.n, p.x, p.width) for p in parts] == [
        ("a", 1, 0.0, 25.0),
        ("c", 3, 25.0, 75.0),
    ]


def test_progress_rises_from_the_bottom_to_the_number_of_rows() -> None:
    plot = progress({"submitted": [0.0, 50.0, 100.0, 100.0], "verified": []})
    assert plot is not None
    (line,) = plot.lines
    heights = [y for _, y in line.points]
    assert plot.y_labels == ("4", "2", "0")
    assert heights == sorted(heights, reverse=True)
    assert (heights[0], heights[-1]) == (75.0, 0.0)
    assert line.points[-1][0] == 100.0


def test_progress_of_one_moment_is_drawn() -> None:
    plot = progress({"submitted": [5.0]})
    assert plot is not None
    assert plot.lines[0].n == 1


def test_nothing_to_draw_is_no_picture() -> None:
    assert progress({"submitted": []}) is None
    assert expiry([], [], []) is None


def test_expiry_puts_before_and_now_on_one_scale() -> None:
    picture = expiry([DAY_S * 1.5] * 4, [DAY_S * 3.5] * 2, [])
    assert picture is not None
    (before,) = picture.before
    (now,) = picture.new
    assert picture.bin_words == "day"
    assert picture.y_labels == ("4", "0")
    assert (before.height, now.height) == (100.0, 50.0)
    assert before.x < now.x
    assert picture.earliest_before == "1970-01-02"


def test_new_certificates_stand_upon_the_old_ones_that_are_still_there() -> None:
    picture = expiry([], [DAY_S * 1.5], [DAY_S * 1.6])
    assert picture is not None
    (kept,), (new,) = picture.kept, picture.new
    assert (kept.y, kept.height) == (50.0, 50.0)
    assert (new.y, new.height) == (0.0, 50.0)
    assert (picture.n_kept, picture.earliest_kept) == (1, "1970-01-02")


@pytest.mark.parametrize("days", [1, 40, 200, 900, 4_000, 40_000, 700_000])
def test_any_span_of_dates_is_drawn_in_a_few_dozen_bars(days: int) -> None:
    picture = expiry([0.0], [days * DAY_S], [])
    assert picture is not None
    (bar,) = picture.new
    assert 99 < bar.x + bar.width / 0.92 <= 100.5
    assert bar.width > 1.5


def test_dates_no_certificate_has_are_left_out() -> None:
    picture = expiry([-1e12, 1e13, DAY_S], [], [])
    assert picture is not None
    assert picture.n_before == 1


@pytest.mark.parametrize(
    ("n", "top"),
    [(1, "2"), (2, "2"), (3, "4"), (11, "20"), (1913, "2,000"), (99, "100")],
)
def test_the_axis_ends_at_a_round_even_number(n: int, top: str) -> None:
    plot = progress({"submitted": [float(i) for i in range(n)]})
    assert plot is not None
    assert plot.y_labels[0] == top


@pytest.mark.parametrize(
    ("hours", "last"),
    [(0.1, "00:06:00"), (6, "06:00"), (48, "Jan 3 00:00"), (240, "Jan 11")],
)
def test_the_time_axis_is_as_fine_as_the_campaign_is_short(
    hours: float, last: str
) -> None:
    plot = progress({"submitted": [0.0, hours * 3600]})
    assert plot is not None
    assert plot.x_labels[-1] == last


def test_a_moment_a_hair_before_a_bar_is_drawn_in_it() -> None:
    assert expiry([], [-5e-324], []) is not None


@given(
    st.floats(1.7e9, 1.9e9),
    st.floats(1.0, 1e6),
)
def test_progress_over_any_span_is_drawn_to_its_last_moment(
    start: float, span_s: float
) -> None:
    found = progress({"submitted": [start, start + span_s]})
    assert found is not None
    last_x, last_y = found.lines[0].points[-1]
    assert (last_x, last_y) == (100, 100 - 100 * 2 / int(found.y_labels[0]))
