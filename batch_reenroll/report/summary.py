"""``summary.json``: the campaign in numbers, for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping

from batch_reenroll.report.facts import CampaignFacts
from batch_reenroll.report.groups import Durations, Group, Groups
from batch_reenroll.report.sets import REQUEST_KINDS
from batch_reenroll.text import visible


def summary(
    facts: CampaignFacts, counts: Mapping[str, int], groups: Groups
) -> dict[str, object]:
    """Return the value of ``summary.json`` (``schemas/summary.v1.schema.json``).

    Args:
        facts: Of the campaign.
        counts: Rows of each of the twelve outcomes.
        groups: Of the same rows.
    """
    return {
        "campaign_id": visible(facts.campaign_id),
        "exit_code": facts.exit_code,
        "stop_reason": visible(facts.stop_reason, 1_000),
        "rows": sum(counts.values()),
        "outcomes": dict(counts),
        "requests": requests(facts),
        "started_at": visible(facts.started_at),
        "finished_at": None
        if facts.finished_at is None
        else visible(facts.finished_at),
        "manifest_sha256": facts.manifest_sha256,
        "plan_sha256": facts.plan_sha256,
        "journal_head": facts.journal_head,
        "tool_version": visible(facts.tool_version),
        "approval": _approval(facts),
        "duration_s": _durations(groups.duration_s),
        **{
            f"by_{name}": [{"name": group.name, **_group(group)} for group in of_name]
            for name, of_name in groups.by.items()
        },
        "by_reason": [
            {
                "reason_code": cause.reason_code,
                "fingerprint": cause.fingerprint,
                "example_message": cause.example_message,
                "example_row_id": cause.example_row_id,
                **_group(group),
            }
            for cause, group in groups.causes
        ],
    }


def summary_bytes(value: Mapping[str, object]) -> bytes:
    """Return ``value`` as indented UTF-8 JSON with a final line feed."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
    return (text + "\n").encode("utf-8", "backslashreplace")


def requests(facts: CampaignFacts) -> dict[str, int]:
    """Return the requests of all five kinds; a kind that is missing counts 0."""
    return {kind: int(facts.requests.get(kind, 0)) for kind in REQUEST_KINDS}


def _approval(facts: CampaignFacts) -> dict[str, str] | None:
    """Return the signed approval; a name in the manifest alone is none."""
    if not facts.approval_key:
        return None
    return {
        "approved_by": visible(facts.approved_by, 1_000),
        "approved_at": visible(facts.approved_at),
        "key": visible(facts.approval_key),
    }


def _group(group: Group) -> dict[str, object]:
    return {
        "rows": group.rows,
        "outcomes": dict(group.outcomes),
        "failures": group.failures,
        "duration_s": {
            "median": group.duration_s.median_s,
            "p95": group.duration_s.p95_s,
        },
    }


def _durations(durations: Durations) -> dict[str, float | None]:
    return {
        "min": durations.min_s,
        "median": durations.median_s,
        "p95": durations.p95_s,
        "max": durations.max_s,
    }
