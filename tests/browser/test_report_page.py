"""``report.html`` in a real browser: quiet, usable, and never wider than the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import CHROMIUM, Page, chromium
from unit.report.reading import files_of
from unit.report.synthetic import fleet, report_of, row

from batch_reenroll.report import AuditLine, ReportInput, audit_page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><script>1</script>"
# Names for the page's elements ("find" alone is a function of every window), and a
# promise that is kept when the table's rows have been exchanged.
NAMES = """
const [find, cause, outcome, order, shown, on] =
  ["find", "cause", "outcome", "order", "shown", "on"]
    .map(id => document.getElementById(id));
const body = document.querySelector("#row-table tbody");
const exchanged = () => new Promise(done => new MutationObserver((_, self) => {
  self.disconnect(); done();
}).observe(body, {childList: true}));
"""


@asynccontextmanager
async def opened(report: ReportInput, folder: Path, **how: Any) -> AsyncIterator[Page]:
    """Show the report's page in a browser of its own."""
    path = folder / "report.html"
    path.write_bytes(files_of(report)["report.html"])
    async with chromium(folder / "profile") as page:
        await page.open(path.as_uri(), **how)
        yield page


async def shown_rows(page: Page) -> int:
    count = await page.value("document.querySelectorAll('#row-table tbody tr').length")
    return int(count)


async def use(page: Page, statements: str) -> object:
    """Run statements that return a value, with ``NAMES`` at hand."""
    return await page.value(f"(async () => {{ {NAMES} {statements} }})()")


async def search(page: Page, text: str) -> None:
    await use(
        page,
        f"const done = exchanged(); find.value = {text!r};"
        "find.dispatchEvent(new Event('input')); await done;",
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_the_page_is_quiet_and_fits_the_screen(
    tmp_path: Path, width: int, scheme: str
) -> None:
    async with opened(fleet(300), tmp_path, width=width, scheme=scheme) as page:
        too_wide = await page.value(
            "[...document.querySelectorAll('main *')]"
            ".filter(e => e.getBoundingClientRect().right > innerWidth + 1"
            " && !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 80))"
        )
        content_width = await page.value("document.documentElement.scrollWidth")
    assert page.complaints == []
    assert too_wide == []
    assert content_width <= width


async def test_the_page_asks_for_nothing_but_itself(tmp_path: Path) -> None:
    async with opened(fleet(50), tmp_path) as page:
        pass
    assert [r for r in page.requests if not r.startswith(("file:", "data:"))] == []


async def test_without_script_the_rows_are_there_and_dead_controls_are_not(
    tmp_path: Path,
) -> None:
    async with opened(fleet(300), tmp_path, scripts=False) as page:
        assert await shown_rows(page) == 200
        assert not await page.value("document.querySelector('.filter').offsetHeight")
        assert "The first 200 of 300 rows" in await page.value(
            "document.querySelector('.without-script').innerText"
        )
    assert page.complaints == []


async def test_in_print_the_page_is_black_on_white_without_controls(
    tmp_path: Path,
) -> None:
    async with opened(
        fleet(60), tmp_path, width=700, scheme="dark", media="print"
    ) as page:
        colors = await page.value(
            "(({color, backgroundColor}) => [color, backgroundColor])"
            "(getComputedStyle(document.body))"
        )
        assert not await page.value("document.querySelector('.filter').offsetHeight")
        # An A4 sheet less the browser's margins is some 700 CSS pixels wide.
        assert await page.value("document.documentElement.scrollWidth") <= 700
    assert colors == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


async def test_rows_are_paged_searched_filtered_and_ordered(tmp_path: Path) -> None:
    report = fleet(300)
    failed = sum(r.result["outcome"] == "failed" for r in report.rows())
    slowest = max(report.rows(), key=lambda r: float(r.result.get("duration_s") or 0))
    first_row = "document.querySelector('#row-table tbody th').textContent"
    async with opened(report, tmp_path) as page:
        assert await shown_rows(page) == 50
        await use(page, "on.click()")
        assert await use(page, "return shown.textContent") == "Rows 51 to 100 of 300"
        await search(page, "site-217/")
        assert await shown_rows(page) == 1
        assert await page.value(first_row) == "217"
        await search(page, "no such row")
        assert await use(page, "return shown.textContent") == "No row fits."
        await search(page, "")
        await use(
            page,
            "outcome.value = 'failed'; outcome.dispatchEvent(new Event('change'))",
        )
        assert await shown_rows(page) == failed
        await use(
            page,
            "outcome.value = ''; order.value = 'slow';"
            "order.dispatchEvent(new Event('change'))",
        )
        assert await page.value(first_row) == slowest.row_id
    assert page.complaints == []


async def test_hostile_text_is_shown_and_does_not_run(tmp_path: Path) -> None:
    bad = row(1, "failed", message=HOSTILE, store_path=HOSTILE, orchestrator=HOSTILE)
    async with opened(report_of([bad], name=HOSTILE), tmp_path) as page:
        title = await page.value("document.title")
        cell = await page.value(
            "document.querySelector('#row-table td:last-child').textContent"
        )
        images = await page.value("document.images.length")
    assert page.complaints == []
    assert title.endswith(HOSTILE)
    assert cell.endswith(HOSTILE)
    assert images == 0


async def test_the_rows_of_one_cause_are_shown_and_no_others(tmp_path: Path) -> None:
    rows = [
        *(row(n, "failed", reason_code="job_failed", message="no") for n in (1, 2)),
        row(3, "failed", reason_code="job_failed", message="disk full"),
        row(4, "rejected", reason_code="refused", message="no"),
        row(5, "verified"),
    ]
    async with opened(report_of(rows), tmp_path) as page:
        await page.value("document.querySelector('[data-cause]').click()")
        heads = "[...document.querySelectorAll('#row-table tbody th')]"
        assert await page.value(f"{heads}.map(e => e.textContent)") == ["1", "2"]
        assert await use(page, "return cause.selectedOptions[0].textContent") == (
            "job_failed: no (2)"
        )
        await use(page, "cause.value = ''; cause.dispatchEvent(new Event('change'))")
        assert await shown_rows(page) == 5
    assert page.complaints == []


async def test_paper_holds_more_rows_and_says_how_many(tmp_path: Path) -> None:
    async with opened(fleet(700), tmp_path) as page:
        await page.value("dispatchEvent(new Event('beforeprint'))")
        assert await shown_rows(page) == 500
        assert await use(page, "return shown.textContent") == "Rows 1 to 500 of 700"
        await page.call("Emulation.setEmulatedMedia", media="print")
        assert await use(page, "return shown.offsetHeight > 0")
        folded = "document.querySelector('details dl').checkVisibility()"
        assert await page.value(f"{folded} && !document.querySelector('details').open")
        await page.value("dispatchEvent(new Event('afterprint'))")
        assert await shown_rows(page) == 50


async def test_a_link_of_the_head_leads_to_its_part(tmp_path: Path) -> None:
    async with opened(fleet(60), tmp_path, width=390) as page:
        targets = await page.value(
            "[...document.querySelectorAll('nav a')]"
            ".map(a => document.querySelector(a.getAttribute('href')).textContent)"
        )
    assert targets == [
        "What to do next",
        "What failed, and why",
        "Where it worked and where not",
        "Who asked, who approved, who ran it",
        "Is this what the tool wrote?",
        "Every row",
    ]


async def test_fifty_thousand_rows_open_and_are_searched(tmp_path: Path) -> None:
    rows = [row(n, client_machine=f"web{n}") for n in range(1, 50_001)]
    async with opened(report_of(rows), tmp_path) as page:
        await search(page, "web49999")
        assert await shown_rows(page) == 1
        await search(page, "web4999")
        assert await shown_rows(page) == 11
    assert page.complaints == []


def campaigns(n: int) -> list[AuditLine]:
    """Return lines of the audit: good and bad, some of them hostile."""
    said = {"reason": HOSTILE, "ticket": "CHG0042", "operator": "j.doe"}
    return [
        AuditLine(
            texts={
                **said,
                "campaign_id": f"q4-rotation-{number}",
                "started_at": "2026-11-21T22:00:00.000Z",
                "finished_at": "2026-11-21T22:42:00.000Z",
                "approved_by": "cab@example.com",
            },
            exit_code=5,
            outcomes={"verified": 900 + number, "failed": 12},
            top_failures=[("job_failed", 12)],
        )
        for number in range(n)
    ]


@asynccontextmanager
async def audited(folder: Path, **how: Any) -> AsyncIterator[Page]:
    """Show the page of ``report --all`` in a browser of its own."""
    path = folder / "audit.html"
    path.write_bytes(
        audit_page(
            campaigns(12),
            ledger="batch-reenroll.db",
            since="",
            until="",
            written_at="2026-11-22T00:00:00.000Z",
        )
    )
    async with chromium(folder / "profile") as page:
        await page.open(path.as_uri(), **how)
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_the_audit_is_quiet_fits_the_screen_and_has_both_schemes(
    tmp_path: Path, width: int, scheme: str
) -> None:
    async with audited(tmp_path, width=width, scheme=scheme) as page:
        assert await page.value("document.documentElement.scrollWidth") <= width
        paper = await page.value("getComputedStyle(document.body).backgroundColor")
        images = await page.value("document.images.length")
    assert page.complaints == []
    assert images == 0
    assert (paper == "rgb(17, 21, 27)") is (scheme == "dark")
    assert [r for r in page.requests if not r.startswith(("file:", "data:"))] == []


async def test_the_audit_in_print_is_a_table_on_white(tmp_path: Path) -> None:
    async with audited(tmp_path, width=700, scheme="dark", media="print") as page:
        assert await page.value("document.documentElement.scrollWidth") <= 700
        body = "getComputedStyle(document.body)"
        assert await page.value(f"{body}.backgroundColor") == "rgb(255, 255, 255)"
        assert (
            await page.value(
                "getComputedStyle(document.querySelector('tbody tr')).display"
            )
            == "table-row"
        )
