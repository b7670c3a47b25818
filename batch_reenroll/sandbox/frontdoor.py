"""What stands before the core: scripted faults and the log of requests.

A transport asks :meth:`FrontDoor.admit` first, waits as told, asks
:meth:`FrontDoor.answer`, waits again, and then sends, cuts or drops.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from batch_reenroll.sandbox.core import Core
from batch_reenroll.sandbox.exchange import (
    ApiError,
    Request,
    Response,
    error_response,
    http_date,
    iso_time,
)
from batch_reenroll.sandbox.faults import Action, RequestFaults
from batch_reenroll.sandbox.pages import rearranged
from batch_reenroll.sandbox.world import LogSink

FAULT_CODE = "0xA0110500"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a transport sends.

    Attributes:
        response: The answer, or None: close the connection without one.
        send_bytes: How much of the body to send before closing; None = all of it.
    """

    response: Response | None
    send_bytes: int | None = None


class FrontDoor:
    """Decides, carries out and logs each request."""

    def __init__(self, core: Core, faults: RequestFaults, log: LogSink) -> None:
        self.core = core
        self.faults = faults
        self._log = log
        seed = f"pages:{core.world.fleet.plan.seed}"
        self._rng = random.Random(seed)  # noqa: S311 - reproducible, no secret

    def admit(self, request: Request) -> Action:
        """Return the fault this request meets; an empty one does nothing."""
        return self.faults.next_for(request) or Action()

    def answer(self, request: Request, action: Action, now: float) -> Reply:
        """Carry ``request`` out, as far as ``action`` lets it, and log it."""
        response: Response | None = None
        if _carried_out(action):
            response = self.core.handle(request, now)
        else:
            self.core.advance(now)
        if action.status is not None:
            response = self._refusal(action.status)
        if response is None or action.drop is not None:
            return self._logged(request, action, Reply(response=None))
        if action.page is not None:
            response = rearranged(response, action.page, self._rng)
        response = self._with_headers(response, action)
        reply = Reply(response=response, send_bytes=action.truncate_bytes)
        return self._logged(request, action, reply)

    @staticmethod
    def _refusal(status: int) -> Response:
        if status < 300:
            return Response(status=status)
        return error_response(ApiError(status, FAULT_CODE, "A scripted fault."))

    def _with_headers(self, response: Response, action: Action) -> Response:
        headers = [*response.headers, *action.headers.items()]
        if action.retry_after_s is not None:
            headers.append(("Retry-After", str(action.retry_after_s)))
        if action.retry_after_date_s is not None:
            at = self.core.world.now + action.retry_after_date_s
            headers.append(("Retry-After", http_date(at)))
        return Response(
            status=response.status, headers=tuple(headers), body=response.body
        )

    def _logged(self, request: Request, action: Action, reply: Reply) -> Reply:
        entry: dict[str, object] = {
            "at": iso_time(self.core.world.now),
            "event": "request",
            "method": request.method,
            "path": request.target.partition("?")[0][:200],
            "status": reply.response.status if reply.response else None,
        }
        if action != Action():
            entry["fault"] = _described(action)
            entry["carried_out"] = _carried_out(action)
        self._log(entry)
        return reply


def _carried_out(action: Action) -> bool:
    """Return whether the request reaches the core at all."""
    if action.drop == "before":
        return False
    return action.status is None or action.processed


def _described(action: Action) -> str:
    """Return the fault in a few words, for the log."""
    words = [
        f"status {action.status}" if action.status is not None else "",
        f"drop {action.drop}" if action.drop else "",
        f"delay {action.delay_s:g}+{action.delay_after_s:g} s"
        if action.delay_s or action.delay_after_s
        else "",
        f"truncate {action.truncate_bytes}"
        if action.truncate_bytes is not None
        else "",
        f"page {action.page}" if action.page else "",
    ]
    return ", ".join(word for word in words if word) or "headers"
