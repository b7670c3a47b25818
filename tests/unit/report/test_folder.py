"""A report on disk is whole or not there."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from unit.report.reading import files_of
from unit.report.synthetic import fleet

from batch_reenroll.errors import UsageError
from batch_reenroll.report import FILES, ReportInput, RowFacts, write_folder


def breaks_in_a_later_pass(report: ReportInput, error: BaseException) -> ReportInput:
    """Return ``report`` with rows that end in ``error`` in their third pass."""
    passes = iter(range(1, 100))

    def rows() -> Iterator[RowFacts]:
        broken = next(passes) == 3
        for row in report.rows():
            if broken and row.row_no > 2:
                raise error
            yield row

    return replace(report, rows=rows)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_missing_folder_is_made_and_holds_the_ten_files_and_nothing_else(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "reports" / "c1"
    write_folder(folder, fleet(10))
    assert names_in(folder) == sorted(FILES)
    assert {n: (folder / n).read_bytes() for n in FILES} == files_of(fleet(10))


def test_writing_again_replaces_what_was_there(tmp_path: Path) -> None:
    write_folder(tmp_path, fleet(10))
    write_folder(tmp_path, fleet(4))
    assert (tmp_path / "results.csv").read_bytes() == files_of(fleet(4))["results.csv"]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_failure_half_way_leaves_the_old_report_whole(
    tmp_path: Path, error: BaseException
) -> None:
    write_folder(tmp_path, fleet(10))
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    with pytest.raises((UsageError, KeyboardInterrupt)):
        write_folder(tmp_path, breaks_in_a_later_pass(fleet(4), error))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    full = breaks_in_a_later_pass(fleet(4), OSError(28, "No space left on device"))
    with pytest.raises(UsageError, match="No space left on device") as caught:
        write_folder(tmp_path / "r", full)
    assert caught.value.code == "report_unwritable"
    assert "free some space" in caught.value.hint


def test_a_file_in_the_place_of_the_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("mine")
    with pytest.raises(UsageError, match="cannot be written") as caught:
        write_folder(tmp_path / "r", fleet(1))
    assert caught.value.code == "report_unwritable"
    assert (tmp_path / "r").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        write_folder(tmp_path, fleet(1))


def test_a_second_writer_is_turned_away(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(UsageError) as caught:
            write_folder(tmp_path, fleet(1))
    finally:
        os.close(fd)
    assert caught.value.code == "report_busy"
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_still_gets_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    write_folder(tmp_path, fleet(1))
    assert names_in(tmp_path) == sorted(FILES)


def test_a_part_left_by_a_crash_is_replaced_and_a_link_is_not_followed(
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / ".results.csv.part").symlink_to(victim)
    (folder / ".summary.json.part").write_text("half")
    write_folder(folder, fleet(2))
    assert victim.read_text() == "mine"
    assert names_in(folder) == sorted(FILES)
    assert not (folder / "results.csv").is_symlink()
