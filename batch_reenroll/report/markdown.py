"""``report.md``: what a change ticket needs, under 60 lines whatever the input."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from batch_reenroll.report.advice import EXIT_MEANINGS, next_steps, verdict
from batch_reenroll.report.facts import CampaignFacts
from batch_reenroll.report.groups import Groups
from batch_reenroll.report.sets import BY_SIDE, FAILURE, words
from batch_reenroll.text import plain, visible

_N_CAUSES = 5
_LIMIT = 200


def markdown(
    facts: CampaignFacts, counts: Mapping[str, int], groups: Groups
) -> Iterator[bytes]:
    """Yield ``report.md``."""
    lines = [
        *_verdict(facts, counts),
        *_counts(counts),
        *_causes(groups),
        *_next(facts, counts),
        *_facts(facts),
    ]
    yield ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def quoted(text: str, limit: int = _LIMIT) -> str:
    """Return somebody else's text as a code span, in which no Markdown or HTML works.

    The fence is one backtick longer than any run inside (CommonMark 0.31, section 6.1).
    """
    shown = plain(visible(text, limit))
    if not shown:
        return "–"
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    pad = " " if "`" in (shown[0], shown[-1]) else ""
    fence = "`" * (longest + 1)
    return f"{fence}{pad}{shown}{pad}{fence}"


def _verdict(facts: CampaignFacts, counts: Mapping[str, int]) -> list[str]:
    found = verdict(facts, counts)
    meaning = EXIT_MEANINGS.get(facts.exit_code, "")
    lines = [f"# {found.answer}", "", found.sentence]
    if facts.stop_reason:
        lines += ["", f"Why it stopped: {quoted(facts.stop_reason)}"]
    lines += [
        "",
        f"Exit code {facts.exit_code}" + (f": {meaning}." if meaning else "."),
    ]
    return lines


def _counts(counts: Mapping[str, int]) -> list[str]:
    lines = ["", "| outcome | rows |", "|---|---:|"]
    lines += [
        f"| {words(outcome)} | {counts[outcome]:,} |"
        for outcome in BY_SIDE
        if counts.get(outcome)
    ]
    return [*lines, f"| **all** | **{sum(counts.values()):,}** |"]


def _causes(groups: Groups) -> list[str]:
    causes = [
        (group.n(FAILURE), cause) for cause, group in groups.causes if group.failures
    ]
    if not causes:
        return []
    causes.sort(key=lambda pair: -pair[0])
    lines = ["", "## What failed, and why", ""]
    lines += [
        f"- {n:,} × {quoted(cause.reason_code)}: {quoted(cause.example_message)} "
        f"(for example row {quoted(cause.example_row_id)})"
        for n, cause in causes[:_N_CAUSES]
    ]
    more = len(causes) - _N_CAUSES
    return [*lines, f"- {more:,} more in summary.json"] if more > 0 else lines


def _next(facts: CampaignFacts, counts: Mapping[str, int]) -> list[str]:
    lines = ["", "## What to do next", ""]
    for step in next_steps(facts, counts):
        command = f" {quoted(step.command, 500)}" if step.command else ""
        lines.append(f"- {step.text}{command}")
    return lines


def _facts(facts: CampaignFacts) -> list[str]:
    named = (
        ("Campaign", facts.campaign_id),
        ("Ticket", facts.ticket),
        ("Reason", facts.reason),
        ("Requested by", facts.requested_by),
        ("Approved by", facts.approved_by),
        ("Approved at", facts.approved_at),
        ("Approval signed with", facts.approval_key),
        (
            "Run by",
            f"{facts.operator} on {facts.host}" if facts.host else facts.operator,
        ),
        ("Started", facts.started_at),
        ("Finished", facts.finished_at or "not yet"),
        ("Manifest SHA-256", facts.manifest_sha256),
        ("Plan SHA-256", facts.plan_sha256),
        ("Journal head", facts.journal_head),
        ("Tool", f"batch-reenroll {facts.tool_version}"),
    )
    lines = ["", "## Facts", ""]
    return lines + [f"- {name}: {quoted(value)}" for name, value in named if value]
