"""A ledger of a campaign that has ended, made quickly: for benchmarks that read one.

The rows are written by the product; what became of them is filled in behind the back
of the database's triggers, because a million rows through four moves each would take
minutes. 94 of 100 rows are verified, the others end in three other ways; the journal
has four chained lines a row.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.plan import Verdict
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.ledger import SqliteLedger

CAMPAIGN_ID = "bench"
COLUMNS = (
    *("KeystoreId", "SubjectName", "AgentGuid", "Alias", "CertificateAuthority"),
    *("CertificateTemplate", "JobProperties.SiteName", "Owner", "CurrentThumbprint"),
    "x-datacenter",
)

_URL = "https://command.example.com/KeyfactorAPI"
_AT = datetime(2026, 11, 23, 18, 40, tzinfo=UTC)
_MOVES = (
    ("pending", "submitting"),
    ("submitting", "submitted"),
    ("submitted", "queued"),
    ("queued", "verified"),
)
_TRIGGERS = ("row_moves_legally", "tally_follows", "journal_is_never_replaced")
_STATE = (
    "CASE WHEN row_no % 100 < 94 THEN 'verified' WHEN row_no % 100 < 96 THEN 'failed' "
    "WHEN row_no % 100 < 98 THEN 'stalled' ELSE 'not_attempted' END"
)
_TIME = "strftime('%Y-%m-%dT%H:%M:%fZ', 1795459200 + row_no * 0.05 + {}, 'unixepoch')"
_END = f"""
UPDATE row SET
  state = {_STATE}, attempts = 1, http_status = 204,
  reason_code = CASE WHEN row_no % 100 < 94 THEN NULL
    WHEN row_no % 100 < 96 THEN 'job_failed' ELSE 'pickup_timeout' END,
  message = CASE WHEN row_no % 100 BETWEEN 94 AND 95
    THEN 'The CA denied the request ' || row_no || ' (0x80094012)' END,
  submitted_at = {_TIME.format(0)}, picked_up_at = {_TIME.format(30)},
  finished_at = {_TIME.format("40 + row_no % 7")},
  verified_at = CASE WHEN row_no % 100 < 94 THEN {_TIME.format(60)} END,
  job_id = printf('33333333-aaaa-4bbb-8ccc-%012d', row_no), job_history_id = row_no,
  thumbprint_before = printf('%040X', row_no),
  not_after_before = '2026-12-01T00:00:00.000Z',
  thumbprint_after = CASE WHEN row_no % 100 < 94 THEN printf('%040X', -row_no) END,
  not_after_after = CASE WHEN row_no % 100 < 94 THEN '2027-12-01T00:00:00.000Z' END
"""


def store_id(row_no: int) -> str:
    """Return the store of a row."""
    return f"11111111-aaaa-4bbb-8ccc-{row_no:012d}"


def ended_ledger(path: Path, n_rows: int) -> Path:
    """Make the ledger at ``path``; return it. Its campaign is :data:`CAMPAIGN_ID`."""
    path.unlink(missing_ok=True)
    campaign = Campaign(
        campaign_id=CAMPAIGN_ID,
        command_url=_URL,
        purpose={"name": "benchmark"},
        columns=COLUMNS,
        defaults={},
        manifest_name="stores.csv",
        manifest_path="/srv/stores.csv",
        settings=RunSettings(),
        operator="bench",
        host="bench",
        tool_version="0",
        created_at="2026-11-23T18:40:00.000Z",
    )
    with SqliteLedger(path) as ledger:
        rows = map(_planned, range(1, n_rows + 1))
        ledger.create(campaign, rows, at=_AT, digests=lambda: ("a" * 64, "b" * 64))
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("BEGIN")
        for trigger in _TRIGGERS:
            writer.execute(f"DROP TRIGGER {trigger}")
        writer.execute(_END)
        writer.execute("DELETE FROM tally")
        writer.execute(
            "INSERT INTO tally SELECT campaign, state, count(*) FROM row GROUP BY 1, 2"
        )
        writer.executemany("INSERT INTO journal VALUES (1, ?, ?)", _journal(n_rows))
        writer.execute("COMMIT")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.close()
    return path


def _planned(row_no: int) -> PlannedRow:
    agent = f"22222222-aaaa-4bbb-8ccc-{row_no % 100:012d}"
    request = ReenrollmentRequest(
        keystore_id=store_id(row_no),
        subject_name=f'CN=host{row_no:07d}.example.com,O="Key Example, Inc.",C=US',
        agent_guid=agent,
        alias=f"web-{row_no:07d}",
        certificate_authority="ca01.example.com\\Corp Issuing CA 2",
        certificate_template="WebServer",
    )
    return PlannedRow(
        row_no=row_no,
        row_id=str(row_no),
        cells=(
            *(request.keystore_id, request.subject_name, agent, request.alias),
            *("ca01.example.com\\Corp Issuing CA 2", "WebServer", "Default Web Site"),
            *("web-team@example.com", f"{row_no:040X}", f"chicago-{row_no % 3}"),
        ),
        verdict=Verdict(
            request=request,
            reason=None,
            message="",
            client_machine=f"web{row_no % 100:02d}.example.com",
            store_path=f"/etc/ssl/{row_no}.pem",
            orchestrator=f"orchestrator{row_no % 100:02d}",
            store_type="PEM",
            capability="PEM",
            place_unique=True,
        ),
        wave="rest",
    )


def _journal(n_rows: int) -> Iterator[tuple[int, str]]:
    seq, prev = 1, "0" * 64
    for row_no in range(1, n_rows + 1):
        for origin, target in _MOVES:
            line = (
                f'{{"at":"2026-11-23T18:40:00.000Z","event":"move","from":"{origin}",'
                f'"prev":"{prev}","row":{row_no},"row_id":"{row_no}","seq":{seq},'
                f'"store":"{store_id(row_no)}","to":"{target}"}}'
            )
            prev = hashlib.sha256(line.encode()).hexdigest()
            yield seq, line
            seq += 1
