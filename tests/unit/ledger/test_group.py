"""Group commit: many callers, few transactions, nobody left waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from unit.ledger.books import (
    assert_sound,
    lines,
    move,
    planned,
    rows,
    states,
    store_id,
    take,
    write,
)
from unit.ledger.homes import Home

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.rows import Move
from batch_reenroll.errors import (
    IllegalMove,
    LedgerError,
    LedgerWriteFailed,
    StoreInFlight,
)
from batch_reenroll.ledger import CampaignLedger, SqliteLedger
from batch_reenroll.ledger.group import MAX_BATCH, in_thread

pytestmark = pytest.mark.asyncio

S = State
Work = Callable[[], Sequence[LedgerError | None]]
N_ROWS = 300


class Gate:
    """Runs batches, each only once it has been let through."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.batches = 0
        self._open = asyncio.Event()

    async def __call__(self, work: Work) -> Sequence[LedgerError | None]:
        self.batches += 1
        self.arrived.set()
        await self._open.wait()
        return await in_thread(work)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def number(ledger: SqliteLedger) -> int:
    return write(ledger, planned_rows=rows(N_ROWS))


@pytest.fixture
def commits(ledger: SqliteLedger) -> Iterator[list[str]]:
    """Every COMMIT the ledger's writer sends."""
    sent: list[str] = []

    def heard(statement: str) -> None:
        if statement == "COMMIT":
            sent.append(statement)

    ledger._writer.set_trace_callback(heard)
    yield sent
    ledger._writer.set_trace_callback(None)


def book(ledger: SqliteLedger, **more: Any) -> CampaignLedger:
    counts = more.pop("requests", lambda: {"submit": 1})
    return CampaignLedger(ledger, "q4", requests=counts, **more)


def start(row_no: int) -> Move:
    return move(row_no, S.PENDING, S.SUBMITTING)


async def turns(n: int = 20) -> None:
    """Let every task that can go on do so."""
    for _ in range(n):
        await asyncio.sleep(0)


async def ends(work: Coroutine[Any, Any, object]) -> object:
    """Return what ``work`` comes to: its exception, or "written" or "hangs"."""
    task = asyncio.ensure_future(work)
    await asyncio.wait([task], timeout=1)
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return "hangs"
    return task.exception() or "written"


async def test_a_move_is_durable_on_return(
    home: Home, ledger: SqliteLedger, number: int
) -> None:
    async with book(ledger) as campaign:
        await campaign.move(start(1))
        with home.backdoor() as door:
            (found,) = door.run("SELECT state FROM row WHERE row_no = 1")
        assert found[0] == "submitting"


async def test_many_moves_at_once_share_few_transactions(
    ledger: SqliteLedger, number: int, commits: list[str]
) -> None:
    async with book(ledger) as campaign:
        await asyncio.gather(*(campaign.move(start(n)) for n in range(1, N_ROWS + 1)))
    assert len(lines(ledger, number)) == 1 + N_ROWS
    assert len(commits) <= 5
    assert_sound(ledger)


async def test_moves_that_come_during_a_write_share_the_next(
    ledger: SqliteLedger, number: int
) -> None:
    gate = Gate()
    async with book(ledger, run=gate) as campaign:
        first = asyncio.ensure_future(campaign.move(start(1)))
        await gate.arrived.wait()
        others = [
            asyncio.ensure_future(campaign.move(start(n))) for n in range(2, N_ROWS)
        ]
        await turns()
        gate.open()
        await asyncio.gather(first, *others)
        assert gate.batches == 2


async def test_a_batch_has_an_upper_bound(ledger: SqliteLedger) -> None:
    n_rows = MAX_BATCH + 1
    write(ledger, planned_rows=rows(n_rows))
    gate = Gate()
    async with book(ledger, run=gate) as campaign:
        every = [
            asyncio.ensure_future(campaign.move(start(n))) for n in range(1, n_rows + 1)
        ]
        gate.open()
        await asyncio.gather(*every)
        assert gate.batches == 2


async def test_moves_are_written_in_the_order_they_came(
    ledger: SqliteLedger, number: int
) -> None:
    order = [(n * 7) % N_ROWS + 1 for n in range(N_ROWS)]
    async with book(ledger) as campaign:
        await asyncio.gather(*(campaign.move(start(n)) for n in order))
    assert [line["row"] for line in lines(ledger, number)[1:]] == order


async def test_a_refused_move_is_told_to_its_own_caller(
    ledger: SqliteLedger, number: int
) -> None:
    async with book(ledger) as campaign:
        results = await asyncio.gather(
            campaign.move(start(1)),
            campaign.move(move(2, S.PENDING, S.VERIFIED)),
            campaign.move(start(3)),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [
        type(None),
        IllegalMove,
        type(None),
    ]
    assert_sound(ledger)


async def test_a_store_in_flight_elsewhere_is_told_to_the_caller(
    ledger: SqliteLedger, number: int
) -> None:
    other = write(ledger, "other", [planned(1)])
    take(ledger, other, 1, S.SUBMITTED)
    async with book(ledger) as campaign:
        with pytest.raises(StoreInFlight):
            await campaign.move(start(1))
        await campaign.move(start(2))
    assert ledger.open_stores("https://command.example.com/KeyfactorAPI") == {
        store_id(1),
        store_id(2),
    }


@pytest.mark.parametrize("when", ["queued", "being written"])
async def test_a_cancelled_caller_waits_until_its_move_stands(
    ledger: SqliteLedger, number: int, when: str
) -> None:
    gate = Gate()
    async with book(ledger, run=gate) as campaign:
        first = asyncio.ensure_future(campaign.move(start(1)))
        await gate.arrived.wait()
        second = asyncio.ensure_future(campaign.move(start(2)))
        await turns()
        caller = first if when == "being written" else second
        for _ in range(2):
            caller.cancel()
            await turns()
            assert not caller.done()
        gate.open()
        async with asyncio.timeout(5):
            await asyncio.gather(first, second, return_exceptions=True)
            await campaign.move(start(3))
    assert {n: states(ledger, number)[n] for n in (1, 2, 3)} == dict.fromkeys(
        (1, 2, 3), S.SUBMITTING
    )
    assert_sound(ledger)


async def test_closing_writes_what_is_queued(ledger: SqliteLedger, number: int) -> None:
    gate = Gate()
    async with book(ledger, run=gate) as campaign:
        every = [asyncio.ensure_future(campaign.move(start(n))) for n in range(1, 51)]
        await gate.arrived.wait()
        every += [
            asyncio.ensure_future(campaign.move(start(n))) for n in range(51, 101)
        ]
        await turns()
        gate.open()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*every) == [None] * 100
    assert len(lines(ledger, number)) == 101


async def test_closing_survives_repeated_cancellation(
    ledger: SqliteLedger, number: int
) -> None:
    gate = Gate()

    async def run() -> None:
        async with book(ledger, run=gate) as campaign:
            asyncio.ensure_future(campaign.move(start(1)))  # noqa: RUF006
            await gate.arrived.wait()

    task = asyncio.ensure_future(run())
    await gate.arrived.wait()
    await turns()
    for _ in range(3):
        task.cancel()
        await turns()
        assert not task.done()
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert states(ledger, number)[1] is S.SUBMITTING


async def test_an_unused_book_closes(ledger: SqliteLedger, number: int) -> None:
    async with book(ledger):
        pass
    assert len(lines(ledger, number)) == 1


async def test_request_counts_are_kept_with_every_batch(
    ledger: SqliteLedger, number: int
) -> None:
    counts = {"submit": 0, "other": 5}
    async with book(ledger, requests=lambda: counts) as campaign:
        counts["submit"] = 1
        await campaign.move(start(1))
        assert ledger.campaign("q4").requests == {"submit": 1, "other": 5}


async def test_requests_after_the_last_move_are_kept_at_closing(
    ledger: SqliteLedger, number: int
) -> None:
    counts = {"submit": 0}
    async with book(ledger, requests=lambda: counts) as campaign:
        await campaign.move(start(1))
        counts["submit"] = 9
    assert ledger.campaign("q4").requests == {"submit": 9}


async def test_requests_during_the_last_write_are_kept_at_closing(
    ledger: SqliteLedger, number: int
) -> None:
    counts = {"submit": 0}
    gate = Gate()
    async with book(ledger, requests=lambda: dict(counts), run=gate) as campaign:
        last = asyncio.ensure_future(campaign.move(start(1)))
        await gate.arrived.wait()
        counts["submit"] = 9
        asyncio.get_running_loop().call_soon(gate.open)
    await last
    assert ledger.campaign("q4").requests == {"submit": 9}


async def test_a_failed_write_wakes_every_caller_of_its_batch(
    home: Home, ledger: SqliteLedger, number: int
) -> None:
    home.fill_up(ledger)
    long = "x" * 2000
    async with book(ledger) as campaign:
        results = await asyncio.gather(
            *(
                campaign.move(move(n, S.PENDING, S.SUBMITTING, message=long))
                for n in range(1, N_ROWS + 1)
            ),
            return_exceptions=True,
        )
    assert {type(result) for result in results} == {LedgerWriteFailed}
    assert states(ledger, number) == dict.fromkeys(range(1, N_ROWS + 1), S.PENDING)
    assert_sound(ledger)


async def fail(
    home: Home, ledger: SqliteLedger, campaign: CampaignLedger, gate: Gate
) -> None:
    """Have one write fail; then there is room again."""
    home.fill_up(ledger)
    huge = move(1, S.PENDING, S.SUBMITTING, message="x" * 2_000_000)
    doomed = asyncio.ensure_future(campaign.move(huge))
    await gate.arrived.wait()
    gate.open()
    with pytest.raises(LedgerWriteFailed):
        await doomed
    home.make_room(ledger)


async def test_no_move_is_written_after_a_failed_one(
    home: Home, ledger: SqliteLedger, number: int
) -> None:
    """A journal with a gap would be worse than a stopped run."""
    async with book(ledger, run=(gate := Gate())) as campaign:
        await fail(home, ledger, campaign, gate)
        with pytest.raises(LedgerWriteFailed):
            await campaign.move(start(2))
    assert states(ledger, number)[2] is S.PENDING


async def test_no_move_queued_during_a_failing_write_is_written(
    home: Home, ledger: SqliteLedger, number: int
) -> None:
    async def run(work: Work) -> Sequence[LedgerError | None]:
        gate.arrived.set()
        await gate._open.wait()
        try:
            return await in_thread(work)
        finally:
            home.make_room(ledger)

    gate = Gate()
    home.fill_up(ledger)
    huge = move(1, S.PENDING, S.SUBMITTING, message="x" * 2_000_000)
    async with book(ledger, run=run) as campaign:
        doomed = asyncio.ensure_future(campaign.move(huge))
        await gate.arrived.wait()
        late = asyncio.ensure_future(campaign.move(start(2)))
        await turns()
        gate.open()
        results = await asyncio.gather(doomed, late, return_exceptions=True)
    assert [type(result) for result in results] == [LedgerWriteFailed] * 2
    assert states(ledger, number)[2] is S.PENDING


async def test_a_book_whose_ledger_failed_still_closes(
    home: Home, ledger: SqliteLedger, number: int
) -> None:
    async with book(ledger) as campaign:
        home.fill_up(ledger)
        huge = move(1, S.PENDING, S.SUBMITTING, message="x" * 2_000_000)
        with pytest.raises(LedgerWriteFailed):
            await campaign.move(huge)
    assert_sound(ledger)


POISON = {
    "an id beyond 64 bits": move(
        1, S.PENDING, S.FAILED, changes={"job_history_id": 2**63}
    ),
    "a float": move(1, S.PENDING, S.FAILED, changes={"job_result": 0.5}),
    "a float in the note": move(1, S.PENDING, S.FAILED, note={"x": 0.5}),
    "a moment without zone": move(
        1,
        S.PENDING,
        S.FAILED,
        at=datetime(2026, 1, 1),  # noqa: DTZ001
    ),
}


@pytest.mark.parametrize("kind", POISON)
async def test_a_move_that_no_column_holds_ends_the_writer_not_the_waiting(
    ledger: SqliteLedger, number: int, kind: str
) -> None:
    """A bug of ours: nothing is written, and it shows where the book closes."""
    campaign = await book(ledger).__aenter__()
    assert isinstance(await ends(campaign.move(POISON[kind])), LedgerWriteFailed)
    assert isinstance(await ends(campaign.move(start(2))), LedgerWriteFailed)
    with pytest.raises((OverflowError, TypeError, ValueError)):
        await campaign.__aexit__()
    assert set(states(ledger, number).values()) == {S.PENDING}
    assert_sound(ledger)


async def test_counts_that_fail_leave_nobody_waiting(
    ledger: SqliteLedger, number: int
) -> None:
    def broken() -> dict[str, int]:
        raise KeyError("submit")

    campaign = await book(ledger, requests=broken).__aenter__()
    came_to = await ends(campaign.move(start(1)))
    with pytest.raises(KeyError):
        await campaign.__aexit__()
    assert isinstance(came_to, LedgerError)


async def test_no_caller_waits_for_a_writer_that_has_died(
    ledger: SqliteLedger, number: int
) -> None:
    gate = Gate()
    campaign = await book(ledger, run=gate).__aenter__()
    poisoned = asyncio.ensure_future(campaign.move(POISON["a float"]))
    await gate.arrived.wait()
    late = asyncio.ensure_future(campaign.move(start(2)))
    await turns()
    gate.open()
    with pytest.raises(TypeError):
        await campaign.__aexit__()
    await turns()
    woken = late.done()
    late.cancel()
    await asyncio.gather(poisoned, late, return_exceptions=True)
    assert woken


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_move_outside_the_books_life_is_refused(
    ledger: SqliteLedger, number: int, when: str
) -> None:
    campaign = book(ledger)
    if when == "after":
        async with campaign:
            pass
    assert isinstance(await ends(campaign.move(start(1))), LedgerError)


async def test_the_book_reads_its_own_campaign(
    ledger: SqliteLedger, number: int
) -> None:
    other = write(ledger, "other", [planned(1, store=9999)])
    take(ledger, other, 1, S.QUEUED)
    async with book(ledger) as campaign:
        await campaign.move(start(2))
        assert [row.row_no for row in await campaign.unresolved()] == [2]
        assert len(await campaign.waiting()) == N_ROWS - 1
        assert (await campaign.row(2)).state is S.SUBMITTING


async def test_two_campaigns_write_side_by_side(
    home: Home, ledger: SqliteLedger, number: int
) -> None:
    """Two processes, one ledger: each has its own connection."""
    write(ledger, "other", [planned(n, store=1000 + n) for n in range(1, 51)])
    with home.open() as second:
        theirs = CampaignLedger(second, "other", requests=dict)
        async with book(ledger) as ours, theirs:
            await asyncio.gather(
                *(ours.move(start(n)) for n in range(1, 51)),
                *(theirs.move(start(n)) for n in range(1, 51)),
            )
    assert_sound(ledger)
    assert ledger.campaign("other").rows == {S.SUBMITTING: 50}
