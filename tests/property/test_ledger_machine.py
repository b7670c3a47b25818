"""Any history of campaigns and moves: the ledger agrees with a model of a page.

The model is the life cycle's own table, "one unresolved row per store and Command"
and "one row per job". What the model refuses the ledger refuses, for the same reason;
after every step both hold the same, and the journal replays to it.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from unit.ledger.books import (
    LEGAL,
    NOW,
    assert_chained,
    move,
    planned,
    replayed,
    states,
    store_id,
    write,
)
from unit.ledger.homes import quick_folder

from batch_reenroll.campaign.lifecycle import OPEN, UNRESOLVED, State
from batch_reenroll.campaign.record import PlannedRow
from batch_reenroll.campaign.rows import Move
from batch_reenroll.errors import IllegalMove, StoreInFlight, UsageError
from batch_reenroll.ledger import SqliteLedger

S = State
URLS = ("https://one.example.com/api", "https://two.example.com/api")
N_STORES = 4
MAX_CAMPAIGNS = 4
Plan = tuple[int, State | None]
SKIPS = (S.SKIPPED_PREFLIGHT, S.SKIPPED_EXCLUDED, S.SKIPPED_ALREADY_ROTATED)


@dataclass(slots=True)
class ModelRow:
    store: int
    state: State = S.PENDING
    job_id: str | None = None


@dataclass(slots=True)
class ModelCampaign:
    campaign_id: str
    url: str
    rows: dict[int, ModelRow]
    requests: dict[str, int] = field(default_factory=dict)
    n_lines: int = 1


@dataclass(slots=True)
class Model:
    campaigns: list[ModelCampaign] = field(default_factory=list)

    def held(self, url: str) -> list[int]:
        """Return the stores with an unresolved row."""
        return [
            row.store
            for campaign in self.campaigns
            if campaign.url == url
            for row in campaign.rows.values()
            if row.state in UNRESOLVED
        ]

    def apply(self, campaign: ModelCampaign, wanted: Move) -> set[type | None]:
        """Carry a move out if it may be; return what the ledger may answer.

        A move that breaks two rules may be refused for either.
        """
        row = campaign.rows.get(wanted.row_no)
        if row is None or row.state is not wanted.origin:
            return {IllegalMove}
        if wanted.target not in LEGAL[row.state]:
            return {IllegalMove}
        refusals: set[type | None] = set()
        starts = wanted.target in UNRESOLVED and row.state not in UNRESOLVED
        if starts and row.store in self.held(campaign.url):
            refusals.add(StoreInFlight)
        job_id = wanted.changes.get("job_id", row.job_id)
        others = [r.job_id for r in campaign.rows.values() if r is not row]
        if job_id is not None and job_id in others:
            refusals.add(IllegalMove)
        if not refusals:
            row.state, row.job_id = wanted.target, job_id
            campaign.n_lines += 1
        return refusals or {None}


# One store and, seldom, a skip for each row.
plan = st.tuples(
    st.sampled_from(range(1, N_STORES + 1)), st.sampled_from([None] * 9 + [*SKIPS])
)
row_plans = st.lists(plan, max_size=6)
some_rows = st.lists(plan, min_size=4, max_size=8)


class Kind(Enum):
    """What is asked of the ledger: mostly what is legal, now and then what is not."""

    LEGAL = auto()
    ANY_TARGET = auto()
    WRONG_ORIGIN = auto()
    NO_SUCH_ROW = auto()


@dataclass(frozen=True, slots=True)
class Wish:
    """A move to be made out of a choice of row and target, whatever they number."""

    kind: Kind
    row: int
    target: int
    changes: dict[str, str | None]

    def move(self, guess: dict[int, State]) -> Move:
        """Return the move, for rows that are thought to stand at ``guess``."""
        alive = [n for n, state in guess.items() if LEGAL[state]]
        rows = alive if alive and self.kind is Kind.LEGAL else [*guess, 1]
        row_no = rows[self.row % len(rows)]
        origin = guess.get(row_no, S.PENDING)
        states = list(State)
        target = states[self.target % len(states)]
        if self.kind is Kind.NO_SUCH_ROW:
            row_no = len(guess) + 1
        elif self.kind is Kind.WRONG_ORIGIN:
            origin = target
        options = sorted(LEGAL[origin])
        if self.kind is not Kind.ANY_TARGET and options:
            # Ends are many, and nothing leads out of them.
            options += 9 * [state for state in options if state in OPEN]
            target = options[self.target % len(options)]
        return move(row_no, origin, target, changes=self.changes)


wishes = st.lists(
    st.builds(
        Wish,
        kind=st.sampled_from([Kind.LEGAL] * 9 + [*Kind]),
        row=st.sampled_from(range(12)),
        target=st.sampled_from(range(200)),
        changes=st.sampled_from([{}] * 4 + [{"job_id": j} for j in ("j1", "j2", None)]),
    ),
    min_size=3,
    max_size=12,
)


class LedgerMachine(RuleBasedStateMachine):
    campaigns = Bundle("campaigns")

    @initialize(target=campaigns, first=some_rows, second=some_rows)
    def open(
        self, first: list[Plan], second: list[Plan]
    ) -> MultipleResults[ModelCampaign]:
        """Two campaigns that want the same stores of one Command."""
        self.folder = contextlib.ExitStack()
        self.path = self.folder.enter_context(quick_folder()) / "x.db"
        self.ledger = SqliteLedger(self.path)
        self.model = Model()
        return multiple(self._create(URLS[0], first), self._create(URLS[0], second))

    @precondition(lambda self: len(self.model.campaigns) < MAX_CAMPAIGNS)
    @rule(target=campaigns, url=st.sampled_from(URLS), plans=row_plans)
    def create(self, url: str, plans: list[Plan]) -> ModelCampaign:
        return self._create(url, plans)

    def _create(self, url: str, plans: list[Plan]) -> ModelCampaign:
        campaign = ModelCampaign(
            f"c{len(self.model.campaigns)}",
            url,
            {
                n: ModelRow(store, skip or S.PENDING)
                for n, (store, skip) in _rows(plans)
            },
        )
        campaign.n_lines += sum(skip is not None for _, skip in plans)
        write(self.ledger, campaign.campaign_id, _planned(plans), url=url)
        self.model.campaigns.append(campaign)
        return campaign

    @rule(plans=row_plans)
    def creation_breaks_off(self, plans: list[Plan]) -> None:
        def broken() -> Iterator[PlannedRow]:
            yield from _planned(plans)
            raise UsageError("the manifest changed")

        with pytest.raises(UsageError, match="changed"):
            write(self.ledger, "broken", broken())

    @rule(campaign=campaigns)
    def create_again(self, campaign: ModelCampaign) -> None:
        with pytest.raises(UsageError, match="already"):
            write(self.ledger, campaign.campaign_id, [])

    @rule(campaign=campaigns, batches=st.lists(wishes, min_size=2, max_size=5))
    def apply(self, campaign: ModelCampaign, batches: list[list[Wish]]) -> None:
        for wanted in batches:
            self._apply(campaign, wanted)

    def _apply(self, campaign: ModelCampaign, wanted: list[Wish]) -> None:
        number = self.ledger.number(campaign.campaign_id)
        batch, expected = [], []
        for wish in wanted:
            step = wish.move({n: row.state for n, row in campaign.rows.items()})
            batch.append(step)
            expected.append(self.model.apply(campaign, step))
        campaign.requests = {"submit": len(batch)}
        results = self.ledger.apply(number, batch, campaign.requests)
        answers = [type(result) if result else None for result in results]
        assert len(answers) == len(expected)
        assert all(a in e for a, e in zip(answers, expected, strict=True))

    @rule(campaign=campaigns)
    def record_event(self, campaign: ModelCampaign) -> None:
        number = self.ledger.number(campaign.campaign_id)
        columns = {"stop_reason": f"line {campaign.n_lines}"}
        self.ledger.record_event(
            number, "run_ended", NOW, detail={"exit_code": 0}, columns=columns
        )
        campaign.n_lines += 1
        kept = self.ledger.campaign(campaign.campaign_id)
        assert kept.stop_reason == columns["stop_reason"]

    @precondition(lambda self: self.model.campaigns)
    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = SqliteLedger(self.path, create=False)

    @invariant()
    def the_ledger_is_as_the_model(self) -> None:
        expected = [campaign.campaign_id for campaign in self.model.campaigns]
        assert self.ledger.campaign_ids() == expected[::-1]
        for campaign in self.model.campaigns:
            self._compare(campaign)
        for url in URLS:
            held = self.model.held(url)
            assert len(held) == len(set(held))
            assert self.ledger.open_stores(url) == {store_id(n) for n in held}

    def _compare(self, campaign: ModelCampaign) -> None:
        kept = self.ledger.campaign(campaign.campaign_id)
        number = self.ledger.number(campaign.campaign_id)
        standing = {n: row.state for n, row in campaign.rows.items()}
        assert states(self.ledger, number) == standing
        assert kept.rows == Counter(standing.values())
        assert kept.requests == campaign.requests
        journal = list(self.ledger.journal(number))
        assert len(journal) == campaign.n_lines
        assert_chained(journal, kept.journal_head, kept.journal_length)
        assert replayed(journal, standing) == standing
        pending = [n for n, state in standing.items() if state is S.PENDING]
        assert [row_no for row_no, *_ in self.ledger.waiting(number)] == pending
        jobs = {r.row_no: r.job_id for r in self.ledger.rows_in(number, State)}
        assert jobs == {n: row.job_id for n, row in campaign.rows.items()}

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.close()


def _rows(
    plans: list[Plan],
) -> Iterator[tuple[int, Plan]]:
    return iter(enumerate(plans, start=1))


def _planned(plans: list[Plan]) -> list[PlannedRow]:
    return [planned(n, store=store, skipped=skip) for n, (store, skip) in _rows(plans)]


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
