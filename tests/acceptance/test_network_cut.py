"""A network that breaks at every point of an exchange: no store twice, none lost."""

from __future__ import annotations

import itertools
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from acceptance.book import Book
from acceptance.paper import report_of, write_manifest
from acceptance.proxy import Cut, Proxy, Script, Seen
from acceptance.served import QUICK, Row, Served, serving
from acceptance.terminal import Terminal, finished, until

from batch_reenroll.sandbox import FleetPlan

SEED = 41

#: Seconds: what the client waits for an answer, how late the late ones come, and how
#: long a lost answer is left alone. A request that was held arrives 0.5 s after it was
#: given up: within the settle time, as the promise needs it.
CLIENT_TIMEOUT_S, HOLD_S, SETTLE_S = 1, 1.5, 2.5

FLAGS = (*QUICK, f"--settle-time={SETTLE_S}")

#: The client is told nothing, or nothing certain, about these.
NOT_CARRIED_OUT = {Cut.DROP_BEFORE, Cut.RESET_BEFORE, Cut.DEAF}


def is_submission(seen: Seen) -> bool:
    return seen.method == "POST" and "/Reenrollment" in seen.path


@contextmanager
def behind(
    command: Served, script: Script, folder: Path
) -> Iterator[tuple[Proxy, Terminal]]:
    """Put a proxy before ``command``, and a terminal that knows only the proxy."""
    port = urlsplit(command.env["KEYFACTOR_HOSTNAME"]).port
    assert port is not None
    folder.mkdir(exist_ok=True)
    with Proxy(port=port, script=script, hold_s=HOLD_S) as proxy:
        here = {
            "KEYFACTOR_HOSTNAME": f"http://127.0.0.1:{proxy.listening}",
            "KEYFACTOR_CLIENT_TIMEOUT": str(CLIENT_TIMEOUT_S),
        }
        yield proxy, Terminal(folder=folder, env={**command.env, **here})


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Served]:
    plan = FleetPlan(stores=80, orchestrators=5, seed=21)
    with serving(tmp_path / "served", plan, heartbeat_s=0.2) as served:
        yield served


class EachStoreOnce:
    """Spoils the first submission of most stores, in every way in turn."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._cuts = itertools.cycle(self._rng.sample(list(Cut), len(Cut)))
        self._first: set[bytes] = set()

    def __call__(self, seen: Seen) -> Cut | None:
        if not is_submission(seen):
            return None
        if seen.body in self._first or self._rng.random() < 0.3:
            return None
        self._first.add(seen.body)
        return next(self._cuts)


def assert_whole(said: str, folder: Path, command: Served, rows: list[Row]) -> None:
    """Fail unless every row was verified, with one job for each store."""
    report = report_of(said, folder)
    report.assert_accounts_for(rows)
    assert report.outcomes == {"verified": len(rows)}
    command.assert_one_job_each(rows)


def test_submissions_cut_at_every_point_make_one_job_each(
    command: Served, tmp_path: Path
) -> None:
    rows = command.rows(40)
    folder = tmp_path / "mine"
    with behind(command, EachStoreOnce(SEED), folder) as (proxy, terminal):
        write_manifest(folder / "m.csv", rows)
        done = terminal.run("run", "m.csv", "--yes", *FLAGS).expect(0)
    assert_whole(done.err, folder, command, rows)
    assert set(proxy.used) == set(Cut), "every cut was made"
    journal = Book(path=folder / "batch-reenroll.db").journal()
    moves = Counter((line.get("from"), line.get("to")) for line in journal)
    assert moves["submitting", "in_doubt"] == proxy.used.total()
    absent = sum(line.get("reason") == "confirmed_absent" for line in journal)
    assert absent == sum(proxy.used[cut] for cut in NOT_CARRIED_OUT)


def test_looks_cut_at_every_point_do_not_mislead_the_campaign(
    command: Served, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    cuts = itertools.cycle(rng.sample(list(Cut), len(Cut)))
    rows = command.rows(30)

    def script(seen: Seen) -> Cut | None:
        # After the plan, which is read at once or not at all.
        begun = bool(command.posted())
        return next(cuts) if begun and rng.random() < 0.15 else None

    folder = tmp_path / "mine"
    with behind(command, script, folder) as (proxy, terminal):
        write_manifest(folder / "m.csv", rows)
        flags = (*FLAGS, "--rate=30", "--verify-timeout=60")
        done = terminal.run("run", "m.csv", "--yes", *flags).expect(0)
    assert_whole(done.err, folder, command, rows)
    assert proxy.used.total() >= 10


def test_a_kill_while_every_answer_is_lost_costs_no_second_job(
    command: Served, tmp_path: Path
) -> None:
    lost = True

    def script(seen: Seen) -> Cut | None:
        return Cut.ONE_WAY if lost and is_submission(seen) else None

    rows = command.rows(12)
    folder = tmp_path / "mine"
    with behind(command, script, folder) as (_, terminal):
        write_manifest(folder / "m.csv", rows)
        words = ("run", "m.csv", "--yes", "--campaign=c", *FLAGS)
        process = terminal.start(*words)
        until(lambda: len(command.jobs(rows)) >= 4, process=process)
        process.send_signal(signal.SIGKILL)
        finished(process)
        lost = False
        done = terminal.run("resume", "c", *FLAGS).expect(0)
    assert_whole(done.err, folder, command, rows)


def test_a_network_that_is_away_for_a_while_is_waited_for(
    command: Served, tmp_path: Path
) -> None:
    rows = command.rows(20)
    folder = tmp_path / "mine"
    with behind(command, lambda _: None, folder) as (proxy, terminal):
        write_manifest(folder / "m.csv", rows)
        said = folder / "said.txt"
        with said.open("w") as output:
            process = terminal.start(
                *("run", "m.csv", "--yes", *FLAGS, "--max-in-flight=4"), output=output
            )
        until(lambda: len(command.jobs(rows)) >= 4, process=process)
        here = proxy.listening
    # The port is closed: nobody listens, and every connection is refused.
    until(lambda: "WAITING, Command does not answer" in said.read_text())
    again = Proxy(port=proxy.port, script=lambda _: None, hold_s=0, listening=here)
    with again:
        assert finished(process).code == 0
    assert "Command answers again" in said.read_text()
    assert_whole(said.read_text(), folder, command, rows)
