"""A real report folder in memory, made by the ledger and the report as they are."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from unit.ledger.books import DIGESTS, NOW, campaign, move, planned, way_to

from batch_reenroll.campaign.lifecycle import OUTCOMES, State
from batch_reenroll.cli.console import Console
from batch_reenroll.cli.reporting import write_report
from batch_reenroll.evidence import Digest, Fault, Faults, PublicKey, Signer
from batch_reenroll.evidence.folder import Checked, check_folder
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.text import rfc3339

PURPOSE = {
    "name": "Q4 rotation",
    "reason": "Issuing CA 1 retires\u2028=cmd() \u202eé \U0001f511",
    "ticket": "CHG0042",
    "requested_by": "pki-team",
    "approved_by": "cab",
}


_BEFORE = {"thumbprint_before": "ab" * 20}


class MemoryFolder:
    """A report folder in a dictionary."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def digests(self) -> dict[str, Digest]:
        return {
            name: Digest(sha256=sha256(content).hexdigest(), n_bytes=len(content))
            for name, content in self.files.items()
        }

    def small(self, name: str) -> bytes | None:
        return self.files.get(name)

    def lines(self, name: str, limit: int) -> Iterator[bytes]:
        for line in io.BytesIO(self.files.get(name, b"")):
            yield line if len(line) <= limit else b""

    def texts(self, name: str) -> Iterator[str] | None:
        if name not in self.files:
            return None
        return (line.decode() for line in io.BytesIO(self.files[name]))


def checked(
    files: Mapping[str, bytes], **trusted: Mapping[str, PublicKey]
) -> tuple[Checked, list[Fault]]:
    """Return what a check of these files comes to."""
    faults = Faults()
    found = check_folder(MemoryFolder(files), faults, **trusted)
    return found, faults.kept


def faults_of(files: Mapping[str, bytes]) -> list[Fault]:
    """Return every fault of these files."""
    return checked(files)[1]


def codes(faults: list[Fault]) -> list[tuple[str, str, int | None]]:
    """Return the faults by code, file and line."""
    return [(fault.code, fault.file, fault.line) for fault in faults]


def made(
    *, purpose: Mapping[str, str] | None = None, signer: Signer | None = None
) -> dict[str, bytes]:
    """Return the files of a campaign with two rows for each outcome, two in flight."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with SqliteLedger(folder / "ledger.db") as ledger:
            _fill(ledger, purpose or PURPOSE)
            place = write_report(
                ledger, "q4", folder, resume="", console=Console(), signer=signer
            )
        return {path.name: path.read_bytes() for path in place.iterdir()}


@cache
def sound() -> Mapping[str, bytes]:
    """Return :func:`made`, made once."""
    return made()


def _fill(ledger: SqliteLedger, purpose: Mapping[str, str]) -> None:
    wanted = [*OUTCOMES, State.RUNNING, State.PENDING] * 2
    # Without a column RowId, a row's id is its number.
    rows = [
        replace(planned(row_no), row_id=str(row_no))
        for row_no, _ in enumerate(wanted, start=1)
    ]
    ledger.create(
        replace(campaign(), purpose=purpose), rows, at=NOW, digests=lambda: DIGESTS
    )
    number = ledger.number("q4")
    began = {"started_at": rfc3339(NOW)}
    ledger.record_event(number, "run_started", NOW, detail={"pid": 1}, columns=began)
    for row_no, state in enumerate(wanted, start=1):
        way = pairwise(way_to(state))
        steps = [move(row_no, a, b, changes=dict(_BEFORE)) for a, b in way]
        assert ledger.apply(number, steps) == [None] * len(steps)
    ended: dict[str, Any] = {"exit_code": 7, "finished_at": rfc3339(NOW)}
    at = NOW + timedelta(minutes=1)
    ledger.record_event(number, "run_ended", at, detail={"exit_code": 7}, columns=ended)


def journal_of(files: Mapping[str, bytes]) -> list[bytes]:
    """Return the journal's lines with their ends."""
    return list(io.BytesIO(files["events.jsonl"]))


def with_journal(files: Mapping[str, bytes], lines: list[bytes]) -> dict[str, bytes]:
    """Return the files with another journal."""
    return {**files, "events.jsonl": b"".join(lines)}


def resealed(files: Mapping[str, bytes], /, **changes: Any) -> dict[str, bytes]:
    """Return the files as a forger without a key would leave them.

    ``evidence.json`` lists what is there, its seal fits, and ``changes`` are in it.
    """
    value = json.loads(files["evidence.json"])
    listed = {
        name: {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
        if name in value["files"]
    }
    value = {**value, "files": listed, **changes, "seal": "0" * 64}
    blank = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    seal = sha256(blank.encode()).hexdigest()
    head, _, tail = blank.rpartition("0" * 64)
    return {**files, "evidence.json": f"{head}{seal}{tail}".encode()}


def rechained(events: list[dict[str, Any]]) -> tuple[list[bytes], str]:
    """Return the lines of a journal with whole links, and its head."""
    lines, prev = [], "0" * 64
    for seq, event in enumerate(events):
        value = {**event, "seq": seq, "prev": prev}
        raw = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
        prev = sha256(raw).hexdigest()
        lines.append(raw + b"\n")
    return lines, prev
