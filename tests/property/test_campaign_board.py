"""Laws of the board: what it answers depends on what was read, not on its order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from unit.campaign.making import row_of, running, tried, waiting, watching

from batch_reenroll.campaign.board import JobBoard, is_final
from batch_reenroll.campaign.matching import target_fits
from batch_reenroll.campaign.nouns import JobRecord, JobStatus
from batch_reenroll.campaign.rows import Fence

ROW = row_of()
JOBS = ("a", "b", "c", "d")

statuses = st.sampled_from(JobStatus)
histories = st.lists(
    st.tuples(st.sampled_from(JOBS), statuses), min_size=1, max_size=12
).map(
    lambda tries: [
        tried(history_id, job_id, status=status)
        for history_id, (job_id, status) in enumerate(tries, start=1)
    ]
)


@st.composite
def pages(draw: st.DrawFn) -> tuple[list[JobRecord], list[list[JobRecord]]]:
    """A history, and the same in pages of any order, rows repeated at will."""
    history = draw(histories)
    again = draw(st.lists(st.sampled_from(history), max_size=6))
    mixed = draw(st.permutations(history + again))
    cuts = sorted(draw(st.lists(st.integers(0, len(mixed)), max_size=3)))
    bounds = [0, *cuts, len(mixed)]
    return history, [mixed[a:b] for a, b in pairwise(bounds)]


def board_of(board: JobBoard, read: Iterable[Iterable[JobRecord]]) -> JobBoard:
    for page in read:
        board.see_history(page, 1.0)
    return board


def newest(history: list[JobRecord]) -> dict[str, JobRecord]:
    return {record.job_id: record for record in history}


@given(pages())
def test_a_watched_jobs_state_is_its_newest_row_however_the_pages_came(
    read: tuple[list[JobRecord], list[list[JobRecord]]],
) -> None:
    history, in_pages = read
    board = board_of(watching(ROW), in_pages)
    states = newest(history)
    assert {job: board.latest(job) for job in states} == states
    assert board.high_id == len(history)
    assert board.jobs_at(ROW) == set(states)
    assert board.pending_at(ROW) == {
        job for job, record in states.items() if not is_final(record)
    }


@given(pages(), st.integers(0, 12), st.sets(st.sampled_from(JOBS)))
def test_candidates_began_beyond_the_fence_and_were_not_known(
    read: tuple[list[JobRecord], list[list[JobRecord]]], high: int, known: set[str]
) -> None:
    history, in_pages = read
    fenced = row_of(fence=Fence(history_id=high, jobs=frozenset(known)))
    board = board_of(watching(ROW), in_pages)
    began: dict[str, int] = {}
    for record in history:
        began.setdefault(record.job_id, record.history_id)
    assert board.candidates(fenced) == {
        job for job, first in began.items() if first > high and job not in known
    }


@given(pages(), st.integers(0, 12))
def test_what_is_asked_for_by_id_is_what_has_not_ended(
    read: tuple[list[JobRecord], list[list[JobRecord]]], below: int
) -> None:
    history, in_pages = read
    board = board_of(watching(ROW), in_pages)
    assert board.unfinished(below) == sorted(
        job
        for job, record in newest(history).items()
        if not is_final(record) and record.history_id <= below
    )


RETRIED = tried(1, "a", status=JobStatus.COMPLETED_WILL_RETRY)
ENDED = tried(2, "a")


@given(pages())
@example(([RETRIED, ENDED], [[RETRIED], [ENDED]]))
def test_an_unwatched_job_is_pending_only_if_its_newest_row_is(
    read: tuple[list[JobRecord], list[list[JobRecord]]],
) -> None:
    # A sweep: pages follow each other newest first, rows within one in any order.
    history, in_pages = read
    sweep = sorted(history, key=lambda record: -record.history_id)
    sizes = [len(page) for page in in_pages]
    cuts = [0, *(sum(sizes[: n + 1]) for n in range(len(sizes)))]
    board = board_of(JobBoard(), [sweep[a:b][::-1] for a, b in pairwise(cuts)])
    assert board.pending_at(ROW) == {
        job for job, record in newest(history).items() if not is_final(record)
    }


@given(
    st.lists(
        st.tuples(st.sampled_from(JOBS), st.sampled_from(["wait", "run", "end"])),
        max_size=20,
    )
)
def test_a_job_of_a_watched_store_is_never_lost_on_its_way_through_the_lists(
    steps: list[tuple[str, str]],
) -> None:
    # Each step moves one job on; a look follows it, scheduled jobs first.
    board = watching(ROW)
    queued: set[str] = set()
    history: dict[str, JobRecord] = {}
    for at, (job, step) in enumerate(steps):
        if step == "wait" and job not in history:
            queued.add(job)
        elif step == "run" and job in queued:
            queued.discard(job)
            history[job] = running(len(history) + 1, job)
        elif step == "end" and job in history:
            history[job] = tried(history[job].history_id, job)
        board.see_scheduled([waiting(name) for name in sorted(queued)], float(at))
        board.see_history(history.values(), float(at))
        assert board.jobs_at(ROW) == queued | set(history)
        assert {name for name in JOBS if board.is_waiting(name)} == queued
        assert {name for name in JOBS if board.latest(name)} == set(history)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["watch", "unwatch", "wait", "nothing", "record"]),
            st.sampled_from(JOBS),
            statuses,
        ),
        max_size=30,
    )
)
def test_nothing_is_kept_once_all_has_ended_and_nobody_watches(
    steps: list[tuple[str, str, JobStatus]],
) -> None:
    board = JobBoard()
    watchers = high = 0
    for step, job, status in steps:
        if step == "watch":
            board.watch(ROW)
            watchers += 1
        elif step == "unwatch" and watchers:
            board.unwatch(ROW)
            watchers -= 1
        elif step == "wait":
            board.see_scheduled([waiting(job)], 1.0)
        elif step == "nothing":
            board.see_scheduled([], 1.0)
        elif step == "record":
            high += 1
            board.see_history([tried(high, job, status=status)], 1.0)
    board.see_scheduled([], 2.0)
    ends = [tried(high + n, job) for n, job in enumerate(JOBS, start=1)]
    board.see_history(ends, 2.0)
    board.see_scheduled([], 3.0)
    for _ in range(watchers):
        board.unwatch(ROW)
    assert board == JobBoard(high_id=high + len(JOBS))


names = st.text(st.sampled_from("MyTo /\\._-:é"), max_size=6)


@given(names, names)
def test_a_target_that_fits_ends_with_the_path(target: str, path: str) -> None:
    if target_fits(target, path):
        assert target.casefold().endswith(path.casefold())


@given(names.filter(bool), st.sampled_from("abz019é_./\\"), names)
def test_a_path_within_a_longer_name_does_not_fit(
    path: str, glued: str, head: str
) -> None:
    assert not target_fits(head + glued + path, path)


@given(names.filter(bool), st.text("web1.", max_size=6))
def test_the_display_form_of_a_store_fits(path: str, machine: str) -> None:
    assert target_fits(path.upper(), path.lower())
    assert target_fits(f"{machine} - {path}", path)
