"""What must hold of every played scenario. The sandbox's own log is the judge.

What can be told at every step stands in :mod:`simulation.watch`; here stands what only
the end shows.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from simulation.exits import wrong_codes
from simulation.network import OPERATOR
from simulation.plan import without_budgets
from simulation.played import Ended, Played
from simulation.scenario import Hand, Scenario, Weather

from batch_reenroll.campaign.lifecycle import OPEN, State
from batch_reenroll.campaign.rows import Row
from batch_reenroll.campaign.verdict import Stop
from batch_reenroll.text import parse_time

#: Rows that end so have no job but one that was taken back.
_UNTOUCHED = (
    State.REJECTED,
    State.NOT_ATTEMPTED,
    State.CANCELLED,
    State.SKIPPED_PREFLIGHT,
    State.SKIPPED_EXCLUDED,
)


def faults(played: Played) -> list[str]:
    """Return every promise that was broken, n >= 0."""
    found = list(dict.fromkeys(played.broken))
    found += [text for ended in played.ends for text in _stop(ended, played)]
    jobs = _jobs(played)
    ends = _ends(played)
    for row in played.rows:
        found += [f"row {row.row_no}: {text}" for text in _row(row, played, jobs, ends)]
    found += wrong_codes(played)
    found += _totals(played)
    found += _calm(played)
    found += _manners(played)
    return found


def _stop(ended: Ended, played: Played) -> list[str]:
    """A run may stop only for a reason that there was."""
    stop, scenario = ended.end.stop, played.scenario
    tokens = scenario.tokens
    away = scenario.weather.outages + scenario.weather.storms
    if tokens is not None:
        away += tokens.away + tokens.locked
    explained = {
        None: True,
        Stop.OPERATOR: _asked(played, Hand.OPERATOR, Hand.WITHDRAW),
        Stop.SIGINT: _asked(played, Hand.SIGINT),
        Stop.SIGTERM: _asked(played, Hand.SIGTERM),
        Stop.NOT_AUTHORISED: ended.refused,
        # The look that gives up began before the time was over.
        Stop.UNREACHABLE: sum(length for _, length in away) + 120.0
        > scenario.settings.unreachable_timeout_s,
        Stop.LEDGER: bool(scenario.full_disk),
        Stop.BUDGET: scenario.settings != without_budgets(scenario.settings),
        Stop.WINDOW: scenario.settings.until_window_end,
        Stop.WAVE: scenario.settings.confirm_waves,
    }
    if explained.get(stop, False):
        return []
    return [f"the run of {ended.began_s} s stopped: {stop} {ended.end.message}"]


def _asked(played: Played, *hands: Hand) -> bool:
    return any(halt.hand in hands for halt in played.halted)


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
    kept = [job_id for job_id in mine if not _is_withdrawn(job_id, played)]
    if len(kept) > 1 + row.retries:
        found.append(f"{len(kept)} jobs were made by us: {kept}")
    found += _overlaps(mine, played)
    if row.state in OPEN:
        found.append(f"did not end: {row.state}")
    if row.state in _UNTOUCHED and kept and not row.retries:
        found.append(f"ended {row.state} although a job was made")
    if record["reason_code"] == "attempts_exhausted" and len(kept) > row.retries:
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


def _is_withdrawn(job_id: str, played: Played) -> bool:
    """Return whether a job was taken back before anybody had begun it."""
    return any(
        entry["event"] == "job_unscheduled" and entry["job_id"] == job_id
        for entry in played.log
    )


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


def _calm(played: Played) -> list[str]:
    """Where nothing went wrong, everything must have gone right."""
    scenario = played.scenario
    if not is_calm(scenario):
        return []
    wanted = State.VERIFIED if scenario.settings.verify else State.SUCCEEDED
    return [
        f"row {row.row_no} ended {row.state} in calm weather"
        for row in played.rows
        if row.state is not wanted
    ]


def is_calm(scenario: Scenario) -> bool:
    """Return whether nothing can go wrong in a scenario."""
    fleet, tokens = scenario.fleet, scenario.tokens
    troubles = (
        scenario.weather != Weather(latency_s=scenario.weather.latency_s),
        scenario.crashes,
        scenario.halts,
        scenario.full_disk,
        scenario.strangers,
        scenario.second_aliases,
        fleet.offline,
        fleet.broken_stores,
        tokens and (tokens.revoked or tokens.away or tokens.locked or tokens.lost),
        _longest_queue_s(scenario) > scenario.settings.pickup_timeout_s,
        scenario.command.inventory_delay_s + _longest_queue_s(scenario)
        > scenario.settings.verify_timeout_s,
    )
    return not any(troubles)


def _longest_queue_s(scenario: Scenario) -> float:
    """Return how long a job may wait for the jobs before it and its orchestrator."""
    command, settings = scenario.command, scenario.settings
    slowest = 3.0  # the fleet's slow orchestrators
    n_jobs = min(settings.per_orchestrator, scenario.fleet.stores)
    return 2 * command.heartbeat_s + n_jobs * slowest * (command.job_max_s + 0.1)


def _manners(played: Played) -> list[str]:
    """Where reads are reliable, what Command shows is acted upon in time.

    No POST for a store at which a stranger's job has waited for longer than a look
    takes, and no row given up because of a job that had ended long before.
    """
    scenario = played.scenario
    weather = scenario.weather
    unreliable = (
        weather.bad_read,
        weather.refused,
        weather.outages,
        weather.storms,
        weather.mischief,
        weather.unsorted,
        scenario.tokens,
        scenario.crashes,
        scenario.halts,
        scenario.full_disk,
    )
    if any(unreliable):
        return []
    ended = {e["job_id"]: _at(e) for e in _ends(played).values()}
    return _rude(played, ended) + _late(played, ended)


def _rude(played: Played, ended: dict[str, float]) -> list[str]:
    """Return POSTs for stores at which a stranger's job had waited for long."""
    look_s = 2 * played.scenario.settings.poll_interval_s + 2 * _look_s(played) + 5.0
    made = [
        entry
        for entry in played.log
        if entry["event"] == "job_created"
        and entry["job_type"].endswith("Reenrollment")
    ]
    ours = [entry for entry in made if entry["by"].endswith(OPERATOR)]
    strangers = [entry for entry in made if not entry["by"].endswith(OPERATOR)]
    return [
        f"POSTed while stranger's job {other['job_id']} waited"
        for job in ours
        for other in strangers
        if other["store_id"] == job["store_id"]
        and _at(other) + look_s < _at(job) < ended.get(other["job_id"], float("inf"))
    ]


def _late(played: Played, ended: dict[str, float]) -> list[str]:
    """Return rows given up because of a job that had ended long before."""
    scenario, settings = played.scenario, played.scenario.settings
    slack_s = 3 * settings.poll_interval_s + settings.settle_s + 60.0 + _look_s(played)
    last = {line["row"]: line for line in played.journal if "row" in line}
    found = []
    for row in played.rows:
        line = last.get(row.row_no)
        if line is None or row.state not in (State.STALLED, State.NOT_ATTEMPTED):
            continue
        given_up_s = _seconds(line["at"]) + scenario.skew_s - slack_s
        found += [
            f"row {row.row_no}: {row.state} though job {job_id} had ended"
            for job_id in (row.job_id, *line.get("note", {}).get("job_ids", ()))
            if job_id in ended and ended[job_id] < given_up_s
        ]
    return found


def _look_s(played: Played) -> float:
    """Return how long a look may take, page by page."""
    n_jobs = [entry["event"] for entry in played.log].count("job_created")
    page = played.scenario.command.return_limit_max or 1000
    n_pages = 10 + 4 * n_jobs / page
    return 2 * played.scenario.weather.latency_s * n_pages


def _at(entry: dict[str, Any]) -> float:
    return _seconds(entry["at"])


def _seconds(text: str) -> float:
    moment = parse_time(text)
    assert moment is not None
    return moment.timestamp()
