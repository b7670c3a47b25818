"""An orchestrator that dies amid a campaign, by the embedded Command's own log."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from acceptance.accounts import Site, site
from acceptance.paper import Report, report_of, write_manifest
from acceptance.served import QUICK, Row, serving
from acceptance.terminal import Terminal, finished, until

from batch_reenroll.sandbox import FleetPlan

#: Silent after a second, and a job that nobody takes is given up after three. Whoever
#: dies between a job and the inventory behind it proves nothing, so no proof is asked.
ATTENTIVE = (
    *QUICK,
    "--per-orchestrator=1",
    "--heartbeat=0.2",
    "--silent-heartbeats=5",
    "--pickup-timeout=3",
    "--verify=none",
)


@dataclass(slots=True)
class Patient:
    """A campaign one of whose orchestrators is to die.

    Attributes:
        rows: All of its rows.
        agent_id: The orchestrator with the most of them.
    """

    site: Site
    terminal: Terminal
    rows: Sequence[Row]
    agent_id: str

    @property
    def its_rows(self) -> list[Row]:
        """The rows of the orchestrator."""
        return [row for row in self.rows if row["AgentGuid"] == self.agent_id]

    def run(self, *flags: str) -> subprocess.Popen[str]:
        """Start the campaign ``c``; the orchestrator dies once it has done two rows."""
        words = ("run", "m.csv", "--yes", "--campaign=c")
        process = self.terminal.start(*words, *ATTENTIVE, *flags)
        until(lambda: self.jobs("job_ended") >= 2, process=process)
        self.set_online(False)
        return process

    def set_online(self, online: bool) -> None:
        """Let the orchestrator come or go."""
        path = f"/orchestrators/{self.agent_id}"
        self.site.manage("PATCH", path, {"online": online})

    def jobs(self, event: str) -> int:
        """Return how many jobs of its rows this befell, by Command's log."""
        found = self.site.served.job_events(self.its_rows)
        return sum(entry["event"] == event for entry in found)

    def ends(self, report: Report) -> Counter[tuple[str, str]]:
        """Return how its rows ended, and why."""
        ours = {row["KeystoreId"] for row in self.its_rows}
        return Counter(
            (line["outcome"], line["reason_code"])
            for line in report.results
            if line["KeystoreId"] in ours
        )


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    """A campaign of 24 rows on three orchestrators that ask for work all the time."""
    folder = tmp_path / "mine"
    folder.mkdir()
    with site(tmp_path / "served", "25", [], stores=24) as found:
        terminal = Terminal(folder=folder, env=found.served.env)
        rows = found.served.rows(24)
        write_manifest(folder / "m.csv", rows)
        agents = Counter(row["AgentGuid"] for row in rows)
        yield Patient(found, terminal, rows, agents.most_common(1)[0][0])


def events_of(report: Report) -> list[str]:
    """Return what the journal says of breakers."""
    entries = [json.loads(line) for line in report.text("events.jsonl").splitlines()]
    found = [entry["event"] for entry in entries]
    return [event for event in found if event.startswith("breaker_")]


def test_a_silent_orchestrator_is_fed_no_more_and_its_job_is_left_to_it(
    patient: Patient,
) -> None:
    done = finished(patient.run()).expect(7)
    report = report_of(done.err, patient.terminal.folder)
    n_rows, n_ended = len(patient.its_rows), patient.jobs("job_ended")
    assert patient.jobs("job_created") == n_ended + 1
    assert patient.jobs("job_unscheduled") == 0
    assert patient.ends(report) == {
        ("succeeded", "not_verified"): n_ended,
        ("stalled", "pickup_timeout"): 1,
        ("not_attempted", "breaker_open"): n_rows - n_ended - 1,
    }
    kept_back = [r for r in report.results if r["outcome"] == "not_attempted"]
    assert all("not seen for" in r["message"] for r in kept_back)
    others = Counter(r["outcome"] for r in report.results)["succeeded"] - n_ended
    assert others == len(patient.rows) - n_rows


def test_what_a_dead_orchestrator_has_not_taken_is_taken_back_if_asked(
    patient: Patient,
) -> None:
    process = patient.run("--unschedule-stalled", "--pickup-timeout=60")
    report = report_of(finished(process).expect(7).err, patient.terminal.folder)
    n_rows, n_ended = len(patient.its_rows), patient.jobs("job_ended")
    assert patient.jobs("job_unscheduled") == 1
    assert patient.ends(report) == {
        ("succeeded", "not_verified"): n_ended,
        ("stalled", "unscheduled"): 1,
        ("not_attempted", "breaker_open"): n_rows - n_ended - 1,
    }
    patient.set_online(True)
    again = ("retry", "c", "--only=stalled,not_attempted", *ATTENTIVE)
    patient.terminal.run(*again).expect(0)
    # One job for each row, and a second one for the row whose first was taken back.
    assert patient.jobs("job_created") == n_rows + 1
    assert patient.jobs("job_ended") == n_rows


def test_an_orchestrator_that_comes_back_is_fed_again(patient: Patient) -> None:
    process = patient.run("--pickup-timeout=60")

    def is_cut_off() -> bool:
        return "is cut off: not seen" in patient.terminal.run("status", "c").out

    until(is_cut_off, process=process)
    patient.set_online(True)
    report = report_of(finished(process).expect(0).err, patient.terminal.folder)
    assert events_of(report) == ["breaker_opened", "breaker_closed"]
    patient.site.served.assert_one_job_each(patient.rows)


def test_an_account_that_may_not_ask_who_is_there_is_told_so_once_and_goes_on(
    tmp_path: Path,
) -> None:
    plan = FleetPlan(stores=6, orchestrators=1, seed=3)
    # The first two pages are the plan's.
    refused = {
        "match": {"method": "GET", "path": "/Agents"},
        "nth": 2,
        "times": 1000,
        "action": {"status": 403},
    }
    mine = tmp_path / "mine"
    mine.mkdir()
    with serving(tmp_path / "served", plan, requests=[refused]) as command:
        terminal = Terminal(folder=mine, env=command.env)
        manifest = write_manifest(mine / "m.csv", command.rows(3))
        words = ("run", manifest, "--yes", *ATTENTIVE)
        done = terminal.run(*words).expect(0)
    said = "a silent orchestrator goes unnoticed until the pick-up timeout"
    assert done.err.count(said) == 1
    assert '"event":"listening_refused"' in report_of(done.err, mine).text(
        "events.jsonl"
    )


def test_an_account_that_may_not_take_jobs_back_leaves_them_and_goes_on(
    tmp_path: Path,
) -> None:
    plan = FleetPlan(stores=6, orchestrators=2, offline=1, seed=3)
    refused = {
        "match": {"method": "POST", "path": "/OrchestratorJobs/Unschedule"},
        "times": 1000,
        "action": {"status": 403},
    }
    mine = tmp_path / "mine"
    mine.mkdir()
    with serving(tmp_path / "served", plan, requests=[refused]) as command:
        terminal = Terminal(folder=mine, env=command.env)
        rows = command.rows(2, offline=1)
        manifest = write_manifest(mine / "m.csv", rows)
        words = ("run", manifest, "--yes", *ATTENTIVE, "--unschedule-stalled")
        done = terminal.run(*words, "--silent-heartbeats=0").expect(7)
    outcomes = Counter(r["reason_code"] for r in report_of(done.err, mine).results)
    assert outcomes == {"not_verified": 1, "pickup_timeout": 1}
