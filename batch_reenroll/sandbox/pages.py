"""Pages in a shape that no document forbids: out of order, or with items twice."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any, Literal, get_args

from batch_reenroll.sandbox.exchange import Response, json_body

Mischief = Literal["reverse", "shuffle", "duplicate"]
MISCHIEFS: tuple[str, ...] = get_args(Mischief)


def rearranged(response: Response, how: Mischief, rng: random.Random) -> Response:
    """Return ``response`` with the items of its JSON array rearranged.

    No item is lost; ``duplicate`` repeats some (at least one, up to half) at places
    drawn from ``rng``, so that a page may hold more than was asked for. The headers
    stay as they are. Anything but a 200 with a JSON array is returned unchanged.
    """
    if response.status != 200 or not response.body.startswith(b"["):
        return response
    items = _rearranged(json.loads(response.body), how, rng)
    return replace(response, body=json_body(items))


def _rearranged(items: list[Any], how: Mischief, rng: random.Random) -> list[Any]:
    match how:
        case "reverse":
            return items[::-1]
        case "shuffle":
            return rng.sample(items, len(items))
        case "duplicate":
            found = list(items)
            n_repeats = rng.randint(1, (len(items) + 1) // 2) if items else 0
            for item in rng.sample(items, n_repeats):
                found.insert(rng.randint(0, len(found)), item)
            return found
