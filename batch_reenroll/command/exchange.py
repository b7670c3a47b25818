"""One request to Command: who we are, counting, a refused token, and the errors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from batch_reenroll.command.answer import Answer
from batch_reenroll.command.query import Params
from batch_reenroll.command.refusal import Right, error_for
from batch_reenroll.errors import CommandError, SignInRenewed

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_reenroll.command.auth import Authenticator
    from batch_reenroll.command.secret import Redactor
    from batch_reenroll.command.transport import Transport

#: Kinds of requests, as ``summary.json`` counts them.
KINDS = ("submit", "job_history", "scheduled_jobs", "inventory", "other")


class Seen(NamedTuple):
    """One request that has been answered, or not.

    Attributes:
        kind: One of :data:`KINDS`.
        method: ``GET`` or ``POST``.
        status: Of the answer, None where none came.
        error: Code of what happened instead, "" where an answer came.
        took_s: Until the answer was whole, or until it was given up; seconds.
    """

    kind: str
    method: str
    status: int | None
    error: str
    took_s: float


_UNAUTHENTICATED = 401


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
        self._renewed: Mapping[str, str] | None = None
        self._watch: Callable[[Seen], None] | None = None

    def watch(self, watch: Callable[[Seen], None]) -> None:
        """Have ``watch`` told of every request; it returns at once, never raises."""
        self._watch = watch

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

    async def post_once(
        self, path: str, body: Mapping[str, Any], *, kind: str, right: Right
    ) -> Answer:
        """Return the 2xx answer to a POST that is sent once, whatever comes.

        Sending it again after a 401 takes another turn, since the pace counts every
        request, and what was looked at before may be out of date by then.

        Raises:
            SignInRenewed: 401; another token is there.
            NotAuthorised: 401 also with the token that such a 401 had brought, and no
                POST passed between.
            CommandError: As for :meth:`get`.
        """
        headers = await self._auth.headers()
        answer = await self._send_once("POST", path, (), body, kind, headers)
        what = f"POST {path}"
        if answer.status != _UNAUTHENTICATED:
            self._renewed = None
        elif headers != self._renewed and await self._auth.refresh(headers):
            self._renewed = await self._auth.headers()
            message = f"{what} was answered 401; the token has been replaced"
            raise SignInRenewed(message, status=answer.status)
        return self.checked(answer, what=what, right=right)

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

        A 401 is not carried out, so it is sent again, once, when the credentials could
        be refreshed.

        Raises:
            NotSent: Nothing reached Command, or no token could be had.
            OutcomeUnknown: It may have been carried out.
            NotAuthorised: The token endpoint refused us.
        """
        headers = await self._auth.headers()
        answer = await self._send_once(method, path, params, json_body, kind, headers)
        if answer.status != _UNAUTHENTICATED or not await self._auth.refresh(headers):
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
        began_s = time.monotonic()
        try:
            answer = await self._transport.send(
                method, path, params=params, json_body=json_body, headers=headers
            )
        except CommandError as exc:
            self._seen(kind, method, exc.status, exc.code, began_s)
            raise
        self._seen(kind, method, answer.status, "", began_s)
        self._observe(answer)
        return answer

    def _seen(
        self, kind: str, method: str, status: int | None, error: str, began_s: float
    ) -> None:
        if self._watch is not None:
            took_s = time.monotonic() - began_s
            self._watch(Seen(kind, method, status, error, took_s))
