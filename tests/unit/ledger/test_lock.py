"""One process works on a campaign: a lock that ends with its holder."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest
from unit.ledger.processes import next_line, victim

from batch_reenroll.errors import CampaignLocked, UsageError
from batch_reenroll.ledger import campaign_lock, is_locked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused lock is tried again a few times: not on the tests' time."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


def is_free(path: Path, campaign_id: str = "q4") -> bool:
    try:
        with campaign_lock(path, campaign_id):
            return True
    except CampaignLocked:
        return False


def test_a_second_process_is_refused_with_the_firsts_id(path: Path) -> None:
    with victim("holding", path) as holder:
        assert next_line(holder) == "held"
        with pytest.raises(CampaignLocked) as caught, campaign_lock(path, "q4"):
            pass
    assert f"process {holder.pid}" in caught.value.message
    assert "q4" in caught.value.message
    assert "status q4" in caught.value.hint
    assert caught.value.exit_code == 2


def test_the_lock_ends_with_a_killed_process(path: Path) -> None:
    with victim("holding", path) as holder:
        assert next_line(holder) == "held"
        assert not is_free(path)
        holder.kill()
        holder.wait()
        assert not is_locked(path, "q4")
        assert is_free(path)


def test_the_lock_ends_with_its_body(path: Path) -> None:
    with campaign_lock(path, "q4"):
        assert not is_free(path)
    assert is_free(path)


def test_the_lock_ends_with_a_body_that_raises(path: Path) -> None:
    with pytest.raises(KeyError), campaign_lock(path, "q4"):
        raise KeyError
    assert is_free(path)


def test_a_refused_lock_takes_nothing_from_its_holder(path: Path) -> None:
    with campaign_lock(path, "q4"):
        for _ in range(3):
            assert not is_free(path)
        assert is_locked(path, "q4")


def test_looking_never_takes_the_lock_away(path: Path) -> None:
    with victim("holding", path) as holder:
        assert next_line(holder) == "held"
        assert all(is_locked(path, "q4") for _ in range(50))
        assert not is_free(path)


def test_looking_leaves_no_lock_behind(path: Path) -> None:
    with campaign_lock(path, "q4"):
        pass
    assert not any(is_locked(path, "q4") for _ in range(50))
    assert is_free(path)


def test_a_campaign_that_was_never_run_is_not_locked(path: Path) -> None:
    assert not is_locked(path, "q4")
    assert list(path.parent.iterdir()) == []


def test_someone_looking_at_that_moment_is_no_reason_to_refuse(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with campaign_lock(path, "q4"):
        pass
    (lock_file,) = path.parent.iterdir()
    onlooker = os.open(lock_file, os.O_RDONLY)
    fcntl.flock(onlooker, fcntl.LOCK_SH)
    waits: list[float] = []

    def look_away(wait_s: float) -> None:
        waits.append(wait_s)
        fcntl.flock(onlooker, fcntl.LOCK_UN)

    monkeypatch.setattr(time, "sleep", look_away)
    assert is_free(path)
    os.close(onlooker)
    assert len(waits) == 1


def test_waiting_for_an_onlooker_has_an_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with campaign_lock(path, "q4"):
        assert not is_free(path)
    assert 0 < sum(waits) < 1


def test_campaigns_and_ledgers_have_locks_of_their_own(path: Path) -> None:
    with campaign_lock(path, "q4"):
        assert is_free(path, "q5")
        assert is_free(path.with_name("y.db"))


@pytest.mark.parametrize("campaign_id", ["../../etc/passwd", "a/b", "ü", " ", "a b\n"])
def test_the_lock_file_stays_beside_the_ledger(path: Path, campaign_id: str) -> None:
    with campaign_lock(path, campaign_id):
        assert is_locked(path, campaign_id)
    (lock_file,) = path.parent.iterdir()
    assert lock_file.name.startswith("x.db.lock-")


def test_the_lock_file_is_its_owners(path: Path) -> None:
    with campaign_lock(path, "q4"):
        pass
    (lock_file,) = path.parent.iterdir()
    assert lock_file.stat().st_mode & 0o777 == 0o600


def test_a_lock_file_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="lock file"),
        campaign_lock(tmp_path / "no" / "x.db", "q4"),
    ):
        pass


def test_one_ledger_under_two_names_has_one_lock(path: Path) -> None:
    path.touch()
    link = path.parent / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with campaign_lock(path, "q4"):
        assert not is_free(link)
