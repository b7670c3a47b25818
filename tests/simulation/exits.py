"""The exit code of every run, from the contract's own list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from simulation.played import Played

from batch_reenroll.campaign.lifecycle import State, reported_outcome
from batch_reenroll.campaign.verdict import Stop, exit_code

_STOPPED: Mapping[Stop, int] = {
    Stop.LEDGER: 2,
    Stop.NOT_AUTHORISED: 8,
    Stop.UNREACHABLE: 9,
    Stop.BUDGET: 6,
    Stop.OPERATOR: 10,
    Stop.WINDOW: 10,
    Stop.WAVE: 10,
    Stop.SIGINT: 130,
    Stop.SIGTERM: 143,
}


def wrong_codes(played: Played) -> list[str]:
    """Return runs that would exit with another code than the contract says.

    The rows of the last run are known as they ended; of those before, why they stopped.
    """
    verify = played.scenario.settings.verify
    rows = Counter(reported_outcome(row.state) for row in played.rows)
    found = []
    for number, ended in enumerate(played.ends, 1):
        stop = ended.end.stop
        if stop is None and number < len(played.ends):
            continue  # a retry took rows back since
        wanted = _ended(rows, verify=verify) if stop is None else _STOPPED[stop]
        code = exit_code(rows, verify=verify, stop=stop)
        if code != wanted:
            found.append(f"run {number} exits with {code}, not {wanted}")
    return found


def _ended(rows: Mapping[State, int], *, verify: bool) -> int:
    ended = {state for state, n in rows.items() if n}
    well = {State.VERIFIED, State.SKIPPED_ALREADY_ROTATED, State.SKIPPED_EXCLUDED}
    badly = {State.FAILED, State.REJECTED, State.WARNING, State.SKIPPED_PREFLIGHT}
    if not verify:
        well.add(State.SUCCEEDED)
    if ended <= well:
        return 0
    return 5 if ended <= well | badly else 7
