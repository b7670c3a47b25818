"""``summary.json``: its schema, its sums, its groups."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from unit.report.reading import files_of
from unit.report.synthetic import fleet, one_of_each, report_of, row

from batch_reenroll.report import ReportInput

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "summary.v1.schema.json").read_text()
)


def summary_of(report: ReportInput) -> Any:
    return json.loads(files_of(report)["summary.json"])


def test_the_schema_is_a_valid_schema_with_its_name() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "urn:batch-reenroll:schema:summary:v1"


@pytest.mark.parametrize(
    "report",
    [
        fleet(300),
        report_of(one_of_each(), finished_at=None),
        report_of([]),
        report_of([row(1, "verified", duration_s=float("nan"))]),
    ],
    ids=["fleet", "running", "empty", "nan"],
)
def test_a_summary_fits_the_schema(report: ReportInput) -> None:
    Draft202012Validator(SCHEMA).validate(summary_of(report))


def test_the_schema_refuses_a_key_it_does_not_know() -> None:
    value = {**summary_of(fleet(2)), "extra": 1}
    assert not Draft202012Validator(SCHEMA).is_valid(value)


def test_outcomes_are_all_twelve_and_sum_to_rows() -> None:
    value = summary_of(report_of([*one_of_each(), row(13, "verified")]))
    assert value["rows"] == sum(value["outcomes"].values()) == 13
    assert value["outcomes"]["verified"] == 2


@pytest.mark.parametrize(
    "name", ["orchestrator", "ca", "template", "store_type", "wave"]
)
def test_each_grouping_holds_every_row_once(name: str) -> None:
    value = summary_of(fleet(400))
    groups = value[f"by_{name}"]
    assert sum(group["rows"] for group in groups) == 400
    assert all(sum(g["outcomes"].values()) == g["rows"] for g in groups)
    assert len({group["name"] for group in groups}) == len(groups)


def test_a_group_counts_failures_and_measures_only_known_durations() -> None:
    rows = [
        row(1, "verified", orchestrator="a", duration_s=10.0),
        row(2, "failed", orchestrator="a", duration_s=30.0),
        row(3, "stalled", orchestrator="a"),
        row(4, "not_attempted", orchestrator="b"),
    ]
    a, b = summary_of(report_of(rows))["by_orchestrator"]
    assert (a["name"], a["rows"], a["failures"]) == ("a", 3, 2)
    assert a["outcomes"] == {"verified": 1, "failed": 1, "stalled": 1}
    assert a["duration_s"] == {"median": 20.0, "p95": 29.0}
    assert b["duration_s"] == {"median": None, "p95": None}


def test_durations_are_those_of_all_rows() -> None:
    report = fleet(200)
    known = [
        float(value)
        for r in report.rows()
        if (value := r.result.get("duration_s")) is not None
    ]
    found = summary_of(report)["duration_s"]
    assert found["min"] == min(known)
    assert found["max"] == max(known)
    assert found["median"] == pytest.approx(statistics.median(known), abs=0.001)


def test_waves_keep_the_order_in_which_rows_name_them() -> None:
    rows = [
        row(1, wave="z"),
        *(row(n, "failed", wave="a") for n in range(2, 9)),
    ]
    assert [g["name"] for g in summary_of(report_of(rows))["by_wave"]] == ["z", "a"]


def test_failures_of_one_cause_are_one_group_with_an_example() -> None:
    rows = [
        row(n, "failed", reason_code="job_failed", message=f"no route to web{n}.a.com")
        for n in range(1, 31)
    ]
    rows.append(row(31, "failed", reason_code="job_failed", message="disk full"))
    first, second = summary_of(report_of(rows))["by_reason"]
    assert (first["rows"], first["fingerprint"]) == (30, "no route to <host>")
    assert first["example_message"] == "no route to web1.a.com"
    assert first["example_row_id"] == "1"
    assert (second["rows"], second["fingerprint"]) == (1, "disk full")


def test_rows_that_ended_well_without_a_reason_are_no_cause() -> None:
    assert summary_of(report_of([row(1, "verified")]))["by_reason"] == []


def test_distinct_messages_beyond_the_cap_are_counted_together() -> None:
    def word(n: int) -> str:
        return "".join(chr(ord("a") + int(digit)) for digit in str(n))

    rows = [
        row(n, "failed", reason_code="job_failed", message=f"cause {word(n)}")
        for n in range(1, 1_101)
    ]
    groups = summary_of(report_of(rows))["by_reason"]
    others = {g["fingerprint"]: g["rows"] for g in groups}["(others)"]
    assert (len(groups), others) == (1_001, 100)


def test_a_kind_of_request_that_is_missing_counts_zero() -> None:
    value = summary_of(report_of([], requests={"submit": 3}))
    assert value["requests"] == {
        "submit": 3,
        "job_history": 0,
        "scheduled_jobs": 0,
        "inventory": 0,
        "other": 0,
    }
