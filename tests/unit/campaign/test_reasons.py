"""Reason codes: stable names, each with an explanation for a person."""

from __future__ import annotations

import re

import pytest

from batch_reenroll.campaign.reasons import EXPLANATIONS, Reason

#: Reasons of steps on the way and of good ends: nothing is left to advise.
ON_THE_WAY = {
    "adopted",
    "job_succeeded",
    "not_verified",
    "retried",
    "rotated",
    "withdrawing",
    "withdrawn",
}
NEEDS_ADVICE = [reason for reason in Reason if reason.value not in ON_THE_WAY]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_in_a_sentence(reason: Reason) -> None:
    assert EXPLANATIONS[reason].meaning.endswith(".")


@pytest.mark.parametrize("reason", NEEDS_ADVICE)
def test_every_reason_that_asks_for_a_person_has_advice(reason: Reason) -> None:
    assert EXPLANATIONS[reason].advice.endswith(".")


def test_nothing_else_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_code_is_its_name_in_lower_snake_case(reason: Reason) -> None:
    assert reason.value == reason.name.lower()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.value)
