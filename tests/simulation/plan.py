"""The campaign that is simulated: planned as the command line plans one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from batch_reenroll.campaign.draw import WaveRow, assign
from batch_reenroll.campaign.plan import Directory, Verdict, Wish, resolve
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.campaign.waves import WavePlan

CAMPAIGN = "simulated"


def planned(
    wishes: Iterable[Mapping[str, str]],
    directory: Directory,
    waves: Sequence[WavePlan] = (),
) -> Iterator[PlannedRow]:
    """Yield the rows of the campaign, resolved against Command, in their waves."""
    verdicts = [resolve(_wish(wish), directory) for wish in wishes]
    drawn = _drawn(verdicts, waves)
    for number, (verdict, wave) in enumerate(zip(verdicts, drawn, strict=True), 1):
        yield PlannedRow(
            row_no=number, row_id=f"r{number}", cells=(), verdict=verdict, wave=wave
        )


def _drawn(
    verdicts: Sequence[Verdict], waves: Sequence[WavePlan]
) -> Sequence[str | None]:
    rows = [
        WaveRow(
            row_no=number,
            store_type=verdict.store_type,
            orchestrator=verdict.orchestrator,
            authority=verdict.request.certificate_authority or "",
        )
        for number, verdict in enumerate(verdicts, 1)
    ]
    if not waves:
        return [None] * len(rows)
    return assign(rows, waves, seed=CAMPAIGN).waves


def without_budgets(settings: RunSettings) -> RunSettings:
    """Return the settings with no limit on failures, of the campaign or of a wave."""
    waves = tuple(replace(wave, max_failures=None) for wave in settings.waves)
    return replace(settings, budget_limit="100%", waves=waves)


def campaign_of(settings: RunSettings) -> Campaign:
    """Return the campaign that is simulated."""
    return Campaign(
        campaign_id=CAMPAIGN,
        command_url="sim://command",
        purpose={},
        columns=(),
        defaults={},
        manifest_name="m.csv",
        manifest_path="m.csv",
        settings=settings,
        operator="simulation",
        host="simulation",
        tool_version="0",
        created_at="2027-01-15T08:00:00.000Z",
    )


def _wish(row: Mapping[str, str]) -> Wish:
    return Wish(
        keystore_id=row["KeystoreId"],
        agent_guid=row["AgentGuid"],
        client_machine=None,
        store_path=None,
        store_type=None,
        subject_name=row["SubjectName"],
        alias=row["Alias"],
        certificate_authority=row["CertificateAuthority"] or None,
        certificate_template=row["CertificateTemplate"],
        job_properties={},
        sans=None,
        enrollment_pattern_id=None,
    )
