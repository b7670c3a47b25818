"""The error tree: exit codes and codes are contract, text is not."""

from __future__ import annotations

import re

import pytest

from batch_reenroll import errors
from batch_reenroll.errors import (
    CommandError,
    LedgerError,
    ManifestRejected,
    NotAuthorised,
    Problem,
    ReenrollError,
    Refused,
    Throttled,
    UsageError,
)


def every(root: type[ReenrollError]) -> list[type[ReenrollError]]:
    found = [root]
    for child in root.__subclasses__():
        found += every(child)
    return found


TREE = [kind for kind in every(ReenrollError) if kind.__module__ == errors.__name__]

EXITS = {
    "ReenrollError": 1,
    "UsageError": 2,
    "ManifestRejected": 3,
    "PlanRefused": 4,
    "LedgerError": 2,
    "LedgerVersionMismatch": 2,
    "CampaignLocked": 2,
    "LedgerWriteFailed": 2,
    "StoreInFlight": 2,
    "IllegalMove": 1,
    "CommandError": 9,
    "NotSent": 9,
    "SignInRenewed": 9,
    "OutcomeUnknown": 9,
    "Throttled": 9,
    "Refused": 9,
    "NotAuthorised": 8,
    "ContractViolation": 9,
}


def test_the_exit_code_of_every_error() -> None:
    assert {kind.__name__: kind.exit_code for kind in TREE} == EXITS


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in TREE]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_a_code_is_lower_snake_case(kind: type[ReenrollError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_the_drawn_tree_shows_every_error(kind: type[ReenrollError]) -> None:
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__


def test_an_error_keeps_message_code_and_hint() -> None:
    error = UsageError("no such flag --x", code="flag_unknown", hint="see --help")
    assert (str(error), error.message) == ("no such flag --x", "no such flag --x")
    assert (error.code, error.hint) == ("flag_unknown", "see --help")


def test_a_code_of_ones_own_stays_with_that_error() -> None:
    UsageError("a", code="special")
    assert UsageError("b").code == "usage"


def test_without_a_hint_there_is_none() -> None:
    assert UsageError("a").hint == ""


def test_whoever_catches_ledger_errors_catches_all_of_them() -> None:
    names = {kind.__name__ for kind in every(LedgerError)}
    assert names == {
        "LedgerError",
        "LedgerVersionMismatch",
        "CampaignLocked",
        "LedgerWriteFailed",
        "StoreInFlight",
        "IllegalMove",
    }


class TestManifestRejected:
    def test_one_problem_is_counted_in_the_singular(self) -> None:
        problem = Problem(code="c", message="m", file="a.csv")
        assert str(ManifestRejected([problem])) == "the manifest has 1 problem"

    def test_every_problem_is_kept_in_order(self) -> None:
        problems = [
            Problem(code="c", message=f"m{n}", file="a.csv", line=n)
            for n in range(1, 4)
        ]
        rejected = ManifestRejected(problems)
        assert rejected.problems == tuple(problems)
        assert str(rejected) == "the manifest has 3 problems"

    def test_problems_found_later_do_not_change_it(self) -> None:
        problems = [Problem(code="c", message="m", file="a.csv")]
        rejected = ManifestRejected(problems)
        problems.clear()
        assert len(rejected.problems) == 1


class TestCommandErrors:
    def test_what_command_said_is_kept(self) -> None:
        error = Refused("bad template", status=400, error_code="0xA0110007")
        assert (error.status, error.error_code) == (400, "0xA0110007")

    def test_a_wish_to_wait_is_kept_in_seconds(self) -> None:
        assert (
            Throttled("slow down", status=429, retry_after_s=2.5).retry_after_s == 2.5
        )

    def test_where_no_answer_came_nothing_is_claimed_of_one(self) -> None:
        error = CommandError("no route")
        assert (error.status, error.retry_after_s, error.error_code) == (None, None, "")

    def test_a_missing_right_has_an_exit_code_of_its_own(self) -> None:
        assert NotAuthorised("no right", status=403).exit_code == 8
