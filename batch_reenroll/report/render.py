"""Which files a report has, in which order, and the digest of each.

Pure: rows and journal come in as passes, bytes go out in chunks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from batch_reenroll.report.advice import Explains
from batch_reenroll.report.facts import CampaignFacts, ReportInput
from batch_reenroll.report.formats import Format, formatted
from batch_reenroll.report.groups import grouped
from batch_reenroll.report.junit import junit
from batch_reenroll.report.markdown import markdown
from batch_reenroll.report.page import PageInput, page
from batch_reenroll.report.sets import FAILURE, REMAINING, SUCCESS
from batch_reenroll.report.sheets import manifest, results
from batch_reenroll.report.summary import summary, summary_bytes
from batch_reenroll.report.survey import survey
from batch_reenroll.report.verification import Verifications
from batch_reenroll.text import sha256_hex, visible, well_formed

#: The files of a report, in the order they are made.
FILES = (
    "results.csv",
    "success.csv",
    "failure.csv",
    "remaining.csv",
    "verification.csv",
    "events.jsonl",
    "summary.json",
    "junit.xml",
    "report.md",
    "report.html",
    "evidence.json",
)

_LINES_PER_CHUNK = 500
#: A reason code: plain text, or a member of the campaign's ``StrEnum``.
Code = TypeVar("Code", bound=str)


def render(
    report: ReportInput,
    explanations: Mapping[Code, Explains] | None = None,
    formats: Sequence[Format] = (),
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield each file's name and its bytes in chunks, ``evidence.json`` last.

    Take every file's chunks to the end before asking for the next file: the evidence
    digests them as they pass. Memory stays bounded; rows are passed over seven times,
    and once more for each of ``formats``.

    Args:
        report: What to write.
        explanations: Meaning and advice by reason code, for the page.
        formats: Further forms of the results, each once.

    Raises:
        UsageError: One of ``formats`` cannot hold so many rows.
        ValueError: A row has an outcome that is none of the twelve.
        RuntimeError: A file was asked for before the chunks of the last were taken.
    """
    meters: dict[str, _Meter] = {}
    known = {str(code): found for code, found in (explanations or {}).items()}
    for name, chunks in _files(report, known, formats, meters):
        if any(not meter.ended for meter in meters.values()):
            message = f"{name} was asked for before the file before it was read"
            raise RuntimeError(message)
        meters[name] = _Meter(chunks)
        yield name, meters[name]


def _files(
    report: ReportInput,
    explanations: Mapping[str, Explains],
    formats: Sequence[Format],
    meters: Mapping[str, _Meter],
) -> Iterator[tuple[str, Iterable[bytes]]]:
    facts = report.facts
    found = survey(report.rows(), facts.input_columns)
    counts, groups = found.counts(), grouped(found, facts.waves)
    more = [
        (form.file_name, formatted(form, facts, report.rows(), found.n_rows))
        for form in formats
    ]
    yield "results.csv", results(facts, report.rows())
    yield "success.csv", results(facts, report.chosen(frozenset(SUCCESS)))
    yield "failure.csv", manifest(facts, report.chosen(frozenset(FAILURE)))
    yield "remaining.csv", manifest(facts, report.chosen(frozenset(REMAINING)))
    verifications = Verifications(report.rows())
    yield "verification.csv", verifications
    yield from more
    journal = _Journal(report.journal())
    yield "events.jsonl", journal
    numbers: dict[str, Any] = {
        **summary(facts, counts, groups),
        "verification": verifications.summary(),
    }
    yield "summary.json", (summary_bytes(numbers),)
    yield "junit.xml", junit(facts, counts, report.rows())
    yield "report.md", markdown(facts, counts, groups)
    yield (
        "report.html",
        page(
            PageInput(
                facts=facts,
                counts=counts,
                survey=found,
                groups=groups,
                verification=numbers["verification"],
                digests={name: meter.sha256 for name, meter in meters.items()},
                explanations=explanations,
            )
        ),
    )
    yield "evidence.json", (_evidence(facts, meters, journal.n_lines),)


class _Meter:
    """Chunks on their way to a file, counted and digested as they pass, once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._digest = hashlib.sha256()
        self.n_bytes = 0
        self.ended = False

    @property
    def sha256(self) -> str:
        """SHA-256 of what has passed, 64 hex digits."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._digest.update(chunk)
            self.n_bytes += len(chunk)
            yield chunk
        self.ended = True


class _Journal:
    """The journal's lines in chunks, counted as they pass, once."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.n_lines = 0

    def __iter__(self) -> Iterator[bytes]:
        chunk: list[str] = []
        for line in self._lines:
            self.n_lines += 1
            chunk.append(line + "\n")
            if len(chunk) >= _LINES_PER_CHUNK:
                yield "".join(chunk).encode("utf-8", "backslashreplace")
                chunk = []
        yield "".join(chunk).encode("utf-8", "backslashreplace")


#: What stands in the seal's place while it is made.
_BLANK_SEAL = "0" * 64


def _evidence(
    facts: CampaignFacts, meters: Mapping[str, _Meter], n_lines: int
) -> bytes:
    """Return ``evidence.json`` (``schemas/evidence.v1.schema.json``).

    Its last line is its seal: the SHA-256 of the file with 64 zeros in the seal's
    place, so that a changed byte of the list itself shows as well.
    """
    said = {
        key: visible(well_formed(str(getattr(facts, key))), 2_000)
        for key in (
            "campaign_id",
            "manifest_name",
            "manifest_sha256",
            "plan_sha256",
            "journal_head",
            "tool_version",
            "operator",
            "host",
            "requested_by",
            "approved_by",
            "approved_at",
            "approval_key",
            "ticket",
            "reason",
            "written_at",
        )
    }
    value = {
        "version": 1,
        **said,
        "journal_lines": n_lines,
        "files": {
            name: {"sha256": meter.sha256, "bytes": meter.n_bytes}
            for name, meter in meters.items()
        },
        "seal": _BLANK_SEAL,
    }
    blank = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    head, _, tail = blank.rpartition(_BLANK_SEAL)
    return f"{head}{sha256_hex(blank)}{tail}".encode()
