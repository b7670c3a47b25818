"""``report --all``: the ledger's campaigns on one sheet. Reads the ledger only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from batch_reenroll.campaign.record import Campaign
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.files import ledger_path
from batch_reenroll.cli.standing import outcomes
from batch_reenroll.cli.wholefile import written_whole
from batch_reenroll.errors import UsageError
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.report import AuditLine, audit_csv, audit_page, audit_totals
from batch_reenroll.text import parse_time, rfc3339

_TOP = 3

_FORMS = (".csv", ".html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which campaigns: made at or after ``since`` and before ``until``; None = any."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, campaign: Campaign) -> bool:
        """Return whether the campaign was made in it."""
        made = parse_time(campaign.created_at)
        if made is None:
            return True
        after = self.since is None or made >= self.since
        return after and (self.until is None or made < self.until)


def audit(
    ledger_url: str, span: Span, output_file: Path | None, console: Console
) -> int:
    """Write the sheet to stdout, or to a ``.csv`` or ``.html`` file; return 0.

    Raises:
        UsageError: There is no ledger, or the file is of another form or cannot be
            written.
    """
    if output_file is not None and output_file.suffix.casefold() not in _FORMS:
        message = f"--output-file {output_file}: expected a name that ends with .csv "
        raise UsageError(f"{message}or .html")
    with SqliteLedger(ledger_path(ledger_url), create=False) as ledger:
        with ledger.snapshot():
            lines = list(_lines(ledger, span))
        name = ledger.path.name
    if output_file is not None:
        _write(output_file, lines, name, span)
        console.info(
            f"{len(lines)} campaign{'' if len(lines) == 1 else 's'}: {output_file}"
        )
    elif console.as_json:
        said = {"totals": audit_totals(lines)}
        console.json({**said, "campaigns": [line.as_json() for line in lines]})
    else:
        text = b"".join(audit_csv(lines)).decode()
        console.data(text.removesuffix("\n"))
    return 0


def _write(path: Path, lines: list[AuditLine], ledger: str, span: Span) -> None:
    if path.suffix.casefold() == ".csv":
        text = b"".join(audit_csv(lines)).decode()
    else:
        page = audit_page(
            lines,
            ledger=ledger,
            since=rfc3339(span.since) if span.since else "",
            until=rfc3339(span.until) if span.until else "",
            written_at=rfc3339(datetime.now(UTC)),
        )
        text = page.decode()
    with written_whole(path) as file:
        file.write(text)


def _lines(ledger: SqliteLedger, span: Span) -> Iterator[AuditLine]:
    """Yield the campaigns of the span, oldest first."""
    for campaign_id in reversed(ledger.campaign_ids()):
        campaign = ledger.campaign(campaign_id)
        if span.holds(campaign):
            yield _line(ledger, campaign)


#: Texts of a line that a campaign holds under the same name.
_COPIED = (
    *("campaign_id", "operator", "host", "command_url", "manifest_name"),
    *("manifest_sha256", "plan_sha256", "journal_head", "tool_version"),
    *("created_at", "started_at", "finished_at"),
)
_OF_PURPOSE = (
    *("name", "reason", "ticket", "requested_by"),
    *("approved_by", "approved_at", "approval_key"),
)


def _line(ledger: SqliteLedger, campaign: Campaign) -> AuditLine:
    causes: Counter[str] = Counter()
    number = ledger.number(campaign.campaign_id)
    for cause in ledger.failure_causes(number):
        causes[cause.reason] += cause.rows
    return AuditLine(
        texts={
            **{name: getattr(campaign, name) or "" for name in _COPIED},
            **{name: campaign.purpose.get(name, "") for name in _OF_PURPOSE},
        },
        exit_code=campaign.exit_code,
        stop_reason=campaign.stop_reason,
        submits=campaign.requests.get("submit", 0),
        outcomes={str(state): n for state, n in outcomes(campaign).items()},
        top_failures=causes.most_common(_TOP),
    )
