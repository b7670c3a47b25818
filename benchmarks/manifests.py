"""Manifests for benchmarks: wide enough to be real, the same ones every time."""

from __future__ import annotations

import csv
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

COLUMNS = (
    *("KeystoreId", "SubjectName", "AgentGuid", "Alias", "CertificateAuthority"),
    *("CertificateTemplate", "JobProperties.SiteName", "Owner", "CurrentThumbprint"),
    "x-datacenter",
)
_AUTHORITY = "ca01.example.com\\Corp Issuing CA 2"
_N_AGENTS = 100
#: What stands in a cell that has a fault: column and text, one after the other.
FAULTS = (
    ("KeystoreId", "not-a-guid", "guid_invalid"),
    ("SubjectName", "CN=a,C=USA", "subject_invalid"),
    ("Alias", " web", "alias_invalid"),
    ("CurrentThumbprint", "5F9D", "thumbprint_invalid"),
)


def rows(n_rows: int, *, bad_every: int = 0) -> Iterator[dict[str, str]]:
    """Yield rows; every ``bad_every``-th has one of :data:`FAULTS`, none for 0."""
    dice = random.Random(7)
    agents = [_guid(dice) for _ in range(_N_AGENTS)]
    for row_no in range(1, n_rows + 1):
        row = {
            "KeystoreId": _guid(dice),
            "SubjectName": f"CN=host{row_no:07d}.example.com,OU=IT,"
            'O="Key Example, Inc.",L=Independence,ST=OH,C=US',
            "AgentGuid": agents[row_no % _N_AGENTS],
            "Alias": f"web-{row_no:07d}",
            "CertificateAuthority": _AUTHORITY,
            "CertificateTemplate": "WebServer",
            "JobProperties.SiteName": "Default Web Site",
            "Owner": "web-team@example.com",
            "CurrentThumbprint": f"{dice.getrandbits(160):040X}",
            "x-datacenter": f"chicago-{row_no % 3}",
        }
        if bad_every and row_no % bad_every == 0:
            column, text, _ = FAULTS[row_no // bad_every % len(FAULTS)]
            row[column] = text
        yield row


def _guid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def write_csv(path: Path, n_rows: int, *, bad_every: int = 0) -> Path:
    """Write a CSV manifest; return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows(n_rows, bad_every=bad_every))
    return path


def write_yaml(path: Path, n_rows: int) -> Path:
    """Write a YAML manifest in block style; return its path."""
    with path.open("w", encoding="utf-8") as file:
        file.write("version: 1\nrows:\n")
        for row in rows(n_rows):
            site = row.pop("JobProperties.SiteName")
            file.write(f"  - JobProperties: {{SiteName: {site}}}\n")
            file.writelines(f"    {name}: '{text}'\n" for name, text in row.items())
    return path
