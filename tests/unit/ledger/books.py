"""Campaigns, rows and moves for ledger tests, and what a journal is checked by."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from batch_reenroll.campaign.lifecycle import State, is_legal
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.plan import Verdict
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.rows import Move
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.ledger import SqliteLedger

NOW = datetime(2026, 11, 23, 18, 40, tzinfo=UTC)
URL = "https://command.example.com/KeyfactorAPI"
DIGESTS = ("a" * 64, "b" * 64)
#: From each state, where a row may go, a retry included.
LEGAL = {
    origin: frozenset(target for target in State if is_legal(origin, target))
    for origin in State
}
AGENT = "22222222-aaaa-4bbb-8ccc-000000000002"


def store_id(n: int) -> str:
    return f"11111111-aaaa-4bbb-8ccc-{n:012d}"


def campaign(campaign_id: str = "q4", url: str = URL) -> Campaign:
    return Campaign(
        campaign_id=campaign_id,
        command_url=url,
        purpose={"name": "Q4 rotation", "ticket": "CHG0042"},
        columns=("KeystoreId", "Alias", "x-note"),
        defaults={"CertificateTemplate": "WebServer"},
        manifest_name="stores.csv",
        manifest_path="/srv/campaigns/stores.csv",
        settings=RunSettings(rate_per_s=12.5, verify=False, budget_limit="3"),
        operator="pki",
        host="jump01",
        tool_version="0.1.0",
        created_at="2026-11-23T18:40:00.000Z",
    )


def planned(
    row_no: int,
    *,
    store: int | None = None,
    skipped: State | None = None,
    reason: Reason | None = None,
    request: ReenrollmentRequest | None = None,
) -> PlannedRow:
    """Return row ``row_no`` for a store of its own, or for store number ``store``."""
    number = row_no if store is None else store
    wanted = request or ReenrollmentRequest(
        keystore_id=store_id(number),
        subject_name=f'CN=host{number}.example.com,O="Key Example, Inc."',
        agent_guid=AGENT,
        alias="web",
    )
    return PlannedRow(
        row_no=row_no,
        row_id=f"r{row_no}",
        cells=(wanted.keystore_id, wanted.alias, f"note {row_no}"),
        verdict=Verdict(
            request=wanted,
            reason=reason,
            message="said why" if reason else "",
            client_machine="web01.example.com",
            store_path=f"/etc/ssl/{number}.pem",
            orchestrator="orch01",
            store_type="PEM",
            capability="PEM",
            place_unique=True,
        ),
        skipped=skipped,
        current_thumbprint="ab" * 20,
        wave="canary" if row_no == 1 else None,
    )


def rows(n: int) -> list[PlannedRow]:
    return [planned(row_no) for row_no in range(1, n + 1)]


def write(
    ledger: SqliteLedger,
    campaign_id: str = "q4",
    planned_rows: Iterable[PlannedRow] | None = None,
    *,
    url: str = URL,
) -> int:
    """Create a campaign, of three rows where none are given; return its number."""
    ledger.create(
        campaign(campaign_id, url),
        rows(3) if planned_rows is None else planned_rows,
        at=NOW,
        digests=lambda: DIGESTS,
    )
    return ledger.number(campaign_id)


def move(
    row_no: int,
    origin: State,
    target: State,
    *,
    changes: Mapping[str, Any] | None = None,
    **more: Any,
) -> Move:
    return Move(
        row_no=row_no,
        origin=origin,
        target=target,
        at=more.pop("at", NOW + timedelta(seconds=1)),
        changes=changes or {},
        **more,
    )


def way_to(state: State) -> list[State]:
    """Return the states of a shortest legal way from pending to ``state``."""
    ways = deque([[State.PENDING]])
    seen = {State.PENDING}
    while ways:
        way = ways.popleft()
        if way[-1] is state:
            return way
        for target in sorted(LEGAL[way[-1]] - seen):
            seen.add(target)
            ways.append([*way, target])
    message = f"no way leads to {state}"
    raise AssertionError(message)


def take(ledger: SqliteLedger, number: int, row_no: int, state: State) -> None:
    """Move a pending row to ``state`` by a shortest way."""
    way = way_to(state)
    steps = [move(row_no, a, b) for a, b in pairwise(way)]
    assert ledger.apply(number, steps) == [None] * len(steps)


def states(ledger: SqliteLedger, number: int) -> dict[int, State]:
    return {r["row_no"]: State(r["state"]) for r in ledger.records(number)}


def lines(ledger: SqliteLedger, number: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ledger.journal(number)]


def replayed(journal: Iterable[str], row_numbers: Iterable[int]) -> dict[int, State]:
    """Return where the journal's moves lead, each from where the row then stood."""
    standing = dict.fromkeys(row_numbers, State.PENDING)
    for text in journal:
        line = json.loads(text)
        if line["event"] == "move":
            assert standing[line["row"]] == line["from"]
            standing[line["row"]] = State(line["to"])
    return standing


def assert_chained(journal: Sequence[str], head: str, length: int) -> None:
    """Check the chain with nothing of the ledger's own code."""
    prev = "0" * 64
    for seq, text in enumerate(journal):
        line = json.loads(text)
        assert (line["seq"], line["prev"]) == (seq, prev)
        prev = hashlib.sha256(text.encode()).hexdigest()
    assert (head, length) == (prev, len(journal))


def assert_sound(ledger: SqliteLedger) -> None:
    """Check that rows, tally and journal of every campaign say the same."""
    for campaign_id in ledger.campaign_ids():
        kept, number = ledger.campaign(campaign_id), ledger.number(campaign_id)
        standing = states(ledger, number)
        journal = list(ledger.journal(number))
        assert dict(kept.rows) == dict(Counter(standing.values()))
        assert_chained(journal, kept.journal_head, kept.journal_length)
        assert replayed(journal, standing) == standing
