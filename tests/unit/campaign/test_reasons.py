"""Reason codes: stable names, each with an explanation for a person."""

from __future__ import annotations

import re

import pytest

from batch_reenroll.campaign.reasons import EXPLANATIONS, Reason

#: Reasons after which nothing is left to do, so that there is nothing to advise.
GOOD_ENDS = {
    Reason.ADOPTED,
    Reason.JOB_SUCCEEDED,
    Reason.NOT_VERIFIED,
    Reason.ROTATED,
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_in_a_sentence(reason: Reason) -> None:
    assert EXPLANATIONS[reason].meaning.endswith(".")


@pytest.mark.parametrize("reason", sorted(set(Reason) - GOOD_ENDS))
def test_every_reason_but_a_good_end_has_advice(reason: Reason) -> None:
    assert EXPLANATIONS[reason].advice.endswith(".")


def test_nothing_else_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_code_is_its_name_in_lower_snake_case(reason: Reason) -> None:
    assert reason.value == reason.name.lower()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.value)
