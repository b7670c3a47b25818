"""One ledger of each kind for the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.ledger.homes import Home, SqliteHome

from batch_reenroll.ledger import SqliteLedger

HOMES = {"sqlite": SqliteHome}


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return HOMES[request.param](tmp_path)


@pytest.fixture
def ledger(home: Home) -> Iterator[SqliteLedger]:
    with home.open() as opened:
        yield opened
