"""``junit.xml``: one test case per row, in the dialect that CI systems agree on.

The shape is what both Jenkins (``junit-10.xsd`` of its xunit plugin) and Surefire
(``surefire-test-report-3.0.xsd``) allow, but for Surefire's ignorance of ``timestamp``
and ``hostname``.

Failure side -> ``<failure>``; nothing was sent -> ``<skipped>``; the rest passed.
``classname`` is the orchestrator, by which viewers group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from batch_reenroll.report.advice import total
from batch_reenroll.report.cells import cell_text, number_text, seconds, xml_text
from batch_reenroll.report.facts import CampaignFacts, RowFacts
from batch_reenroll.report.sets import FAILURE, REMAINING, SIDE_OF, words

_CASES_PER_CHUNK = 500
_SKIPPED = (*REMAINING, "skipped_already_rotated")


def junit(
    facts: CampaignFacts, counts: Mapping[str, int], rows: Iterable[RowFacts]
) -> Iterator[bytes]:
    """Yield ``junit.xml``; ``counts`` are the rows of each outcome."""
    yield "".join(_head(facts, counts)).encode()
    chunk: list[str] = []
    for row in rows:
        chunk.append(_case(row))
        if len(chunk) >= _CASES_PER_CHUNK:
            yield "".join(chunk).encode()
            chunk = []
    chunk.append("</testsuite>\n</testsuites>\n")
    yield "".join(chunk).encode()


def _head(facts: CampaignFacts, counts: Mapping[str, int]) -> Iterator[str]:
    name = _attr(facts.name or facts.campaign_id, 200)
    tally = (
        f'tests="{sum(counts.values())}" failures="{total(counts, FAILURE)}" errors="0"'
    )
    skipped = total(counts, _SKIPPED)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites name={name} {tally}>\n"
    yield (
        f'<testsuite name={name} {tally} skipped="{skipped}" '
        f"timestamp={_attr(facts.started_at, 40)} "
        f"hostname={_attr(facts.host, 200)}>\n<properties>\n"
    )
    for key in (
        "campaign_id",
        "exit_code",
        "stop_reason",
        "ticket",
        "operator",
        "manifest_sha256",
        "plan_sha256",
        "journal_head",
        "tool_version",
    ):
        value = _attr(str(getattr(facts, key)), 500)
        yield f'<property name="{key}" value={value}/>\n'
    yield "</properties>\n"


def _case(row: RowFacts) -> str:
    outcome = cell_text(row, "outcome")
    place = f"{cell_text(row, 'client_machine')} {cell_text(row, 'store_path')}".strip()
    name = f"row {row.row_id}" + (f": {place}" if place else "")
    group = cell_text(row, "orchestrator") or "(no orchestrator)"
    taken_s = seconds(row)
    time_s = number_text(max(taken_s or 0.0, 0.0))
    head = (
        f"<testcase classname={_attr(group, 200)} name={_attr(name, 400)} "
        f'time="{time_s}"'
    )
    body = _ending(row, outcome)
    return f"{head}>{body}</testcase>\n" if body else f"{head}/>\n"


def _ending(row: RowFacts, outcome: str) -> str:
    reason, message = cell_text(row, "reason_code"), cell_text(row, "message")
    said = words(outcome) + (f": {message}" if message else "")
    if SIDE_OF[outcome] == "failure":
        text = escape(xml_text(message, 10_000))
        return (
            f"<failure message={_attr(said, 500)} "
            f"type={_attr(reason or outcome, 80)}>{text}</failure>"
        )
    if outcome in _SKIPPED:
        return f"<skipped message={_attr(said, 500)}/>"
    return ""


def _attr(text: str, limit: int) -> str:
    return quoteattr(xml_text(text, limit))
