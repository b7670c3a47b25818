"""The simulation must catch the mistakes that would matter most.

Each test breaks the program on purpose and looks for a seed that notices. Were one to
pass unnoticed, the simulation would prove nothing about it.
"""

from __future__ import annotations

import gc
import sys

import pytest
from simulation.mutations import MUTATIONS, Mutation
from simulation.shrinking import judged
from simulation.steered import STEERED

#: Seeds tried for each mutation; the first one notices unless something has changed.
_SEEDS = 40


@pytest.mark.parametrize(
    "mutation", MUTATIONS + STEERED, ids=lambda mutation: mutation.name
)
def test_the_simulation_notices(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same scenario holds unbroken, so it is the mistake that is noticed."""
    seeds = range(mutation.known, mutation.known + _SEEDS)
    with monkeypatch.context() as patch:
        mutation.make(patch)
        # What is broken on purpose may hang: nobody awaits then what it was at.
        patch.setattr(sys, "unraisablehook", lambda _: None)
        seed = next((s for s in seeds if judged(mutation.at(s))), None)
        gc.collect()
    assert seed is not None
    assert judged(mutation.at(seed)) == []
