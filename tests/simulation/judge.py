"""What must hold of every played scenario. The sandbox's own log is the judge."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from simulation.network import OPERATOR
from simulation.play import Played
from simulation.scenario import Weather

from batch_reenroll.campaign.lifecycle import OPEN, State, is_legal
from batch_reenroll.campaign.rows import Row
from batch_reenroll.ledger.journal import GENESIS_PREV
from batch_reenroll.text import parse_time, sha256_hex

_UNTOUCHED = (
    State.REJECTED,
    State.NOT_ATTEMPTED,
    State.SKIPPED_PREFLIGHT,
    State.SKIPPED_EXCLUDED,
)


def faults(played: Played) -> list[str]:
    """Return every promise that was broken, n >= 0."""
    found = list(dict.fromkeys(played.broken))
    if played.end.stop is not None:
        found.append(f"the run stopped: {played.end.stop} {played.end.message}")
    jobs = _jobs(played)
    ends = _ends(played)
    for row in played.rows:
        found += [f"row {row.row_no}: {text}" for text in _row(row, played, jobs, ends)]
    found += _totals(played)
    found += _journal(played)
    found += _pace(played)
    found += _calm(played)
    found += _manners(played)
    return found


def _jobs(played: Played) -> dict[tuple[str, str], list[str]]:
    """Return ids of the jobs we made, by store and alias."""
    made: dict[tuple[str, str], list[str]] = {}
    for entry in played.log:
        if entry["event"] == "job_created" and entry["by"].endswith(OPERATOR):
            key = entry["store_id"], entry["alias"]
            made.setdefault(key, []).append(entry["job_id"])
    return made


def _ends(played: Played) -> dict[str, dict[str, Any]]:
    """Return the last end of each job, retries that go on left out."""
    return {
        entry["job_id"]: entry
        for entry in played.log
        if entry["event"] == "job_ended" and entry["status"] != 5
    }


def _row(
    row: Row,
    played: Played,
    jobs: dict[tuple[str, str], list[str]],
    ends: dict[str, dict[str, Any]],
) -> list[str]:
    mine = jobs.get((row.store_id, row.request.alias), [])
    record = played.records[row.row_no]
    found = []
    if len(mine) > 1 + row.retries:
        found.append(f"{len(mine)} jobs were made by us: {mine}")
    found += _overlaps(mine, played)
    if row.state in OPEN:
        found.append(f"did not end: {row.state}")
    if row.state in _UNTOUCHED and mine and not row.retries:
        found.append(f"ended {row.state} although a job was made")
    if record["reason_code"] == "attempts_exhausted" and len(mine) > row.retries:
        found.append("was given up although a job was made")
    if record["reason_code"] == "store_in_flight":
        found.append("met its own campaign at its store")
    if row.job_id is not None and row.job_id not in mine:
        if not _named_as_in_doubt(row, played):
            found.append(f"took job {row.job_id}, which is not ours, for ours")
    elif row.job_id is not None:
        found += _result(row, ends.get(row.job_id))
        found += _proof(row, record["thumbprint_after"], ends, played)
    return found


def _proof(
    row: Row,
    thumbprint: str | None,
    ends: dict[str, dict[str, Any]],
    played: Played,
) -> list[str]:
    """The certificate that proves our job must not be of a job that ended before.

    The verify timeout is by definition how long the inventory may lag; where it lagged
    longer behind that other job, nothing in the inventory could have told.
    """
    ours = ends.get(row.job_id or "")
    if row.state is not State.VERIFIED or ours is None:
        return []
    for end in ends.values():
        if end.get("thumbprint", "").lower() == thumbprint:
            early = _at(end) < _at(ours) and not _lagged(end, played)
            return [f"was verified by the certificate of job {end}"] if early else []
    return [f"was verified by {thumbprint}, which no job issued"]


def _lagged(end: dict[str, Any], played: Played) -> bool:
    """Return whether the inventory followed a job later than it may."""
    followed = (
        _at(entry)
        for entry in played.log
        if entry["event"] == "job_ended"
        and entry["store_id"] == end["store_id"]
        and entry["job_type"].endswith("Inventory")
        and _at(entry) >= _at(end)
    )
    lag_s = min(followed, default=float("inf")) - _at(end)
    return lag_s > played.scenario.settings.verify_timeout_s


def _overlaps(mine: list[str], played: Played) -> list[str]:
    """Each job of ours must be over, or withdrawn, before the next one is made."""
    over: dict[str, float] = {}
    made: dict[str, float] = {}
    for entry in played.log:
        job_id = entry.get("job_id")
        if job_id not in mine:
            continue
        if entry["event"] == "job_created":
            made[job_id] = _at(entry)
        elif entry["event"] == "job_unscheduled" or (
            entry["event"] == "job_ended" and entry["status"] != 5
        ):
            over[job_id] = _at(entry)
    return [
        f"job {later} was made before {earlier} was over"
        for earlier, later in pairwise(mine)
        if over.get(earlier, float("inf")) > made[later]
    ]


def _named_as_in_doubt(row: Row, played: Played) -> bool:
    """Return whether the row says that its job may be somebody else's."""
    lines = [
        line
        for line in played.journal
        if line.get("row") == row.row_no and line.get("note", {}).get("job_id")
    ]
    named = bool(lines) and bool(lines[-1]["note"].get("in_doubt"))
    return named or row.state is State.UNKNOWN


def _result(row: Row, end: dict[str, Any] | None) -> list[str]:
    wanted = {
        State.VERIFIED: 2,
        State.SUCCEEDED: 2,
        State.FAILED: 4,
        State.WARNING: 3,
    }.get(row.state)
    if wanted is None:
        return []
    if end is None:
        return [f"ended {row.state} but its job never did"]
    if end["result"] != wanted:
        return [f"ended {row.state} but its job's result is {end['result']}"]
    return []


def _totals(played: Played) -> list[str]:
    assert played.campaign is not None
    counted = Counter(row.state for row in played.rows)
    if dict(counted) != dict(played.campaign.rows):
        return [f"the tally says {played.campaign.rows}, the rows say {counted}"]
    return []


def _journal(played: Played) -> list[str]:
    """Replay the journal: it must chain, move legally, and end where the rows stand."""
    found = []
    prev = GENESIS_PREV
    states: dict[int, State] = {row.row_no: State.PENDING for row in played.rows}
    for seq, (line, raw) in enumerate(zip(played.journal, played.lines, strict=True)):
        if line["seq"] != seq or line["prev"] != prev:
            found.append(f"journal line {seq} does not follow")
        prev = sha256_hex(raw)
        if line["event"] != "move":
            continue
        origin, target = State(line["from"]), State(line["to"])
        if states[line["row"]] is not origin or not is_legal(origin, target):
            found.append(f"journal line {seq}: {origin} → {target} does not replay")
        states[line["row"]] = target
    if states != {row.row_no: row.state for row in played.rows}:
        found.append("the journal does not end where the rows stand")
    if played.campaign is None or played.campaign.journal_head != prev:
        found.append("the journal's head is not its last line's hash")
    return found


def _pace(played: Played) -> list[str]:
    """In any window at most burst + rate × length POSTs leave.

    A POST leaves when its intent is durable: up to two commits after its permit.
    """
    settings = played.scenario.settings
    slack_s = 2 * played.scenario.commit_s + 1e-6
    for posts in played.posts:
        for i, first in enumerate(posts):
            for j in range(i, len(posts)):
                allowed = settings.burst + settings.rate_per_s * (
                    posts[j] - first + slack_s
                )
                if j - i + 1 > allowed:
                    return [f"{j - i + 1} POSTs left within {posts[j] - first} s"]
    return []


def _calm(played: Played) -> list[str]:
    """Where nothing went wrong, everything must have gone right."""
    scenario = played.scenario
    fleet = scenario.fleet
    weather = Weather(latency_s=scenario.weather.latency_s)
    if (
        scenario.weather != weather
        or scenario.crashes
        or scenario.strangers
        or scenario.second_aliases
        or fleet.offline
        or fleet.broken_stores
    ):
        return []
    wanted = State.VERIFIED if scenario.settings.verify else State.SUCCEEDED
    return [
        f"row {row.row_no} ended {row.state} in calm weather"
        for row in played.rows
        if row.state is not wanted
    ]


def _manners(played: Played) -> list[str]:
    """Where reads are reliable, what Command shows is acted upon in time.

    No POST for a store at which a stranger's job has waited for longer than a look
    takes, and no row given up as stalled whose job had ended long before.
    """
    scenario, settings = played.scenario, played.scenario.settings
    weather = scenario.weather
    if weather.bad_read or weather.refused or weather.outages or scenario.crashes:
        return []
    look_s = 2 * settings.poll_interval_s + 20 * weather.latency_s + 5.0
    slack_s = 3 * settings.poll_interval_s + settings.settle_s + 60.0
    ended = {e["job_id"]: _at(e) for e in _ends(played).values()}
    made = [
        entry
        for entry in played.log
        if entry["event"] == "job_created"
        and entry["job_type"].endswith("Reenrollment")
    ]
    found = []
    for job in made:
        if not job["by"].endswith(OPERATOR):
            continue
        for other in made:
            stranger = not other["by"].endswith(OPERATOR)
            same = other["store_id"] == job["store_id"]
            until = ended.get(other["job_id"], float("inf"))
            if stranger and same and _at(other) + look_s < _at(job) < until:
                found.append(f"POSTed while stranger's job {other['job_id']} waited")
    moved = {line["row"]: line["at"] for line in played.journal if "row" in line}
    for row in played.rows:
        if row.state is State.STALLED and row.job_id in ended:
            given_up = _seconds(moved[row.row_no]) + scenario.skew_s
            if ended[row.job_id] + slack_s < given_up:
                found.append(f"row {row.row_no}: stalled though its job had ended")
    return found


def _at(entry: dict[str, Any]) -> float:
    return _seconds(entry["at"])


def _seconds(text: str) -> float:
    moment = parse_time(text)
    assert moment is not None
    return moment.timestamp()
