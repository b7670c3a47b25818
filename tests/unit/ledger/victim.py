"""A process that works on a ledger until something happens to it.

Run as ``python -m unit.ledger.victim VERB PATH …``; says what it has done on stdout,
one line each, unbuffered, so that whoever kills it knows what was acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from unit.ledger.books import move, planned, rows, write

from batch_reenroll.campaign.lifecycle import State, is_legal
from batch_reenroll.errors import ReenrollError
from batch_reenroll.ledger import CampaignLedger, SqliteLedger, campaign_lock

#: Moves that keep every row alive, so that the victim never runs out of work.
ROUND = {
    State.PENDING: State.SUBMITTING,
    State.SUBMITTING: State.IN_DOUBT,
    State.IN_DOUBT: State.PENDING,
}


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def keep_moving(ledger: SqliteLedger, campaign_id: str) -> None:
    """Move every row round and round; say ``ROW_NO N`` for the row's n-th move."""
    number = ledger.number(campaign_id)
    assert all(is_legal(*step) for step in ROUND.items())

    async def worker(book: CampaignLedger, row_no: int) -> None:
        state, n = ledger.row(number, row_no).state, 0
        while True:
            n += 1
            await book.move(move(row_no, state, ROUND[state], changes={"attempts": n}))
            state = ROUND[state]
            say(f"{row_no} {n}")

    standing = [row.row_no for row in ledger.rows_in(number, State)]
    async with (
        CampaignLedger(ledger, campaign_id, requests=dict) as book,
        asyncio.TaskGroup() as group,
    ):
        for row_no in standing:
            group.create_task(worker(book, row_no))


def busy(path: Path) -> None:
    with SqliteLedger(path, create=False) as ledger:
        say("ready")
        asyncio.run(keep_moving(ledger, "q4"))


def creating(path: Path) -> None:
    """Create campaigns without end, saying the id of each that is written."""
    with SqliteLedger(path) as ledger:
        known = len(ledger.campaign_ids())
        say("ready")
        while True:
            known += 1
            write(ledger, f"c{known}", [planned(n) for n in range(1, 51)])
            say(f"c{known}")


def holding(path: Path) -> None:
    """Hold the campaign's lock until stdin ends."""
    with campaign_lock(path, "q4"):
        say("held")
        sys.stdin.read()


def growing(path: Path, limit_bytes: str) -> None:
    """Move rows until no file may grow further, then say what the ledger said."""
    with SqliteLedger(path) as ledger:
        number = write(ledger, planned_rows=rows(200))
        say("ready")
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes),) * 2)
        say(_until_refused(lambda n: _move_all(ledger, number, n)))


def _move_all(ledger: SqliteLedger, number: int, n: int) -> None:
    state = list(ROUND)[n % len(ROUND)]
    batch = [move(r, state, ROUND[state], message="x" * 200) for r in range(1, 201)]
    assert ledger.apply(number, batch, {"submit": n + 1}) == [None] * 200
    say(f"batch {n + 1}")


def _until_refused(act: Callable[[int], None]) -> str:
    for n in range(10_000):
        try:
            act(n)
        except ReenrollError as exc:
            return f"{type(exc).__name__}: {exc.hint}"
    return "never refused"


def powerless(path: Path) -> None:
    """Open the ledger, and write if it opens, without root's right to ignore modes."""
    _drop_capabilities()
    try:
        with SqliteLedger(path) as ledger:
            say("opened")
            write(ledger, "theirs")
    except ReenrollError as exc:
        say(f"{type(exc).__name__}: {exc.hint}")


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, self
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")


VERBS: dict[str, Callable[..., None]] = {
    "busy": busy,
    "creating": creating,
    "holding": holding,
    "growing": growing,
    "powerless": powerless,
}

if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        VERBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
