"""What a ledger holds after a process was killed, or its disk gave up."""

from __future__ import annotations

import random
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.ledger.books import assert_sound, lines, move, rows, states, write
from unit.ledger.processes import kill_after, next_line, victim

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.ledger import SqliteLedger

S = State
KILLS = 12
N_ROWS = 12
powerless = pytest.mark.skipif(
    sys.platform != "linux", reason="capabilities are dropped the Linux way"
)


def test_every_acknowledged_move_outlives_kill_9(tmp_path: Path) -> None:
    """A dozen kills of one campaign, each at another moment of its work."""
    path, dice = tmp_path / "x.db", random.Random(20261123)
    with SqliteLedger(path) as ledger:
        number = write(ledger, planned_rows=rows(N_ROWS))
    for _ in range(KILLS):
        with SqliteLedger(path) as ledger:
            already = _moves_by_row(ledger, number)
        with victim("busy", path) as process:
            assert next_line(process) == "ready"
            said = kill_after(process, dice.randrange(0, 120))
        with SqliteLedger(path, create=False) as ledger:
            assert_sound(ledger)
            kept = _moves_by_row(ledger, number)
            for row_no, n in _acknowledged(said).items():
                assert kept[row_no] - already[row_no] >= n
    with SqliteLedger(path) as ledger:
        assert len(lines(ledger, number)) > N_ROWS


def _moves_by_row(ledger: SqliteLedger, number: int) -> Counter[int]:
    return Counter(x["row"] for x in lines(ledger, number) if x["event"] == "move")


def _acknowledged(said: list[str]) -> Counter[int]:
    """Return the number of acknowledged moves by row."""
    highest: Counter[int] = Counter()
    for line in said:
        row_no, n = map(int, line.split())
        assert n == highest[row_no] + 1
        highest[row_no] = n
    return highest


def test_a_campaign_is_whole_or_absent_after_kill_9(tmp_path: Path) -> None:
    path, dice = tmp_path / "x.db", random.Random(20261124)
    written: list[str] = []
    for _ in range(4):
        with victim("creating", path) as process:
            assert next_line(process) == "ready"
            written += kill_after(process, dice.randrange(1, 12))
        with SqliteLedger(path, create=False) as ledger:
            assert_sound(ledger)
            known = ledger.campaign_ids()
            assert set(written) <= set(known)
            assert {ledger.campaign(c).n_rows for c in known} == {50}


def test_a_disk_that_fills_up_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with victim("growing", path, str(3 * 1024 * 1024)) as process:
        said = [line.strip() for line in process.stdout or ()]
    *batches, verdict = said[1:]
    assert verdict.startswith("LedgerWriteFailed: free space")
    assert len(batches) > 0
    with SqliteLedger(path, create=False) as ledger:
        number = ledger.number("q4")
        assert len(lines(ledger, number)) == 1 + 200 * len(batches)
        assert len(set(states(ledger, number).values())) == 1
        assert ledger.campaign("q4").requests == {"submit": len(batches)}
        assert_sound(ledger)
        origin = states(ledger, number)[1]
        assert ledger.apply(number, [move(1, origin, _next(origin))]) == [None]


def _next(state: State) -> State:
    return S.SUBMITTING if state is S.PENDING else S.PENDING


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """A ledger with one campaign, closed; its modes may be changed."""
    folder = tmp_path / "kept"
    folder.mkdir()
    with SqliteLedger(folder / "x.db") as ledger:
        write(ledger)
    yield folder / "x.db"
    folder.chmod(stat.S_IRWXU)


def forbid(folder: Path) -> None:
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)


def told(path: Path) -> str:
    """Return what a process is told that modes bind, as they do not bind root."""
    with victim("powerless", path) as process:
        (*_, last) = [line.strip() for line in process.stdout or ()]
    return last


@powerless
def test_a_writable_ledger_takes_a_campaign_without_privileges(kept: Path) -> None:
    """What the next ones rest on: it is the modes that refuse, nothing else."""
    assert told(kept) == "opened"


@powerless
@pytest.mark.parametrize("folder_too", [False, True], ids=["file", "folder and file"])
def test_a_ledger_that_may_not_be_written_is_refused_with_advice(
    kept: Path, folder_too: bool
) -> None:
    kept.chmod(stat.S_IRUSR)
    if folder_too:
        forbid(kept.parent)
    before = kept.read_bytes()
    assert told(kept).startswith("LedgerWriteFailed: free space or restore write")
    assert kept.read_bytes() == before


@powerless
def test_a_ledger_in_a_folder_that_may_not_be_written_is_refused(kept: Path) -> None:
    """SQLite needs a second file beside the ledger."""
    forbid(kept.parent)
    assert told(kept).startswith("LedgerWriteFailed: free space or restore write")


@powerless
def test_no_ledger_is_made_in_a_folder_that_may_not_be_written(kept: Path) -> None:
    forbid(kept.parent)
    assert told(kept.parent / "new.db").startswith("UsageError: check --ledger")
    assert [path.name for path in kept.parent.iterdir()] == ["x.db"]
