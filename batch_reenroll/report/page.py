"""``report.html``: one file that answers a reader who never saw the tool.

Every value passes through ``visible`` and jinja2's escaping on its way into the page;
the page's own style and script are named by digest in its policy, so that nothing
else could run even if a text got through.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from batch_reenroll.report.advice import (
    EXIT_MEANINGS,
    Explains,
    approval_words,
    deadline_words,
    next_steps,
    total,
    verdict,
)
from batch_reenroll.report.charts import expiry, progress, stacked
from batch_reenroll.report.facts import CampaignFacts
from batch_reenroll.report.groups import Group, Groups
from batch_reenroll.report.proof import proof
from batch_reenroll.report.sets import (
    BY_SIDE,
    FAILURE,
    MEANINGS,
    REMAINING,
    SIDE_OF,
    SIDES,
    SUCCESS,
)
from batch_reenroll.report.summary import requests
from batch_reenroll.report.surroundings import (
    asset,
    content_policy,
    environment,
    trusted,
)
from batch_reenroll.report.survey import Survey
from batch_reenroll.text import visible

if TYPE_CHECKING:
    from markupsafe import Markup

#: Rows of the table that is there without script.
N_PLAIN_ROWS = 200
_N_GROUPS = 12
_N_REASONS = 15
_N_CAUSES_PER_REASON = 6
_LINES_PER_CHUNK = 200

_GROUP_TITLES = {
    "orchestrator": ("Orchestrator", "(not known)"),
    "ca": ("Certificate authority", "(Command's own setting)"),
    "template": ("Template", "(Command's own setting)"),
    "store_type": ("Store type", "(not known)"),
    "wave": ("Wave", "(none)"),
}
_LINE_NAMES = {
    "submitted_at": "submitted",
    "finished_at": "job ended",
    "verified_at": "verified",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInput:
    """What the page is made from.

    Attributes:
        facts: Of the campaign.
        counts: Rows of each outcome.
        survey: What one pass over the rows found.
        groups: Of the same rows.
        verification: The group of that name in ``summary.json``.
        digests: SHA-256 by name of the files that are already made.
        explanations: By reason code, as far as known.
    """

    facts: CampaignFacts
    counts: Mapping[str, int]
    survey: Survey
    groups: Groups
    verification: Mapping[str, Any]
    digests: Mapping[str, str]
    explanations: Mapping[str, Explains]


def page(given: PageInput) -> Iterator[bytes]:
    """Yield ``report.html`` in chunks of UTF-8."""
    style, script = asset("report.css"), asset("report.js")
    template = environment().from_string(asset("report.html.j2"))
    stream = template.generate(
        style=trusted(style),
        script=trusted(script),
        policy=content_policy(style, script),
        row_chunks=_row_chunks(given.survey),
        row_texts=trusted(given.survey.lines.texts()),
        **_context(given),
    )
    for chunk in stream:
        yield chunk.encode("utf-8", "backslashreplace")


def _context(given: PageInput) -> dict[str, Any]:
    facts, counts, survey = given.facts, given.counts, given.survey
    return {
        "facts": facts,
        "counts": counts,
        "rows": survey.n_rows,
        "verdict": verdict(facts, counts),
        "steps": next_steps(facts, counts),
        "exit_meaning": EXIT_MEANINGS.get(facts.exit_code, ""),
        "totals": {side: total(counts, members) for side, members in SIDES.items()},
        "main_bar": stacked({outcome: counts[outcome] for outcome in BY_SIDE}),
        "side_of": SIDE_OF,
        "meanings": MEANINGS,
        "by_side": BY_SIDE,
        "proof": proof(given.verification),
        "approval": approval_words(facts),
        "folder": shlex.quote(visible(facts.campaign_id)),
        "deadline": deadline_words(facts, counts),
        "failed": _reasons(given, FAILURE),
        "left": _reasons(given, REMAINING),
        "unproven": _reasons(given, ("succeeded",)),
        "n_reasons": _N_REASONS,
        "progress": progress(
            {_LINE_NAMES[name]: values for name, values in survey.moments.items()}
        ),
        "expiry": expiry(survey.expiry_before, survey.expiry_new, survey.expiry_kept),
        "group_tables": [
            _group_table(name, groups)
            for name, groups in given.groups.by.items()
            if name != "wave" or any(group.name for group in groups)
        ],
        "durations": given.groups.duration_s,
        "slowest": survey.slowest(),
        "plain_rows": survey.lines.first(N_PLAIN_ROWS),
        "n_lines": survey.lines.n_kept(),
        "requests": requests(facts),
        "digests": given.digests,
    }


def _reasons(given: PageInput, side: Sequence[str]) -> list[dict[str, Any]]:
    """Return the reasons of rows in ``side``, each with its causes, most rows first."""
    at = {cause: n for n, cause in enumerate(given.survey.causes)}
    by_code: dict[str, list[dict[str, Any]]] = {}
    for cause, group in given.groups.causes:
        if n := group.n(side):
            entry = {
                "cause": cause,
                "at": at[cause],
                "n": n,
                "outcomes": [name for name in side if group.outcomes.get(name)],
                "places": given.groups.places[cause],
            }
            by_code.setdefault(cause.reason_code, []).append(entry)
    found = [
        _reason(code, entries, given.explanations.get(code))
        for code, entries in by_code.items()
    ]
    return sorted(found, key=lambda reason: -int(reason["n"]))


def _reason(
    code: str, entries: list[dict[str, Any]], explanation: Explains | None
) -> dict[str, Any]:
    entries.sort(key=lambda entry: -int(entry["n"]))
    shown = entries[:_N_CAUSES_PER_REASON]
    return {
        "code": code,
        "n": sum(entry["n"] for entry in entries),
        "outcomes": list(dict.fromkeys(chain(*(e["outcomes"] for e in entries)))),
        "meaning": explanation.meaning if explanation else "",
        "advice": explanation.advice if explanation else "",
        "causes": shown,
        "n_more": len(entries) - len(shown),
        "n_more_rows": sum(entry["n"] for entry in entries[len(shown) :]),
    }


def _group_table(name: str, groups: Sequence[Group]) -> dict[str, Any]:
    title, unnamed = _GROUP_TITLES[name]
    return {
        "title": title,
        "n_more": max(0, len(groups) - _N_GROUPS),
        "n_groups": len(groups),
        "groups": [
            {
                "name": group.name or unnamed,
                "group": group,
                "bar": stacked(
                    {
                        "success": group.n(SUCCESS),
                        "failure": group.n(FAILURE),
                        "remaining": group.n(REMAINING),
                    }
                ),
            }
            for group in groups[:_N_GROUPS]
        ],
    }


def _row_chunks(survey: Survey) -> Iterator[Markup]:
    chunk: list[str] = []
    lead = ""
    for line in survey.lines.kept():
        chunk.append(line)
        if len(chunk) >= _LINES_PER_CHUNK:
            yield trusted(lead + ",\n".join(chunk))
            chunk, lead = [], ",\n"
    if chunk:
        yield trusted(lead + ",\n".join(chunk))
