"""The in-process transport: requests without a socket, for simulation.

It meets the same faults as the HTTP shell, because both stand behind one front door.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from batch_reenroll.sandbox.exchange import Request
from batch_reenroll.sandbox.frontdoor import FrontDoor

Headers = tuple[tuple[str, str], ...]


class ConnectionDropped(Exception):
    """The connection was closed without a whole answer.

    Attributes:
        partial: What of the body arrived; empty when no answer began.
    """

    def __init__(self, partial: bytes = b"") -> None:
        super().__init__("the connection was closed")
        self.partial = partial


class InProcessTransport:
    """Calls the front door as a client's transport would.

    Args:
        door: Faults, core and log.
        now: The server's clock, seconds since the epoch.
        sleep: Waits for scripted delays, on the same clock.
    """

    def __init__(
        self,
        door: FrontDoor,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._door = door
        self._now = now
        self._sleep = sleep

    async def __call__(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Headers, bytes]:
        """Return status, headers and body of the answer.

        Args:
            method: HTTP method.
            target: Path with query, encoded as on the wire.
            headers: Names in any case.
            body: The whole body.

        Raises:
            ConnectionDropped: By a scripted fault.
        """
        request = Request(
            method=method.upper(),
            target=target,
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
        )
        action = self._door.admit(request)
        if action.delay_s:
            await self._sleep(action.delay_s)
        reply = self._door.answer(request, action, self._now())
        if action.delay_after_s:
            await self._sleep(action.delay_after_s)
        if reply.response is None:
            raise ConnectionDropped
        if reply.send_bytes is not None:
            raise ConnectionDropped(reply.response.body[: reply.send_bytes])
        return reply.response.status, reply.response.headers, reply.response.body
