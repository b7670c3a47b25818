"""SIGKILL, dozens of times over one campaign: no store twice, no row lost.

Judged by the embedded Command's own log. The moments are drawn from a seed; what a
process was doing at each of them differs from run to run, and that is wanted.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from acceptance.book import Book
from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import QUICK, Row, Served, serving
from acceptance.terminal import Done, Terminal, finished, signalled

from batch_reenroll.sandbox import FleetPlan

SEED = 20261123

KILLS = 32

#: Half of the POSTs are carried out a little after they came, the others answered a
#: little after they were carried out, so that many kills fall between the two.
_POST = {"method": "POST", "path": "/Reenrollment"}
_SLOW_POSTS = (
    {"match": _POST, "share": 0.5, "times": None, "action": {"delay_s": 0.12}},
    {"match": _POST, "times": None, "action": {"delay_after_s": 0.12}},
)

#: Longer than a request of a killed process can still be on its way.
_SETTLE = "--settle-time=0.9"

#: A few rows for each life of the process.
_SLOW = ("--poll-interval=0.2", "--rate=40", "--per-orchestrator=8", _SETTLE)

_LOOK_S = 0.004

_LONGEST_LIFE_S = 30.0


@dataclass(slots=True, kw_only=True)
class Reaper:
    """Kills one process after another at moments of every kind.

    Attributes:
        told: What was drawn and how each process was found, for a failing test.
        found: How often a row stood in each state when the process was dead.
    """

    rng: random.Random
    command: Served
    book: Book
    told: list[str] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return len(self.told)

    def kill(self, process: subprocess.Popen[str]) -> Done | None:
        """Kill the process at some moment; return how it ended if it was quicker."""
        moment, name = self._moment()
        end_s = time.monotonic() + _LONGEST_LIFE_S
        while not moment():
            if process.poll() is not None:
                return finished(process)
            assert time.monotonic() < end_s, f"never came: {name}; {self.told}"
            time.sleep(_LOOK_S)
        if process.poll() is not None:
            return finished(process)
        assert signalled(process, signal.SIGKILL).code == -signal.SIGKILL
        self.told.append(f"{name} at line {self.book.length}")
        self.found.update(self.book.standing.keys())
        return None

    def _moment(self) -> tuple[Callable[[], bool], str]:
        rng, book, command = self.rng, self.book, self.command
        # Not on the edge of what is waited for: a little behind it.
        behind_s = rng.choice([0.0, rng.uniform(0, 0.03), rng.uniform(0, 0.15)])
        kind = rng.choice(["start", "line", "line", "POST", "POST", "proof"])
        if kind == "start":
            after_s = rng.uniform(0.05, 0.7)
            return _once(lambda: True, after_s), f"start + {after_s:.3f} s"
        kinds: dict[str, tuple[Callable[[], int], int]] = {
            "line": (lambda: book.length, 10),
            "POST": (command.posted, 2),
            "proof": (lambda: book.standing["verified"], 3),
        }
        count, most = kinds[kind]
        more = rng.randint(1, most)
        wanted = count() + more
        return (
            _once(lambda: count() >= wanted, behind_s),
            f"{more} x {kind} + {behind_s:.3f} s",
        )


def _once(happened: Callable[[], bool], behind_s: float) -> Callable[[], bool]:
    """Return what is true from ``behind_s`` seconds after ``happened`` is."""
    since_s: list[float] = []

    def is_over() -> bool:
        now_s = time.monotonic()
        if not since_s and happened():
            since_s.append(now_s)
        return bool(since_s) and now_s - since_s[0] >= behind_s

    return is_over


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Served]:
    """A Command whose POSTs take their time, and whose agents are quick."""
    plan = FleetPlan(stores=130, orchestrators=6, seed=11)
    with serving(
        tmp_path / "served", plan, requests=_SLOW_POSTS, heartbeat_s=0.15
    ) as served:
        yield served


def assert_whole(
    reaper: Reaper, done: Done, terminal: Terminal, rows: list[Row]
) -> Report:
    """Fail unless every row has one outcome and the journal is one whole chain."""
    said = f"seed {SEED}, killed: {reaper.told}"
    assert reaper.book.is_sound, said
    try:
        report = report_of(done.expect(0).err, terminal.folder)
        report.assert_accounts_for(rows)
        assert report.outcomes == {"verified": len(rows)}
    except AssertionError as exc:
        exc.add_note(said)
        raise
    return report


def test_dozens_of_kills_cost_no_store_a_second_job_and_lose_no_row(
    busy: Served, folder: Path
) -> None:
    rows = busy.rows(130)
    terminal = Terminal(folder=folder, env=busy.env)
    manifest = write_manifest(folder / "m.csv", rows)
    book = Book(path=folder / "batch-reenroll.db")
    reaper = Reaper(rng=random.Random(SEED), command=busy, book=book)
    done = None
    while done is None and reaper.kills < KILLS:
        words: tuple[str | Path, ...] = ("resume", "c")
        if not book.has_campaign:
            words = ("run", manifest, "--yes", "--campaign=c")
        done = reaper.kill(terminal.start(*words, *_SLOW))
    done = done or terminal.run("resume", "c", *QUICK, _SETTLE)
    assert_whole(reaper, done, terminal, rows)
    busy.assert_one_job_each(rows)
    assert reaper.kills >= 30, f"the campaign was too short: {reaper.told}"
    # The kills fell where it hurts: before there was a campaign, and between an
    # intent and its answer.
    assert reaper.found["submitting"] >= 5, (reaper.found, reaper.told)
    assert reaper.found["verified"] >= 5, (reaper.found, reaper.told)
    print(f"{reaper.kills} kills, {reaper.found}")


def test_kills_of_a_retry_give_each_row_one_new_job_and_no_store_two_at_once(
    tmp_path: Path, folder: Path
) -> None:
    # Every first try fails.
    n_rows = 20
    failures = ({"nth": 1, "times": n_rows, "result": 4},)
    plan = FleetPlan(stores=n_rows, orchestrators=4, seed=12)
    with serving(
        tmp_path / "served",
        plan,
        requests=_SLOW_POSTS,
        jobs=failures,
        heartbeat_s=0.15,
    ) as command:
        rows = command.rows(n_rows)
        terminal = Terminal(folder=folder, env=command.env)
        write_manifest(folder / "m.csv", rows)
        manifest = folder / "m.yaml"
        manifest.write_text(
            "version: 1\nrows_from: m.csv\nbudget: {max_failures: 100%}\n"
        )
        quick = (*QUICK, _SETTLE)
        terminal.run("run", manifest, "--yes", "--campaign=c", *quick).expect(5)
        book = Book(path=folder / "batch-reenroll.db")
        reaper = Reaper(rng=random.Random(SEED + 1), command=command, book=book)
        done = None
        while done is None and reaper.kills < 6:
            words = ("retry", "c", "--only=failed,unknown,not_attempted")
            done = reaper.kill(terminal.start(*words, *_SLOW))
        assert reaper.kills >= 4, f"the retry was too short: {reaper.told}"
        terminal.run("retry", "c", "--only=failed,unknown", *quick).expect(0)
        done = terminal.run("resume", "c", *quick)
        assert_whole(reaper, done, terminal, rows)
        assert set(command.jobs(rows).values()) == {2}
        assert command.most_open_at_once(rows) == 1
