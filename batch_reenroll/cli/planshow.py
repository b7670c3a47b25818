"""A plan in the terminal: what will happen, why rows are left out, when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from batch_reenroll.campaign.forecast import Forecast
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.permissions import Permissions
from batch_reenroll.campaign.reasons import EXPLANATIONS, Reason
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.waves import WavePlan
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.forecasting import forecast_json, forecast_lines
from batch_reenroll.cli.planlimits import window_words
from batch_reenroll.cli.planning import Example, Planner
from batch_reenroll.cli.source import Source
from batch_reenroll.observe import duration
from batch_reenroll.text import parse_time, rfc3339, visible

#: Longest row id and longest message that is shown, in characters.
_NAME_LIMIT, _MESSAGE_LIMIT = 100, 300


def show_plan(
    planner: Planner,
    source: Source,
    console: Console,
    found: Forecast | None = None,
    *,
    as_data: bool = False,
) -> None:
    """Say what will happen, on stderr; ``as_data`` where it is what was asked for."""
    counts, draft = planner.counts, source.draft
    if as_data and console.as_json:
        console.json(
            {
                "command": draft.command_url,
                "rows": {str(state): n for state, n in sorted(counts.items())},
                "reasons": {str(r): n for r, n in planner.reasons.most_common()},
                "cautions": {str(r): n for r, n in planner.cautions.most_common()},
                "examples": {
                    str(reason): [example._asdict() for example in examples]
                    for reason, examples in {
                        **planner.cautioned_rows,
                        **planner.skipped_rows,
                    }.items()
                },
                "unread": list(planner.directory.enrollment.unread),
                "permissions": _permissions_json(planner.directory.permissions),
                "requests": dict(planner.requests),
                "forecast": forecast_json(found) if found else None,
                "manifest_sha256": draft.manifest_sha256,
                "plan_sha256": planner.digest,
            }
        )
        return
    settings = draft.settings
    lines = [
        f"plan for {draft.manifest_name} on {draft.command_url}:",
        f"  {counts[State.PENDING]} of {sum(counts.values())} rows will be submitted, "
        f"at most {settings.rate_per_s:g} per second, {settings.max_in_flight} in "
        f"flight, {settings.per_orchestrator} per orchestrator",
    ]
    lines += [
        f"  at most {limit.words} on {visible(name, 200)}"
        for name, limit in settings.authorities.items()
    ]
    lines += _reason_lines("skipped", planner.reasons, planner.skipped_rows)
    lines += _reason_lines("to look at", planner.cautions, planner.cautioned_rows)
    lines += [f"  {line}" for line in planner.directory.remarks]
    lines += _schedule_lines(planner, settings)
    begun = parse_time(draft.created_at)
    if found is not None and begun is not None:
        lines += forecast_lines(found, begun)
    for line in lines:
        console.data(line) if as_data else console.info(line)


def _permissions_json(permissions: Permissions) -> dict[str, object]:
    return {
        "known": permissions.known,
        "missing": list(permissions.missing or ()),
        "remark": ". ".join(permissions.remarks),
    }


def _reason_lines(
    what: str, counts: Counter[Reason], examples: Mapping[Reason, Sequence[Example]]
) -> Iterator[str]:
    """Yield a line for each reason, and one for the first of its rows."""
    for reason, n in counts.most_common():
        yield f"  {n} {what}, {reason}: {EXPLANATIONS[reason].meaning}"
        for example in examples.get(reason, ())[:1]:
            row = visible(example.row_id, _NAME_LIMIT)
            yield f"    row {row}: {visible(example.message, _MESSAGE_LIMIT)}"


def _schedule_lines(planner: Planner, settings: RunSettings) -> list[str]:
    """Return what the plan says of waves and windows."""
    lines = [f"  window: {window_words(window)}" for window in settings.windows]
    lines += [
        f"  blackout: {rfc3339(b.start)} to {rfc3339(b.end)}"
        for b in settings.blackouts
    ]
    drawn = planner.drawn
    gates = {wave.name: wave for wave in settings.waves}
    for wave in drawn.coverage if drawn else ():
        kinds = f"{wave.sampled} of {drawn.strata if drawn else 0} kinds"
        lines.append(
            f"  wave {wave.wave}: {wave.named + wave.drawn} rows "
            f"({wave.named} named, {wave.drawn} drawn), {kinds} of store type, "
            "orchestrator group and CA" + _gate_words(gates[wave.wave])
        )
    return lines


def _gate_words(wave: WavePlan) -> str:
    """Return what is peculiar to a wave: its windows, its soak, its limit."""
    text = "".join(f"; only in {window_words(window)}" for window in wave.windows)
    if wave.max_failures is not None:
        text += f"; ends the campaign when failures exceed {wave.max_failures}"
    return text + (f"; then soaks {duration(wave.soak_s)}" if wave.soak_s else "")
