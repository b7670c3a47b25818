"""The blocks besides the rows: what their small forms mean."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from batch_reenroll.campaign.budget import Limit
from batch_reenroll.campaign.quota import AuthorityLimit
from batch_reenroll.campaign.windows import Blackout, Window
from batch_reenroll.manifest.header import EMPTY, build_header
from batch_reenroll.manifest.schedule import (
    cron_fault,
    duration_s,
    timezone_fault,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1_800),
        ("8h", 28_800),
        ("1d12h", 129_600),
        ("90s", 90),
        ("0s", 0),
        ("1d2h3m4s", 93_784),
        ("", None),
        ("30", None),
        ("30 m", None),
        ("m", None),
        ("1h1d", None),
        ("-1h", None),
        ("1.5h", None),
        ("٣m", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert duration_s(text) == seconds


def budget(limit: object) -> Limit | None:
    header, faults = build_header({"budget": {"max_failures": limit}})
    assert not faults
    return header.budget.max_failures


def test_percentages_stay_exact() -> None:
    limit = budget("0.1%")
    assert limit == Limit(Fraction(1, 10), percent=True)
    assert str(limit) == "0.1%"


def test_a_count_is_no_percentage() -> None:
    assert budget(25) == Limit(Fraction(25), percent=False)


@pytest.mark.parametrize(
    "line",
    [
        "* * * * *",
        "0 22 * * SAT",
        "0 22 * * sat",
        "*/15 0-6 1,15 JAN-MAR mon-fri",
        "0 0 * * 7",
        "5-55/10 * * * *",
        "0 0 29 2 *",
        "0 0 31 2 MON",
    ],
)
def test_cron_lines_that_hold(line: str) -> None:
    assert cron_fault(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "* * * * SAD",
        "JAN * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "5/10 * * * *",
        "5-5/10 * * * *",
        "0 0 * JAN-1/2 *",
        "*-5 * * * *",
        "1,,2 * * * *",
        "@daily",
        "0 0 31 2 *",
        "0 0 30,31 FEB *",
        "0 0 31 4,6,9,11 *",
    ],
)
def test_cron_lines_that_do_not(line: str) -> None:
    assert cron_fault(line)


@pytest.mark.parametrize("name", ["UTC", "America/Chicago", "Europe/Berlin"])
def test_time_zones_that_are_known(name: str) -> None:
    assert timezone_fault(name) is None


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "/UTC", "Europe"])
def test_time_zones_that_are_not(name: str) -> None:
    assert timezone_fault(name)


def test_every_block_becomes_a_value() -> None:
    header, faults = build_header(
        {
            "windows": [
                {"cron": "0  22 * * SAT", "timezone": "UTC", "duration": "8h"},
            ],
            "blackouts": [
                {"from": "2026-12-24T00:00:00Z", "to": "2026-12-24T01:00:00+00:30"}
            ],
            "waves": [
                {
                    **{"name": "a", "size": "1%", "soak": "5m", "max_failures": 0},
                    "windows": [
                        {"cron": "0 6 * * *", "timezone": "UTC", "duration": "1h"}
                    ],
                }
            ],
            "budget": {"max_failures": 3},
        }
    )
    assert faults == []
    day = datetime(2026, 12, 24, tzinfo=UTC)
    assert header.windows == (
        Window(cron="0 22 * * SAT", timezone="UTC", duration_s=28_800),
    )
    assert header.blackouts == (Blackout(start=day, end=day.replace(minute=30)),)
    assert (header.waves[0].soak_s, header.waves[0].max_failures) == (
        300,
        Limit.parse("0"),
    )
    assert header.waves[0].windows == (
        Window(cron="0 6 * * *", timezone="UTC", duration_s=3_600),
    )
    assert header.budget.min_rows is None


def test_a_window_may_be_open_for_a_year_and_no_longer() -> None:
    given = {"cron": "0 0 1 1 *", "timezone": "UTC", "duration": "366d"}
    assert build_header({"windows": [given]})[1] == []
    _, faults = build_header({"windows": [given | {"duration": "366d1s"}]})
    assert [(f.code, f.column) for f in faults] == [
        ("window_too_long", "windows[0].duration")
    ]


def test_default_cells_are_what_a_csv_cell_would_hold() -> None:
    header, _ = build_header(
        {
            "defaults": {
                "EnrollmentPatternId": 7,
                "JobProperties": {"Site": "ä b", "n": 1},
                "AgentGuid": "{7C9E6679-7425-40DE-944B-E07FC1F90AE7}",
            }
        }
    )
    assert header.default_cells() == {
        "AgentGuid": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "JobProperties": '{"Site":"ä b","n":1}',
        "EnrollmentPatternId": "7",
    }


def test_a_csv_manifest_has_no_defaults() -> None:
    assert EMPTY.default_cells() == {}


def test_limits_of_cas_are_kept_by_their_names_as_written() -> None:
    ca = r"ca01.example.com\Corp Issuing CA 2"
    said = {"per_authority": {ca: {"max_per_second": 1, "per_day": 5000}}}
    header, faults = build_header({"pace": said})
    assert faults == []
    assert header.pace.per_authority == {ca: AuthorityLimit(rate_per_s=1, per_day=5000)}
