"""From a manifest to a campaign in the ledger: read, resolve, ask, write."""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from batch_reenroll import __version__
from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.plan import Directory, Verdict, Wish, resolve
from batch_reenroll.campaign.reasons import EXPLANATIONS, Reason
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.rows import Row
from batch_reenroll.campaign.settings import RunSettings
from batch_reenroll.cli.files import opener_for
from batch_reenroll.errors import ManifestRejected, PlanRefused, UsageError
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.manifest import Manifest, ManifestRow, open_manifest
from batch_reenroll.text import canonical_json, rfc3339

_CAMPAIGN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WISHES = tuple(f.name for f in fields(Wish))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which rows of a manifest are meant.

    Attributes:
        limit: Rows that may be submitted, or None for all; >= 1.
        only_wave: Only rows whose ``Wave`` is this, or None.
        strict: Refuse the plan when any row cannot run.
    """

    limit: int | None = None
    only_wave: str | None = None
    strict: bool = False


@dataclass(slots=True, kw_only=True)
class Planner:
    """Resolves rows of one manifest against what Command showed.

    Attributes:
        requests: Requests that reading all this took, by kind.
        counts: Rows by what becomes of them: ``pending``, or how they are skipped.
        reasons: Skipped rows by reason.
    """

    directory: Directory
    board: JobBoard
    taken: frozenset[str]
    choice: Choice
    requests: Mapping[str, int] = field(default_factory=dict)
    counts: Counter[State] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    digest: str = ""

    def planned(self, manifest: Manifest) -> Iterator[PlannedRow]:
        """Yield every row with its verdict, and count.

        Raises:
            ManifestRejected: After the last row, when any had a fault.
            UsageError: After the last row, when none is in the wave asked for.
        """
        self.counts.clear()
        self.reasons.clear()
        sha256 = hashlib.sha256()
        in_wave = 0
        for wish in manifest.rows():
            row = self._planned(wish)
            in_wave += row.wave == self.choice.only_wave
            self.counts[row.skipped or State.PENDING] += 1
            if row.verdict.reason is not None:
                self.reasons[row.verdict.reason] += 1
            sha256.update(canonical_json(row.digest_line()).encode() + b"\n")
            yield row
        if manifest.problems:
            raise ManifestRejected(manifest.problems)
        wave = self.choice.only_wave
        if wave is not None and not in_wave:
            message = f"--only-wave {wave!r}: no row of {manifest.name} is in it"
            raise UsageError(message, hint="rows name their wave in the column Wave")
        self.digest = sha256.hexdigest()

    def refuse_hopeless(self) -> None:
        """Raise :class:`PlanRefused` when no row can run, or any cannot if strict.

        A plan whose rows are all rotated already or excluded is not refused: there is
        nothing to do, and nothing is wrong.
        """
        blocked = self.counts[State.SKIPPED_PREFLIGHT]
        can_run = self.counts[State.PENDING]
        if blocked and (self.choice.strict or not can_run):
            which = "not every row can run" if can_run else "no row can run"
            causes = "; ".join(
                f"{n} × {reason}: {EXPLANATIONS[reason].meaning}"
                for reason, n in self.reasons.most_common(5)
            )
            message = f"the plan is refused: {which} ({blocked} cannot)"
            raise PlanRefused(message, hint=causes)

    def _planned(self, row: ManifestRow) -> PlannedRow:
        wish = Wish(**{name: getattr(row, name) for name in _WISHES})
        verdict = resolve(wish, self.directory)
        skipped = None
        if verdict.reason is None:
            skipped, verdict = self._excluded(row, verdict)
        else:
            skipped = State.SKIPPED_PREFLIGHT
        return PlannedRow(
            row_no=row.row_no,
            row_id=row.row_id,
            cells=row.cells,
            verdict=verdict,
            skipped=skipped,
            current_thumbprint=row.current_thumbprint,
            wave=row.wave,
        )

    def _excluded(
        self, row: ManifestRow, verdict: Verdict
    ) -> tuple[State | None, Verdict]:
        choice, reason, message = self.choice, None, ""
        if choice.only_wave is not None and row.wave != choice.only_wave:
            reason = Reason.EXCLUDED_BY_WAVE
            message = f"the row is not in wave {choice.only_wave}"
        elif choice.limit is not None and self.counts[State.PENDING] >= choice.limit:
            reason = Reason.EXCLUDED_BY_LIMIT
            message = f"the row lies beyond --limit {choice.limit}"
        if reason is not None:
            return State.SKIPPED_EXCLUDED, _because(verdict, reason, message)
        return self._pending_elsewhere(verdict)

    def _pending_elsewhere(self, verdict: Verdict) -> tuple[State | None, Verdict]:
        store_id = verdict.request.keystore_id
        if store_id in self.taken:
            reason = Reason.STORE_IN_FLIGHT
            message = "another campaign in this ledger is not done with the store"
            return State.SKIPPED_PREFLIGHT, _because(verdict, reason, message)
        jobs = sorted(self.board.pending_at(_as_row(verdict)))
        if jobs:
            message = "a reenrollment of the store is pending: " + ", ".join(jobs)
            return (
                State.SKIPPED_PREFLIGHT,
                _because(verdict, Reason.JOB_PENDING, message),
            )
        return None, verdict


def _because(verdict: Verdict, reason: Reason, message: str) -> Verdict:
    return Verdict(
        request=verdict.request,
        reason=reason,
        message=message,
        store=verdict.store,
        orchestrator=verdict.orchestrator,
        store_type=verdict.store_type,
        capability=verdict.capability,
        place_unique=verdict.place_unique,
    )


def _as_row(verdict: Verdict) -> Row:
    store = verdict.store
    return Row(
        row_no=1,
        row_id="",
        state=State.PENDING,
        request=verdict.request,
        orchestrator=verdict.orchestrator,
        client_machine=store.client_machine if store else "",
        store_path=store.store_path if store else "",
        capability=verdict.capability,
        place_unique=verdict.place_unique,
    )


def opened(path: Path) -> Manifest:
    """Open a manifest file.

    Raises:
        ManifestRejected: Its header or the file itself has faults.
    """
    return open_manifest(path, opener_for(path))


def validated(path: Path) -> Manifest:
    """Read a manifest to its end; return it, exhausted and without fault.

    Raises:
        ManifestRejected: With every fault.
    """
    manifest = opened(path)
    for _ in manifest.rows():
        pass
    if manifest.problems:
        raise ManifestRejected(manifest.problems)
    return manifest


def refuse_unsupported(manifest: Manifest) -> None:
    """Refuse what this version would not carry out as it is written.

    Ignoring a window or a wave would submit outside of what was approved.
    """
    header = manifest.header
    blocks = {
        "windows": header.windows,
        "blackouts": header.blackouts,
        "waves": header.waves,
    }
    present = [name for name, value in blocks.items() if value]
    if present:
        message = (
            f"{manifest.name}: this version validates {', '.join(present)} "
            "but does not carry them out yet"
        )
        hint = "take the block out, and run one manifest (or --only-wave) at a time"
        raise PlanRefused(message, code="not_supported_yet", hint=hint)


def new_campaign(
    manifest: Manifest,
    path: Path,
    *,
    campaign_id: str | None,
    command_url: str,
    settings: RunSettings,
    now_utc: datetime,
) -> Campaign:
    """Return the campaign that is about to be written.

    Raises:
        UsageError: ``campaign_id`` cannot name a folder.
    """
    if campaign_id is not None and not _CAMPAIGN_ID.fullmatch(campaign_id):
        message = f"--campaign {campaign_id!r} is no campaign id"
        hint = "up to 100 letters, digits, '.', '_' and '-', a letter or digit first"
        raise UsageError(message, hint=hint)
    block = manifest.header.campaign
    name = re.sub(r"[^A-Za-z0-9]+", "-", block.name or path.stem).strip("-").lower()
    stamp = now_utc.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    return Campaign(
        campaign_id=campaign_id or f"{name[:60] or 'campaign'}-{stamp}",
        command_url=command_url,
        purpose={
            "name": block.name,
            "reason": block.reason,
            "ticket": block.ticket,
            "requested_by": block.requested_by,
            "approved_by": block.approved_by,
            "owner": block.owner,
            "deadline": rfc3339(block.deadline) if block.deadline else "",
        },
        columns=manifest.columns,
        defaults=manifest.header.default_cells(),
        manifest_name=manifest.name,
        manifest_path=str(path.resolve()),
        settings=settings,
        operator=operator(),
        host=socket.gethostname(),
        tool_version=__version__,
        created_at=rfc3339(now_utc),
    )


def operator() -> str:
    """Return the name of the account that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def write_campaign(
    ledger: SqliteLedger,
    campaign: Campaign,
    planner: Planner,
    path: Path,
    *,
    expected_sha256: str,
    now_utc: datetime,
) -> Campaign:
    """Resolve the manifest's rows once more and write the campaign, or nothing.

    Raises:
        ManifestRejected, PlanRefused: As the rows say now.
        UsageError: The manifest changed since it was validated.
    """
    manifest = opened(path)
    campaign = replace(campaign, requests=planner.requests)

    def confirm(_: int) -> None:
        if manifest.sha256 != expected_sha256:
            message = f"{manifest.name} changed while it was being planned"
            raise UsageError(message, hint="run the command again")
        planner.refuse_hopeless()

    def digests() -> tuple[str, str]:
        return manifest.sha256, planner.digest

    return ledger.create(
        campaign,
        planner.planned(manifest),
        at=now_utc,
        digests=digests,
        confirm=confirm,
    )
