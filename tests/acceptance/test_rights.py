"""What becomes of campaigns whose account lacks one right of those that are needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from acceptance.accounts import (
    ENROLL_CSR,
    MODIFY_AGENTS,
    MODIFY_STORES,
    NEEDED,
    NEW_CA,
    OLD_CA,
    READ_AGENTS,
    READ_AUTHORITIES,
    READ_STORES,
    READ_TEMPLATES,
    SCHEDULE_STORES,
    Permission,
    Site,
    account,
    site,
)
from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import Row
from acceptance.terminal import Done, Terminal, finished, until

_QUICK = (
    *("--poll-interval=0.1", "--rate=100", "--per-orchestrator=8"),
    *("--settle-time=0.3", "--verify-timeout=20"),
)

_LACKING = {
    "no-enrolling": ENROLL_CSR,
    "no-modifying": MODIFY_STORES,
    "no-stores": READ_STORES,
    "no-agents": READ_AGENTS,
}
#: The rights that reading needs: without them no campaign begins.
_READING = ("no-stores", "no-agents")

_DENIED_BY_CA = "0x80094011 (CERTSRV_E_ENROLL_DENIED)"
_DENIED_BY_TEMPLATE = "0x80094012 (CERTSRV_E_TEMPLATE_DENIED)"


def _accounts(dialect: str) -> list[dict[str, Any]]:
    def lacking(user: str, *missing: Permission, **more: Any) -> dict[str, Any]:
        held = [permission for permission in NEEDED if permission not in missing]
        return account(user, held, dialect, **more)

    return [
        *(lacking(user, missing) for user, missing in _LACKING.items()),
        lacking("exact"),
        lacking("two-only", MODIFY_STORES, containers={"2": ["Modify"]}),
        lacking("sees-two", READ_STORES, containers={"2": ["Read"]}),
        lacking("no-ca", authorities=[]),
        lacking("no-template", templates=[]),
        account("sees-issuers", (*NEEDED, READ_AUTHORITIES, READ_TEMPLATES), dialect),
        lacking("no-rights-on-old-ca", authorities=[NEW_CA]),
        account("keeper", (), dialect, authorities=[OLD_CA]),
    ]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Site]]:
    """One served Command of each version; a keeper asks its old CA for everybody."""
    with ExitStack() as stack:
        found: dict[str, Site] = {}

        def serving(dialect: str) -> Site:
            if dialect not in found:
                folder = tmp_path_factory.mktemp("sites") / dialect
                keeper = {OLD_CA: r"EXAMPLE\keeper"}
                place = site(
                    folder, dialect, _accounts(dialect), stores=90, ca_accounts=keeper
                )
                found[dialect] = stack.enter_context(place)
            return found[dialect]

        yield serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run by one account.

    Attributes:
        posts: Statuses that its POSTs were answered with.
    """

    done: Done
    posts: list[int]
    folder: Path

    @property
    def report(self) -> Report:
        """Its report."""
        return report_of(self.done.err, self.folder)


def _attempt(
    place: Site, user: str, rows: Sequence[Row], folder: Path, *flags: str
) -> Attempt:
    """Run a campaign ``c`` of ``rows`` as ``user``."""
    write_manifest(folder / "m.csv", rows)
    since = len(place.served.events())
    terminal = Terminal(folder=folder, env=place.as_user(user))
    done = terminal.run("run", "m.csv", "--yes", "--campaign=c", *_QUICK, *flags)
    posts = [r["status"] for r in place.requests(since) if r["method"] == "POST"]
    return Attempt(done=done, posts=posts, folder=folder)


def _assert_names(text: str, missing: Permission) -> None:
    """Fail unless the program names a permission as 10 and as 11 and later do."""
    # Before it stand Command's own words, which know one of the two names.
    told = text.partition("; missing: ")[2]
    assert missing.role in told
    assert missing.claim in told


# -- rights that a campaign cannot begin without -------------------------------------


@pytest.mark.parametrize("dialect", ["10", "25"])
@pytest.mark.parametrize("user", _READING)
def test_a_run_whose_reads_are_forbidden_ends_before_it_began(
    dialect: str, user: str, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites(dialect)
    attempt = _attempt(place, user, place.rows(1, containers=[1]), tmp_path)
    attempt.done.expect(8)
    assert attempt.posts == []
    _assert_names(attempt.done.err, _LACKING[user])
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("verb", "user"), [("discover", "no-stores"), ("plan", "no-agents")]
)
def test_verbs_that_only_read_name_the_right_they_lack(
    verb: str, user: str, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    write_manifest(tmp_path / "m.csv", place.rows(1, containers=[1]))
    words = {"discover": ("discover", "-o", "found.csv"), "plan": ("plan", "m.csv")}
    terminal = Terminal(folder=tmp_path, env=place.as_user(user))
    done = terminal.run(*words[verb]).expect(8)
    _assert_names(done.err, _LACKING[user])
    assert not (tmp_path / "found.csv").exists()


# -- what a plan says of the account's own rights -------------------------------------


def _planned(place: Site, user: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Plan a row as ``user``; return what JSON says and the words of the page."""
    write_manifest(folder / "m.csv", place.rows(1, containers=[2]))
    terminal = Terminal(folder=folder, env=place.as_user(user))
    words = ("plan", "m.csv", "-o", "plan.json", "--output=json")
    done = terminal.run(*words).expect(0)
    page = (folder / "plan.html").read_text(encoding="utf-8")
    said: dict[str, Any] = json.loads(done.out)
    return said, page


@pytest.mark.parametrize(
    ("dialect", "user", "code"),
    [
        ("10", "no-enrolling", "enroll_csr"),
        ("25", "no-modifying", "modify_stores"),
    ],
)
def test_a_plan_points_out_a_right_that_the_account_lacks_and_refuses_nothing(
    dialect: str, user: str, code: str, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    said, page = _planned(sites(dialect), user, tmp_path)
    own = said["permissions"]
    assert (own["known"], own["missing"]) == (True, [code])
    _assert_names(own["remark"], _LACKING[user])
    assert said["rows"] == {"pending": 1}
    assert _LACKING[user].claim in page


def test_a_plan_has_no_remark_on_an_account_that_holds_both_rights(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    said, _ = _planned(sites("10"), "exact", tmp_path)
    assert said["permissions"] == {"known": True, "missing": [], "remark": ""}


def test_a_plan_that_cannot_ask_for_the_rights_says_so_once_and_is_made(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    no_such = {"match": {"path": "/Security/My"}, "action": {"status": 404}}
    place.manage("POST", "/faults", {"requests": [no_such]})
    write_manifest(tmp_path / "m.csv", place.rows(1, containers=[2]))
    terminal = Terminal(folder=tmp_path, env=place.as_user("no-modifying"))
    done = terminal.run("plan", "m.csv").expect(0)
    assert "1 of 1 rows will be submitted" in done.out
    assert done.out.count("permissions not checked: this Command does not") == 1


# -- rights that a submission needs --------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "user"),
    [("10", "no-enrolling"), ("10", "no-modifying"), ("25", "no-modifying")],
)
def test_five_forbidden_posts_end_the_run_and_the_rest_is_never_sent(
    dialect: str, user: str, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites(dialect)
    rows = place.rows(2)
    attempt = _attempt(place, user, rows, tmp_path, "--max-in-flight=1")
    attempt.done.expect(8)
    assert attempt.posts == [403] * 5
    report = attempt.report
    report.assert_accounts_for(rows)
    assert report.outcomes == {"rejected": 5, "not_attempted": 3}
    own = f"permission: {_LACKING[user].named(dialect)}."
    for line in report.results:
        if line["outcome"] == "rejected":
            assert (line["reason_code"], line["http_status"]) == (
                "permission_denied",
                "403",
            )
            _assert_names(line["message"], _LACKING[user])
            assert own in line["message"], "Command's own words"
    _assert_names(attempt.done.err, _LACKING[user])
    assert not place.served.jobs(rows)


def test_fewer_posts_than_five_end_the_run_when_all_are_forbidden(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    rows = place.rows(1, containers=[1, 2])
    attempt = _attempt(place, "no-enrolling", rows, tmp_path)
    attempt.done.expect(8)
    assert attempt.posts == [403, 403]
    assert "no global right to enroll by CSR" in attempt.done.err, "its plan says so"
    assert attempt.report.outcomes == {"rejected": 2}


@pytest.mark.parametrize("dialect", ["10", "25"])
def test_stores_of_containers_that_may_not_be_modified_are_rejected_and_the_others_go(
    dialect: str, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites(dialect)
    rows = [*place.rows(1), *place.rows(2, containers=[2])]
    rows = [{**row, "RowId": f"r{i}"} for i, row in enumerate(rows)]
    attempt = _attempt(place, "two-only", rows, tmp_path)
    attempt.done.expect(5)
    report = attempt.report
    report.assert_accounts_for(rows)
    assert sorted(attempt.posts) == [204] * 3 + [403] * 3
    for row, line in zip(rows, report.results, strict=True):
        if place.container(row) == 2:
            assert line["outcome"] == "verified"
        else:
            assert (line["outcome"], line["reason_code"]) == (
                "rejected",
                "permission_denied",
            )
            _assert_names(line["message"], MODIFY_STORES)
            assert "container" in line["message"]


def test_stores_that_may_not_be_seen_are_not_sent(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("10")
    rows = place.rows(1)
    attempt = _attempt(place, "sees-two", rows, tmp_path)
    attempt.done.expect(5)
    assert attempt.posts == [204]
    for row, line in zip(rows, attempt.report.results, strict=True):
        seen = place.container(row) == 2
        expected = "verified" if seen else "skipped_preflight"
        assert line["outcome"] == expected
        assert line["reason_code"] == ("rotated" if seen else "store_unknown")


# -- rights that nobody looks at before the job --------------------------------------


def _assert_failed_in_the_job(attempt: Attempt, rows: Sequence[Row], why: str) -> None:
    attempt.done.expect(5)
    assert attempt.posts == [204] * len(rows)
    report = attempt.report
    report.assert_accounts_for(rows)
    for line in report.results:
        assert (line["outcome"], line["reason_code"]) == ("failed", "job_failed")
        assert why in line["message"]


@pytest.mark.parametrize(
    ("user", "why"),
    [("no-ca", _DENIED_BY_CA), ("no-template", _DENIED_BY_TEMPLATE)],
    ids=["ca", "template"],
)
def test_without_enrollment_rights_the_job_fails_with_the_words_of_the_ca(
    user: str, why: str, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("10")
    rows = place.rows(1, containers=[1, 2])
    _assert_failed_in_the_job(_attempt(place, user, rows, tmp_path), rows, why)


_WRONG = [
    (
        "CertificateAuthority",
        r"ca09.example.com\No Such CA",
        r"Unable to find the certificate authority 'ca09.example.com\No Such CA'",
    ),
    ("CertificateTemplate", "NoSuch", "The template 'NoSuch' is not available"),
]


@pytest.mark.parametrize(("column", "value", "why"), _WRONG, ids=["ca", "template"])
def test_a_wrong_name_of_ca_or_template_is_accepted_and_fails_in_the_job(
    column: str, value: str, why: str, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    rows = [{**row, column: value} for row in place.rows(1, containers=[1, 2])]
    _assert_failed_in_the_job(_attempt(place, "exact", rows, tmp_path), rows, why)


def test_who_may_see_cas_and_templates_is_told_of_wrong_names_before_anything_is_sent(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("10")
    rows = [
        {**row, column: value}
        for row, (column, value, _) in zip(
            place.rows(1, containers=[1, 2]), _WRONG, strict=True
        )
    ]
    attempt = _attempt(place, "sees-issuers", rows, tmp_path)
    attempt.done.expect(4)
    assert attempt.posts == []
    for code in ("authority_unknown", "template_unknown"):
        assert code in attempt.done.out + attempt.done.err
    ignoring = ("--ignore=authority_unknown", "--ignore=template_unknown")
    attempt = _attempt(place, "sees-issuers", rows, tmp_path, *ignoring)
    attempt.done.expect(5)
    assert attempt.posts == [204, 204]
    for line, (_, _, why) in zip(attempt.report.results, _WRONG, strict=True):
        assert line["outcome"] == "failed"
        assert why in line["message"]


def test_the_account_configured_for_a_ca_needs_the_rights_there_and_nobody_else(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    rows = place.rows(1, containers=[1, 2])
    rows = [{**row, "CertificateAuthority": OLD_CA} for row in rows]
    attempt = _attempt(place, "no-rights-on-old-ca", rows, tmp_path)
    attempt.done.expect(0)
    assert attempt.report.outcomes == {"verified": 2}


# -- rights that only a withdrawal needs ---------------------------------------------


def _withdrawn_in_vain(place: Site, folder: Path) -> tuple[Done, list[Row], Terminal]:
    """Stop a campaign with ``--unschedule`` as an account that may not do that.

    Its orchestrators take the jobs only after it has ended.
    """
    rows = place.rows(1, containers=[1, 2])
    agents = {f"/orchestrators/{row['AgentGuid']}" for row in rows}
    terminal = Terminal(folder=folder, env=place.as_user("exact"))
    write_manifest(folder / "m.csv", rows)
    for agent in agents:
        place.manage("PATCH", agent, {"online": False})
    try:
        process = terminal.start("run", "m.csv", "--yes", "--campaign=c", *_QUICK)
        until(lambda: len(place.served.jobs(rows)) == len(rows), process=process)
        terminal.run("stop", "c", "--unschedule").expect(0)
        done = finished(process)
    finally:
        for agent in agents:
            place.manage("PATCH", agent, {"online": True})
    return done, rows, terminal


def test_a_withdrawal_without_its_rights_ends_the_run_and_names_them(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    done, rows, _ = _withdrawn_in_vain(place, tmp_path)
    done.expect(8)
    for missing in (MODIFY_AGENTS, SCHEDULE_STORES):
        _assert_names(done.err, missing)
    report_of(done.err, tmp_path).assert_accounts_for(rows)
    place.served.assert_one_job_each(rows)


def test_a_campaign_whose_withdrawal_was_forbidden_can_be_resumed(
    sites: Callable[[str], Site], tmp_path: Path
) -> None:
    place = sites("25")
    _, rows, terminal = _withdrawn_in_vain(place, tmp_path)
    done = terminal.run("resume", "c", *_QUICK).expect(0)
    report_of(done.err, tmp_path).assert_accounts_for(rows)
    place.served.assert_one_job_each(rows)
