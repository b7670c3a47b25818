"""Every row's verdict against what Command showed, and what the plan comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import NamedTuple

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.draw import Coverage, WaveRow, assign
from batch_reenroll.campaign.durations import JobSample
from batch_reenroll.campaign.forecast import Forecast
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import JobRecord
from batch_reenroll.campaign.plan import (
    Directory,
    Verdict,
    Wish,
    resolve,
    wish_of,
)
from batch_reenroll.campaign.planfile import PlanDigest, digested
from batch_reenroll.campaign.preflight import IGNORABLE, holding
from batch_reenroll.campaign.reasons import EXPLANATIONS, Reason
from batch_reenroll.campaign.record import Campaign, PlannedRow
from batch_reenroll.campaign.rows import Row
from batch_reenroll.cli.choice import Choice
from batch_reenroll.cli.forecasting import Load, forecast, load_of
from batch_reenroll.cli.source import Source, named
from batch_reenroll.errors import PlanRefused, UsageError
from batch_reenroll.ledger import SqliteLedger
from batch_reenroll.manifest import ManifestRow
from batch_reenroll.runner import Held
from batch_reenroll.text import parse_time, rfc3339

#: Stands in where nobody asked when Command was read.
NEVER = datetime.min.replace(tzinfo=UTC)

_WISHES = tuple(f.name for f in fields(Wish))

#: Rows that are named for one reason.
N_EXAMPLES = 5


class Example(NamedTuple):
    """A row that a reason holds for: its id, and what was said of it."""

    row_id: str
    message: str


@dataclass(slots=True, kw_only=True)
class Planner:
    """Resolves rows of one manifest against what Command showed.

    Attributes:
        requests: Requests that reading all this took, by kind.
        counts: Rows by what becomes of them: ``pending``, or how they are skipped.
        reasons: Skipped rows by reason.
        cautions: Rows that may go by what is pointed out about them.
        skipped_rows, cautioned_rows: The first rows of each reason and each caution,
            at most :data:`N_EXAMPLES`.
        loads: Rows that may go by what a prediction tells apart.
        past: The newest rows of JobHistory.
        waited: How long jobs of earlier campaigns waited.
        inventories: What stores hold, by GUID, of those that were looked at.
        calendar: When rows may be submitted.
        of_waves: The same for waves that have windows of their own, by name.
        drawn: Which row is in which wave, None before they were drawn or where the
            rows say it themselves.
    """

    directory: Directory
    board: JobBoard
    taken: frozenset[str]
    choice: Choice
    requests: Mapping[str, int] = field(default_factory=dict)
    counts: Counter[State] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    cautions: Counter[Reason] = field(default_factory=Counter)
    skipped_rows: dict[Reason, list[Example]] = field(default_factory=dict)
    cautioned_rows: dict[Reason, list[Example]] = field(default_factory=dict)
    digest: str = ""
    loads: Counter[Load] = field(default_factory=Counter)
    past: Sequence[JobRecord] = ()
    waited: Sequence[JobSample] = ()
    inventories: Mapping[str, Held] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=Calendar)
    of_waves: Mapping[str, Calendar] = field(default_factory=dict)
    drawn: Drawn | None = None
    _is_drawing: bool = False

    def draw_waves(self, source: Source) -> None:
        """Decide which row is in which wave, once; a plan's rows say it already."""
        waves = source.draft.settings.waves
        if not waves or source.sha256 or self.drawn is not None:
            return
        self._is_drawing = True
        rows = [_wave_row(row) for row in source.rows(self) if row.skipped is None]
        self._is_drawing = False
        result = assign(rows, waves, seed=source.draft.manifest_sha256)
        numbers = (row.row_no for row in rows)
        self.drawn = Drawn(
            waves=dict(zip(numbers, result.waves, strict=True)),
            coverage=result.coverage,
            strata=result.strata,
        )

    def all_of(self, source: Source) -> Iterator[PlannedRow]:
        """Yield every row of ``source`` with its verdict, and count.

        Raises:
            ReenrollError: As the source says.
            UsageError: After the last row, when none is in the wave asked for.
        """
        for kept in (
            *(self.counts, self.reasons, self.cautions, self.loads),
            *(self.skipped_rows, self.cautioned_rows),
        ):
            kept.clear()
        digest = PlanDigest()
        in_wave = 0
        rows = source.rows(self)
        for row in rows if source.sha256 else digested(source.draft, rows, digest):
            in_wave += row.wave == self.choice.only_wave
            self._count(row)
            yield row
        wave = self.choice.only_wave
        if wave is not None and not in_wave:
            name = source.draft.manifest_name
            message = f"--only-wave {wave!r}: no row of {name} is in it"
            raise UsageError(message, hint="rows name their wave in the column Wave")
        self.digest = source.sha256 or digest.hexdigest()

    def _count(self, row: PlannedRow) -> None:
        verdict = row.verdict
        self.counts[row.skipped or State.PENDING] += 1
        if verdict.reason is not None:
            self.reasons[verdict.reason] += 1
            said = Example(row.row_id, verdict.message)
            _keep(self.skipped_rows, verdict.reason, said)
        if row.skipped is not None:
            return
        self.loads[load_of(row)] += 1
        for reason, message in dict(verdict.cautions).items():
            self.cautions[reason] += 1
            _keep(self.cautioned_rows, reason, Example(row.row_id, message))

    def forecast(self, source: Source) -> Forecast | None:
        """Return when the campaign would be done; None where nothing is to be done.

        To be asked once the rows have been counted.
        """
        start = parse_time(source.draft.created_at) or NEVER
        return forecast(
            source.draft, self.loads, self.past, start=start, waited=self.waited
        )

    def stores_of(self, source: Source) -> list[str]:
        """Return the stores of rows that may go, each once, in manifest order."""
        if self.choice.only_wave is not None:
            # Else nobody knows yet which rows those are.
            self.draw_waves(source)
        rows = self.all_of(source)
        stores = (row.request.keystore_id for row in rows if row.skipped is None)
        return list(dict.fromkeys(stores))

    def count(self, source: Source) -> None:
        """Give every row its verdict once, to know the numbers."""
        self.draw_waves(source)
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
        verdict = resolve(wish, self.directory, ignore=self.choice.ignore)
        return self._judged(
            PlannedRow(
                row_no=row.row_no,
                row_id=row.row_id,
                cells=row.cells,
                verdict=verdict,
                current_thumbprint=row.current_thumbprint,
                wave=row.wave,
                deadline=rfc3339(row.deadline) if row.deadline else None,
                endpoint=str(row.endpoint) if row.endpoint else "",
            )
        )

    def rechecked(self, row: PlannedRow) -> PlannedRow:
        """Return a plan's row with its verdict as it is now.

        What the plan skips stays skipped; what may go must still be able to, as the
        plan says: the store at the same orchestrator, and the request unchanged. An
        obstacle that the plan only points out was ignored when it was made.
        """
        if row.skipped is not None:
            return row
        wish = wish_of(row.request)
        said = {reason for reason, _ in row.verdict.cautions}
        ignore = self.choice.ignore | (said & IGNORABLE)
        verdict = resolve(wish, self.directory, ignore=ignore)
        now = replace(verdict, request=row.request)
        return self._judged(replace(row, verdict=now))

    def _judged(self, row: PlannedRow) -> PlannedRow:
        if row.verdict.reason is not None:
            return replace(row, skipped=State.SKIPPED_PREFLIGHT)
        if self.drawn is not None:
            row = replace(row, wave=self.drawn.waves.get(row.row_no, row.wave))
        excluded = None if self._is_drawing else self._excluded(row)
        if excluded is not None:
            verdict = _because(row.verdict, *excluded)
            return replace(row, skipped=State.SKIPPED_EXCLUDED, verdict=verdict)
        taken = self._pending_elsewhere(row.verdict)
        if taken is not None:
            verdict = _because(row.verdict, *taken)
            return replace(row, skipped=State.SKIPPED_PREFLIGHT, verdict=verdict)
        return self._held(row)

    def _held(self, row: PlannedRow) -> PlannedRow:
        """Return the row with what its store's inventory says of it."""
        held = self.inventories.get(row.request.keystore_id)
        if held is None:
            return row
        verdict = row.verdict
        if held.inventory is None:
            unread = (Reason.INVENTORY_UNREADABLE, held.message)
            return replace(
                row, verdict=replace(verdict, cautions=(*verdict.cautions, unread))
            )
        said = holding(
            replace(_as_row(verdict), current_thumbprint=row.current_thumbprint),
            held.inventory,
            kind=self.directory.type_of(row.request.keystore_id),
            younger_than=self.choice.younger_than,
            calendar=self.of_waves.get(row.wave or "", self.calendar),
            now=self.directory.read_at or NEVER,
        )
        if said.rotated is not None:
            verdict = _because(verdict, *said.rotated)
            return replace(row, skipped=State.SKIPPED_ALREADY_ROTATED, verdict=verdict)
        broken = said.obstacle
        if broken is not None and broken.reason not in self.choice.ignore:
            verdict = _because(verdict, *broken)
            return replace(row, skipped=State.SKIPPED_PREFLIGHT, verdict=verdict)
        # The inventory knows which aliases there are; before it, the alias was a guess.
        guessed = [c for c in verdict.cautions if c[0] is not Reason.ALIAS_RULE]
        known = [broken] if broken is not None else said.cautions
        return replace(
            row,
            verdict=replace(verdict, cautions=(*guessed, *known)),
            current_thumbprint=row.current_thumbprint or said.thumbprint,
        )

    def _excluded(self, row: PlannedRow) -> tuple[Reason, str] | None:
        choice = self.choice
        if self.drawn is not None and row.wave is None:
            if row.row_no in self.drawn.waves:
                message = "the waves' sizes leave no place for the row"
                return Reason.EXCLUDED_BY_WAVE, message
            return None
        if choice.only_wave is not None and row.wave != choice.only_wave:
            message = f"the row is not in wave {choice.only_wave}"
            return Reason.EXCLUDED_BY_WAVE, message
        if choice.limit is not None and self.counts[State.PENDING] >= choice.limit:
            message = f"the row lies beyond --limit {choice.limit}"
            return Reason.EXCLUDED_BY_LIMIT, message
        return None

    def _pending_elsewhere(self, verdict: Verdict) -> tuple[Reason, str] | None:
        store_id = verdict.request.keystore_id
        if store_id in self.taken:
            message = "another campaign in this ledger is not done with the store"
            return Reason.STORE_IN_FLIGHT, message
        jobs = sorted(self.board.pending_at(_as_row(verdict)))
        if jobs:
            message = "a reenrollment of the store is pending: " + ", ".join(jobs)
            return Reason.JOB_PENDING, message
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The waves as they were drawn.

    Attributes:
        waves: By row number, of rows that can run; None = no wave has a place left.
        coverage: What each wave samples, in their order.
        strata: Kinds of rows there are.
    """

    waves: Mapping[int, str | None]
    coverage: tuple[Coverage, ...]
    strata: int


def _keep(known: dict[Reason, list[Example]], reason: Reason, example: Example) -> None:
    examples = known.setdefault(reason, [])
    if len(examples) < N_EXAMPLES:
        examples.append(example)


def _wave_row(row: PlannedRow) -> WaveRow:
    verdict = row.verdict
    return WaveRow(
        row_no=row.row_no,
        store_type=verdict.store_type,
        orchestrator=verdict.orchestrator or row.request.agent_guid,
        authority=row.request.certificate_authority or "",
        wave=row.wave,
    )


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
    planner.draw_waves(source)
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
