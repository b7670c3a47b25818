"""The verdict and the next steps follow from counts, exit code and stop reason."""

from __future__ import annotations

from typing import Any

import pytest
from unit.report.synthetic import campaign_facts

from batch_reenroll.report import OUTCOMES
from batch_reenroll.report.advice import Verdict, deadline_words, next_steps, verdict


def counts_of(**counts: int) -> dict[str, int]:
    return dict.fromkeys(OUTCOMES, 0) | counts


def judged(counts: dict[str, int], **facts: Any) -> Verdict:
    return verdict(campaign_facts(**facts), counts)


def commands(counts: dict[str, int], **facts: Any) -> list[str]:
    steps = next_steps(campaign_facts(**facts), counts)
    return [step.command for step in steps if step.command]


@pytest.mark.parametrize(
    ("counts", "facts", "kind"),
    [
        ({"verified": 9, "skipped_already_rotated": 1}, {"exit_code": 0}, "good"),
        ({"verified": 9, "skipped_excluded": 1}, {"exit_code": 0}, "good"),
        ({"verified": 9, "failed": 1}, {"exit_code": 5}, "mixed"),
        ({"verified": 9, "cancelled": 1}, {"exit_code": 5}, "mixed"),
        ({"failed": 9, "rejected": 1}, {"exit_code": 5}, "bad"),
        ({"verified": 9, "not_attempted": 1}, {"exit_code": 10}, "stopped"),
        ({"verified": 9}, {"exit_code": 0, "finished_at": None}, "running"),
        ({"verified": 9}, {"exit_code": 130, "finished_at": None}, "stopped"),
        ({"not_attempted": 9}, {"exit_code": 6, "stop_reason": "budget"}, "stopped"),
        ({}, {"exit_code": 0}, "bad"),
    ],
)
def test_the_kind_of_verdict(
    counts: dict[str, int], facts: dict[str, Any], kind: str
) -> None:
    assert judged(counts_of(**counts), **facts).kind == kind


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"verified": 2000}, "All 2,000 rows ended well (2,000 verified)."),
        ({"verified": 1}, "The row ended well (1 verified)."),
        (
            {"verified": 7, "failed": 2, "not_attempted": 1},
            "7 of 10 rows ended well (7 verified), 2 failed or need a look "
            "and 1 was not attempted.",
        ),
        ({"failed": 1}, "0 of 1 row ended well and 1 failed or needs a look."),
    ],
)
def test_the_sentence_holds_the_counts(counts: dict[str, int], sentence: str) -> None:
    assert judged(counts_of(**counts), exit_code=0).sentence == sentence


def test_a_stop_reason_is_never_missing() -> None:
    found = judged(counts_of(not_attempted=3), stop_reason="budget: 3 > 2")
    assert "Why it stopped: budget: 3 > 2" in found.notes


def test_success_without_proof_is_said_to_be_without_proof() -> None:
    off = judged(counts_of(succeeded=3), verify="none")
    on = judged(counts_of(succeeded=3), verify="inventory")
    assert "switched off" in off.notes[0]
    assert "did not prove it" in on.notes[0]


def test_a_campaign_that_can_go_on_says_so_first_and_not_to_run_the_rest() -> None:
    found = commands(
        counts_of(verified=1, failed=1, not_attempted=5),
        resume_command="batch-reenroll resume c1",
    )
    assert found == ["batch-reenroll resume c1", "batch-reenroll run failure.csv"]


def test_rows_left_without_a_way_to_go_on_are_run_from_their_file() -> None:
    assert commands(counts_of(verified=1, not_attempted=5)) == [
        "batch-reenroll run remaining.csv"
    ]


def test_unknown_rows_are_to_be_looked_at_before_they_run_again() -> None:
    steps = next_steps(campaign_facts(), counts_of(unknown=2))
    assert "Look at the 2 stores marked unknown" in steps[0].text
    assert steps[1].command == "batch-reenroll run failure.csv"


def test_nothing_left_is_said() -> None:
    (step,) = next_steps(campaign_facts(), counts_of(verified=5))
    assert step.text.startswith("Nothing is left to do")


@pytest.mark.parametrize(
    ("counts", "facts", "said"),
    [
        ({"verified": 9}, {}, "kept"),
        ({"verified": 9, "skipped_excluded": 1}, {}, "kept"),
        ({"verified": 9}, {"finished_at": "2026-12-02T00:00:00Z"}, "missed: it ended"),
        ({"verified": 9, "failed": 1}, {}, "1 row still to be done by then"),
        (
            {"verified": 9, "failed": 1, "cancelled": 1},
            {"written_at": "2026-12-02T00:00:00Z"},
            "missed: 2 rows did not end well by then",
        ),
        ({"verified": 9}, {"deadline": None}, ""),
    ],
)
def test_whether_the_deadline_was_kept(
    counts: dict[str, int], facts: dict[str, Any], said: str
) -> None:
    words = deadline_words(campaign_facts(**facts), counts_of(**counts))
    assert words.startswith(said)
    assert bool(words) is bool(said)
