"""What a planner finds of a real manifest, as the facts of the plan's page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from unit.report.reading import Outline

from batch_reenroll.campaign.board import JobBoard
from batch_reenroll.campaign.calendar import Calendar
from batch_reenroll.campaign.forecast import Advice, Forecast, OrchestratorForecast
from batch_reenroll.campaign.nouns import Orchestrator, Store, StoreType
from batch_reenroll.campaign.permissions import NeededRight, Permissions
from batch_reenroll.campaign.plan import Directory
from batch_reenroll.campaign.preflight import Enrollment
from batch_reenroll.cli.choice import Choice
from batch_reenroll.cli.files import validated
from batch_reenroll.cli.plan import settings_for
from batch_reenroll.cli.planning import Planner
from batch_reenroll.cli.planpage import facts_of, moment, write_page
from batch_reenroll.cli.source import ManifestSource
from batch_reenroll.errors import UsageError
from batch_reenroll.report import PlanFacts

NOW = datetime(2026, 11, 23, 18, 40, tzinfo=UTC)
AGENT = "00000000-0000-4000-8000-00000000000a"
HEADER = """\
version: 1
campaign: {name: q4, ticket: CHG0042, deadline: 2026-12-01T00:00:00Z}
"""
WAVES_AND_WINDOWS = """\
windows: [{cron: '0 22 * * SAT', timezone: America/Chicago, duration: 8h, cutoff: 30m}]
blackouts: [{from: 2026-12-24T00:00:00Z, to: 2026-12-27T00:00:00Z}]
waves: [{name: canary, size: 1, soak: 30m, max_failures: 0}, {name: rest}]
"""


def store_id(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012}"


def store(n: int, store_type: int) -> Store:
    return Store(
        store_id=store_id(n),
        agent_id=AGENT,
        client_machine=f"web{n}",
        store_path="My",
        store_type=store_type,
        approved=True,
        agent_assigned=True,
        container="",
        reenrollable=True,
        reenrollment_message="",
        inventory_scheduled=True,
    )


def directory(n_stores: int) -> Directory:
    """Return what a Command with stores 1 to ``n_stores`` of two types shows."""
    types = {
        n: StoreType(
            store_type=n,
            name=name,
            short_name=name,
            capability=name,
            supports_reenrollment=True,
        )
        for n, name in ((1, "IISU"), (2, "PEM"))
    }
    found = Directory(types=types, version="25.4.1", read_at=NOW)
    found.orchestrators[AGENT] = Orchestrator(
        agent_id=AGENT,
        client_machine="orch1",
        status=2,
        # Silent for two days: each row that goes is pointed out.
        last_seen=NOW - timedelta(days=2),
    )
    found.add_stores(store(n, 1 + n % 2) for n in range(1, n_stores + 1))
    return found


def planned(
    folder: Path,
    rows: Sequence[int],
    *,
    header: str = HEADER,
    choice: Choice | None = None,
) -> tuple[Planner, ManifestSource]:
    """Plan a manifest of the stores ``rows``, of which the first ten exist."""
    path = folder / "m.yaml"
    named = "SubjectName: CN=web, Alias: web"
    lines = [f"- {{KeystoreId: {store_id(n)}, {named}}}" for n in rows]
    path.write_text("\n".join((header, "rows:", *lines)), encoding="utf-8")
    checked = validated(path)
    source = ManifestSource(
        path,
        checked,
        settings=settings_for(checked, {}),
        command_url="https://command.example.com/KeyfactorAPI",
        now_utc=NOW,
    )
    settings = source.draft.settings
    planner = Planner(
        directory=directory(10),
        board=JobBoard(),
        taken=frozenset(),
        choice=choice or Choice(),
        requests={"other": 7},
        calendar=Calendar(settings.windows, settings.blackouts),
    )
    planner.count(source)
    return planner, source


def plan(folder: Path, rows: Sequence[int], header: str = HEADER) -> PlanFacts:
    planner, source = planned(folder, rows, header=header)
    return facts_of(planner, source, None, "")


def test_rows_are_counted_and_each_reason_has_five_examples(tmp_path: Path) -> None:
    facts = plan(tmp_path, range(4, 24))
    assert facts.counts == {"pending": 7, "skipped_preflight": 13}
    (unknown,) = facts.skipped
    assert (unknown.code, unknown.rows) == ("store_unknown", 13)
    assert "Command has no such certificate store" in unknown.meaning
    assert "KeystoreId" in unknown.advice
    assert [one.row_id for one in unknown.examples] == ["8", "9", "10", "11", "12"]
    assert store_id(11) in unknown.examples[0].message


def test_a_caution_has_examples_of_its_own(tmp_path: Path) -> None:
    (silent,) = plan(tmp_path, range(1, 12)).cautions
    assert (silent.code, silent.rows) == ("orchestrator_silent", 10)
    assert [one.row_id for one in silent.examples] == list("12345")
    assert silent.examples[0].message


def test_examples_are_those_of_the_last_count(tmp_path: Path) -> None:
    planner, source = planned(tmp_path, range(9, 13))
    planner.count(source)
    (unknown,) = planner.skipped_rows.values()
    (silent,) = planner.cautioned_rows.values()
    assert [one.row_id for one in unknown] == ["3", "4"]
    assert [one.row_id for one in silent] == ["1", "2"]


def test_waves_say_what_they_sample(tmp_path: Path) -> None:
    facts = plan(tmp_path, range(1, 11), HEADER + WAVES_AND_WINDOWS)
    canary, rest = facts.waves
    assert facts.n_kinds == 2
    assert (canary.named, canary.drawn, canary.sampled) == (0, 1, 1)
    assert len(canary.unsampled) == 1
    assert canary.unsampled[0].store_type in ("IISU", "PEM")
    assert (canary.soak_s, canary.max_failures) == (1800, "0")
    assert (rest.drawn, rest.unsampled, rest.max_failures) == (9, (), "")


def test_the_schedule_is_that_of_the_calendar(tmp_path: Path) -> None:
    schedule = plan(tmp_path, [1], HEADER + WAVES_AND_WINDOWS).schedule
    night = datetime(2026, 11, 29, 4, tzinfo=UTC)
    assert schedule.opens_at == schedule.open[0].start == night
    assert schedule.open[0].end == night + timedelta(hours=7.5)
    assert len(schedule.open) == 5
    assert schedule.windows == (
        "0 22 * * SAT (America/Chicago), 8 h, nothing in the last 30 min",
    )
    (blackout,) = schedule.blackouts
    assert blackout.end == datetime(2026, 12, 27, tzinfo=UTC)


@pytest.mark.parametrize(("days", "weeks"), [(1, 5), (40, 6), (900, 13)])
def test_the_schedule_reaches_to_the_week_of_the_end_but_not_for_years(
    tmp_path: Path, days: int, weeks: int
) -> None:
    planner, source = planned(tmp_path, [1])
    end = NOW + timedelta(days=days)
    facts = facts_of(planner, source, forecast_until(end.timestamp()), "")
    frame = facts.schedule.frame
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert frame.start == NOW
    assert frame.end == monday + timedelta(weeks=weeks)


def forecast_until(p95: float) -> Forecast:
    one = OrchestratorForecast(
        orchestrator="orch1",
        rows=1,
        p50=NOW.timestamp() + 60,
        p95=p95,
        late_s=math.inf if math.isinf(p95) else None,
        job_s=15.0,
        row_s=20.0,
        heartbeat_s=60.0,
        n_samples=3,
    )
    advice = Advice(
        code="rate",
        change="raise the pace",
        p50=NOW.timestamp(),
        p95=NOW.timestamp() + 30,
        gain_s=30.0,
        meets_deadline=True,
    )
    return Forecast(
        p50=one.p50,
        p95=p95,
        deadline=NOW.timestamp() + 90,
        late_s=one.late_s,
        chance=0.5,
        lower_bound=NOW.timestamp() + 5,
        bound_by="rate",
        orchestrators=(one,),
        advice=(advice,),
    )


def test_a_forecast_keeps_its_figures_and_never_becomes_none(tmp_path: Path) -> None:
    planner, source = planned(tmp_path, [1])
    found = facts_of(planner, source, forecast_until(math.inf), "").forecast
    assert found is not None
    assert found.start == NOW
    assert found.p50 == NOW + timedelta(seconds=60)
    assert found.p95 is None
    assert found.deadline == NOW + timedelta(seconds=90)
    assert found.lower_bound == NOW + timedelta(seconds=5)
    (one,) = found.orchestrators
    assert (one.name, one.rows, one.job_s, one.n_samples) == ("orch1", 1, 15.0, 3)
    assert (one.p95, one.late_s) == (None, math.inf)
    (advice,) = found.advice
    assert (advice.change, advice.gain_s) == ("raise the pace", 30.0)


def test_a_moment_beyond_all_calendars_is_never() -> None:
    assert moment(math.inf) is None
    assert moment(1e300) is None
    assert moment(math.nan) is None
    assert moment(0.0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_facts_name_who_planned_what_within_which_limits(tmp_path: Path) -> None:
    choice = Choice(limit=3, strict=True, younger_than=timedelta(days=30))
    planner, source = planned(tmp_path, [1], choice=choice)
    facts = facts_of(planner, source, None, "no", plan_name="my plan.json")
    assert (facts.refusal, facts.plan_name) == ("no", "'my plan.json'")
    assert (facts.name, facts.ticket, facts.reason) == ("q4", "CHG0042", "")
    assert facts.deadline == datetime(2026, 12, 1, tzinfo=UTC)
    assert facts.planned_at == NOW
    assert facts.command_version == "25.4.1"
    assert facts.plan_sha256 == planner.digest
    assert facts.manifest_sha256 == source.draft.manifest_sha256
    assert facts.requests == {"other": 7}
    assert facts.limits["Pace"] == "at most 20 per second"
    assert facts.limits["Budget"] == (
        "stops when failures exceed 20% of the ended rows, once 50 have ended"
    )
    assert facts.limits["Rows"] == "at most 3 (--limit)"
    assert facts.limits["Left as rotated"] == "issued within 30 days"
    assert "Strict" in facts.limits


def test_the_page_is_written_beside_the_plan(tmp_path: Path) -> None:
    planner, source = planned(tmp_path, range(4, 14))
    facts = facts_of(planner, source, planner.forecast(source), "")
    path = tmp_path / "plan.html"
    write_page(path, facts)
    words = Outline(path.read_text(encoding="utf-8")).words
    assert "7 of 10 rows will be submitted and 3 cannot run" in words
    assert planner.digest in words
    with pytest.raises(UsageError, match="cannot be written"):
        write_page(tmp_path / "no" / "plan.html", facts)


def test_lists_that_could_not_be_read_and_rights_that_are_missing_are_told(
    tmp_path: Path,
) -> None:
    planner, source = planned(tmp_path, [1])
    unread = Enrollment(authorities_unread="no right")
    planner.directory.enrollment = unread
    lacking = Permissions(missing=(NeededRight.ENROLL_CSR,))
    planner.directory.permissions = lacking
    found = facts_of(planner, source, None, "")
    assert found.unread == ("CAs not checked: no right", *lacking.remarks)
