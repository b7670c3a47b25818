"""A server of JobHistory that does with our wishes what it likes, by plan."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from unit.command.scripted import PLAIN, Asked, ScriptedAuth, json_answer

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.client import CommandClient
from batch_reenroll.command.dialect import Family
from batch_reenroll.command.query import Params

JOB = "33333333-aaaa-4bbb-8ccc-000000000003"

Mischief = Callable[[list[Any], random.Random], list[Any]]


def reverse(items: list[Any], rng: random.Random) -> list[Any]:
    return items[::-1]


def shuffle(items: list[Any], rng: random.Random) -> list[Any]:
    return rng.sample(items, len(items))


def twice(items: list[Any], rng: random.Random) -> list[Any]:
    found = list(items)
    for item in rng.sample(items, (len(items) + 1) // 2):
        found.insert(rng.randint(0, len(found)), item)
    return found


def as_asked(items: list[Any], rng: random.Random) -> list[Any]:
    return items


@dataclass
class Historian:
    """Serves rows of JobHistory.

    Attributes:
        ids: JobHistoryIds, oldest first.
        order: Puts all ids in the server's order, for each answer anew.
        mischief: By the number of the answer, 1-based; others come as they are.
        cap: Largest page.
        totals: Whether ``X-Total-Count`` is sent.
        grows: Rows that appear after an answer, by its number.
        versions: By the number of the answer, the cap in force then.
    """

    ids: list[int]
    order: Callable[[list[int], random.Random], list[int]] = field(
        default=lambda ids, _: sorted(ids, reverse=True)
    )
    mischief: dict[int, Mischief] = field(default_factory=dict)
    always: Mischief = as_asked
    cap: int = 1000
    totals: bool = True
    grows: dict[int, int] = field(default_factory=dict)
    caps: dict[int, int] = field(default_factory=dict)
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    asked: list[Asked] = field(default_factory=list)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json_body: object = None,
        headers: object = None,
    ) -> Answer:
        asked = Asked(
            method=method, path=path, params=dict(params), body=None, headers={}
        )
        assert json_body is None
        self.asked.append(asked)
        number = len(self.asked)
        limit = min(int(asked.params["ReturnLimit"]), self.caps.get(number, self.cap))
        start = (int(asked.params["PageReturned"]) - 1) * limit
        rows = [
            {"JobHistoryId": n, "JobId": JOB, "JobType": "WinCertReenrollment"}
            for n in self.order(list(self.ids), self.rng)[start : start + limit]
        ]
        shown = {"x-total-count": str(len(self.ids))} if self.totals else {}
        newest = max(self.ids, default=0)
        self.ids += range(newest + 1, newest + 1 + self.grows.get(number, 0))
        rows = self.mischief.get(number, self.always)(rows, self.rng)
        return json_answer(rows, headers={**PLAIN, **shown})

    def client(self) -> CommandClient:
        return CommandClient(self, ScriptedAuth(), now_utc=_never, dialect=Family.PLAIN)


def _never() -> Any:
    raise AssertionError("nobody needs the time here")


async def swept(
    client: CommandClient, *, above: int | None = 0, limit: int = 1000
) -> list[int]:
    """Return the distinct ids that one sweep gives, in the order they came."""
    sweep = client.job_history(limit=limit, above=above)
    found: dict[int, None] = {}
    while (page := await sweep.read()) is not None:
        ids = [row.history_id for row in page.items]
        assert ids == sorted(set(ids), reverse=True)
        found.update(dict.fromkeys(ids))
    return list(found)
