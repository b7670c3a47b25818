"""Pages out of order or with items twice: nothing is lost, and a seed decides."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.rig import START, caller

from batch_reenroll.sandbox import (
    Action,
    FrontDoor,
    Match,
    Request,
    RequestFault,
    RequestFaults,
    Response,
)
from batch_reenroll.sandbox.pages import Mischief, rearranged

STORES = "/KeyfactorAPI/CertificateStores"
KINDS: tuple[Mischief, ...] = ("reverse", "shuffle", "duplicate")


def listing(items: list[int]) -> Response:
    headers = (("X-Total-Count", "99"),)
    return Response(status=200, headers=headers, body=json.dumps(items).encode())


def items_of(response: Response) -> list[int]:
    return list(json.loads(response.body))


@given(st.sampled_from(KINDS), st.lists(st.integers()), st.integers())
def test_no_item_is_lost_or_invented(
    kind: Mischief, items: list[int], seed: int
) -> None:
    answer = rearranged(listing(items), kind, random.Random(seed))
    found = Counter(items_of(answer))

    assert set(found) == set(items)
    assert not Counter(items) - found
    assert answer.headers == listing(items).headers


@given(st.lists(st.integers()), st.integers())
def test_reversed_and_shuffled_pages_repeat_nothing(
    items: list[int], seed: int
) -> None:
    rng = random.Random(seed)

    assert items_of(rearranged(listing(items), "reverse", rng)) == items[::-1]
    shuffled = items_of(rearranged(listing(items), "shuffle", rng))
    assert sorted(shuffled) == sorted(items)


@given(st.lists(st.integers(), min_size=1), st.integers())
def test_a_page_with_duplicates_repeats_one_to_half_of_its_items(
    items: list[int], seed: int
) -> None:
    answer = rearranged(listing(items), "duplicate", random.Random(seed))
    n_repeats = len(items_of(answer)) - len(items)

    assert 1 <= n_repeats <= (len(items) + 1) // 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "response",
    [
        Response(status=204),
        Response(status=200, body=b'{"Id":[1,2,3]}'),
        Response(status=400, body=b'{"ErrorCode":"0x1","Message":"m"}'),
        Response(status=400, body=b"[1,2,3]"),
    ],
)
def test_other_answers_stay_as_they_are(kind: Mischief, response: Response) -> None:
    assert rearranged(response, kind, random.Random(1)) is response


class Door:
    """A front door with one rule; its log."""

    def __init__(self, rule: RequestFault) -> None:
        self.client = caller()
        self.log: list[dict[str, object]] = []
        self.door = FrontDoor(self.client.core, RequestFaults([rule]), self.log.append)

    def get(self, target: str) -> list[str]:
        request = Request(method="GET", target=target, headers=self.client.headers)
        reply = self.door.answer(request, self.door.admit(request), START)
        assert reply.response is not None
        items = json.loads(reply.response.body)
        return [item["Id"] if "Id" in item else item["AgentId"] for item in items]


def mischief(kind: Mischief) -> RequestFault:
    return RequestFault(
        match=Match(path="/certificatestores"), times=None, action=Action(page=kind)
    )


def test_a_page_is_reversed_by_script_and_other_lists_are_not() -> None:
    door = Door(mischief("reverse"))
    true = [store["Id"] for store in door.client.get("/CertificateStores").json]
    agents = [agent["AgentId"] for agent in door.client.get("/Agents").json]

    assert door.get(STORES) == true[::-1]
    assert door.get("/KeyfactorAPI/Agents") == agents
    assert [entry.get("fault") for entry in door.log] == ["page reverse", None]


def test_each_page_is_shuffled_anew_and_the_seed_decides_how() -> None:
    one, two = Door(mischief("shuffle")), Door(mischief("shuffle"))
    first, second = one.get(STORES), one.get(STORES)

    assert first != second
    assert [two.get(STORES), two.get(STORES)] == [first, second]
