"""The plan's page in a real browser: quiet, readable, never wider than the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import CHROMIUM, Page, chromium
from unit.report.planned import (
    forecast,
    late_fleet,
    orchestrator,
    plan_facts,
    reason,
    saturdays,
)

from batch_reenroll.report import PlanFacts, plan_page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></style><script>1</script>"
LONG = "an-orchestrator-without-any-place-to-break-" * 8


@asynccontextmanager
async def opened(facts: PlanFacts, folder: Path, **how: Any) -> AsyncIterator[Page]:
    """Show the plan's page in a browser of its own."""
    path = folder / "plan.html"
    path.write_bytes(plan_page(facts))
    async with chromium(folder / "profile") as page:
        await page.open(path.as_uri(), **how)
        yield page


def everything() -> PlanFacts:
    """Return a plan with all there is, and names that are far too long."""
    facts = late_fleet(100)
    assert facts.forecast is not None
    first, *others = facts.forecast.orchestrators
    named = (replace(first, name=LONG), *others)
    return replace(
        facts,
        forecast=replace(facts.forecast, orchestrators=named),
        skipped=(*facts.skipped, reason("x" * 200, message="y" * 900)),
        limits={"z" * 100: "z" * 300},
    )


async def lane_of(page: Page, name: str) -> dict[str, Any]:
    """Return where the parts of an orchestrator's bar lie on the screen."""
    found = await page.value(
        "(() => { const lane = [...document.querySelectorAll('li.lane')]"
        f".find(l => l.querySelector('.lane-name').textContent === {name!r});"
        "const box = s => { const e = lane.querySelector(s);"
        " const at = e && e.getBoundingClientRect();"
        " return e && [at.left, at.right];"
        "}; return {light: box('.light'), full: box('.full'),"
        " deadline: box('.deadline'), track: box('.track')}; })()"
    )
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_the_page_is_quiet_and_fits_the_screen(
    tmp_path: Path, width: int, scheme: str
) -> None:
    async with opened(everything(), tmp_path, width=width, scheme=scheme) as page:
        too_wide = await page.value(
            "[...document.querySelectorAll('main *')]"
            ".filter(e => e.getBoundingClientRect().right > innerWidth + 1"
            " && !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 80))"
        )
        content_width = await page.value("document.documentElement.scrollWidth")
        overlapping = await page.value(
            "[...document.querySelectorAll('.orchestrators tbody tr,"
            " .advice tbody tr')]"
            ".filter(row => { const r = [...row.children]"
            ".filter(c => c.offsetHeight && c.offsetWidth)"
            ".map(c => { const box = document.createRange();"
            "  box.selectNodeContents(c); return box.getBoundingClientRect(); });"
            " return r.some((a, i) => r.some((b, j) => i < j"
            "  && a.left < b.right - 1 && b.left < a.right - 1"
            "  && a.top < b.bottom - 1 && b.top < a.bottom - 1)); })"
            ".map(row => row.textContent)"
        )
    assert page.complaints == []
    assert too_wide == []
    assert overlapping == []
    assert content_width <= width


async def test_the_page_asks_for_nothing_but_itself(tmp_path: Path) -> None:
    async with opened(everything(), tmp_path) as page:
        pass
    assert [r for r in page.requests if not r.startswith(("file:", "data:"))] == []


async def test_a_bar_ends_where_its_time_lies_before_or_behind_the_deadline(
    tmp_path: Path,
) -> None:
    facts = late_fleet(100)
    assert facts.forecast is not None
    late, good = facts.forecast.orchestrators[0], facts.forecast.orchestrators[9]
    assert late.late_s is not None
    assert good.late_s is None
    async with opened(facts, tmp_path, scripts=False) as page:
        behind = await lane_of(page, late.name)
        before = await lane_of(page, good.name)
    assert behind["full"][1] > behind["deadline"][1]
    assert before["full"][1] < before["deadline"][0]
    for lane in (behind, before):
        assert lane["track"][0] <= lane["light"][0]
        assert lane["light"][1] == pytest.approx(lane["full"][0], abs=0.5)
        assert lane["full"][1] <= lane["track"][1]
    # Late is told by color too, but never by color alone.
    assert page.complaints == []


async def test_the_windows_are_drawn_on_their_day(tmp_path: Path) -> None:
    async with opened(plan_facts(schedule=saturdays()), tmp_path) as page:
        inside = await page.value(
            "(() => { const sunday = document.querySelector('.days span:last-child')"
            ".getBoundingClientRect();"
            "const open = document.querySelector('.week rect.open')"
            ".getBoundingClientRect();"
            "return open.width > 3 && open.left >= sunday.left - 1"
            " && open.right <= sunday.right + 1; })()"
        )
    assert inside is True


async def test_in_print_the_page_is_black_on_white(tmp_path: Path) -> None:
    async with opened(
        everything(), tmp_path, width=700, scheme="dark", media="print"
    ) as page:
        colors = await page.value(
            "(({color, backgroundColor}) => [color, backgroundColor])"
            "(getComputedStyle(document.body))"
        )
        # Paper cannot be unfolded: the last orchestrator is there.
        assert await page.value(
            "[...document.querySelectorAll('.orchestrators tbody tr')].at(-1)"
            ".checkVisibility({contentVisibilityAuto: true})"
        )
        # An A4 sheet less the browser's margins is some 700 CSS pixels wide.
        assert await page.value("document.documentElement.scrollWidth") <= 700
    assert colors == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


async def test_hostile_text_is_shown_and_does_not_run(tmp_path: Path) -> None:
    facts = plan_facts(
        name=HOSTILE,
        refusal=HOSTILE,
        skipped=(reason(HOSTILE, message=HOSTILE),),
        forecast=forecast(orchestrators=(orchestrator(HOSTILE),)),
    )
    async with opened(facts, tmp_path) as page:
        title = await page.value("document.title")
        name = await page.value(
            "document.querySelectorAll('.lane-name')[1].textContent"
        )
        images = await page.value("document.images.length + document.scripts.length")
    assert page.complaints == []
    assert title.endswith(HOSTILE)
    assert name == HOSTILE
    assert images == 0
