"""One request to Command: who we are, counting, a refused token, and the errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.query import Params
from batch_reenroll.command.refusal import Right, error_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_reenroll.command.auth import Authenticator
    from batch_reenroll.command.secret import Redactor
    from batch_reenroll.command.transport import Transport

#: Kinds of requests, as ``summary.json`` counts them.
KINDS = ("submit", "job_history", "scheduled_jobs", "inventory", "other")


class Exchange:
    """Sends requests and returns the answers that are 2xx, raises for the others."""

    def __init__(
        self,
        transport: Transport,
        auth: Authenticator,
        *,
        redactor: Redactor,
        now_utc: Callable[[], datetime],
        observe: Callable[[Answer], None],
    ) -> None:
        self._transport = transport
        self._auth = auth
        self._redactor = redactor
        self._now_utc = now_utc
        self._observe = observe
        self._requests = dict.fromkeys(KINDS, 0)

    @property
    def requests(self) -> Mapping[str, int]:
        """Return requests sent so far by kind; one repeated after a 401 counts twice.

        A request that never left is counted, too: the attempt was made.
        """
        return dict(self._requests)

    async def ready(self) -> None:
        """Fetch a token where none is good, so that the next request need not wait.

        Raises:
            CommandError: It could not be had; nothing was sent to Command.
        """
        await self._auth.headers()

    async def get(
        self, path: str, *, params: Params = (), kind: str, right: Right
    ) -> Answer:
        """Return the 2xx answer to a GET.

        Raises:
            CommandError: Of the kind that says what to do next.
        """
        answer = await self.send("GET", path, params=params, kind=kind)
        return self.checked(answer, what=f"GET {path}", right=right)

    async def post(
        self, path: str, body: Mapping[str, Any], *, kind: str, right: Right
    ) -> Answer:
        """Return the 2xx answer to a POST; the same errors as :meth:`get`."""
        answer = await self.send("POST", path, json_body=body, kind=kind)
        return self.checked(answer, what=f"POST {path}", right=right)

    def checked(self, answer: Answer, *, what: str, right: Right) -> Answer:
        """Return ``answer`` if it is 2xx; raise what it means otherwise."""
        if answer.ok:
            return answer
        raise error_for(
            answer,
            what=what,
            right=right,
            redactor=self._redactor,
            now_utc=self._now_utc(),
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json_body: Mapping[str, Any] | None = None,
        kind: str,
    ) -> Answer:
        """Return the answer, whatever its status.

        A 401 is not carried out, so even a POST is sent again, once, when the
        credentials could be refreshed.

        Raises:
            NotSent: Nothing reached Command, or no token could be had.
            OutcomeUnknown: It may have been carried out.
            NotAuthorised: The token endpoint refused us.
        """
        headers = await self._auth.headers()
        answer = await self._send_once(method, path, params, json_body, kind, headers)
        if answer.status != 401 or not await self._auth.refresh(headers):
            return answer
        headers = await self._auth.headers()
        return await self._send_once(method, path, params, json_body, kind, headers)

    async def _send_once(
        self,
        method: str,
        path: str,
        params: Params,
        json_body: Mapping[str, Any] | None,
        kind: str,
        headers: Mapping[str, str],
    ) -> Answer:
        self._requests[kind] += 1
        answer = await self._transport.send(
            method, path, params=params, json_body=json_body, headers=headers
        )
        self._observe(answer)
        return answer
