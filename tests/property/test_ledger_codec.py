"""Whatever a request or a move holds, the ledger gives it back."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.ledger.books import (
    NOW,
    assert_chained,
    campaign,
    planned,
)

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.rows import Fence, Move, Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.ledger.codec import (
    campaign_value,
    encode,
    request_text,
    request_value,
    row_value,
)
from batch_reenroll.ledger.intake import insert_campaign, insert_rows
from batch_reenroll.ledger.journal import GENESIS_PREV, move_line
from batch_reenroll.ledger.schema import LEGAL_MOVES, TABLES
from batch_reenroll.text import sha256_hex

S = State
# Manifest and wire hold text that has UTF-8; NUL and controls included.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**53), 2**53)
moments = st.datetimes(
    min_value=datetime(1950, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-6, minutes=-30))]),
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
)
requests = st.builds(
    ReenrollmentRequest,
    keystore_id=texts,
    subject_name=texts,
    agent_guid=texts,
    alias=texts,
    job_properties=st.dictionaries(texts, json_values, max_size=4),
    certificate_authority=st.none() | texts,
    certificate_template=st.none() | texts,
    sans=st.none() | st.dictionaries(texts, st.lists(texts, max_size=3), max_size=2),
    enrollment_pattern_id=st.none() | numbers,
    metadata=st.none() | st.dictionaries(texts, texts, max_size=2),
    additional_enrollment_fields=st.none() | st.dictionaries(texts, texts, max_size=2),
    owner_role_name=st.none() | texts,
)
fences = st.builds(
    Fence,
    history_id=st.integers(0, 2**53),
    jobs=st.frozensets(texts, max_size=4),
)
columns = st.fixed_dictionaries(
    {},
    optional={
        "attempts": st.integers(0, 2**53),
        "losses": st.integers(0, 2**53),
        "retries": st.integers(0, 2**53),
        "http_status": st.none() | st.integers(100, 599),
        "fence": st.none() | fences,
        "before": st.none() | st.dictionaries(texts, texts, min_size=1, max_size=3),
        "job_history_id": st.none() | numbers,
        "job_result": st.none() | st.integers(0, 4),
        **dict.fromkeys(("job_id", "alias_after", "thumbprint_before"), texts),
        **dict.fromkeys(
            (
                "submitted_at",
                "picked_up_at",
                "finished_at",
                "not_before_before",
                "not_after_before",
            ),
            st.none() | moments,
        ),
    },
)
notes = st.dictionaries(
    st.text(st.characters(codec="ascii"), max_size=8),
    st.none() | st.booleans() | numbers | texts | st.lists(texts, max_size=3),
    max_size=3,
)
moves = st.builds(
    Move,
    row_no=st.integers(1, 2**31),
    origin=st.sampled_from(State),
    target=st.sampled_from(State),
    at=moments,
    reason=st.none() | st.sampled_from(Reason),
    message=st.none() | st.text(max_size=40),
    changes=columns,
    note=notes,
)


def table() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.executescript(TABLES)
    connection.executemany("INSERT INTO legal_move VALUES (?, ?)", LEGAL_MOVES)
    return connection


def kept(connection: sqlite3.Connection, row: PlannedRow) -> Row:
    number = insert_campaign(connection, campaign())
    insert_rows(connection, number, campaign(), [row], NOW)
    return row_value(connection.execute("SELECT * FROM row").fetchone())


def to_the_ms(value: Any) -> Any:
    """Return ``value`` as precise as RFC 3339 to the ms keeps it."""
    if not isinstance(value, datetime):
        return value
    utc = value.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


@given(requests)
def test_a_request_reads_back_as_it_was(request: ReenrollmentRequest) -> None:
    assert request_value(request_text(request)) == request


@given(requests)
@example(
    ReenrollmentRequest(
        keystore_id="", subject_name="\x00", agent_guid="\U0001f511", alias="\u2028"
    )
)
@settings(max_examples=60)
def test_a_request_reads_back_from_the_database(request: ReenrollmentRequest) -> None:
    with closing(table()) as connection:
        row = kept(connection, planned(1, request=request))
    assert row.request == request


@given(columns)
@settings(max_examples=60)
def test_a_row_reads_back_as_a_move_left_it(changes: dict[str, Any]) -> None:
    moved = Move(
        row_no=1, origin=S.PENDING, target=S.SUBMITTING, at=NOW, changes=changes
    )
    sets = "".join(f', "{name}" = ?' for name in changes)
    with closing(table()) as connection:
        before = kept(connection, planned(1))
        connection.execute(
            f"UPDATE row SET state = 'submitting'{sets}",
            [encode(value) for value in changes.values()],
        )
        record = connection.execute("SELECT * FROM row").fetchone()
    expected = before.moved(moved)
    precise = {
        name: to_the_ms(getattr(expected, name)) for name in Row.__dataclass_fields__
    }
    assert row_value(record) == Row(**precise)


@given(
    st.builds(
        Campaign,
        campaign_id=texts,
        command_url=texts,
        purpose=st.dictionaries(texts, texts, max_size=3),
        columns=st.lists(texts, max_size=4).map(tuple),
        defaults=st.dictionaries(texts, texts, max_size=3),
        manifest_name=texts,
        manifest_path=texts,
        settings=st.builds(
            RunSettings,
            rate_per_s=st.floats(0.001, 1e6),
            max_in_flight=st.integers(1, 10**6),
            settle_time_s=st.none() | st.floats(0.001, 1e6),
            verify=st.booleans(),
            budget_limit=st.sampled_from(["3", "20%", "0"]),
        ),
        operator=texts,
        host=texts,
        tool_version=texts,
        created_at=texts,
    )
)
@settings(max_examples=60)
def test_a_campaign_reads_back_as_it_was(given_campaign: Campaign) -> None:
    with closing(table()) as connection:
        insert_campaign(connection, given_campaign)
        record = connection.execute("SELECT * FROM campaign").fetchone()
    assert campaign_value(record, {}) == given_campaign


@given(moves, texts, texts)
def test_a_line_is_one_canonical_line_with_every_field_of_its_move(
    move: Move, row_id: str, store: str
) -> None:
    text = move_line(move, row_id=row_id, store_id=store, seq=0, prev=GENESIS_PREV)
    line = json.loads(text)
    assert text == json.dumps(
        line, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert "\n" not in text
    assert (line["row"], line["row_id"], line["store"]) == (move.row_no, row_id, store)
    assert (line["from"], line["to"]) == (move.origin, move.target)
    assert line.get("reason") == move.reason
    assert set(line.get("set", {})) == set(move.changes) - {"before"}
    assert set(line.get("note", {})) == set(move.note)
    assert_chained([text], sha256_hex(text), 1)
