"""``junit.xml`` as a CI system reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

import pytest
from junitparser import Failure, JUnitXml, Skipped, TestSuite
from unit.report.reading import files_of
from unit.report.synthetic import fleet, one_of_each, report_of, row

from batch_reenroll.report import ReportInput


def suite_of(report: ReportInput) -> ElementTree.Element:
    root = ElementTree.fromstring(files_of(report)["junit.xml"])
    assert root.tag == "testsuites"
    (suite,) = root
    return suite


def test_counts_in_the_head_are_those_of_the_cases() -> None:
    suite = suite_of(fleet(200))
    assert suite.get("tests") == str(len(suite.findall("testcase"))) == "200"
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        ("verified", None),
        ("succeeded", None),
        ("skipped_already_rotated", "skipped"),
        ("failed", "failure"),
        ("rejected", "failure"),
        ("warning", "failure"),
        ("skipped_preflight", "failure"),
        ("stalled", "failure"),
        ("unknown", "failure"),
        ("not_attempted", "skipped"),
        ("cancelled", "skipped"),
        ("skipped_excluded", "skipped"),
    ],
)
def test_each_outcome_has_its_ending(outcome: str, ending: str | None) -> None:
    (case,) = suite_of(report_of([row(1, outcome)])).findall("testcase")
    assert [child.tag for child in case] == ([ending] if ending else [])


def test_a_failure_names_row_store_orchestrator_reason_and_message() -> None:
    failed = row(
        9,
        "failed",
        orchestrator="o1",
        client_machine="web9",
        store_path="/a.pem",
        reason_code="job_failed",
        message="boom & <bust>",
        duration_s=2.5,
    )
    (case,) = suite_of(report_of([failed])).findall("testcase")
    assert case.attrib == {
        "classname": "o1",
        "name": "row 9: web9 /a.pem",
        "time": "2.5",
    }
    (failure,) = case
    assert failure.get("message") == "failed: boom & <bust>"
    assert failure.get("type") == "job_failed"
    assert failure.text == "boom & <bust>"


def test_characters_that_xml_forbids_are_spelled_out() -> None:
    text = "a\x00\x0b\ufffe\uffff\ud800]]>"
    (case,) = suite_of(report_of([row(1, "failed", message=text)])).findall("testcase")
    assert case[0].text == "a\\x00\\x0b\\ufffe\\uffff\\ud800]]>"


def test_one_case_per_row_in_row_order() -> None:
    names = [c.get("name") for c in suite_of(report_of(one_of_each())).iter("testcase")]
    assert names == [f"row {n}" for n in range(1, 13)]


#: What an element may hold, which attributes it must have, and which it may have: the
#: common part of Jenkins' ``junit-10.xsd`` and Surefire's
#: ``surefire-test-report-3.0.xsd``, and what of Jenkins' Surefire does not know.
_SHAPE: Mapping[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, set(), {"name", "tests", "failures", "errors"}),
    "testsuite": (
        {"properties", "testcase"},
        {"name", "tests", "failures", "errors", "skipped"},
        {"timestamp", "hostname"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, set()),
    "testcase": ({"failure", "skipped"}, {"name", "time"}, {"classname"}),
    "failure": (set(), {"type"}, {"message"}),
    "skipped": (set(), set(), {"message"}),
}
_SUREFIRE_TIME = re.compile(r"\d+(\.\d{1,3})?")


def test_every_element_has_the_shape_that_jenkins_and_surefire_share() -> None:
    rows = [*one_of_each(), *fleet(80).rows()]
    root = ElementTree.fromstring(files_of(report_of(rows))["junit.xml"])
    for element in root.iter():
        inside, must, may = _SHAPE[element.tag]
        assert {child.tag for child in element} <= inside
        assert must <= set(element.attrib) <= must | may
        assert len([child for child in element if child.tag != "testcase"]) <= 9
    for case in root.iter("testcase"):
        assert _SUREFIRE_TIME.fullmatch(case.attrib["time"])
        assert len(case) <= 1


def test_a_ci_systems_reader_finds_the_same_as_we_counted() -> None:
    report = fleet(200)
    (suite,) = JUnitXml.fromstring(files_of(report)["junit.xml"])
    assert isinstance(suite, TestSuite)
    sides = [r.result["outcome"] for r in report.rows()]
    found = [type(case.result[0]) if case.result else None for case in suite]
    assert (len(found), suite.tests) == (200, 200)
    assert found.count(Failure) == suite.failures > 0
    assert found.count(Skipped) == suite.skipped > 0
    assert found.count(None) == sides.count("verified") + sides.count("succeeded")
    properties = suite.properties()  # type: ignore[no-untyped-call]
    named = {found.name: found.value for found in properties}
    assert named["plan_sha256"] == report.facts.plan_sha256
