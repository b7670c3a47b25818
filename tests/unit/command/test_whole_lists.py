"""Lists that a plan needs are read whole, whatever the pages are like."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from unit.command.scripted import (
    PLAIN,
    Asked,
    ScriptedAuth,
    ScriptedTransport,
    json_answer,
)

from batch_reenroll.campaign.preflight import Enrollment
from batch_reenroll.command.answer import Answer
from batch_reenroll.command.client import CommandClient
from batch_reenroll.command.dialect import Family
from batch_reenroll.errors import ContractViolation
from batch_reenroll.runner import read_directory

pytestmark = pytest.mark.asyncio

Stores = Callable[[int, int], tuple[list[int], int | None]]


def never() -> datetime:
    raise AssertionError("nobody needs the time here")


def client_of(stores: Stores) -> tuple[CommandClient, ScriptedTransport]:
    """Return a client of a Command whose stores come by page and number of the ask."""
    asks = 0

    def reply(asked: Asked) -> Answer:
        nonlocal asks
        if asked.path != "/CertificateStores":
            return json_answer([])
        asks += 1
        numbers, total = stores(int(asked.params["PageReturned"]), asks)
        shown = {} if total is None else {"x-total-count": json.dumps(total)}
        items = [{"Id": f"store-{number}"} for number in numbers]
        return json_answer(items, headers={**PLAIN, **shown})

    transport = ScriptedTransport([reply])
    client = CommandClient(
        transport, ScriptedAuth(), now_utc=never, dialect=Family.PLAIN
    )
    return client, transport


async def numbers_read(stores: Stores) -> set[int]:
    client, _ = client_of(stores)
    directory = await read_directory(client)
    return {int(store_id.removeprefix("store-")) for store_id in directory.stores}


async def test_without_a_total_a_list_is_read_to_its_empty_page() -> None:
    pages = {1: [1, 2], 2: [3], 3: [4]}
    assert await numbers_read(lambda page, _: (pages.get(page, []), None)) == {
        *(1, 2, 3, 4)
    }


async def test_items_left_out_between_two_pages_are_found_by_reading_again() -> None:
    def tied(page: int, ask: int) -> tuple[list[int], int | None]:
        # Items that tie in the order stand in another order at each ask.
        first = {1: [1, 2], 2: [2, 4]} if ask <= 3 else {1: [1, 2], 2: [3, 4]}
        return first.get(page, []), 4

    assert await numbers_read(tied) == {1, 2, 3, 4}


async def test_a_total_that_counts_what_we_may_not_see_ends_the_reading() -> None:
    found = await numbers_read(lambda page, _: ([1, 2] if page == 1 else [], 5))
    assert found == {1, 2}


async def test_cas_and_templates_are_asked_for_where_they_are_wanted() -> None:
    client, transport = client_of(lambda *_: ([], None))
    directory = await read_directory(client)
    assert directory.enrollment == Enrollment()
    asked = {item.path for item in transport.asked}
    assert not asked & {"/CertificateAuthority", "/Templates", "/Security/My"}
    directory = await read_directory(client, enrollment=True)
    assert directory.enrollment == Enrollment(authorities=(), templates=())


async def test_a_server_that_ignores_the_page_is_not_read_for_ever() -> None:
    client, transport = client_of(lambda *_: ([1, 2], None))
    with pytest.raises(ContractViolation) as caught:
        await read_directory(client)
    assert caught.value.code == "paging_ignored"
    assert len(transport.asked) < 20
