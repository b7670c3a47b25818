"""The whole check of a report folder, over a port that reads its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from batch_reenroll.errors import PlanRefused
from batch_reenroll.evidence.approval import Approval, check_approval, read_approval
from batch_reenroll.evidence.chain import Chain
from batch_reenroll.evidence.document import (
    CERTIFICATE,
    EVIDENCE,
    JOURNAL,
    PUBLIC_KEY,
    SIGNATURE,
    SUMMARY,
    Digest,
    check_documents,
    check_files,
    check_seal,
    check_totals,
    heads,
    journal_lines,
    read_document,
)
from batch_reenroll.evidence.findings import Faults
from batch_reenroll.evidence.keys import PublicKey
from batch_reenroll.evidence.sheets import RESULTS, check_sheets
from batch_reenroll.evidence.signature import Signed, check_signature
from batch_reenroll.evidence.story import Story
from batch_reenroll.text import visible

#: A journal line has at most some thousand bytes; longer ones are not held in memory.
MAX_LINE_BYTES = 1 << 22

_SHEETS = (RESULTS, "success.csv", "failure.csv", "remaining.csv")


class Folder(Protocol):
    """Reads a report folder. A file that cannot be read is None or empty."""

    def digests(self) -> Mapping[str, Digest]:
        """Return everything in the folder by name, digested."""
        ...

    def small(self, name: str) -> bytes | None:
        """Return a whole file that is small when it is ours."""
        ...

    def lines(self, name: str, limit: int) -> Iterable[bytes]:
        """Yield the lines of a file with their ends.

        One that is longer than ``limit`` bytes comes as ``b""``.
        """
        ...

    def texts(self, name: str) -> Iterable[str] | None:
        """Yield the lines of a UTF-8 text file with their ends, None without one.

        Raises:
            ValueError: While they are read: no UTF-8, or a line that is too long.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check came to, besides its faults.

    Attributes:
        campaign_id: As ``evidence.json`` names it; "" where it does not.
        n_files: Files in the folder.
        n_bytes: In all of them.
        n_lines: Of the journal.
        n_rows: Of ``results.csv``.
        signed: By whom.
        approval: The plan's approval as the genesis holds it, or None.
        is_approver_pinned: Its key is one that the reader trusts.
    """

    campaign_id: str
    n_files: int
    n_bytes: int
    n_lines: int
    n_rows: int
    signed: Signed
    approval: Approval | None
    is_approver_pinned: bool


def check_folder(
    folder: Folder,
    faults: Faults,
    *,
    trusted: Mapping[str, PublicKey] | None = None,
    trusted_approvers: Mapping[str, PublicKey] | None = None,
) -> Checked:
    """Check everything that can be checked offline; every fault is added to ``faults``.

    Args:
        folder: To read.
        faults: Where faults go; none = the evidence holds.
        trusted: Keys that may have signed it, by fingerprint; none = nobody is pinned.
        trusted_approvers: Keys that may have approved the plan; the same.
    """
    digests = folder.digests()
    raw = folder.small(EVIDENCE)
    evidence: Mapping[str, Any] = {}
    if raw is None:
        faults.add(
            "file_missing",
            EVIDENCE,
            None,
            "the list of files is missing, or too large to be one",
        )
    else:
        check_seal(raw, faults)
        evidence = read_document(EVIDENCE, raw, faults)
    check_files(evidence, digests, faults)
    summary = _summary(folder, faults)
    chain, story = _journal(folder, evidence, summary, faults)
    check_documents(evidence, summary, story.genesis, faults)
    sheets = {name: folder.texts(name) for name in _SHEETS}
    by_results = check_sheets(sheets, story.outcome, story.n_rows, faults)
    by_journal = story.outcomes() if story.genesis else {}
    exit_code = story.exit_code if story.genesis else None
    check_totals(summary, by_journal, by_results, exit_code, faults)
    beside = {name: folder.small(name) for name in _beside(digests)}
    signed = check_signature(
        {name: content for name, content in beside.items() if content is not None},
        trusted or {},
        str(evidence.get("written_at", "")),
        faults,
    )
    approval = _approval(story.genesis, trusted_approvers or {}, signed.by, faults)
    return Checked(
        campaign_id=visible(str(evidence.get("campaign_id", "")), 200),
        n_files=len(digests),
        n_bytes=sum(digest.n_bytes for digest in digests.values()),
        n_lines=chain.n_lines,
        n_rows=sum(by_results.values()),
        signed=signed,
        approval=approval,
        is_approver_pinned=approval is not None
        and approval.key_id in (trusted_approvers or {}),
    )


def _beside(digests: Mapping[str, Digest]) -> Iterator[str]:
    names = (EVIDENCE, SIGNATURE, PUBLIC_KEY, CERTIFICATE)
    return (name for name in names if name in digests)


def _summary(folder: Folder, faults: Faults) -> Mapping[str, Any]:
    raw = folder.small(SUMMARY)
    return {} if raw is None else read_document(SUMMARY, raw, faults)


def _journal(
    folder: Folder,
    evidence: Mapping[str, Any],
    summary: Mapping[str, Any],
    faults: Faults,
) -> tuple[Chain, Story]:
    chain = Chain(JOURNAL, faults, heads(evidence, summary))
    story = Story(JOURNAL, faults)
    for line in folder.lines(JOURNAL, MAX_LINE_BYTES):
        if not line:
            chain.skip(f"a line of over {MAX_LINE_BYTES} bytes")
            continue
        ended = line.endswith(b"\n")
        event = chain.add(line[:-1] if ended else line, ended=ended)
        if event is not None:
            story.add(chain.n_lines, event)
    chain.end(journal_lines(evidence))
    return chain, story


def _approval(
    genesis: Mapping[str, Any],
    trusted: Mapping[str, PublicKey],
    signed_by: str,
    faults: Faults,
) -> Approval | None:
    """Return the approval in a genesis, with its signature checked again.

    ``signed_by`` is the key that signed the folder, which is the operator's.
    """
    purpose = genesis.get("purpose")
    purpose = purpose if isinstance(purpose, dict) else {}
    text = purpose.get("approval")
    if not text:
        if trusted:
            message = "the genesis holds no signed approval"
            faults.add("approval_missing", JOURNAL, 1, message)
        return None
    try:
        approval = read_approval(str(text).encode("utf-8", "replace"))
    except PlanRefused as exc:
        faults.add(exc.code, JOURNAL, 1, exc.message)
        return None
    said = {
        "approved_by": (purpose.get("approved_by"), approval.approver),
        "approved_at": (purpose.get("approved_at"), approval.approved_at),
        "approval_key": (purpose.get("approval_key"), approval.key_id),
    }
    for key, (stands, signed) in said.items():
        faults.same(
            JOURNAL, f"{key} (in the approval)", expected=signed, found=stands, line=1
        )
    try:
        check_approval(
            approval,
            plan_sha256=str(genesis.get("plan_sha256")),
            requesters=(
                str(purpose.get("requested_by", "")),
                str(genesis.get("operator", "")),
            ),
            requester_key=signed_by,
            trusted=trusted,
        )
    except PlanRefused as exc:
        faults.add(exc.code, JOURNAL, 1, exc.message)
    return approval
