"""A disk that fills up: no request without its intent on disk, and nothing is lost.

Two kinds of full: a limit on the size of a file, and a small file system with no block
left. The embedded Command's log says what was sent, the ledger what was intended.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.book import Book
from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import QUICK, Row, Served, serving
from acceptance.terminal import DEADLINE_S, PROGRAM, Terminal, no_file_beyond

from batch_reenroll.sandbox import FleetPlan

SEED = 5

_FLAGS = (*QUICK, "--rate=30")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Served]:
    plan = FleetPlan(stores=60, orchestrators=4, seed=31)
    with serving(tmp_path / "served", plan, heartbeat_s=0.2) as served:
        yield served


def assert_every_post_was_intended(command: Served, rows: list[Row], book: Book) -> int:
    """Fail if a store was submitted more often than intended; return the POSTs."""
    jobs, intents = command.jobs(rows), book.intents()
    assert jobs.total() == command.posted(), "every POST of these tests makes a job"
    assert jobs <= intents
    return jobs.total()


def test_a_disk_that_fills_up_time_and_again_costs_nothing_but_time(
    command: Served, folder: Path
) -> None:
    rng = random.Random(SEED)
    rows = command.rows(40)
    terminal = Terminal(folder=folder, env=command.env)
    manifest = write_manifest(folder / "m.csv", rows)
    book = Book(path=folder / "batch-reenroll.db")
    words: tuple[str | Path, ...] = ("run", manifest, "--yes", "--campaign=c")
    room, lives, sent = 220_000, 0, [0]
    while True:
        full = no_file_beyond(room)
        done = terminal.run(*words, *_FLAGS, before=full)
        sent.append(assert_every_post_was_intended(command, rows, book))
        if done.code == 0:
            break
        done.expect(2)
        assert "the ledger batch-reenroll.db refused a write" in done.err
        assert "hint: free space" in done.err
        assert book.is_sound
        words = ("resume", "c")
        # Somebody frees a little, never on the edge of a page.
        room += rng.randint(90_000, 140_000)
        lives += 1
        assert lives < 30, f"it never ends: POSTs after each life: {sent}"
    report_of(done.err, folder).assert_accounts_for(rows)
    command.assert_one_job_each(rows)
    assert lives >= 3, "there was room enough from the beginning"
    assert 0 < sent[1] < len(rows), "it filled up amid the submissions"


#: Run once with too little room, again with enough, and keep what is seen between.
_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=400k tmpfs disk || exit 77
"$@" run m.csv --yes --campaign=c --ledger=sqlite:///disk/c.db --reports=disk/reports
echo $? > full.code
mkdir between && cp disk/c.db* between/
mount -o remount,size=64m disk
"$@" resume c --ledger=sqlite:///disk/c.db --reports=disk/reports
echo $? > again.code
cp -r disk/reports .
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="there is no unshare")
def test_a_file_system_without_a_free_block_stops_the_run_and_resume_finishes(
    command: Served, folder: Path
) -> None:
    rows = command.rows(40)
    write_manifest(folder / "m.csv", rows)
    (folder / "disk").mkdir()
    words = f'{PROGRAM} "$@" {" ".join(_FLAGS)}'
    program = folder / "program"
    program.write_text(f"#!/bin/sh\nexec {words}\n")
    program.chmod(0o700)
    alone = ("unshare", "--map-root-user", "--mount")
    done = subprocess.run(
        [*alone, "sh", "-c", _ON_A_SMALL_DISK, "sh", program],
        cwd=folder,
        env=Terminal(folder=folder, env=command.env).environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    if not (folder / "full.code").exists():
        pytest.skip(f"no private mounts here: {done.stderr.strip()}")
    assert (folder / "full.code").read_text() == "2\n", done.stderr
    assert "the ledger disk/c.db refused a write" in done.stderr
    between = Book(path=folder / "between" / "c.db")
    assert 0 < between.intents().total() < len(rows)
    assert between.is_sound
    assert (folder / "again.code").read_text() == "0\n", done.stderr
    Report(folder=folder / "reports" / "c").assert_accounts_for(rows)
    command.assert_one_job_each(rows)
