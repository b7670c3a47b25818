"""A run within what was approved, and one beyond it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from batch_reenroll.campaign.approved import beyond
from batch_reenroll.campaign.settings import RunSettings

APPROVED = RunSettings(
    rate_per_s=20, poll_interval_s=10, verify_timeout_s=120, confirm_waves=False
)


def names(**wanted: Any) -> list[str]:
    return [found.name for found in beyond(APPROVED, replace(APPROVED, **wanted))]


def test_settings_as_approved_go_beyond_nothing() -> None:
    assert names() == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"rate_per_s": 19.9, "max_in_flight": 1, "per_orchestrator": 1},
        {"poll_interval_s": 60.0, "verify_timeout_s": 600.0},
        {"confirm_waves": True, "until_window_end": True},
        {"settle_time_s": 20.0},
        {"unreachable_timeout_s": 1.0},
    ],
)
def test_a_more_careful_run_is_within(wanted: dict[str, Any]) -> None:
    assert names(**wanted) == []


@pytest.mark.parametrize(
    ("name", "bolder"),
    [
        ("rate_per_s", 20.1),
        ("max_in_flight", 501),
        ("per_orchestrator", 5),
        ("verify", False),
        ("verify_timeout_s", 119.0),
        ("settle_time_s", 19.0),
        ("budget_limit", "21%"),
        ("breaker_rest_s", 60.0),
        ("job_timeout_s", 1.0),
    ],
)
def test_a_bolder_run_is_beyond(name: str, bolder: Any) -> None:
    assert names(**{name: bolder}) == [name]


def test_more_frequent_looks_make_the_settle_time_shorter_too() -> None:
    assert names(poll_interval_s=9.0) == ["settle_time_s", "poll_interval_s"]


@pytest.mark.parametrize("field", [f.name for f in fields(RunSettings)])
def test_no_setting_is_forgotten(field: str) -> None:
    """What has no rule of its own must stay as it was approved."""
    other = replace(APPROVED)
    object.__setattr__(other, field, _Other())
    if field not in ("unreachable_timeout_s",):
        assert field in [found.name for found in beyond(APPROVED, other)]


class _Other:
    """Less and more than anything, and equal to nothing."""

    def __rmul__(self, other: object) -> _Other:
        return self

    def __le__(self, other: object) -> bool:
        return False

    def __lt__(self, other: object) -> bool:
        return True

    def __ge__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True
