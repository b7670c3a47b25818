"""Any history of campaigns and moves: the ledger agrees with a model of a page.

The model is the life cycle's own table, "one unresolved row per store and Command"
and "one row per job". What the model refuses the ledger refuses, for the same reason;
after every step both hold the same, and the journal replays to it.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from unit.ledger.books import (
    NOW,
    assert_chained,
    move,
    planned,
    replayed,
    states,
    store_id,
    write,
)

from batch_reenroll.campaign.lifecycle import MOVES, UNRESOLVED, State
from batch_reenroll.campaign.record import PlannedRow
from batch_reenroll.campaign.rows import Move
from batch_reenroll.errors import IllegalMove, StoreInFlight, UsageError
from batch_reenroll.ledger import SqliteLedger

S = State
URLS = ("https://one.example.com/api", "https://two.example.com/api")
N_STORES = 4
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

    def apply(self, campaign: ModelCampaign, wanted: Move) -> type[Exception] | None:
        """Carry a move out, or return the error that refuses it."""
        row = campaign.rows.get(wanted.row_no)
        if row is None or row.state is not wanted.origin:
            return IllegalMove
        if wanted.target not in MOVES[row.state]:
            return IllegalMove
        starts = wanted.target in UNRESOLVED and row.state not in UNRESOLVED
        if starts and row.store in self.held(campaign.url):
            return StoreInFlight
        job_id = wanted.changes.get("job_id", row.job_id)
        others = (r.job_id for r in campaign.rows.values() if r is not row)
        if job_id is not None and job_id in others:
            return IllegalMove
        row.state, row.job_id = wanted.target, job_id
        campaign.n_lines += 1
        return None


row_plans = st.lists(
    st.tuples(st.integers(1, N_STORES), st.none() | st.none() | st.sampled_from(SKIPS)),
    max_size=5,
)
# A choice of row, of whether to claim its true state, of a target and of a job.
wishes = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from([True, True, True, True, False]),
        st.integers(0, 100),
        st.sampled_from(State),
        st.sampled_from([{}, {}, {"job_id": "j1"}, {"job_id": "j2"}, {"job_id": None}]),
    ),
    min_size=1,
    max_size=8,
)


class LedgerMachine(RuleBasedStateMachine):
    campaigns = Bundle("campaigns")

    @initialize()
    def make(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "x.db"
        self.ledger = SqliteLedger(self.path)
        self.model = Model()

    @rule(target=campaigns, url=st.sampled_from(URLS), plans=row_plans)
    def create(self, url: str, plans: list[tuple[int, State | None]]) -> ModelCampaign:
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
    def creation_breaks_off(self, plans: list[tuple[int, State | None]]) -> None:
        def broken() -> Iterator[PlannedRow]:
            yield from _planned(plans)
            raise UsageError("the manifest changed")

        with pytest.raises(UsageError, match="changed"):
            write(self.ledger, "broken", broken())

    @rule(campaign=campaigns)
    def create_again(self, campaign: ModelCampaign) -> None:
        with pytest.raises(UsageError, match="already"):
            write(self.ledger, campaign.campaign_id, [])

    @rule(campaign=campaigns, wanted=wishes)
    def apply(
        self,
        campaign: ModelCampaign,
        wanted: list[tuple[int, bool, int, State, dict[str, str | None]]],
    ) -> None:
        number = self.ledger.number(campaign.campaign_id)
        guess = {n: row.state for n, row in campaign.rows.items()}
        batch = []
        for row_no, honest, roll, target, changes in wanted:
            origin = guess.get(row_no, S.PENDING) if honest else target
            # A wish for the impossible is worth one try in ten.
            options = sorted(MOVES[origin])
            legal = options and roll >= 10
            goal = options[roll % len(options)] if legal else target
            batch.append(move(row_no, origin, goal, changes=changes))
            guess[row_no] = goal if honest and legal else origin
        expected = [self.model.apply(campaign, step) for step in batch]
        campaign.requests = {"submit": len(batch)}
        results = self.ledger.apply(number, batch, campaign.requests)
        assert [type(r) if r else None for r in results] == expected

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
        self.folder.cleanup()


def _rows(
    plans: list[tuple[int, State | None]],
) -> Iterator[tuple[int, tuple[int, State | None]]]:
    return iter(enumerate(plans, start=1))


def _planned(plans: list[tuple[int, State | None]]) -> list[PlannedRow]:
    return [planned(n, store=store, skipped=skip) for n, (store, skip) in _rows(plans)]


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
