"""A whole small campaign: manifest in, new certificates and reports out."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import QUICK, Row, Served, thumbprint
from acceptance.terminal import Done, Terminal, finished

from batch_reenroll.sandbox.storetypes import StoreFormat


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("campaign")


@pytest.fixture(scope="module")
def rows(command: Served) -> list[Row]:
    return command.rows(30)


@pytest.fixture(scope="module")
def before(command: Served, rows: list[Row]) -> dict[str, str]:
    """Thumbprint of each store's certificate before the campaign."""
    ids = [row["KeystoreId"] for row in rows]
    return {i: command.thumbprint(i) for i in ids}


@pytest.fixture(scope="module")
def done(
    command: Served, folder: Path, rows: list[Row], before: dict[str, str]
) -> Done:
    manifest = write_manifest(folder / "stores.csv", rows)
    terminal = Terminal(folder=folder, env=command.env)
    return terminal.run("run", manifest, "--yes", "--campaign=first", *QUICK)


@pytest.fixture(scope="module")
def report(done: Done, folder: Path) -> Report:
    return report_of(done.err, folder)


def test_a_campaign_whose_rows_all_end_well_exits_with_0(done: Done) -> None:
    done.expect(0)


def test_stdout_holds_the_outcomes_and_nothing_else(done: Done) -> None:
    assert [line.split() for line in done.out.splitlines()] == [
        ["verified", "30"],
        ["total", "30"],
    ]


def test_the_report_accounts_for_every_row(report: Report, rows: list[Row]) -> None:
    report.assert_accounts_for(rows)
    assert report.folder.name == "first"


def test_input_columns_come_first_and_unchanged(
    report: Report, rows: list[Row]
) -> None:
    for line, row in zip(report.results, rows, strict=True):
        assert list(line)[: len(row)] == list(row)
        assert {key: line[key] for key in row} == row


def test_every_store_was_given_exactly_one_job(
    done: Done, command: Served, rows: list[Row]
) -> None:
    command.assert_one_job_each(rows)


def test_every_store_file_holds_a_new_certificate_whose_key_matches(
    report: Report, command: Served, before: dict[str, str]
) -> None:
    for line in report.results:
        store_id = line["KeystoreId"]
        key, leaf = command.on_disk(store_id)
        assert key.public_key() == leaf.public_key()
        assert thumbprint(leaf) == line["thumbprint_after"].lower()
        assert before[store_id] == line["thumbprint_before"].lower()
        assert before[store_id] != thumbprint(leaf)
    forms = {command.form(line["KeystoreId"]) for line in report.results}
    assert forms == set(StoreFormat), "the fleet shows PEM, PKCS#12 and JKS"


def test_every_file_of_the_contract_is_written(report: Report) -> None:
    assert {path.name for path in report.folder.iterdir()} == {
        "results.csv",
        "success.csv",
        "failure.csv",
        "remaining.csv",
        "verification.csv",
        "events.jsonl",
        "summary.json",
        "report.html",
        "report.md",
        "junit.xml",
        "evidence.json",
    }


def test_requests_are_counted_as_the_server_counts_them(report: Report) -> None:
    assert report.summary["requests"]["submit"] == 30


def test_output_json_prints_the_summary(terminal: Terminal, command: Served) -> None:
    rows = command.rows(2)
    manifest = write_manifest(terminal.folder / "two.csv", rows)
    done = terminal.run("run", manifest, "--yes", "--output=json", *QUICK)
    report = report_of(done.expect(0).err, terminal.folder)
    assert yaml.safe_load(done.out) == report.summary


def test_log_format_json_makes_every_line_of_stderr_an_object(
    terminal: Terminal, command: Served
) -> None:
    manifest = write_manifest(terminal.folder / "two.csv", command.rows(2))
    done = terminal.run("run", manifest, "--yes", "--log-format=json", *QUICK)
    lines = done.expect(0).err.splitlines()
    assert lines
    assert all(isinstance(yaml.safe_load(line), dict) for line in lines)


def test_a_yaml_manifest_with_defaults_and_a_campaign_block_is_carried_out(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(4)
    shared = ("CertificateAuthority",)
    document = {
        "version": 1,
        "campaign": {"name": "Q4 rotation", "ticket": "CHG0042"},
        "defaults": {key: rows[0][key] for key in shared},
        "pace": {"per_orchestrator": 2},
        "budget": {"max_failures": "10%", "min_rows": 5},
        "rows": [{k: v for k, v in row.items() if k not in shared} for row in rows],
    }
    manifest = terminal.folder / "q4.yaml"
    manifest.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = terminal.run("run", manifest, "--yes", *QUICK).expect(0)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.folder.name.startswith("q4-rotation-")
    assert "CHG0042" in report.text("report.md")
    assert [group["name"] for group in report.summary["by_ca"]] == [
        rows[0]["CertificateAuthority"]
    ]
    command.assert_one_job_each(rows)


def test_a_row_may_name_machine_and_path_in_place_of_ids(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3)
    without = ("KeystoreId", "AgentGuid")
    manifest = write_manifest(
        terminal.folder / "paths.csv",
        [{k: v for k, v in row.items() if k not in without} for row in rows],
    )
    done = terminal.run("run", manifest, "--yes", *QUICK).expect(0)
    report_of(done.err, terminal.folder).assert_accounts_for(rows)
    command.assert_one_job_each(rows)


def test_rows_from_names_a_csv_file_beside_the_manifest(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3)
    write_manifest(terminal.folder / "rows.csv", rows)
    manifest = terminal.folder / "m.yaml"
    manifest.write_text("version: 1\nrows_from: rows.csv\n", encoding="utf-8")
    terminal.run("run", manifest, "--yes", *QUICK).expect(0)
    command.assert_one_job_each(rows)


def test_a_store_that_was_rotated_since_is_left_alone(
    terminal: Terminal, command: Served
) -> None:
    (row,) = command.rows(1)
    row["CurrentThumbprint"] = "0" * 40
    manifest = write_manifest(terminal.folder / "late.csv", [row])
    done = terminal.run("run", manifest, "--yes", *QUICK).expect(0)
    report = report_of(done.err, terminal.folder)
    assert report.outcomes == {"skipped_already_rotated": 1}
    assert not command.jobs([row])


def test_runs_begun_in_the_same_second_are_campaigns_of_their_own(
    terminal: Terminal, command: Served
) -> None:
    manifests = [
        write_manifest(terminal.folder / f"{name}.csv", [row])
        for name, row in zip("ab", command.rows(2), strict=True)
    ]
    document = "version: 1\ncampaign: {{name: Q4 rotation}}\nrows_from: {}\n"
    processes = []
    for manifest in manifests:
        path = manifest.with_suffix(".yaml")
        path.write_text(document.format(manifest.name))
        processes.append(terminal.start("run", path, "--yes", *QUICK))
    for process in processes:
        finished(process).expect(0)
    names = sorted(path.name for path in (terminal.folder / "reports").iterdir())
    assert len(names) == 2
    assert all(name.startswith("q4-rotation-2") for name in names)
