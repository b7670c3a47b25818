"""What changes between two looks is told once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from batch_reenroll.campaign.pace import Cause
from batch_reenroll.observe import Level
from batch_reenroll.observe.changes import Changes

LATER = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)

CALM: dict[str, Any] = {
    "rate_per_s": 20.0,
    "pace_cause": "ceiling",
    "pace_cause_code": Cause.CEILING,
    "away_since_s": None,
    "away_cause": "",
    "stop": None,
    "wave": "canary",
    "soaking_until": None,
    "closed_until": None,
    "quiet": [],
    "remarks": (),
}


def told(*shots: dict[str, Any], step_s: float = 1.0) -> list[list[str]]:
    """Return the names of what is told of each of a row of snapshots."""
    changes = Changes()
    list(changes.seen(CALM, 0.0))
    return [
        [event.name for event in changes.seen({**CALM, **shot}, n * step_s)]
        for n, shot in enumerate(shots, 1)
    ]


def test_the_first_look_tells_of_the_pace_and_nothing_else() -> None:
    changes = Changes()
    assert [event.name for event in changes.seen(CALM, 0.0)] == ["pace_changed"]
    assert list(changes.seen(CALM, 1.0)) == []


def test_a_command_that_is_away_is_told_of_once_and_so_is_its_return() -> None:
    away = {"away_since_s": 1.0, "away_cause": "no route"}
    assert told(away, away, away, {}) == [[], ["command_away"], [], ["command_back"]]


def test_an_absence_too_short_for_a_word_has_no_return() -> None:
    away = {"away_since_s": 1.0, "away_cause": "reset"}
    assert told(away, away, {}, step_s=0.4) == [[], [], []]


def test_how_long_command_was_away_is_told() -> None:
    changes = Changes()
    away = {**CALM, "away_since_s": 0.0, "away_cause": "no route"}
    for now_s in (0.0, 5.0):
        list(changes.seen(away, now_s))
    (back,) = changes.seen(CALM, 120.0)
    assert (back.level, back.fields) == (Level.WARNING, {"away_s": 120.0})
    assert back.message == "Command answers again, after 2 min"


@pytest.mark.parametrize(
    ("before", "names"),
    [({"closed_until": LATER}, "window_closed"), ({"soaking_until": LATER}, "soaking")],
)
def test_a_wait_says_until_when_and_once(before: dict[str, Any], names: str) -> None:
    changes = Changes()
    list(changes.seen(CALM, 0.0))
    (event,) = changes.seen({**CALM, **before}, 1.0)
    assert names in event.name
    assert "2026-11-24T22:00:00.000Z" in event.message
    assert event.fields["until"] == LATER
    assert list(changes.seen({**CALM, **before}, 2.0)) == []


def test_a_window_that_opens_is_told_but_not_to_a_run_that_stops() -> None:
    closed = {"closed_until": LATER}
    assert told(closed, {})[1] == ["window_opened"]
    assert told(closed, {"stop": "sigint"})[1] == []


def test_a_ca_that_is_exhausted_is_told_of_again_after_a_pause() -> None:
    quiet = {"quiet": [{"name": "CA 1", "until": LATER}]}
    later = {"quiet": [{"name": "CA 1", "until": LATER.replace(hour=23)}]}
    assert told(quiet, later, {}, quiet) == [
        ["authority_exhausted"],
        [],
        [],
        ["authority_exhausted"],
    ]


def test_the_pace_is_told_of_when_it_is_quite_another_or_for_another_cause() -> None:
    cut = {"pace_cause_code": Cause.PUSHED_BACK, "rate_per_s": 16.0}
    names = told({"rate_per_s": 22.0}, cut, {**cut, "rate_per_s": 9.0})
    assert names == [[], ["pace_changed"], ["pace_changed"]]


def test_each_remark_is_told_once() -> None:
    assert told({"remarks": ("a",)}, {"remarks": ("a", "b", "c")}) == [
        ["remark"],
        ["remark", "remark"],
    ]
