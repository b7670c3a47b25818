"""Whatever JSON comes: a noun or a ContractViolation, never anything else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_reenroll.campaign.nouns import JobResult, JobStatus
from batch_reenroll.command import decode
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.secret import Redactor
from batch_reenroll.command.wire import MAX_EXCERPT_BYTES, Fields, excerpt, parse_list
from batch_reenroll.errors import ContractViolation

DECODERS: list[Callable[[object], object]] = [
    decode.job_record,
    decode.scheduled_job,
    decode.store,
    decode.store_type,
    decode.orchestrator,
    decode.inventory_entry,
]
NAMES = (
    *("JobHistoryId", "JobId", "JobType", "OperationStart", "OperationEnd", "Message"),
    *("Result", "Status", "StorePath", "Storepath", "ClientMachine", "AgentMachine"),
    *("Id", "Target", "Requested", "CertStoreType", "Approved", "AgentId"),
    *("AgentAssigned", "ContainerName", "InventorySchedule", "ReenrollmentStatus"),
    *("Data", "StoreType", "Name", "ShortName", "Capability", "SupportedOperations"),
    *("Enrollment", "LastSeen", "Capabilities", "Certificates", "Parameters"),
    *("Thumbprint", "NotBefore"),
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["2026-11-23T18:00:00Z", "2", "Success", "9" * 30])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner)
    ),
    max_leaves=25,
)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda d: d.__name__)
@given(raw=values)
def test_any_json_is_a_noun_or_a_contract_violation(
    decoder: Callable[[object], object], raw: object
) -> None:
    try:
        first = decoder(raw)
    except ContractViolation:
        return
    assert first == decoder(json.loads(json.dumps(raw))) or first != first


@given(st.binary(max_size=200))
def test_any_body_is_a_list_or_a_contract_violation(body: bytes) -> None:
    try:
        items = parse_list(Answer(status=200, body=body), Redactor())
    except ContractViolation:
        return
    assert isinstance(items, list)


@given(st.text())
def test_an_excerpt_is_printable_and_at_most_two_kib(text: str) -> None:
    body = (text * 40).encode("utf-8", "replace")
    shown = excerpt(Answer(status=200, body=body), Redactor())
    assert len(shown.encode()) <= MAX_EXCERPT_BYTES
    assert "\x1b" not in shown
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("raw", "result"),
    [
        (2, JobResult.SUCCESS),
        ("2", JobResult.SUCCESS),
        ("Success", JobResult.SUCCESS),
        ("failure", JobResult.FAILURE),
        (7, JobResult.UNKNOWN),
        ("Brilliant", JobResult.UNKNOWN),
        (None, JobResult.UNKNOWN),
        (True, JobResult.UNKNOWN),
        ([2], JobResult.UNKNOWN),
    ],
)
def test_results_are_numbers_or_names(raw: object, result: JobResult) -> None:
    item = {"JobHistoryId": 1, "JobId": "a", "Result": raw}
    assert decode.job_record(item).result is result


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("InProcess", JobStatus.IN_PROCESS),
        ("CompletedWillRetry", JobStatus.COMPLETED_WILL_RETRY),
        (4, JobStatus.ACKNOWLEDGED),
        (6, JobStatus.UNKNOWN),
    ],
)
def test_statuses_are_numbers_or_names(raw: object, status: JobStatus) -> None:
    item = {"JobHistoryId": 1, "JobId": "a", "Status": raw}
    assert decode.job_record(item).status is status


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (5, 5),
        ("5", 5),
        (5.0, 5),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (5.5, None),
        (True, None),
        ("5x", None),
        ("٥", None),
        (float("inf"), None),
        (None, None),
    ],
)
def test_whole_numbers_are_int64_or_nothing(raw: object, number: int | None) -> None:
    assert Fields({"N": raw}).integer("n") == number


@pytest.mark.parametrize(
    ("raw", "flag"),
    [
        (True, True),
        (0, False),
        ("True", True),
        ("false", False),
        ("x", None),
        (2, None),
    ],
)
def test_switches_are_booleans_words_or_bits(raw: object, flag: bool | None) -> None:
    assert Fields({"F": raw}).flag("F") is flag


def test_a_guid_is_lower_case_and_bare() -> None:
    raw = {"Id": " {0A0B0C0D-1111-4222-8333-444455556666} "}
    assert Fields(raw).required_guid("Id") == "0a0b0c0d-1111-4222-8333-444455556666"


def test_a_thumbprint_is_bare_lower_case_hex() -> None:
    raw = {"Name": "a", "Certificates": [{"Thumbprint": "0A:1B 2C"}]}
    leaf = decode.inventory_entry(raw).leaf
    assert leaf is not None
    assert leaf.thumbprint == "0a1b2c"
