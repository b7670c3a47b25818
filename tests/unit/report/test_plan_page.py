"""The plan's page: what it answers, and that nothing foreign can act in it."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from unit.report.planned import (
    DEADLINE,
    HOUR,
    PLANNED,
    always,
    forecast,
    late_fleet,
    orchestrator,
    plan_facts,
    reason,
    saturdays,
)
from unit.report.reading import Outline

from batch_reenroll.report import PlanFacts, plan_page
from batch_reenroll.report.plan_facts import (
    AdviceFacts,
    ExampleFacts,
    KindFacts,
    ReasonFacts,
    WaveFacts,
)
from batch_reenroll.report.plan_words import lasting, late_text, verdict


def outline_of(facts: PlanFacts) -> Outline:
    return Outline(plan_page(facts).decode())


def words_of(facts: PlanFacts) -> str:
    return outline_of(facts).words


def test_a_plan_that_would_run_says_so_with_the_command_that_runs_it() -> None:
    words = words_of(plan_facts())
    assert "Yes, it would run" in words
    assert "All 10 rows will be submitted." in words
    assert "batch-reenroll run plan.json" in words


def test_what_could_not_be_looked_at_is_told_in_the_same_words_as_elsewhere() -> None:
    unread = ("CAs not checked: no right", "templates not checked: <gone>")
    words = words_of(plan_facts(unread=unread))
    assert all(text in words for text in unread)
    assert "What to look at before it starts" in words
    assert "These rows will be submitted all the same." not in words


def test_what_the_prediction_takes_for_granted_is_listed() -> None:
    found = forecast(assumptions=("Nobody else is there.",))
    assert "Nobody else is there." in words_of(plan_facts(forecast=found))


def test_a_refused_plan_says_why_and_offers_no_command() -> None:
    facts = plan_facts(
        refusal="the plan is refused: no row can run (3 cannot)",
        counts={"skipped_preflight": 3},
    )
    words = words_of(facts)
    assert "No, it is refused" in words
    assert "The plan is refused: no row can run (3 cannot)." in words
    assert "0 of 3 rows would be submitted and 3 cannot run." in words
    assert "batch-reenroll run" not in words


def test_rows_are_told_by_what_becomes_of_them() -> None:
    facts = plan_facts(
        counts={
            "pending": 7,
            "skipped_preflight": 1,
            "skipped_already_rotated": 2,
            "skipped_excluded": 1,
        }
    )
    told = verdict(facts)
    assert (told.kind, told.answer) == ("mixed", "It would run in part")
    assert told.sentence == (
        "7 of 11 rows will be submitted, 2 are rotated already, 1 cannot run and "
        "1 is left out."
    )
    assert "can run 7 63.6 %" in words_of(facts)


def test_a_plan_without_work_is_no_failure() -> None:
    told = verdict(plan_facts(counts={"skipped_already_rotated": 4}))
    assert (told.kind, told.answer) == ("good", "There is nothing to do")


def test_a_reason_comes_with_its_meaning_advice_and_example_rows() -> None:
    facts = plan_facts(skipped=(reason("store_unknown", 90, examples=5),))
    words = words_of(facts)
    assert "90 What store_unknown means." in words
    assert "What to do about store_unknown." in words
    assert "Row 101 store 0 is none" in words
    assert "Row 105 store 4 is none" in words
    assert "· 85 more" in words


def test_a_caution_stands_apart_from_what_is_skipped() -> None:
    words = words_of(plan_facts(cautions=(reason("orchestrator_silent", 3),)))
    assert "What to look at before it starts" in words
    assert "What is skipped" not in words
    assert "3 remarks on rows that will be submitted" in words


def test_a_deadline_that_is_met_is_said_with_what_is_to_spare() -> None:
    words = words_of(plan_facts(forecast=forecast()))
    assert "half of the predicted courses end by 2026-11-23 19:40 UTC" in words
    assert "95 % by 2026-11-23 20:40 UTC" in words
    assert "P95 meets the deadline of 2026-11-24 00:40 UTC , 4 h to spare" in words
    assert "99 % of the predicted courses meet every deadline" in words
    assert "cannot end before 2026-11-23 19:22 UTC : the longest queue of one" in words


def test_a_missed_deadline_is_said_with_how_much_and_who() -> None:
    late = orchestrator("java-7", p95=PLANNED + 9 * HOUR, late_s=3 * 3600.0)
    found = forecast(
        p95=PLANNED + 9 * HOUR,
        late_s=3 * 3600.0,
        orchestrators=(late, orchestrator("iis-1")),
    )
    facts = plan_facts(forecast=found)
    told = verdict(facts)
    assert (told.kind, told.answer) == ("mixed", "It would run, but end late")
    (note,) = told.notes
    assert note.startswith(
        "P95 misses the deadline of 2026-11-24 00:40 UTC by 3 h; late by it: "
        "1 of 2 orchestrators."
    )
    words = words_of(facts)
    assert "Orchestrators, the late ones first" in words
    assert "java-7 40 18 s 120 2026-11-23 19:40 2026-11-24 03:40 3 h" in words


def test_what_never_ends_is_called_never() -> None:
    stuck = orchestrator("java-7", p50=None, p95=None, late_s=math.inf)
    found = forecast(
        p50=None,
        p95=None,
        late_s=math.inf,
        lower_bound=None,
        chance=0.0,
        orchestrators=(stuck,),
    )
    facts = plan_facts(forecast=found)
    assert "they will never all end" in verdict(facts).sentence
    words = words_of(facts)
    assert "java-7 40 18 s 120 never never never ends" in words
    assert "Under these limits the campaign cannot end" in words
    assert "it never ends" in words


def test_a_deadline_of_rows_alone_can_be_missed() -> None:
    late = orchestrator(late_s=60.0)
    found = forecast(deadline=None, late_s=60.0, orchestrators=(late,))
    assert "P95 misses a deadline by 1 min" in words_of(plan_facts(forecast=found))


def test_advice_says_what_it_brings_and_whether_it_is_enough() -> None:
    advice = AdviceFacts(
        change="allow 8 rows in flight per orchestrator",
        p50=PLANNED,
        p95=PLANNED + HOUR,
        gain_s=math.inf,
        meets_deadline=True,
    )
    words = words_of(plan_facts(forecast=forecast(advice=(advice,))))
    assert "What would help" in words
    assert "allow 8 rows in flight per orchestrator 2026-11-23 19:40 – met" in words


def test_without_a_forecast_the_page_says_so_and_keeps_the_deadline() -> None:
    words = words_of(plan_facts(deadline=DEADLINE))
    assert "No prediction was made." in words
    assert "The deadline is 2026-12-01 00:00 UTC." in words
    assert "What the prediction assumes" not in words


def test_five_hundred_orchestrators_are_all_in_the_table_and_thirty_in_the_chart() -> (
    None
):
    facts = late_fleet(500)
    outline = outline_of(facts)
    assert facts.forecast is not None
    for one in facts.forecast.orchestrators:
        assert one.name in outline.words
    assert "470 more end earlier" in outline.words
    assert "470 more orchestrators" in outline.words
    lanes = [v for _, name, v in outline.attributes if name == "class" and "lane" in v]
    assert sum(value.split()[0] == "lane" for value in lanes) == 32  # campaign, axis


def test_late_orchestrators_come_first_in_the_table_whenever_they_end() -> None:
    found = forecast(
        orchestrators=(
            orchestrator("ends-last"),
            orchestrator("own-deadline", late_s=60.0),
        )
    )
    table = words_of(plan_facts(forecast=found)).split("the late ones first")[1]
    assert table.index("own-deadline") < table.index("ends-last")


def test_an_orchestrator_without_history_is_told_from_others() -> None:
    found = forecast(orchestrators=(orchestrator("new", n_samples=0), orchestrator()))
    words = words_of(plan_facts(forecast=found))
    assert "new 40 18 s none" in words
    assert "It rests on 120 jobs in the history of 1 of 2 orchestrators." in words


def test_a_wave_says_what_it_tries_and_what_goes_untried() -> None:
    kinds = tuple(
        KindFacts(store_type=f"T{n}", orchestrators="iis-#", authority="")
        for n in range(11)
    )
    canary = WaveFacts(
        name="canary",
        named=2,
        drawn=3,
        sampled=4,
        unsampled=kinds,
        soak_s=1800,
        max_failures="0",
        windows=("0 22 * * SUN (UTC), 4 h 00 min",),
    )
    rest = WaveFacts(name="rest", named=0, drawn=95, sampled=15)
    words = words_of(plan_facts(waves=(canary, rest), n_kinds=15))
    assert "there are 15 kinds" in words
    assert "canary only 0 22 * * SUN (UTC), 4 h 00 min 5 2 named 4 of 15" in words
    assert "wait 30 min stop when more than 0 fail" in words
    assert "T7 · iis-# · Command's own CA and 3 more" in words
    assert "nothing: every kind has been tried" in words


def test_windows_are_told_and_drawn_with_the_next_openings() -> None:
    facts = plan_facts(schedule=saturdays())
    words = words_of(facts)
    assert "0 22 * * SAT (America/Chicago), 8 h, nothing in the last 30 min" in words
    assert "Blackout 2026-12-07 13:36 to 2026-12-10 01:36" in words
    assert "2026-11-29 04:00 2026-11-29 11:30 7 h 30 min" in words
    assert "Nothing is sent before 2026-11-29 04:00 UTC" in words
    assert "Week of Mon Tue Wed Thu Fri Sat Sun Nov 23 Nov 30" in words


def test_a_plan_without_windows_goes_at_any_time() -> None:
    words = words_of(plan_facts(schedule=always()))
    assert "At any time: the plan has no windows and no blackouts." in words
    assert "Week of" not in words


def test_windows_that_never_open_are_said_first() -> None:
    schedule = replace(saturdays(), open=(), opens_at=None)
    words = words_of(plan_facts(schedule=schedule))
    assert "No window opens in the years to come" in words
    assert "First row never" in words


def test_a_stranger_finds_the_people_the_limits_and_the_digests() -> None:
    facts = plan_facts(deadline=DEADLINE)
    words = words_of(facts)
    for said in (
        *("pki-team", "cab@example.com", "CHG0042", "j.doe on ops-07.example.com"),
        *("Planned 2026-11-23 18:40 UTC", facts.command_url, "(25.4.1)"),
        *(facts.manifest_sha256, facts.plan_sha256, "Pace at most 20 per second"),
        "Requests spent 17 (other 14, scheduled jobs 3)",
        "Deadline 2026-12-01 00:00 UTC",
    ):
        assert said in words, said


def test_a_missing_approval_is_said_rather_than_left_out() -> None:
    facts = plan_facts(requested_by="", approved_by="", ticket="")
    assert "names no requester, no approver and no ticket" in words_of(facts)


def test_the_page_runs_no_script_and_asks_for_nothing() -> None:
    outline = outline_of(late_fleet(40))
    policy = next(v for _, _, v in outline.attributes if "default-src" in v)
    assert policy.startswith("default-src 'none'; ")
    assert "script-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in outline.tags
    for tag, name, value in outline.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name != "style", (tag, value)
        if name in ("src", "href", "action"):
            assert value.startswith("data:"), (tag, value)


def test_the_policy_names_exactly_the_pages_own_style() -> None:
    text = plan_page(plan_facts()).decode()
    (block,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in text.replace("&#39;", "'")


def test_every_style_that_the_page_names_is_there() -> None:
    # Both kinds of text, so that every class of the template is used.
    found = late_fleet(60)
    text = plan_page(found).decode()
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    used = {
        word
        for _, name, value in Outline(text).attributes
        if name == "class"
        for word in value.split()
    }
    # These are hooks for a general rule, or neutral.
    plain = {"head", "week-open", "code", "campaign-lane", "meaning", "closed"}
    missing = {word for word in used - plain if not re.search(rf"\.{word}\b", style)}
    assert missing == set()


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "</style><img src=x onerror=alert(1)>",
        '" onmouseover="alert(1)',
        "{{ 7 * 7 }}",
        "2026-11-29 04:00<b>",
    ],
)
def test_markup_in_any_text_stays_text(hostile: str) -> None:
    outline = outline_of(spoiled(hostile))
    harmless = outline_of(spoiled("x"))
    assert outline.tags.count("img") == outline.tags.count("script") == 0
    assert outline.tags.count("b") == harmless.tags.count("b")
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]
    assert hostile in outline.words


def test_controls_and_direction_marks_are_spelled_out() -> None:
    text = plan_page(spoiled("a\x1b[31m\u202eb\ud800")).decode()
    assert "a\\x1b[31m\\u202eb\\ud800" in text
    assert not {c for c in text if c < " " and c != "\n"} | set(text) & {"\u202e"}


def test_a_megabyte_of_text_is_cut_visibly() -> None:
    text = plan_page(spoiled("x" * 1_000_000)).decode()
    assert len(text) < 100_000
    assert "characters)" in text


def spoiled(text: str) -> PlanFacts:
    """Return facts with ``text`` wherever somebody else's text can stand."""
    named = ("name", "reason", "ticket", "requested_by", "approved_by", "operator")
    files = ("host", "command_url", "command_version", "manifest_name", "plan_name")
    digests = ("manifest_sha256", "plan_sha256", "tool_version")
    example = ExampleFacts(row_id=text, message=text)
    told = ReasonFacts(
        code=text, meaning=text, advice=text, rows=2, examples=(example,)
    )
    kind = KindFacts(store_type=text, orchestrators=text, authority=text)
    wave = WaveFacts(
        name=text,
        named=1,
        drawn=1,
        sampled=1,
        unsampled=(kind,),
        max_failures=text,
        windows=(text,),
    )
    advice = AdviceFacts(
        change=text, p50=None, p95=PLANNED, gain_s=1.0, meets_deadline=None
    )
    found = forecast(
        bound_by=text, orchestrators=(orchestrator(text),), advice=(advice,)
    )
    return plan_facts(
        **dict.fromkeys((*named, *files, *digests), text),
        refusal=text,
        counts={"pending": 2, text: 1},
        skipped=(told,),
        cautions=(told,),
        waves=(wave,),
        forecast=found,
        schedule=replace(saturdays(), windows=(text,)),
        limits={text: text},
        requests={text: 1},
    )


@pytest.mark.parametrize(
    ("late_s", "expected"),
    [
        (None, "on time"),
        (90.0, "1 min 30 s"),
        (math.inf, "never ends"),
        (3 * 86_400.0 + 7_300, "3 days 2 h"),
    ],
)
def test_lateness_reads_as_people_say_it(late_s: float | None, expected: str) -> None:
    assert late_text(late_s) == expected


def test_a_duration_that_is_none_is_a_dash() -> None:
    assert {lasting(None), lasting(math.inf), lasting(math.nan)} == {"–"}
    assert lasting(timedelta(days=2).total_seconds()) == "2 days 0 h"
