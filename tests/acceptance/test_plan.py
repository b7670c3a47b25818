"""``plan``, and ``run PLAN.json``: what was planned is what is carried out."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from acceptance.paper import report_of, write_manifest
from acceptance.served import QUICK, Row, Served
from acceptance.terminal import Terminal

from batch_reenroll.text import rfc3339


def _manifest(terminal: Terminal, rows: list[Row]) -> Path:
    return write_manifest(terminal.folder / "m.csv", rows)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_plan_asks_much_and_changes_nothing(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3)
    rows[2]["KeystoreId"] = "00000000-0000-4000-8000-000000000000"
    before = command.posts()
    planned = terminal.run("plan", _manifest(terminal, rows), "--output=json").expect(0)
    said = json.loads(planned.out)
    assert said["rows"] == {"pending": 2, "skipped_preflight": 1}
    assert said["reasons"] == {"store_unknown": 1}
    assert command.posts() == before
    # The whole fleet by the page, not a request for each row.
    assert sum(said["requests"].values()) < 20


def test_a_plan_is_carried_out_as_it_was_written(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(4)
    rows[3]["KeystoreId"] = "00000000-0000-4000-8000-000000000000"
    plan = terminal.folder / "plan.json"
    terminal.run("plan", _manifest(terminal, rows), "-o", plan).expect(0)
    assert len(json.loads(plan.read_text(encoding="utf-8"))["rows"]) == 4
    words = ("--yes", "--campaign=c", *QUICK)
    done = terminal.run("run", plan, *words).expect(5)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    command.assert_one_job_each(rows[:3])
    summary = json.loads((report.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["plan_sha256"] == _sha256(plan)
    assert summary["outcomes"]["skipped_preflight"] == 1


def test_a_run_of_the_manifest_has_the_digest_that_its_plan_would_have(
    terminal: Terminal, command: Served
) -> None:
    manifest = _manifest(terminal, command.rows(2))
    plan = terminal.folder / "plan.json"
    shown = terminal.run("plan", manifest, "-o", plan, "--output=json").expect(0)
    assert json.loads(shown.out)["plan_sha256"] == _sha256(plan)


def test_a_plan_whose_manifest_has_changed_is_refused(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    plan = terminal.folder / "plan.json"
    manifest = _manifest(terminal, rows)
    terminal.run("plan", manifest, "-o", plan).expect(0)
    _manifest(terminal, rows[:1])
    before = command.posts()
    refused = terminal.run("run", plan, "--yes", *QUICK).expect(4)
    assert "has changed since it was planned" in refused.err
    assert "--accept-stale" in refused.err
    assert command.posts() == before
    accepted = terminal.run("run", plan, "--yes", "--accept-stale", *QUICK).expect(0)
    assert "the plan is stale" in accepted.err
    command.assert_one_job_each(rows)


def test_a_plan_without_its_manifest_goes_with_a_warning(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(1)
    plan = terminal.folder / "plan.json"
    manifest = _manifest(terminal, rows)
    terminal.run("plan", manifest, "-o", plan).expect(0)
    manifest.unlink()
    done = terminal.run("run", plan, "--yes", *QUICK).expect(0)
    assert "the plan's manifest is gone" in done.err


def _cut(text: str) -> str:
    return text[: len(text) // 2]


def _without_a_row(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if '"row": 1,' not in line)


def _with_junk(text: str) -> str:
    return text + text


def _of_another_version(text: str) -> str:
    return text.replace("batch-reenroll plan 1", "batch-reenroll plan 9")


def test_a_plan_that_is_not_whole_is_refused(
    terminal: Terminal, command: Served
) -> None:
    plan = terminal.folder / "plan.json"
    terminal.run("plan", _manifest(terminal, command.rows(2)), "-o", plan).expect(0)
    whole = plan.read_text(encoding="utf-8")
    before = command.posts()
    for spoil in (_cut, _without_a_row, _with_junk, _of_another_version, lambda _: ""):
        plan.write_text(spoil(whole), encoding="utf-8")
        terminal.run("run", plan, "--yes", *QUICK).expect(4)
    assert command.posts() == before


def test_the_rows_of_a_plan_are_looked_at_again(
    terminal: Terminal, command: Served
) -> None:
    """A reenrollment that somebody began meanwhile keeps its row from being sent."""
    silent = command.rows(1, offline=1)
    plan = terminal.folder / "plan.json"
    terminal.run("plan", _manifest(terminal, silent), "-o", plan).expect(0)
    somebody = write_manifest(terminal.folder / "other.csv", silent)
    other = ("--ledger=sqlite:///other.db", "--campaign=other", "--pickup-timeout=1")
    terminal.run("run", somebody, "--yes", *other, *QUICK).expect(7)
    refused = terminal.run("run", plan, "--yes", *QUICK).expect(4)
    assert "job_pending" in refused.err


def test_a_plan_file_takes_its_name_only_when_it_is_whole(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(1)
    nowhere = terminal.folder / "missing" / "plan.json"
    refused = terminal.run("plan", _manifest(terminal, rows), "-o", nowhere).expect(2)
    assert "cannot be written" in refused.err


def test_a_store_that_is_rotated_after_its_planning_is_not_rotated_again(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    for row in rows:
        row.pop("CurrentThumbprint", None)
    plan = terminal.folder / "plan.json"
    manifest = _manifest(terminal, rows)
    terminal.run("plan", manifest, "--inventory", "-o", plan).expect(0)
    somebody = write_manifest(terminal.folder / "other.csv", rows[:1])
    other = ("--ledger=sqlite:///other.db", "--campaign=other")
    terminal.run("run", somebody, "--yes", *other, *QUICK).expect(0)
    done = terminal.run("run", plan, "--yes", "--campaign=c", *QUICK).expect(0)
    report = report_of(done.err, terminal.folder)
    assert report.outcomes == {"skipped_already_rotated": 1, "verified": 1}
    command.assert_one_job_each(rows)


def test_nothing_to_do_can_be_told_from_something_to_do(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    manifest = _manifest(terminal, rows)
    words = ("--inventory", "--detailed-exitcode")
    terminal.run("plan", manifest, *words).expect(0)
    terminal.run("run", manifest, "--yes", "--campaign=c", *QUICK).expect(0)
    young = terminal.run("plan", manifest, *words, "--younger-than=1").expect(12)
    assert "already_rotated" in young.out
    terminal.run("plan", manifest, "--detailed-exitcode").expect(0)


def test_what_is_not_in_the_inventory_is_pointed_out(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(1)
    rows[0]["Alias"] = "no-such-alias"
    shown = terminal.run("plan", _manifest(terminal, rows), "--inventory").expect(0)
    assert "1 to look at, alias_unknown" in shown.out


def _with_deadline(terminal: Terminal, rows: list[Row], hours: float) -> Path:
    write_manifest(terminal.folder / "rows.csv", rows)
    deadline = rfc3339(datetime.now(UTC) + timedelta(hours=hours))
    path = terminal.folder / "m.yaml"
    path.write_text(
        f"version: 1\ncampaign: {{name: late, deadline: '{deadline}'}}\n"
        "rows_from: rows.csv\n",
        encoding="utf-8",
    )
    return path


def test_a_plan_says_when_it_would_be_done(terminal: Terminal, command: Served) -> None:
    manifest = _with_deadline(terminal, command.rows(3), hours=48)
    shown = terminal.run("plan", manifest, "--output=json").expect(0)
    forecast = json.loads(shown.out)["forecast"]
    assert forecast["p50"] <= forecast["p95"] < forecast["deadline"]
    assert forecast["late_s"] is None
    assert forecast["chance"] == 1.0


def test_a_deadline_that_will_be_missed_refuses_the_plan(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3)
    manifest = _with_deadline(terminal, rows, hours=0.001)
    refused = terminal.run("plan", manifest).expect(4)
    assert "MISSED" in refused.out
    assert "--accept-late" in refused.err
    before = command.posts()
    terminal.run("run", manifest, "--yes", *QUICK).expect(4)
    assert command.posts() == before
    terminal.run("run", manifest, "--yes", "--accept-late", *QUICK).expect(0)
    command.assert_one_job_each(rows)


def test_a_page_for_people_stands_beside_the_plan(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    rows[1]["KeystoreId"] = "00000000-0000-4000-8000-000000000000"
    plan = terminal.folder / "plan.json"
    terminal.run("plan", _manifest(terminal, rows), "-o", plan).expect(0)
    page = plan.with_suffix(".html").read_text(encoding="utf-8")
    assert "store_unknown" in page
    assert _sha256(plan) in page


def test_a_refused_plan_has_a_page_that_says_so(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(1)
    rows[0]["KeystoreId"] = "00000000-0000-4000-8000-000000000000"
    plan = terminal.folder / "plan.json"
    terminal.run("plan", _manifest(terminal, rows), "-o", plan).expect(4)
    page = plan.with_suffix(".html").read_text(encoding="utf-8")
    assert "no row can run" in page


def test_a_plan_must_be_named_so_that_run_knows_it(
    terminal: Terminal, command: Served
) -> None:
    manifest = _manifest(terminal, command.rows(1))
    refused = terminal.run("plan", manifest, "-o", "plan.yaml").expect(2)
    assert "ends in .json" in refused.err
