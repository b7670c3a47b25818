"""Every exit code of the contract, and that nothing was sent where it says so."""

from __future__ import annotations

import json
import socket
import uuid
from pathlib import Path

import pytest
import yaml
from acceptance.paper import report_of, write_manifest
from acceptance.served import QUICK, Served
from acceptance.terminal import Done, Terminal


@pytest.fixture
def manifest(terminal: Terminal, command: Served) -> Path:
    """A manifest of one row that could run."""
    return write_manifest(terminal.folder / "one.csv", command.rows(1))


def says(done: Done, *words: str) -> None:
    """Fail unless stderr names each of the words, a hint too, and stdout is empty."""
    for word in (*words, "hint: "):
        assert word in done.err
    assert done.out == ""


# -- 2: usage or configuration -----------------------------------------------------


def test_without_yes_and_without_a_terminal_nothing_is_sent(
    terminal: Terminal, command: Served, manifest: Path
) -> None:
    before = command.posts()
    says(terminal.run("run", manifest).expect(2), "nobody to ask", "--yes")
    assert command.posts() == before


@pytest.mark.parametrize(
    "words",
    [
        ("run", "one.csv", "--colour"),
        ("run",),
        ("run", "one.csv", "--yes", "--rate=0"),
        ("run", "one.csv", "--yes", "--rate=nan"),
        ("run", "one.csv", "--yes", "--poll-interval=-1"),
        ("run", "one.csv", "--yes", "--verify=maybe"),
        ("run", "one.csv", "--yes", "--limit=0"),
        ("run", "one.csv", "--yes", "--campaign=../elsewhere"),
        ("run", "one.csv", "--yes", "--ledger=campaigns.db"),
        ("run", "one.csv", "--yes", "--config=nowhere.json"),
        ("run", "one.csv", "--yes", "--profile=nobody"),
        ("renew", "one.csv"),
        ("sandbox", "serve", "--stores=-1"),
        ("sandbox", "serve", "--port=99999"),
        ("demo", "--stores=3"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_sends_nothing(
    terminal: Terminal, command: Served, manifest: Path, words: tuple[str, ...]
) -> None:
    before = command.posts()
    done = terminal.run(*words).expect(2)
    assert done.err
    assert done.out == ""
    assert command.posts() == before


@pytest.mark.parametrize("verb", ["worker", "ledger"])
def test_a_reserved_verb_exits_2(bare: Terminal, verb: str) -> None:
    done = bare.run(verb, "x").expect(2)
    assert verb in done.err
    assert "reserved" in done.err


def test_no_configuration_exits_2(bare: Terminal, manifest: Path) -> None:
    says(bare.run("run", manifest, "--yes").expect(2), "KEYFACTOR_HOSTNAME")


def test_each_fault_of_the_configuration_stands_on_a_line_of_its_own(
    bare: Terminal, manifest: Path
) -> None:
    env = {"KEYFACTOR_HOSTNAME": "command.example.com", "KEYFACTOR_PORT": "none"}
    done = bare.run("run", manifest, "--yes", env=env).expect(2)
    assert "\\n" not in done.err
    for word in ("KEYFACTOR_PORT", "KEYFACTOR_USERNAME"):
        assert sum(word in line for line in done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "host",
    [
        "http://command.example.com",
        "ftp://command.example.com",
        "https://user:pw@command.example.com",
        "two words",
    ],
)
def test_a_hostname_that_breaks_the_scheme_rules_exits_2(
    terminal: Terminal, manifest: Path, host: str
) -> None:
    done = terminal.run("run", manifest, "--yes", env={"KEYFACTOR_HOSTNAME": host})
    says(done.expect(2), "KEYFACTOR_HOSTNAME")
    assert "user:pw" not in done.err


def test_a_campaign_id_that_is_taken_exits_2(
    terminal: Terminal, command: Served, manifest: Path
) -> None:
    words = ("run", manifest, "--yes", "--campaign=same", *QUICK)
    terminal.run(*words).expect(0)
    before = command.posts()
    says(terminal.run(*words).expect(2), "same")
    assert command.posts() == before


# -- 4: plan refused ---------------------------------------------------------------


def test_a_plan_in_which_no_row_can_run_exits_4(
    terminal: Terminal, command: Served
) -> None:
    (row,) = command.rows(1)
    row |= {"KeystoreId": str(uuid.UUID(int=5, version=4)), "AgentGuid": ""}
    row |= {"ClientMachine": "", "StorePath": "", "StoreType": ""}
    manifest = write_manifest(terminal.folder / "none.csv", [row])
    before = command.posts()
    says(terminal.run("run", manifest, "--yes").expect(4), "store_unknown")
    assert command.posts() == before


@pytest.mark.parametrize("flags", [("--yes",), ("--dry-run",)], ids=" ".join)
def test_strict_refuses_a_plan_in_which_any_row_cannot_run(
    terminal: Terminal, command: Served, flags: tuple[str, ...]
) -> None:
    rows = command.rows(2)
    rows[1] |= {"KeystoreId": str(uuid.UUID(int=6, version=4)), "AgentGuid": ""}
    rows[1] |= {"ClientMachine": "", "StorePath": "", "StoreType": ""}
    manifest = write_manifest(terminal.folder / "some.csv", rows)
    before = command.posts()
    done = terminal.run("run", manifest, "--strict", *flags).expect(4)
    assert "not every row can run" in done.err
    assert command.posts() == before


def test_a_store_with_a_job_that_waits_already_is_not_given_another(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(1, offline=1)
    manifest = write_manifest(terminal.folder / "twice.csv", rows)
    flags = ("--yes", "--pickup-timeout=0.5", *QUICK)
    terminal.run("run", manifest, *flags).expect(7)
    says(
        terminal.run("run", manifest, "--ledger=sqlite:///other.db", *flags).expect(4),
        "job_pending",
    )
    command.assert_one_job_each(rows)


# -- 5, 6, 7: finished, but not well -----------------------------------------------


def test_a_row_that_the_ca_refuses_ends_failed_and_exits_5(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(3, broken=1)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    done = terminal.run("run", manifest, "--yes", *QUICK).expect(5)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.outcomes == {"failed": 1, "verified": 2}
    (failed,) = [line for line in report.results if line["outcome"] == "failed"]
    assert "Denied by policy module" in failed["message"]
    (again,) = report.lines("failure.csv")
    assert again["CurrentThumbprint"] == failed["thumbprint_before"]


def test_failure_csv_is_a_valid_manifest(terminal: Terminal, command: Served) -> None:
    manifest = write_manifest(terminal.folder / "m.csv", command.rows(2, broken=1))
    done = terminal.run("run", manifest, "--yes", *QUICK).expect(5)
    again = report_of(done.err, terminal.folder).folder / "failure.csv"
    assert "1 row, no problems" in terminal.run("validate", again).expect(0).out


def test_a_row_that_cannot_run_is_skipped_and_the_others_go(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    rows[0] |= {"KeystoreId": str(uuid.UUID(int=7, version=4)), "AgentGuid": ""}
    rows[0] |= {"ClientMachine": "", "StorePath": "", "StoreType": ""}
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    done = terminal.run("run", manifest, "--yes", *QUICK).expect(5)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.outcomes == {"skipped_preflight": 1, "verified": 1}


def test_failures_beyond_the_budget_stop_the_campaign_with_6(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(20, broken=12)
    manifest = terminal.folder / "m.yaml"
    document = {"version": 1, "budget": {"max_failures": 2}, "rows": rows}
    manifest.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    flags = (*QUICK, "--max-in-flight=4")
    done = terminal.run("run", manifest, "--yes", *flags).expect(6)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.outcomes["failed"] > 2
    assert report.outcomes["not_attempted"] > 0
    assert "budget" in report.summary["stop_reason"]
    assert max(command.jobs(rows).values()) == 1


def test_a_job_that_no_orchestrator_takes_ends_stalled_and_exits_7(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2, offline=1)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    flags = (*QUICK, "--pickup-timeout=1s")
    done = terminal.run("run", manifest, "--yes", *flags).expect(7)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.outcomes == {"stalled": 1, "verified": 1}


def test_without_verification_a_job_that_succeeded_is_enough(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(2)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    done = terminal.run("run", manifest, "--yes", "--verify=none", *QUICK).expect(0)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.outcomes == {"succeeded": 2}


# -- 8, 9: authentication, Command away --------------------------------------------


def test_a_wrong_password_exits_8(
    terminal: Terminal, command: Served, manifest: Path
) -> None:
    before = command.posts()
    done = terminal.run(
        "run", manifest, "--yes", env={"KEYFACTOR_PASSWORD": "wrong-9f3kq"}
    )
    says(done.expect(8), "401")
    assert "wrong-9f3kq" not in done.err
    assert command.posts() == before


def test_a_command_that_does_not_listen_exits_9(
    terminal: Terminal, manifest: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        host = f"http://127.0.0.1:{port}"
        done = terminal.run("run", manifest, "--yes", env={"KEYFACTOR_HOSTNAME": host})
    says(done.expect(9), "127.0.0.1", str(port))


# -- --dry-run, --limit, --only-wave ------------------------------------------------


def test_a_dry_run_sends_get_only_and_exits_0(
    terminal: Terminal, command: Served, manifest: Path
) -> None:
    before = command.posts()
    done = terminal.run("run", manifest, "--dry-run").expect(0)
    assert "1 of 1 rows will be submitted" in done.out
    found = json.loads(
        terminal.run("run", manifest, "--dry-run", "--output=json").expect(0).out
    )
    assert found["rows"] == {"pending": 1}
    assert command.posts() == before
    assert [path.name for path in terminal.folder.iterdir()] == ["one.csv"]


def test_a_dry_run_of_a_plan_that_would_not_run_exits_4(
    terminal: Terminal, command: Served
) -> None:
    (row,) = command.rows(1)
    row |= {"KeystoreId": str(uuid.UUID(int=8, version=4)), "AgentGuid": ""}
    row |= {"ClientMachine": "", "StorePath": "", "StoreType": ""}
    manifest = write_manifest(terminal.folder / "m.csv", [row])
    assert "store_unknown" in terminal.run("run", manifest, "--dry-run").expect(4).err


def test_limit_submits_so_many_rows_and_remaining_csv_carries_on(
    terminal: Terminal, command: Served
) -> None:
    rows = command.rows(5)
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    done = terminal.run("run", manifest, "--yes", "--limit=2", *QUICK).expect(0)
    report = report_of(done.err, terminal.folder)
    report.assert_accounts_for(rows)
    assert report.outcomes == {"verified": 2, "skipped_excluded": 3}
    assert sum(command.jobs(rows).values()) == 2
    rest = report.folder / "remaining.csv"
    terminal.run("run", rest, "--yes", *QUICK).expect(0)
    command.assert_one_job_each(rows)


def test_only_wave_submits_the_rows_of_that_wave(
    terminal: Terminal, command: Served
) -> None:
    rows = [
        row | {"Wave": "canary" if number < 2 else "rest"}
        for number, row in enumerate(command.rows(4))
    ]
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    flags = ("--only-wave=canary", *QUICK)
    done = terminal.run("run", manifest, "--yes", *flags).expect(0)
    report = report_of(done.err, terminal.folder)
    assert [line["outcome"] for line in report.results] == [
        *("verified", "verified"),
        *("skipped_excluded", "skipped_excluded"),
    ]
    command.assert_one_job_each(rows[:2])
    assert not command.jobs(rows[2:])


def test_only_wave_with_a_name_that_no_row_bears_exits_2(
    terminal: Terminal, command: Served
) -> None:
    rows = [row | {"Wave": "canary"} for row in command.rows(2)]
    manifest = write_manifest(terminal.folder / "m.csv", rows)
    done = terminal.run("run", manifest, "--yes", "--only-wave=canry", *QUICK)
    assert "canry" in done.expect(2).err
