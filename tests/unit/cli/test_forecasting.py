"""From a plan's rows and settings to the question that the prediction answers."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from batch_reenroll.campaign.quota import AuthorityLimit
from batch_reenroll.campaign.record import Campaign
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.cli.forecasting import Load, forecast

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
N_ROWS = 100


def likely_s(authorities: dict[str, AuthorityLimit]) -> float:
    """Return how long 100 rows at one CA will likely take under these limits."""
    draft = Campaign(
        campaign_id="",
        command_url="https://command.example.com",
        purpose={},
        columns=(),
        defaults={},
        manifest_name="m.yaml",
        manifest_path="m.yaml",
        settings=RunSettings(per_orchestrator=N_ROWS, authorities=authorities),
        operator="op",
        host="h",
        tool_version="1",
        created_at="2026-11-23T12:00:00.000Z",
    )
    load = Load("orch1", "PEMReenrollment", r"ca01.example.com\Corp", None, None)
    found = forecast(draft, Counter({load: N_ROWS}), (), start=START)
    assert found is not None
    return found.p50 - START.timestamp()


def test_a_cas_limit_counts_however_its_name_is_spelled() -> None:
    limit = AuthorityLimit(rate_per_s=0.01)
    assert likely_s({r"CA01.EXAMPLE.COM\corp": limit}) >= (N_ROWS - 1) / 0.01


def test_another_cas_limit_does_not_count() -> None:
    limit = AuthorityLimit(rate_per_s=0.01)
    assert likely_s({r"ca02.example.com\Corp": limit}) < (N_ROWS - 1) / 0.01
