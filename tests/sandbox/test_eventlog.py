"""The log is written line by line and survives a crash."""

import json
from pathlib import Path

from batch_reenroll.sandbox.eventlog import EventLog, Past, read_past


def test_each_entry_is_a_line_that_can_be_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with EventLog(path) as log:
        log.write({"event": "started", "name": "é\n"})
        assert json.loads(path.read_text()) == {"event": "started", "name": "é\n"}


def test_a_line_cut_short_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(
        '{"event":"started"}\n'
        '{"event":"job_started","history_id":7}\n'
        '{"event":"request","history_id":99}\n'
        '{"event":"started"}\n'
        '{"event":"job_sta'
    )

    assert read_past(path) == Past(sessions=2, last_history_id=7)


def test_what_follows_a_cut_line_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"event":"job_sta')
    with EventLog(path) as log:
        log.write({"event": "started"})

    assert path.read_text().splitlines()[-1] == '{"event":"started"}'


def test_no_log_is_no_past(tmp_path: Path) -> None:
    assert read_past(tmp_path / "none") == Past()
