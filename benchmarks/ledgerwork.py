"""What the ledger benchmark times, as processes of their own.

``python -m benchmarks.ledgerwork rate WAITERS ROWS`` prints durable transitions per
second, ``build PATH ROWS URL`` writes a campaign, ``decide PATH`` goes on with it, as
``resume`` does, and ends when the first POST is about to leave.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.rows import Decision, Fence, Row
from batch_reenroll.cli.carry import SystemClock, run_async
from batch_reenroll.command.connect import connect
from batch_reenroll.command.connection import BasicAuth, Connection
from batch_reenroll.command.secret import Secret
from batch_reenroll.ledger import CampaignLedger, SqliteLedger
from batch_reenroll.runner import Run
from benchmarks.submitters import CAMPAIGN, fill, settings_for

_URL = "http://127.0.0.1:9/KeyfactorAPI"


def _decisions() -> tuple[Decision, Decision]:
    """Return what a row that is sent goes through."""
    intent = {"attempts": 1, "fence": Fence(history_id=812), "before": None}
    answer = {"http_status": 204, "submitted_at": datetime.now(UTC)}
    return (
        Decision(target=State.SUBMITTING, changes=intent),
        Decision(target=State.SUBMITTED, changes=answer),
    )


def one_by_one(n_rows: int, folder: Path) -> float:
    """Commit each transition by itself; return transitions per second."""
    with SqliteLedger(folder / "ledger.db") as ledger:
        fill(ledger, _URL, settings_for(n_rows, look=False), n_rows)
        began_s = time.perf_counter()
        for row_no in range(1, n_rows + 1):
            row = ledger.row(1, row_no)
            for decision in _decisions():
                move = decision.move(row, datetime.now(UTC))
                assert ledger.apply(1, [move]) == [None]
                row = row.moved(move)
        return 2 * n_rows / (time.perf_counter() - began_s)


async def grouped(n_waiters: int, n_rows: int, folder: Path) -> float:
    """Have tasks wait for their transitions; return transitions per second."""
    with SqliteLedger(folder / "ledger.db") as ledger:
        fill(ledger, _URL, settings_for(n_rows, look=False), n_rows)
        rows = iter(ledger.rows(1, range(1, n_rows + 1)))
        async with CampaignLedger(ledger, CAMPAIGN, requests=dict) as book:
            began_s = time.perf_counter()
            async with asyncio.TaskGroup() as tasks:
                for _ in range(n_waiters):
                    tasks.create_task(_move_all(book, rows))
            return 2 * n_rows / (time.perf_counter() - began_s)


async def _move_all(book: CampaignLedger, rows: object) -> None:
    row: Row
    for row in rows:  # type: ignore[attr-defined]
        now = row
        for decision in _decisions():
            move = decision.move(now, datetime.now(UTC))
            await book.move(move)
            now = now.moved(move)


async def decide(path: Path) -> None:
    """Go on with the campaign until a POST is about to leave; never returns."""
    account = BasicAuth(username="bench", password=Secret("bench"))
    with SqliteLedger(path, create=False) as ledger:
        campaign = ledger.campaign(CAMPAIGN)
        connection = Connection(base_url=campaign.command_url, auth=account)
        async with (
            connect(connection) as client,
            CampaignLedger(ledger, CAMPAIGN, requests=lambda: client.requests) as book,
        ):

            async def leave(_: object) -> int:
                os._exit(0)

            client.submit = leave  # type: ignore[method-assign]
            run = Run(
                settings=campaign.settings,
                command=client,
                ledger=book,
                clock=SystemClock(),
                roll=random.random,
                standing=campaign.rows,
            )
            end = await run.run()
    raise RuntimeError(end.message)


def main() -> None:
    """Do what is asked for."""
    match sys.argv[1:]:
        case ["build", path, n_rows, url]:
            with SqliteLedger(Path(path)) as ledger:
                settings = settings_for(int(n_rows), look=False)
                fill(ledger, url, settings, int(n_rows))
        case ["rate", n_waiters, n_rows]:
            with tempfile.TemporaryDirectory() as name:
                waiters, rows, folder = int(n_waiters), int(n_rows), Path(name)
                if waiters == 1:
                    per_s = one_by_one(rows, folder)
                else:
                    per_s = run_async(grouped(waiters, rows, folder))
            print(json.dumps({"per_s": per_s}))
        case ["decide", path]:
            run_async(decide(Path(path)))


if __name__ == "__main__":
    main()
