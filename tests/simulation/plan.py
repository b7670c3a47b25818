"""The campaign that is simulated: planned as the command line plans one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from batch_reenroll.campaign.plan import Directory, Wish, resolve
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.settings import RunSettings

CAMPAIGN = "simulated"


def planned(
    wishes: Iterable[Mapping[str, str]], directory: Directory
) -> Iterator[PlannedRow]:
    """Yield the rows of the campaign, resolved against Command."""
    for number, wish in enumerate(wishes, 1):
        yield PlannedRow(
            row_no=number,
            row_id=f"r{number}",
            cells=(),
            verdict=resolve(_wish(wish), directory),
        )


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
        certificate_authority=row["CertificateAuthority"],
        certificate_template=row["CertificateTemplate"],
        job_properties={},
        sans=None,
        enrollment_pattern_id=None,
    )
