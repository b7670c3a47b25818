"""CAs and templates are looked up before anything is sent, where that is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acceptance.accounts import NEEDED, Site, account, site
from acceptance.paper import report_of, write_manifest
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Terminal

_CA, _TEMPLATE = "CertificateAuthority", "CertificateTemplate"
_NEARLY_CA = r"ca01.example.com\Corp Issueing CA 2"
_NO_TEMPLATE = "The template 'WebServr' is not available on"
_NO_CA = rf"Unable to find the certificate authority '{_NEARLY_CA}'"
_APPROVAL = "WebServerApproval"

#: (column, wrong value, code, what is meant instead, Command's words in the job)
_WRONG = [
    (
        *(_CA, _NEARLY_CA, "authority_unknown"),
        *(r"ca01.example.com\Corp Issuing CA 2", _NO_CA),
    ),
    (_TEMPLATE, "WebServr", "template_unknown", "WebServer", _NO_TEMPLATE),
]
_IDS = ("authority", "template")


def _plan(terminal: Terminal, rows: list[Row], *flags: str) -> dict[str, Any]:
    """Plan ``rows``; return what is said, with the plan's own rows in ``planned``."""
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    plan = terminal.folder / "plan.json"
    done = terminal.run("plan", manifest, "-o", plan, "--output=json", *flags)
    said: dict[str, Any] = json.loads(done.expect(0).out)
    planned = json.loads(plan.read_text(encoding="utf-8"))["rows"]
    return said | {"planned": planned}


@pytest.mark.parametrize(
    ("column", "value", "code", "meant", "_words"), _WRONG, ids=_IDS
)
def test_a_name_that_command_does_not_list_stops_its_row_and_the_likely_one_is_named(
    column: str,
    value: str,
    code: str,
    meant: str,
    _words: str,
    terminal: Terminal,
    command: Served,
) -> None:
    rows = command.rows(2)
    rows[1][column] = value
    said = _plan(terminal, rows)
    assert said["rows"] == {"pending": 1, "skipped_preflight": 1}
    assert said["reasons"] == {code: 1}
    done = terminal.run("run", "plan.json", "--yes", "--campaign=c", *QUICK).expect(5)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    good, bad = report.results
    assert good["outcome"] == "verified"
    assert (bad["outcome"], bad["reason_code"]) == ("skipped_preflight", code)
    assert f"{value}; did you mean {meant}?" in bad["message"]
    assert not command.jobs(rows[1:])


def test_names_are_known_in_any_case(terminal: Terminal, command: Served) -> None:
    (row,) = command.rows(1)
    upper = {column: row[column].upper() for column in (_CA, _TEMPLATE)}
    said = _plan(terminal, [row | upper])
    assert said["rows"] == {"pending": 1}
    assert not said["unread"]


@pytest.mark.parametrize(
    ("column", "value", "code", "_meant", "words"), _WRONG, ids=_IDS
)
@pytest.mark.parametrize("planned", [False, True], ids=["manifest", "plan"])
def test_an_ignored_name_goes_and_fails_in_the_job_with_commands_words(
    column: str,
    value: str,
    code: str,
    _meant: str,
    words: str,
    planned: bool,
    terminal: Terminal,
    command: Served,
) -> None:
    rows = command.rows(1)
    rows[0][column] = value
    ignore = f"--ignore={code}"
    said = _plan(terminal, rows, ignore)
    assert (said["rows"], said["cautions"][code]) == ({"pending": 1}, 1)
    # A plan has decided already; a manifest is planned anew.
    what = ["plan.json"] if planned else ["m.csv", ignore]
    done = terminal.run("run", *what, "--yes", "--campaign=c", *QUICK).expect(5)
    (line,) = report_of(done.err, terminal.folder).results
    assert (line["outcome"], line["reason_code"]) == ("failed", "job_failed")
    assert words in line["message"]


def test_a_template_that_needs_approval_is_pointed_out_and_its_job_fails(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    rows[1][_TEMPLATE] = _APPROVAL
    said = _plan(terminal, rows)
    assert said["rows"] == {"pending": 2}
    assert said["cautions"]["template_needs_approval"] == 1
    done = terminal.run("run", "plan.json", "--yes", "--campaign=c", *QUICK).expect(5)
    assert "1 to look at, template_needs_approval" in done.err
    good, bad = report_of(done.err, terminal.folder).results
    assert (good["outcome"], bad["outcome"]) == ("verified", "failed")
    assert "taken under submission" in bad["message"]


def test_rows_that_name_neither_cost_no_request(
    terminal: Terminal, command: Served
) -> None:
    (row,) = command.rows(1)
    named = _plan(terminal, [row])["requests"]["other"]
    bare = {key: text for key, text in row.items() if key not in (_CA, _TEMPLATE)}
    assert _plan(terminal, [bare])["requests"]["other"] == named - 2


# -- an account that may not read the lists ------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Command with an account that holds what a campaign needs and no more."""
    folder = tmp_path_factory.mktemp("site") / "command"
    with site(folder, "25", [account("exact", NEEDED, "25")], stores=24) as served:
        yield served


def test_without_the_right_to_the_lists_names_are_not_checked_and_the_plan_says_so(
    place: Site, tmp_path: Path
) -> None:
    terminal = Terminal(folder=tmp_path, env=place.as_user("exact"))
    (row,) = place.rows(1, containers=[1])
    write_manifest(tmp_path / "m.csv", [row | {_CA: _NEARLY_CA}])
    planned = terminal.run("plan", "m.csv").expect(0)
    assert "1 of 1 rows will be submitted" in planned.out
    for what, claim in (
        ("CAs", "/certificate_authorities/read/ (11+)"),
        ("templates", "/certificate_templates/read/ (11+)"),
    ):
        line = f"{what} not checked: the account may not read them; missing: "
        assert f"{line}PkiManagement: Read (v10) or {claim}" in planned.out
    said = json.loads(terminal.run("plan", "m.csv", "--output=json").expect(0).out)
    assert [text.split(":")[0] for text in said["unread"]] == [
        "CAs not checked",
        "templates not checked",
    ]


def test_without_the_right_to_the_lists_a_campaign_is_carried_out(
    place: Site, tmp_path: Path
) -> None:
    terminal = Terminal(folder=tmp_path, env=place.as_user("exact"))
    rows = place.rows(1, containers=[2])
    write_manifest(tmp_path / "m.csv", rows)
    done = terminal.run("run", "m.csv", "--yes", "--campaign=c", *QUICK).expect(0)
    assert "CAs not checked" in done.err
    report_of(done.err, tmp_path).assert_accounts_for(rows)


@pytest.mark.parametrize("column", [_CA, _TEMPLATE])
def test_one_list_is_checked_where_the_other_may_not_be_read(
    column: str, place: Site, tmp_path: Path
) -> None:
    lists = {_CA: "certificate_authorities", _TEMPLATE: "certificate_templates"}
    needed = [permission.claim for permission in NEEDED]
    rights = {"rights": [*needed, f"/{lists[column]}/read/"]}
    place.manage("PUT", "/identities/exact/rights", rights)
    terminal = Terminal(folder=tmp_path, env=place.as_user("exact"))
    (row,) = place.rows(1, containers=[0])
    wrong = row | {_CA: _NEARLY_CA, _TEMPLATE: "WebServr"}
    write_manifest(tmp_path / "m.csv", [wrong])
    refused = terminal.run("plan", "m.csv").expect(4)
    code = {_CA: "authority_unknown", _TEMPLATE: "template_unknown"}[column]
    assert f"1 skipped, {code}" in refused.out
    assert refused.out.count("not checked") == 1
    place.manage("PUT", "/identities/exact/rights", {"rights": needed})
