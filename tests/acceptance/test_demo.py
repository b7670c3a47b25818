"""``demo``: from an empty folder to a report, and what Ctrl-C does to it."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

from acceptance.paper import Report
from acceptance.terminal import Done, Terminal, finished, signalled, until

_FEW = ("--stores=20", "--orchestrators=2")


def log(folder: Path) -> list[dict[str, object]]:
    """Return what the demo's Command wrote down so far."""
    path = folder / "demo-data" / "command" / "sandbox.log.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def jobs(folder: Path) -> Counter[object]:
    """Return reenrollment jobs by store."""
    return Counter(
        entry["store_id"]
        for entry in log(folder)
        if entry["event"] == "job_created"
        and str(entry["job_type"]).endswith("Reenrollment")
    )


def assert_as_scripted(done: Done, folder: Path) -> None:
    """Fail unless every row ended as the demo's manifest said it would."""
    assert "every row ended as the demo scripted it" in done.expect(0).err
    (path,) = (folder / "reports").iterdir()
    report = Report(folder=path)
    lines = report.results
    report.assert_accounts_for(lines)
    assert len(lines) == 21
    assert [r["outcome"] for r in lines] == [r["x-expected"] for r in lines]
    assert set(report.outcomes) == {
        *("verified", "failed", "stalled"),
        *("skipped_already_rotated", "skipped_preflight"),
    }
    assert "report.html" in done.err


def test_the_demo_runs_from_an_empty_folder_and_exits_0(bare: Terminal) -> None:
    done = bare.run("demo", *_FEW)
    assert_as_scripted(done, bare.folder)
    assert max(jobs(bare.folder).values()) == 1
    assert "total" in done.out


def test_ctrl_c_stops_the_demo_in_order_and_resume_finishes_it(bare: Terminal) -> None:
    process = bare.start("demo", *_FEW)
    until(lambda: len(jobs(bare.folder)) >= 3, process=process)
    done = signalled(process, signal.SIGINT).expect(130)
    assert "SIGINT: stopping" in done.err
    assert "go on with: batch-reenroll demo --resume" in done.err
    again = bare.run("demo", "--resume")
    assert_as_scripted(again, bare.folder)


def test_a_demo_folder_with_somebody_elses_files_is_left_alone(bare: Terminal) -> None:
    (bare.folder / "demo-data").mkdir()
    (bare.folder / "demo-data" / "thesis.txt").write_text("ten years of work")
    done = bare.run("demo", *_FEW).expect(2)
    assert "hint: " in done.err
    assert [p.name for p in (bare.folder / "demo-data").iterdir()] == ["thesis.txt"]


def test_resume_without_an_interrupted_demo_exits_2(bare: Terminal) -> None:
    done = bare.run("demo", "--resume").expect(2)
    assert "no interrupted demo" in done.err
    assert not list(bare.folder.iterdir())


def test_an_early_ctrl_c_ends_the_demo_without_a_traceback(bare: Terminal) -> None:
    process = bare.start("demo", *_FEW)
    until(lambda: (bare.folder / "demo-data").exists(), process=process)
    process.send_signal(signal.SIGINT)
    done = finished(process)
    assert done.code == 130
    assert "Traceback" not in done.err
