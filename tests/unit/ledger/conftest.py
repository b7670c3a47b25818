"""One ledger of each kind for the contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from unit.ledger.homes import Home, SqliteHome, quick_folder

from batch_reenroll.ledger import SqliteLedger

HOMES = {"sqlite": SqliteHome}


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    with quick_folder() as folder:
        yield HOMES[request.param](folder)


@pytest.fixture(scope="module", params=HOMES)
def shared_home(request: pytest.FixtureRequest) -> Iterator[Home]:
    """A home for a module's tests that take back all they do."""
    with quick_folder() as folder:
        yield HOMES[request.param](folder)


@pytest.fixture
def ledger(home: Home) -> Iterator[SqliteLedger]:
    with home.open() as opened:
        yield opened
