"""Laws of correlation: over any board, no illegal move and no unsafe decision."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import event, given
from hypothesis import strategies as st
from unit.campaign.making import row_of, tried, waiting, watching

from batch_reenroll.campaign.board import JobBoard, is_final
from batch_reenroll.campaign.correlate import decide
from batch_reenroll.campaign.lifecycle import OUTCOMES, State, is_legal
from batch_reenroll.campaign.nouns import JobResult, JobStatus
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Decision, Fence, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.timing import Timing

JOBS = ("a", "b", "ours")
SETTLE_S, PICKUP_S, JOB_S = 10.0, 60.0, 90.0

moments_s = st.sampled_from([0.0, 9.0, 10.0, 11.0, 59.0, 60.0, 61.0, 90.0, 91.0, 200.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A row, what Command's lists have shown, and the time; answered at 0 s."""

    row: Row
    board: JobBoard
    timing: Timing
    settings: RunSettings

    def decided(self) -> Decision | None:
        return decide(self.row, self.board, self.timing, self.settings)


records = st.builds(
    tried,
    st.integers(1, 20),
    st.sampled_from(JOBS),
    client_machine=st.sampled_from(["web1", "web1", "web1", "web2"]),
    result=st.sampled_from(JobResult),
    status=st.sampled_from(JobStatus),
)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    state = draw(
        st.sampled_from([State.IN_DOUBT, State.SUBMITTED, State.QUEUED, State.RUNNING])
    )
    known = draw(st.sets(st.sampled_from(["a", "b"])))
    has_job = state in (State.QUEUED, State.RUNNING)
    return row_of(
        state=state,
        job_id="ours" if has_job else None,
        place_unique=draw(st.booleans()),
        losses=draw(st.integers(0, 2)),
        fence=Fence(history_id=draw(st.integers(0, 10)), jobs=frozenset(known)),
    )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    row = draw(rows())
    board = watching(row, replace(row, client_machine="web2"))
    for seen_s in sorted(draw(st.lists(moments_s, max_size=3))):
        queued = draw(st.sets(st.sampled_from(JOBS)))
        board.see_scheduled([waiting(job) for job in sorted(queued)], seen_s)
        board.see_history(draw(st.lists(records, max_size=4)), seen_s)
        if draw(st.booleans()):
            board.finish_look(seen_s)
    timing = Timing(
        now_s=draw(moments_s),
        answered_s=0.0,
        rivals_until_s=SETTLE_S,
        running_s=0.0 if row.state is State.RUNNING else None,
    )
    settings = RunSettings(
        settle_time_s=SETTLE_S,
        pickup_timeout_s=PICKUP_S,
        job_timeout_s=JOB_S,
        verify=draw(st.booleans()),
    )
    return Scene(row=row, board=board, timing=timing, settings=settings)


@given(scenes())
def test_every_decision_is_a_move_that_the_life_cycle_allows(scene: Scene) -> None:
    made = scene.decided()
    event(f"{scene.row.state} -> {made.target if made else 'wait'}")
    assert made is None or is_legal(scene.row.state, made.target)


@given(scenes())
def test_every_end_has_a_reason_and_a_message(scene: Scene) -> None:
    made = scene.decided()
    if made is not None and made.target in OUTCOMES:
        assert made.reason is not None
        assert made.message is not None


@given(scenes())
def test_only_a_confirmed_absence_sends_a_row_again(scene: Scene) -> None:
    made = scene.decided()
    if made is None or made.target is not State.PENDING:
        return
    assert scene.row.state is State.IN_DOUBT
    assert scene.board.candidates(scene.row) == frozenset()
    assert scene.board.looks.prove_absence(0.0, SETTLE_S)
    assert made.changes["losses"] < scene.settings.max_losses


@given(scenes())
def test_only_the_one_new_job_is_ever_adopted(scene: Scene) -> None:
    made = scene.decided()
    job_id = made.changes.get("job_id") if made is not None else None
    if job_id is None:
        return
    candidates = scene.board.candidates(scene.row)
    sure = {job for job in candidates if scene.board.latest(job)}
    assert job_id in candidates
    assert (sure if not scene.row.place_unique else candidates) == {job_id}
    assert scene.row.fence is not None
    assert job_id not in scene.row.fence.jobs
    record = scene.board.latest(job_id)
    assert record is None or record.history_id > scene.row.fence.history_id


@given(scenes())
def test_a_job_known_by_its_target_alone_is_adopted_only_where_that_names_one_store(
    scene: Scene,
) -> None:
    made = scene.decided()
    job_id = made.changes.get("job_id") if made is not None else None
    if job_id is not None and scene.board.latest(job_id) is None:
        assert scene.row.place_unique


@given(scenes())
def test_no_job_decides_a_row_before_it_has_ended_and_its_rivals_had_their_time(
    scene: Scene,
) -> None:
    made = scene.decided()
    if made is None or "job_result" not in made.changes:
        return
    job_id = scene.row.job_id or made.changes["job_id"]
    record = scene.board.latest(job_id)
    look_s = scene.board.look_began_s
    assert record is not None
    assert is_final(record)
    assert look_s is not None
    assert look_s >= scene.timing.rivals_until_s


@given(scenes())
def test_rows_of_history_read_again_change_nothing(scene: Scene) -> None:
    made = scene.decided()
    again = [scene.board.latest(job_id) for job_id in JOBS]
    scene.board.see_history([record for record in again if record], 300.0)
    assert scene.decided() == made


@given(scenes())
def test_a_row_is_stalled_only_after_its_time(scene: Scene) -> None:
    made = scene.decided()
    if made is None or made.target is not State.STALLED:
        return
    limit_s = JOB_S if made.reason is Reason.JOB_TIMEOUT else PICKUP_S
    assert scene.timing.now_s > limit_s
