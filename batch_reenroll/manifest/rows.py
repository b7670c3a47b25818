"""One row: what a reader found, its judgement, and the value it becomes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from batch_reenroll.campaign.endpoint import Endpoint
from batch_reenroll.manifest.header import Header
from batch_reenroll.manifest.normal import normalised, with_named_pairs
from batch_reenroll.manifest.plain import Gate
from batch_reenroll.manifest.rules import Fault, shown
from batch_reenroll.manifest.schema import faults_of_row
from batch_reenroll.manifest.subject import SubjectInvalid
from batch_reenroll.manifest.subject import parse as parse_subject
from batch_reenroll.text import parse_time, visible

# Values that go to Command or name things; Owner, Ticket and x- are only shown.
_ONE_LINE = (
    "RowId",
    "Wave",
    "ClientMachine",
    "StorePath",
    "StoreType",
    "CertificateAuthority",
    "CertificateTemplate",
    "OwnerRoleName",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One store and alias to re-enroll, without fault.

    Attributes:
        row_no: 1-based number among the data rows.
        row_id: The given RowId, or ``str(row_no)``; unique in the manifest.
        line: 1-based line of its file where the row begins.
        keystore_id, agent_guid: Lower-case dashed GUIDs, or None where the plan
            resolves them.
        client_machine, store_path, store_type: The other way to name a store.
        subject_name: X.500, as written.
        alias: As written.
        certificate_authority, certificate_template: None = Command's own setting.
        job_properties: By name; may be empty.
        sans: Kind of name to values, or None.
        enrollment_pattern_id: 1 to 2147483647, or None.
        metadata, additional_enrollment_fields: Name to text, or None.
        owner_role_name: As written, or None.
        wave, owner, ticket: Planning texts, or None.
        deadline: Aware UTC, or None.
        current_thumbprint: 40 lower-case hex digits, or None.
        endpoint: Where the certificate should be served, or None.
        cells: The user's text, one per ``Manifest.columns``, same order.
    """

    row_no: int
    row_id: str
    line: int
    keystore_id: str | None = None
    agent_guid: str | None = None
    client_machine: str | None = None
    store_path: str | None = None
    store_type: str | None = None
    subject_name: str
    alias: str
    certificate_authority: str | None = None
    certificate_template: str | None = None
    job_properties: Mapping[str, Any] = field(default_factory=dict)
    sans: Mapping[str, list[str]] | None = None
    enrollment_pattern_id: int | None = None
    metadata: Mapping[str, str] | None = None
    additional_enrollment_fields: Mapping[str, str] | None = None
    owner_role_name: str | None = None
    wave: str | None = None
    deadline: datetime | None = None
    owner: str | None = None
    ticket: str | None = None
    current_thumbprint: str | None = None
    endpoint: Endpoint | None = None
    cells: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class RawRow:
    """One row as a reader found it.

    Attributes:
        row_no, line: As in :class:`ManifestRow`.
        values: By column in the contract's spelling; text, or what YAML gave.
        named: The ``JobProperties.<Name>`` cells and their like that hold anything,
            by column and ``<Name>``.
        cells: As in :class:`ManifestRow`.
        faults: What the reader found; the values are not judged where it is grave.
        grave: Whether ``values`` cannot be trusted at all.
    """

    row_no: int
    line: int
    values: Mapping[str, Any] = field(default_factory=dict)
    named: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cells: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    grave: bool = False

    @property
    def row_id(self) -> str:
        """Return the given RowId as text, or the row's number."""
        given = self.values.get("RowId")
        usable = isinstance(given, str | int) and str(given).strip()
        return usable or str(self.row_no)


@dataclass(slots=True, kw_only=True)
class Judge:
    """Form and meaning of single rows; knows the header, no other row.

    Attributes:
        header: The manifest's header.
        excused: Columns whose absence was reported for the whole file.
        gate: Clears rows, or None where a default has a fault that every row shares.
    """

    header: Header
    excused: Collection[str] = ()
    gate: Gate | None = field(init=False, default=None)
    _waves: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._waves = frozenset(wave.name for wave in self.header.waves)
        probe = {**_PROBE, **self.header.defaults}
        if not self.header.defaults or not self._faults(probe, set(), set()):
            self.gate = Gate(self.header, self.excused)

    def judged(self, raw: RawRow) -> tuple[dict[str, Any], list[Fault]]:
        """Return the row's normalised values with defaults, and every fault of it."""
        if not raw.faults and self.gate and self.gate.clears(raw.values, raw.named):
            return self._values(raw, []), []
        faults = list(raw.faults)
        if raw.grave:
            return {}, faults
        spoiled = {fault.column for fault in faults}
        row = self._values(raw, faults)
        lost = {fault.column for fault in faults}
        lost |= {*self.excused, *self.header.unusable_defaults}
        return row, faults + self._faults(row, lost, spoiled)

    def _values(self, raw: RawRow, faults: list[Fault]) -> dict[str, Any]:
        row = normalised(raw.values, faults)
        given = set(row)
        lost = {fault.column for fault in faults}
        for key, value in self.header.defaults.items():
            if key not in row and key not in lost:
                row[key] = value
        for column, named in raw.named.items():
            source = column if column in given else "the default"
            with_named_pairs(row, column, named, faults, source)
        return row

    def _faults(
        self,
        row: Mapping[str, Any],
        lost: Collection[str | None],
        spoiled: Collection[str | None],
    ) -> list[Fault]:
        faults = [f for f in faults_of_row(row) if not _is_excused(f, lost, spoiled)]
        return faults + self._meaning(row, {*spoiled, *(f.column for f in faults)})

    def _meaning(self, row: Mapping[str, Any], spoiled: set[str | None]) -> list[Fault]:
        faults = [
            Fault("control_character", f"{key} is {shown(row[key])}", key)
            for key in _ONE_LINE
            if key in row and key not in spoiled and visible(row[key]) != row[key]
        ]
        subject, alias = row.get("SubjectName"), row.get("Alias")
        if subject is not None and "SubjectName" not in spoiled:
            try:
                parse_subject(subject)
            except SubjectInvalid as error:
                message = f"SubjectName is no X.500 name: {error}"
                faults.append(Fault("subject_invalid", message, "SubjectName"))
        if alias is not None and "Alias" not in spoiled and visible(alias) != alias:
            message = f"Alias is {shown(alias)}: it holds a control character"
            faults.append(Fault("alias_invalid", message, "Alias"))
        faults += _endpoint_faults(row, spoiled)
        wave = None if "Wave" in spoiled else row.get("Wave")
        if wave is not None and self._waves and wave not in self._waves:
            message = f"Wave {shown(wave)} is not one of the manifest's waves"
            faults.append(Fault("wave_unknown", message, "Wave"))
        return faults


# Good values for the columns that every row needs.
_PROBE = {
    "KeystoreId": "00000000-0000-0000-0000-000000000000",
    "SubjectName": "CN=x",
    "Alias": "x",
}


def _endpoint_faults(row: Mapping[str, Any], spoiled: set[str | None]) -> list[Fault]:
    given = None if "Endpoint" in spoiled else row.get("Endpoint")
    if given is None:
        return []
    try:
        Endpoint.parse(given)
    except ValueError as error:
        message = f"Endpoint is {shown(given)}: {error}"
        return [Fault("endpoint_invalid", message, "Endpoint")]
    return []


def _is_excused(
    fault: Fault, lost: Collection[str | None], spoiled: Collection[str | None]
) -> bool:
    if fault.code != "required_missing":
        return fault.column in spoiled
    if fault.column == "KeystoreId":
        return bool({"KeystoreId", "ClientMachine", "StorePath"} & {*lost, *spoiled})
    return fault.column in lost or fault.column in spoiled


def is_whole(row: Mapping[str, Any]) -> bool:
    """Return whether nothing is missing; false only where the file's header is why."""
    by_path = "ClientMachine" in row and "StorePath" in row
    return "SubjectName" in row and "Alias" in row and ("KeystoreId" in row or by_path)


def manifest_row(raw: RawRow, row: Mapping[str, Any]) -> ManifestRow:
    """Return the value of a row whose normalised values ``row`` have no fault."""
    deadline, endpoint = row.get("Deadline"), row.get("Endpoint")
    return ManifestRow(
        row_no=raw.row_no,
        row_id=raw.row_id,
        line=raw.line,
        keystore_id=row.get("KeystoreId"),
        agent_guid=row.get("AgentGuid"),
        client_machine=row.get("ClientMachine"),
        store_path=row.get("StorePath"),
        store_type=row.get("StoreType"),
        subject_name=row["SubjectName"],
        alias=row["Alias"],
        certificate_authority=row.get("CertificateAuthority"),
        certificate_template=row.get("CertificateTemplate"),
        job_properties=row.get("JobProperties", {}),
        sans=row.get("SANs"),
        enrollment_pattern_id=row.get("EnrollmentPatternId"),
        metadata=row.get("Metadata"),
        additional_enrollment_fields=row.get("AdditionalEnrollmentFields"),
        owner_role_name=row.get("OwnerRoleName"),
        wave=row.get("Wave"),
        deadline=None if deadline is None else parse_time(deadline),
        owner=row.get("Owner"),
        ticket=row.get("Ticket"),
        current_thumbprint=row.get("CurrentThumbprint"),
        endpoint=None if endpoint is None else Endpoint.parse(endpoint),
        cells=raw.cells,
    )
