"""One served Command for all tests of a process, and a folder of its own for each."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.paper import write_manifest
from acceptance.served import QUICK, Served, serve
from acceptance.terminal import Terminal, finished

from batch_reenroll.sandbox import FleetPlan

_PLAN = FleetPlan(stores=900, orchestrators=5, offline=1, broken_stores=60, seed=7)


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A Command with three quick orchestrators, a slow one, and one that is away."""
    served = serve(tmp_path_factory.mktemp("served"), _PLAN)
    yield served
    served.process.send_signal(signal.SIGTERM)
    assert finished(served.process, deadline_s=30).code == 0


@pytest.fixture
def terminal(tmp_path: Path, command: Served) -> Terminal:
    """A terminal in an empty folder, with the exports of the served Command."""
    return Terminal(folder=tmp_path, env=command.env)


@pytest.fixture
def bare(tmp_path: Path) -> Terminal:
    """A terminal in an empty folder, with no Command configured."""
    return Terminal(folder=tmp_path)


@pytest.fixture(scope="module")
def ended(command: Served, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A folder with a campaign ``c`` that ended: two rows well, one not."""
    folder = tmp_path_factory.mktemp("ended")
    write_manifest(folder / "m.csv", command.rows(3, broken=1))
    with_command = Terminal(folder=folder, env=command.env)
    words = ("run", "m.csv", "--yes", "--campaign=c", *QUICK)
    with_command.run(*words).expect(5)
    # Without a Command from here on: none of the verbs may ask one.
    return Terminal(folder=folder)
