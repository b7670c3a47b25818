"""Two looks prove that a job is absent; one does not."""

from __future__ import annotations

import pytest

from batch_reenroll.campaign.looks import Looks

SINCE_S, SETTLE_S = 100.0, 12.0


def looks(*moments: tuple[float, float]) -> Looks:
    made = Looks()
    for began_s, between_s in moments:
        made.add(began_s, between_s)
    return made


@pytest.mark.parametrize(
    ("moments", "proven"),
    [
        ((), False),
        (((200.0, 200.0),), False),
        (((106.0, 106.0), (112.0, 112.0)), True),
        # The first began while the request might still have been under way.
        (((105.9, 105.9), (112.0, 112.0)), False),
        # The last began before the settle time was over.
        (((106.0, 106.0), (111.9, 111.9)), False),
        # A job taken just before the first list was read may lag beyond the second.
        (((106.0, 110.0), (112.0, 113.9)), False),
        (((106.0, 110.0), (112.0, 114.0)), True),
        (((200.0, 200.0), (203.9, 203.9)), False),
        (((200.0, 200.0), (204.0, 204.0)), True),
    ],
)
def test_absence_takes_two_looks_that_are_late_and_far_enough_apart(
    moments: tuple[tuple[float, float], ...], proven: bool
) -> None:
    assert looks(*moments).prove_absence(SINCE_S, SETTLE_S) is proven


def test_looks_that_were_forgotten_only_make_the_proof_later() -> None:
    made = looks(*((1000.0 + n, 1000.0 + n) for n in range(50_000)))
    assert made.prove_absence(SINCE_S, SETTLE_S)
    assert made.first_since(0.0) == 31_000.0


def test_the_first_look_since_a_moment_is_the_one_begun_then_or_next() -> None:
    made = looks((1.0, 1.5), (5.0, 5.5), (9.0, 9.5))
    asked_s = (0.0, 1.0, 1.2, 9.0, 9.1)
    assert [made.first_since(at_s) for at_s in asked_s] == [1.0, 1.0, 5.0, 9.0, None]


class TestOneOrchestrator:
    """Looks at one orchestrator count for it, besides those at all."""

    def test_looks_at_all_count_for_each(self) -> None:
        wide = looks((106.0, 106.0))
        own = Looks(of_all=wide)
        own.add(112.0, 112.0)
        assert own.prove_absence(SINCE_S, SETTLE_S)
        assert own.first_since(0.0) == 106.0
        assert own.any_since(112.0)

    def test_its_own_looks_count_for_no_other(self) -> None:
        wide = looks((106.0, 106.0))
        Looks(of_all=wide).add(112.0, 112.0)
        assert not wide.prove_absence(SINCE_S, SETTLE_S)
        assert not wide.any_since(112.0)

    def test_a_later_look_at_all_is_its_last_one(self) -> None:
        wide = looks((106.0, 106.0), (112.0, 112.0))
        own = Looks(of_all=wide)
        own.add(107.0, 107.0)
        assert own.prove_absence(SINCE_S, SETTLE_S)
        assert own.first_since(106.5) == 107.0
