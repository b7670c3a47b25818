"""Every row's verdict against what Command showed, and what the plan comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.plan import (
    Directory,
    Verdict,
    Wish,
    resolve,
    wish_of,
)
from batch_reenroll.campaign.planfile import PlanDigest, digested
from batch_reenroll.campaign.reasons import EXPLANATIONS, Reason
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.rows import Row
from batch_reenroll.cli.source import Source, named
from batch_reenroll.errors import PlanRefused, UsageError
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.manifest import Manifest, ManifestRow

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

    def all_of(self, source: Source) -> Iterator[PlannedRow]:
        """Yield every row of ``source`` with its verdict, and count.

        Raises:
            ReenrollError: As the source says.
            UsageError: After the last row, when none is in the wave asked for.
        """
        self.counts.clear()
        self.reasons.clear()
        digest = PlanDigest()
        in_wave = 0
        rows = source.rows(self)
        for row in rows if source.sha256 else digested(source.draft, rows, digest):
            in_wave += row.wave == self.choice.only_wave
            self.counts[row.skipped or State.PENDING] += 1
            if row.verdict.reason is not None:
                self.reasons[row.verdict.reason] += 1
            yield row
        wave = self.choice.only_wave
        if wave is not None and not in_wave:
            name = source.draft.manifest_name
            message = f"--only-wave {wave!r}: no row of {name} is in it"
            raise UsageError(message, hint="rows name their wave in the column Wave")
        self.digest = source.sha256 or digest.hexdigest()

    def count(self, source: Source) -> None:
        """Give every row its verdict once, to know the numbers."""
        for _ in self.all_of(source):
            pass

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

    def planned(self, row: ManifestRow) -> PlannedRow:
        """Return a manifest's row with its verdict."""
        wish = Wish(**{name: getattr(row, name) for name in _WISHES})
        verdict = resolve(wish, self.directory)
        return self._judged(
            PlannedRow(
                row_no=row.row_no,
                row_id=row.row_id,
                cells=row.cells,
                verdict=verdict,
                current_thumbprint=row.current_thumbprint,
                wave=row.wave,
            )
        )

    def rechecked(self, row: PlannedRow) -> PlannedRow:
        """Return a plan's row with its verdict as it is now.

        What the plan skips stays skipped; what may go must still be able to, as the
        plan says: the store at the same orchestrator, and the request unchanged.
        """
        if row.skipped is not None:
            return row
        verdict = resolve(wish_of(row.request), self.directory)
        now = replace(verdict, request=row.request)
        return self._judged(replace(row, verdict=now))

    def _judged(self, row: PlannedRow) -> PlannedRow:
        if row.verdict.reason is not None:
            return replace(row, skipped=State.SKIPPED_PREFLIGHT)
        skipped, verdict = self._excluded(row.wave, row.verdict)
        return replace(row, skipped=skipped, verdict=verdict)

    def _excluded(
        self, wave: str | None, verdict: Verdict
    ) -> tuple[State | None, Verdict]:
        choice, reason, message = self.choice, None, ""
        if choice.only_wave is not None and wave != choice.only_wave:
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
    return replace(verdict, reason=reason, message=message)


def _as_row(verdict: Verdict) -> Row:
    return Row(
        row_no=1,
        row_id="",
        state=State.PENDING,
        request=verdict.request,
        orchestrator=verdict.orchestrator,
        client_machine=verdict.client_machine,
        store_path=verdict.store_path,
        capability=verdict.capability,
        place_unique=verdict.place_unique,
    )


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


def write_campaign(
    ledger: SqliteLedger,
    source: Source,
    planner: Planner,
    *,
    campaign_id: str | None,
    now_utc: datetime,
) -> Campaign:
    """Give every row its verdict once more and write the campaign, or nothing.

    Raises:
        ManifestRejected, PlanRefused: As the rows say now.
        UsageError: The file changed meanwhile, or ``campaign_id`` is no good.
    """
    draft = source.draft
    campaign = named(draft, campaign_id, now_utc)

    def confirm(_: int) -> None:
        planner.refuse_hopeless()

    def digests() -> tuple[str, str]:
        return draft.manifest_sha256, planner.digest

    return ledger.create(
        replace(campaign, requests=planner.requests),
        planner.all_of(source),
        at=now_utc,
        digests=digests,
        confirm=confirm,
    )
