"""A plan as a file: what is read is what was written, and nothing else is a plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.plan import Verdict
from batch_reenroll.campaign.planfile import (
    PlanDigest,
    digested,
    plan_lines,
    read_draft,
    read_rows,
)
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.errors import PlanRefused

DRAFT = Campaign(
    campaign_id="",
    command_url="https://command.example.com/KeyfactorAPI",
    purpose={"name": "Q4 rotation", "ticket": "CHG0042"},
    columns=("KeystoreId", "Alias"),
    defaults={"CertificateTemplate": "WebServer"},
    manifest_name="m.csv",
    manifest_path="/srv/m.csv",
    manifest_sha256="a" * 64,
    settings=RunSettings(rate_per_s=12.5),
    operator="pki",
    host="jump01",
    tool_version="1.2.3",
    created_at="2026-11-23T18:40:00.000Z",
)
REQUEST = ReenrollmentRequest(
    keystore_id="11111111-aaaa-4bbb-8ccc-000000000001",
    subject_name="CN=web1.example.com",
    agent_guid="22222222-aaaa-4bbb-8ccc-000000000002",
    alias="web",
)
ROW = PlannedRow(
    row_no=1,
    row_id="r1",
    cells=("a", "b"),
    verdict=Verdict(
        request=REQUEST,
        client_machine="web1",
        store_path="/etc/ssl/web.pem",
        orchestrator="orch1",
        store_type="PEM",
        capability="PEM",
        place_unique=True,
    ),
    current_thumbprint="ab" * 20,
    wave="canary",
)
SKIPPED = replace(
    ROW,
    row_no=2,
    row_id="r2",
    verdict=Verdict(request=REQUEST, reason=Reason.STORE_UNKNOWN, message="no store"),
    skipped=State.SKIPPED_PREFLIGHT,
)

TEXT = st.text(st.characters(codec=None), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2)
    ),
    max_leaves=4,
)
REQUESTS = st.builds(
    ReenrollmentRequest,
    keystore_id=TEXT,
    subject_name=TEXT,
    agent_guid=TEXT,
    alias=TEXT,
    job_properties=st.dictionaries(TEXT, JSON, max_size=2),
    certificate_authority=st.none() | TEXT,
    sans=st.none() | st.dictionaries(TEXT, st.lists(TEXT, max_size=2), min_size=1),
    enrollment_pattern_id=st.none() | st.integers(1, 9),
)
ROWS = st.builds(
    replace,
    st.just(ROW),
    row_id=TEXT,
    cells=st.lists(TEXT, max_size=3).map(tuple),
    wave=st.none() | TEXT.filter(bool),
    verdict=st.builds(
        replace, st.just(ROW.verdict), request=REQUESTS, client_machine=TEXT
    ),
)


def written(*rows: PlannedRow, draft: Campaign = DRAFT) -> list[str]:
    return list(plan_lines(draft, rows))


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_what_is_read_is_what_was_written(rows: list[PlannedRow]) -> None:
    numbered = [replace(row, row_no=no) for no, row in enumerate(rows, start=1)]
    first, *rest = written(*numbered)
    assert read_draft(first) == DRAFT
    assert list(read_rows(rest)) == numbered


def test_a_row_that_is_skipped_says_why() -> None:
    _, *rest = written(ROW, SKIPPED)
    assert list(read_rows(rest)) == [ROW, SKIPPED]


def test_it_is_one_json_document_with_a_line_for_each_row() -> None:
    lines = written(ROW, SKIPPED)
    document = json.loads("".join(lines))
    assert [row["row_id"] for row in document["rows"]] == ["r1", "r2"]
    assert document["counts"] == {"pending": 1, "skipped_preflight": 1}
    assert len(lines) == 4


def test_the_digest_of_rows_is_that_of_the_file_they_would_be() -> None:
    digest = PlanDigest()
    assert list(digested(DRAFT, iter([ROW, SKIPPED]), digest)) == [ROW, SKIPPED]
    file = "".join(written(ROW, SKIPPED)).encode()
    assert digest.hexdigest() == hashlib.sha256(file).hexdigest()


@pytest.mark.parametrize(
    "changed",
    [
        {"alias": "x"},
        {"subject_name": "CN=x"},
        {"certificate_authority": "x"},
        {"certificate_template": "x"},
        {"job_properties": {"x": 1.5}},
        {"sans": {"dns": ["x"]}},
        {"enrollment_pattern_id": 1},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_change_to_anything_that_will_be_sent_changes_the_digest(
    changed: Mapping[str, Any],
) -> None:
    other = replace(ROW.verdict, request=replace(REQUEST, **changed))
    assert written(ROW) != written(replace(ROW, verdict=other))


def test_the_digest_covers_the_settings() -> None:
    faster = replace(DRAFT, settings=RunSettings(rate_per_s=99))
    assert written(ROW) != written(ROW, draft=faster)


class TestWhatIsNoPlan:
    """Cut off, edited or foreign files are refused, with the line."""

    @pytest.mark.parametrize("kept", [1, 2, 3])
    def test_a_file_that_ends_too_early(self, kept: int) -> None:
        _, *rest = written(ROW, SKIPPED)
        with pytest.raises(PlanRefused, match=f"line {kept + 1}"):
            list(read_rows(rest[: kept - 1]))

    @pytest.mark.parametrize("dropped", [0, 1])
    def test_a_file_that_lacks_a_row(self, dropped: int) -> None:
        _, *rest = written(ROW, SKIPPED)
        del rest[dropped]
        with pytest.raises(PlanRefused):
            list(read_rows(rest))

    def test_a_file_with_more_behind_its_end(self) -> None:
        _, *rest = written(ROW)
        with pytest.raises(PlanRefused, match="line 4"):
            list(read_rows([*rest, "{}\n"]))

    @pytest.mark.parametrize(
        "line", ["", "{}", "[]\n", "null", '{"plan": 1, "rows": [\n', "PK\x03\x04"]
    )
    def test_another_kind_of_file(self, line: str) -> None:
        with pytest.raises(PlanRefused, match="line 1"):
            read_draft(line)

    def test_a_plan_of_a_later_version(self) -> None:
        first = written(ROW)[0].replace("plan 1", "plan 2")
        with pytest.raises(PlanRefused, match="this version reads"):
            read_draft(first)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('"row": 1', '"row": "1"'),
            ('"alias"', '"alyas"'),
            ('"cells": ["a", "b"]', '"cells": 7'),
            ('"request": {', '"request": [{'),
        ],
    )
    def test_a_row_that_was_edited_out_of_shape(self, old: str, new: str) -> None:
        _, *rest = written(ROW)
        assert old in rest[0]
        with pytest.raises(PlanRefused, match="line 2"):
            list(read_rows([rest[0].replace(old, new), *rest[1:]]))
