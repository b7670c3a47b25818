"""No promise is broken where rows are sent before the others have been read."""

from __future__ import annotations

import pytest
from simulation.drawing import draw
from simulation.shrinking import judged

from batch_reenroll.runner import waves


@pytest.mark.parametrize("seed", range(500, 515))
def test_rows_read_while_others_are_sent_break_no_promise(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waves, "_ROWS_AT_FIRST", 1)
    monkeypatch.setattr(waves, "_ROWS_AT_A_TIME", 1)
    assert judged(draw(seed)) == []
