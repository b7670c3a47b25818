"""Campaigns that look like real ones, made from a seed and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from batch_reenroll.report.facts import CampaignFacts, ReportInput, RowFacts
from batch_reenroll.report.sets import OUTCOMES
from batch_reenroll.text import canonical_json, rfc3339, sha256_hex

START = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
INPUT_COLUMNS = (
    "KeystoreId",
    "SubjectName",
    "AgentGuid",
    "Alias",
    "CertificateTemplate",
    "JobProperties.Provider",
    "Wave",
    "x-team",
)
#: Outcome, its share, reason code and message.
ENDINGS: tuple[tuple[str, int, str, str], ...] = (
    ("verified", 900, "rotated", ""),
    ("succeeded", 8, "inventory_unreadable", "HTTP 403 for the inventory of {guid}"),
    ("skipped_already_rotated", 20, "already_rotated", ""),
    (
        "failed",
        24,
        "job_failed",
        "The RPC server is unavailable. 0x800706ba: could not reach {host}:135 "
        "(attempt {n})",
    ),
    (
        "failed",
        9,
        "job_failed",
        "System.Security.Cryptography.CryptographicException: Access is denied "
        "to {path}",
    ),
    ("rejected", 6, "permission_denied", "HTTP 403: CertificateStoreManagement Modify"),
    ("warning", 3, "job_warning", "The certificate was bound, but {host} not told"),
    ("skipped_preflight", 5, "store_not_approved", "store {guid} is not approved"),
    ("stalled", 7, "pickup_timeout", "not picked up within 1800 s"),
    ("unknown", 2, "two_candidates", "jobs {guid} and {guid} both fit"),
    ("not_attempted", 12, "breaker_open", "ten failures in a row"),
    ("cancelled", 1, "stopped", "withdrawn by the operator"),
    ("skipped_excluded", 3, "excluded_by_limit", "beyond --limit"),
)
CAS = ("ca01.example.com\\Corp Issuing CA 2", "ca02.example.com\\Corp Issuing CA 3")
STORE_TYPES = ("IISU", "PEM", "JKS", "PFX", "F5-SL-REST")


def campaign_facts(**changes: object) -> CampaignFacts:
    """Return the facts of a finished campaign, with ``changes``."""
    known: dict[str, object] = {
        "campaign_id": "q4-rotation-20261121-220000-7f3a",
        "name": "q4-rotation",
        "reason": "Issuing CA 1 retires on 2026-12-01",
        "ticket": "CHG0042",
        "requested_by": "pki-team",
        "approved_by": "cab@example.com",
        "deadline": "2026-12-01T00:00:00.000Z",
        "operator": "j.doe",
        "host": "ops-07.example.com",
        "command_url": "https://keyfactor.example.com/KeyfactorAPI",
        "manifest_name": "q4.csv",
        "manifest_sha256": sha256_hex("manifest"),
        "plan_sha256": sha256_hex("plan"),
        "journal_head": sha256_hex("head"),
        "tool_version": "0.1.0",
        "exit_code": 7,
        "started_at": rfc3339(START),
        "finished_at": rfc3339(START + timedelta(minutes=42)),
        "written_at": rfc3339(START + timedelta(minutes=43)),
        "requests": {
            "submit": 1980,
            "job_history": 310,
            "scheduled_jobs": 96,
            "inventory": 3870,
            "other": 14,
        },
        "input_columns": INPUT_COLUMNS,
        "defaults": {
            "CertificateTemplate": "WebServer",
            "CertificateAuthority": CAS[0],
        },
        "settings": {"Rate": "20 per second", "In flight": "at most 500"},
    }
    return CampaignFacts(**{**known, **changes})  # type: ignore[arg-type]


def guid(dice: random.Random) -> str:
    """Return a GUID."""
    h = f"{dice.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def row(
    row_no: int = 1,
    outcome: str = "verified",
    *,
    cells: Sequence[str] | None = None,
    row_id: str | None = None,
    **result: str | float | None,
) -> RowFacts:
    """Return one plain row; ``result`` adds to its result columns."""
    plain = ("11111111-2222-4333-8444-555555555555", f"CN=web{row_no}.example.com")
    more = ("99999999-2222-4333-8444-555555555555", f"web{row_no}", "", "", "", "")
    return RowFacts(
        row_no=row_no,
        row_id=row_id or str(row_no),
        cells=tuple(cells) if cells is not None else (*plain, *more),
        result={"outcome": outcome, **result},
    )


def report_of(rows: Sequence[RowFacts], **changes: object) -> ReportInput:
    """Return a report of exactly these rows."""
    lines = [canonical_json({"seq": n + 1, "event": "row"}) for n in range(len(rows))]
    return ReportInput(
        facts=campaign_facts(**changes), rows=lambda: rows, journal=lambda: lines
    )


def fleet(n_rows: int, *, seed: int = 1, **changes: object) -> ReportInput:
    """Return a report of ``n_rows`` rows on one orchestrator per 40, as they pass."""
    return ReportInput(
        facts=campaign_facts(**changes),
        rows=lambda: _fleet_rows(n_rows, seed),
        journal=lambda: (canonical_json({"seq": n + 1}) for n in range(2 * n_rows)),
    )


def _fleet_rows(n_rows: int, seed: int) -> Iterator[RowFacts]:
    dice = random.Random(seed)
    endings = [ending for ending in ENDINGS for _ in range(ending[1])]
    n_orchestrators = max(2, n_rows // 40)
    for row_no in range(1, n_rows + 1):
        outcome, _, reason, message = dice.choice(endings)
        yield _fleet_row(
            row_no, n_rows, n_orchestrators, outcome, reason, message, dice
        )


def _fleet_row(
    row_no: int,
    n_rows: int,
    n_orchestrators: int,
    outcome: str,
    reason: str,
    message: str,
    dice: random.Random,
) -> RowFacts:
    at = dice.randrange(n_orchestrators)
    host = f"web{row_no:05}.example.com"
    path = f"/etc/ssl/site-{row_no}/server.pem"
    template = dice.choice(("", "", "WebServer", "WebServer-RSA3072"))
    wave = "canary" if row_no <= n_rows / 50 else "rest"
    cells = (
        guid(dice),
        f'CN={host},OU=IT,O="Key Example, Inc.",C=US',
        f"{at:08x}-0000-4000-8000-000000000000",
        f"web-{row_no}",
        template,
        "",
        wave,
        dice.choice(("payments", "intranet", "=cmd()")),
    )
    result: dict[str, str | int | float | None] = {
        "outcome": outcome,
        "reason_code": reason,
        "message": message.format(
            guid=guid(dice), host=host, path=path, n=dice.randrange(1, 4)
        ),
        "attempts": 1,
        "wave": wave,
        "orchestrator": f"orch-{at:03}.example.com",
        "client_machine": host,
        "store_path": path,
        "store_type": STORE_TYPES[at % len(STORE_TYPES)],
        "planned_at": rfc3339(START),
        "thumbprint_before": f"{dice.getrandbits(160):040x}",
        "not_after_before": rfc3339(START + timedelta(days=dice.randrange(2, 60))),
        **_times(row_no, n_rows, outcome, dice),
    }
    return RowFacts(
        row_no=row_no,
        row_id=str(row_no),
        cells=cells,
        result=result,
        certificate_authority=CAS[at % 7 == 0],
        certificate_template=template or "WebServer",
    )


def _times(
    row_no: int, n_rows: int, outcome: str, dice: random.Random
) -> Mapping[str, str | int | float | None]:
    if outcome.startswith("skipped") or outcome in ("not_attempted", "cancelled"):
        return {"attempts": 0}
    submitted = START + timedelta(seconds=2000 * row_no / n_rows + dice.random() * 5)
    times: dict[str, str | int | float | None] = {
        "submitted_at": rfc3339(submitted),
        "http_status": 403 if outcome == "rejected" else 204,
    }
    if outcome in ("rejected", "stalled", "unknown"):
        return times
    duration_s = round(20 + dice.expovariate(1 / 45), 3)
    ended = submitted + timedelta(seconds=duration_s)
    times |= {
        "duration_s": duration_s,
        "picked_up_at": rfc3339(submitted + timedelta(seconds=duration_s / 2)),
        "finished_at": rfc3339(ended),
        "job_id": guid(dice),
        "job_history_id": str(dice.randrange(10_000, 99_999)),
    }
    if outcome == "verified":
        times |= {
            "verified_at": rfc3339(ended + timedelta(seconds=dice.randrange(1, 90))),
            "alias_after": f"web-{row_no}",
            "thumbprint_after": f"{dice.getrandbits(160):040x}",
            "not_after_after": rfc3339(ended + timedelta(days=dice.choice((47, 90)))),
        }
    return times


def one_of_each() -> list[RowFacts]:
    """Return twelve rows, one for each outcome, in glossary order."""
    return [row(n + 1, outcome) for n, outcome in enumerate(OUTCOMES)]
