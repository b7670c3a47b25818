"""``evidence.json`` and ``summary.json``: read, sealed, and held against the rest.

``evidence.json`` ends with its own seal: the SHA-256 of the file as it would be with
zeros in place of the seal's 64 digits. The seal says that no byte of the list itself
was changed by accident; who wrote it, only a signature says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batch_reenroll.evidence.findings import Faults
from batch_reenroll.evidence.sheets import SIDE
from batch_reenroll.text import visible

EVIDENCE = "evidence.json"
SUMMARY = "summary.json"
JOURNAL = "events.jsonl"

#: Files that a report always has, besides ``evidence.json``.
ALWAYS = (
    *("results.csv", "success.csv", "failure.csv", "remaining.csv"),
    *(JOURNAL, SUMMARY, "junit.xml", "report.md", "report.html"),
)

#: Files that stand beside ``evidence.json`` and are not in its list.
SIGNATURE = "evidence.json.sig"
PUBLIC_KEY = "evidence.pub.pem"
CERTIFICATE = "evidence.cert.pem"
UNLISTED = frozenset({EVIDENCE, SIGNATURE, PUBLIC_KEY, CERTIFICATE})

_VERSION = 1
_SEALED = re.compile(rb'\n  "seal": "([0-9a-f]{64})"\n\}\n\Z')
_DIGEST = re.compile(r"[0-9a-f]{64}")

#: Texts of ``evidence.json`` are cut at this many characters.
_TEXT_LIMIT = 2_000

#: Key of ``evidence.json`` → key of the genesis.
_OF_GENESIS = {
    "campaign_id": "campaign",
    "manifest_name": "manifest",
    "manifest_sha256": "manifest_sha256",
    "plan_sha256": "plan_sha256",
    "operator": "operator",
    "host": "host",
    "tool_version": "tool_version",
}
#: Keys of ``evidence.json`` that stand in the genesis' ``purpose``.
_OF_PURPOSE = (
    *("requested_by", "approved_by", "approved_at", "approval_key"),
    *("ticket", "reason"),
)
#: Keys of ``summary.json`` that ``evidence.json`` has as well.
_OF_SUMMARY = (
    *("campaign_id", "manifest_sha256", "plan_sha256", "journal_head"),
    "tool_version",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a file in the folder is.

    Attributes:
        sha256: Of its bytes, 64 hex digits; "" where ``why`` says why there is none.
        n_bytes: Its size.
        why: Why it cannot be digested: no plain file, no right to read it.
    """

    sha256: str = ""
    n_bytes: int = 0
    why: str = ""


def read_document(name: str, raw: bytes, faults: Faults) -> Mapping[str, Any]:
    """Return the JSON object in a file; empty, with a fault, where there is none."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_once)
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        faults.add("not_json", name, line, f"byte {exc.start + 1} is not UTF-8")
    except json.JSONDecodeError as exc:
        faults.add("not_json", name, exc.lineno, f"no JSON: {exc.msg}")
    except (ValueError, RecursionError) as exc:
        faults.add("not_json", name, None, f"it cannot be read: {exc}")
    else:
        if isinstance(value, dict):
            return value
        faults.add("not_json", name, 1, "no JSON object")
    return {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two values under one name each reader might take another.
    value = dict(pairs)
    if len(value) != len(pairs):
        message = "a name stands twice in one object"
        raise ValueError(message)
    return value


def check_seal(raw: bytes, faults: Faults) -> None:
    """Check the seal at the end of ``evidence.json``."""
    match = _SEALED.search(raw)
    if match is None:
        message = "it does not end with its seal"
        faults.add("seal", EVIDENCE, None, message)
        return
    blank = raw[: match.start(1)] + b"0" * 64 + raw[match.end(1) :]
    found = hashlib.sha256(blank).hexdigest()
    sealed = match.group(1).decode()
    if found != sealed:
        message = "the file was changed: its seal does not hold"
        faults.add("seal", EVIDENCE, None, message, expected=sealed, found=found)


def check_files(
    evidence: Mapping[str, Any], seen: Mapping[str, Digest], faults: Faults
) -> None:
    """Hold the folder's files against the list in ``evidence.json``.

    Args:
        evidence: As read.
        seen: Everything in the folder by name, the unlisted files too.
        faults: Where faults go.
    """
    if evidence and evidence.get("version") != _VERSION:
        found = evidence.get("version")
        message = "this program reads another version of it"
        faults.add("version", EVIDENCE, None, message, expected=_VERSION, found=found)
    listed = evidence.get("files")
    if not isinstance(listed, dict):
        if evidence:
            faults.add("files", EVIDENCE, None, "it lists no files")
        listed = {}
    for name in sorted({*ALWAYS, *listed}):
        _check_file(name, listed.get(name), seen.get(name), faults)
    for name in sorted(set(seen) - set(listed) - set(ALWAYS) - UNLISTED):
        message = "a file that evidence.json does not list"
        faults.add("file_added", name, None, message)


def _check_file(name: str, entry: Any, seen: Digest | None, faults: Faults) -> None:
    said = entry if isinstance(entry, dict) else {}
    sha256, n_bytes = said.get("sha256"), said.get("bytes")
    if not said:
        message = f"evidence.json does not list {name}"
        faults.add("file_unlisted", EVIDENCE, None, message)
    if seen is None:
        message = "the file is missing"
        faults.add("file_missing", name, None, message, expected=sha256 or "")
        return
    if seen.why:
        message = f"it cannot be read: {seen.why}"
        faults.add("file_unreadable", name, None, message, expected=sha256 or "")
        return
    if said and seen.sha256 != sha256:
        message = f"the file was changed ({n_bytes} bytes listed, {seen.n_bytes} found)"
        faults.add(
            "file_changed", name, None, message, expected=sha256, found=seen.sha256
        )
    elif said and seen.n_bytes != n_bytes:
        message = "its size is not the one listed"
        faults.add(
            "file_size", name, None, message, expected=n_bytes, found=seen.n_bytes
        )


def check_documents(
    evidence: Mapping[str, Any],
    summary: Mapping[str, Any],
    genesis: Mapping[str, Any],
    faults: Faults,
) -> None:
    """Hold ``evidence.json``, ``summary.json`` and the genesis against each other.

    What could not be read at all is left out: that has been said.
    """
    if evidence and summary:
        for key in _OF_SUMMARY:
            faults.same(
                SUMMARY,
                f"{key} (in evidence.json)",
                expected=evidence.get(key),
                found=summary.get(key),
                line=None,
            )
    if evidence and genesis:
        for key, value in _said_by(genesis).items():
            faults.same(
                EVIDENCE,
                f"{key} (in the genesis, {JOURNAL} line 1)",
                expected=value,
                found=evidence.get(key),
                line=None,
            )
    elif summary and genesis:
        for key in ("manifest_sha256", "plan_sha256"):
            faults.same(
                SUMMARY,
                f"{key} (in the genesis, {JOURNAL} line 1)",
                expected=genesis.get(key),
                found=summary.get(key),
                line=None,
            )


def _said_by(genesis: Mapping[str, Any]) -> dict[str, str]:
    """Return what ``evidence.json`` has to repeat of a genesis."""
    purpose = genesis.get("purpose")
    purpose = purpose if isinstance(purpose, dict) else {}
    said = {key: genesis.get(name) for key, name in _OF_GENESIS.items()}
    said |= {key: purpose.get(key, "") for key in _OF_PURPOSE}
    return {key: visible(str(value), _TEXT_LIMIT) for key, value in said.items()}


def check_totals(
    summary: Mapping[str, Any],
    by_journal: Mapping[str, int],
    by_results: Mapping[str, int],
    exit_code: object,
    faults: Faults,
) -> None:
    """Hold the totals of ``summary.json`` against the journal and ``results.csv``.

    Args:
        summary: As read.
        by_journal: Rows by outcome; empty where not known.
        by_results: The same, as ``results.csv`` has them.
        exit_code: Of the last run, by the journal; None where not known.
        faults: Where faults go.
    """
    if not summary:
        return
    said = summary.get("outcomes")
    said = said if isinstance(said, dict) else {}
    for where, counted in ((JOURNAL, by_journal), ("results.csv", by_results)):
        if not counted:
            continue
        for outcome in SIDE:
            faults.same(
                SUMMARY,
                f"outcomes.{outcome} (counted in {where})",
                expected=counted.get(outcome, 0),
                found=said.get(outcome),
                line=None,
            )
        faults.same(
            SUMMARY,
            f"rows (counted in {where})",
            expected=Counter(counted).total(),
            found=summary.get("rows"),
            line=None,
        )
    if exit_code is not None:
        faults.same(
            SUMMARY,
            f"exit_code (in {JOURNAL})",
            expected=exit_code,
            found=summary.get("exit_code"),
            line=None,
        )


def heads(*documents: Mapping[str, Any]) -> set[str]:
    """Return the journal heads that the documents give, as far as they are digests."""
    found = (str(document.get("journal_head", "")) for document in documents)
    return {head for head in found if _DIGEST.fullmatch(head)}


def journal_lines(evidence: Mapping[str, Any]) -> int | None:
    """Return how many lines the journal has by ``evidence.json``, or None."""
    n = evidence.get("journal_lines")
    return n if isinstance(n, int) and not isinstance(n, bool) else None
