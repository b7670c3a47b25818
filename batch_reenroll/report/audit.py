"""Many campaigns on one sheet: what a quarter's audit starts from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from batch_reenroll.report.charts import stacked
from batch_reenroll.report.sets import BY_SIDE, FAILURE, OUTCOMES, REMAINING, SUCCESS
from batch_reenroll.report.sheets import csv_of, safe_cell
from batch_reenroll.report.surroundings import (
    asset,
    content_policy,
    environment,
    trusted,
)
from batch_reenroll.text import parse_time, visible

#: Outcomes with which a certificate is another one than before, by this campaign.
ROTATED = ("verified", "succeeded")

_TEXTS = (
    *("campaign_id", "name", "reason", "ticket", "requested_by", "approved_by"),
    *("approved_at", "approval_key", "operator", "host", "command_url"),
    *("manifest_name", "manifest_sha256", "plan_sha256", "journal_head"),
    *("tool_version", "created_at", "started_at", "finished_at"),
)
_SUMS = ("certificates_rotated", "success", "failure", "remaining")

#: The columns of the CSV file, in order.
AUDIT_COLUMNS = (
    *_TEXTS,
    *("duration_s", "exit_code", "stop_reason", "submits", "rows"),
    *_SUMS,
    *OUTCOMES,
    "top_failures",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One campaign, as its ledger has it.

    Attributes:
        texts: By the names of the first columns of :data:`AUDIT_COLUMNS`; a missing
            one is empty. Times are RFC 3339 UTC.
        exit_code: Of the last run; None while one runs or before the first.
        stop_reason: Why it ended before every row had been tried, or "".
        submits: Requests sent to re-enroll a store.
        outcomes: Rows by outcome; a missing one counts 0.
        top_failures: Reason codes of rows that failed, with how many, most first.
    """

    texts: Mapping[str, str]
    exit_code: int | None = None
    stop_reason: str = ""
    submits: int = 0
    outcomes: Mapping[str, int]
    top_failures: Sequence[tuple[str, int]] = field(default=())

    @property
    def duration_s(self) -> int | None:
        """Seconds from the first start to the last end; None where one is missing."""
        began = parse_time(self.texts.get("started_at", ""))
        ended = parse_time(self.texts.get("finished_at", ""))
        if began is None or ended is None:
            return None
        return round((ended - began).total_seconds())

    def n(self, outcomes: Iterable[str]) -> int:
        """Return the rows that ended with one of ``outcomes``."""
        return sum(self.outcomes.get(outcome, 0) for outcome in outcomes)

    def as_json(self) -> dict[str, object]:
        """Return the line with a value for each of :data:`AUDIT_COLUMNS`."""
        return {
            **{name: visible(self.texts.get(name, ""), 2_000) for name in _TEXTS},
            "duration_s": self.duration_s,
            "exit_code": self.exit_code,
            "stop_reason": visible(self.stop_reason, 2_000),
            "submits": self.submits,
            "rows": sum(self.outcomes.values()),
            **dict(
                zip(
                    _SUMS,
                    map(self.n, (ROTATED, SUCCESS, FAILURE, REMAINING)),
                    strict=True,
                )
            ),
            **{outcome: self.outcomes.get(outcome, 0) for outcome in OUTCOMES},
            "top_failures": "; ".join(
                f"{visible(code, 100)}: {n}" for code, n in self.top_failures
            ),
        }


def audit_totals(lines: Sequence[AuditLine]) -> dict[str, int]:
    """Return the sums of all campaigns."""
    return {
        "campaigns": len(lines),
        "rows": sum(sum(line.outcomes.values()) for line in lines),
        "certificates_rotated": sum(line.n(ROTATED) for line in lines),
        "failure": sum(line.n(FAILURE) for line in lines),
        "remaining": sum(line.n(REMAINING) for line in lines),
        "submits": sum(line.submits for line in lines),
        "not_approved": sum(not line.texts.get("approval_key") for line in lines),
    }


def audit_csv(lines: Iterable[AuditLine]) -> Iterator[bytes]:
    """Yield the sheet as CSV: one line for each campaign, in the order given."""
    return csv_of(AUDIT_COLUMNS, map(_cells, lines))


def _cells(line: AuditLine) -> list[str]:
    value = line.as_json()
    cells = (value[name] for name in AUDIT_COLUMNS)
    return ["" if cell is None else safe_cell(str(cell)) for cell in cells]


def audit_page(
    lines: Sequence[AuditLine],
    *,
    ledger: str,
    since: str,
    until: str,
    written_at: str,
) -> bytes:
    """Return the sheet as one HTML file: no network, no script.

    Args:
        lines: In the order in which they are shown.
        ledger: Its name, for the reader.
        since: RFC 3339 UTC, or "" for the first.
        until: The same, for the last.
        written_at: Now, RFC 3339 UTC.
    """
    style = asset("report.css") + asset("audit.css")
    template = environment().from_string(asset("audit.html.j2"))
    text = template.render(
        style=trusted(style),
        policy=content_policy(style),
        lines=[
            {
                "line": line,
                "value": line.as_json(),
                "bar": stacked({o: line.outcomes.get(o, 0) for o in BY_SIDE}),
            }
            for line in lines
        ],
        totals=audit_totals(lines),
        ledger=ledger,
        since=since,
        until=until,
        written_at=written_at,
    )
    return text.encode("utf-8", "backslashreplace")
