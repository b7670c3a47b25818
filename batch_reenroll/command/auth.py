"""Who we are, as request headers. Tokens are fetched, kept and renewed here."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from batch_reenroll.command.connection import BasicAuth
from batch_reenroll.command.secret import Redactor, Secret
from batch_reenroll.command.token import Token

# Renewed this long before the end, or a tenth of a shorter life.
_MARGIN_S = 60.0
_MARGIN_PART = 0.1


class Authenticator(Protocol):
    """Gives the headers that say who we are."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers to send now.

        Raises:
            CommandError: They could not be had; nothing was sent to Command.
        """
        ...

    async def refresh(self, refused: Mapping[str, str]) -> bool:
        """Try to replace ``refused`` headers, which Command answered with 401.

        Returns:
            Whether :meth:`headers` now gives others.

        Raises:
            CommandError: The token endpoint failed; nothing was sent to Command.
        """
        ...


class FixedAuth:
    """Headers that never change: basic, a ready bearer token, or none at all."""

    def __init__(self, authorization: Secret | None = None) -> None:
        self._authorization = authorization

    @classmethod
    def basic(cls, account: BasicAuth) -> FixedAuth:
        r"""Return basic authentication, the name sent as ``DOMAIN\user``, in UTF-8."""
        pair = f"{account.account}:{account.password.reveal()}".encode()
        return cls(Secret(f"Basic {base64.b64encode(pair).decode()}"))

    @classmethod
    def bearer(cls, token: Secret) -> FixedAuth:
        """Return authentication by a ready access token."""
        return cls(Secret(f"Bearer {token.reveal()}"))

    async def headers(self) -> Mapping[str, str]:
        """Return the one header, or none."""
        if self._authorization is None:
            return {}
        return {"Authorization": self._authorization.reveal()}

    async def refresh(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return False: there is nothing to refresh."""
        return False


class TokenAuth:
    """Bearer tokens from a token endpoint, one fetch at a time for all callers.

    A token near its end is replaced in the background, and serves until it is: callers
    that waited for the fetch would all go on in the same moment, and their requests
    leave faster than any pace allows. Callers wait where there is no good token; they
    share one fetch, its result or its error. A cancelled caller does not cancel it.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Token]],
        *,
        monotonic: Callable[[], float],
        redactor: Redactor,
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._redactor = redactor
        self._token: Token | None = None
        self._renew_at_s: float | None = None
        self._ends_at_s: float | None = None
        self._flight: asyncio.Task[None] | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the bearer header, fetching a token first when none is good."""
        if self._token is None or self._is_past(self._ends_at_s):
            await self._renew()
        elif self._is_past(self._renew_at_s):
            self._begin_renewal()
        return self._header()

    async def refresh(self, refused: Mapping[str, str]) -> bool:
        """Fetch another token, unless somebody has since ``refused`` was sent."""
        if self._token is None or self._header() == dict(refused):
            await self._renew()
        return True

    async def close(self) -> None:
        """Give up a fetch under way."""
        if self._flight is not None and not self._flight.done():
            self._flight.cancel()
            await asyncio.wait([self._flight])

    def _is_past(self, at_s: float | None) -> bool:
        return at_s is not None and self._monotonic() >= at_s

    def _header(self) -> dict[str, str]:
        token = self._token.value.reveal() if self._token else ""
        return {"Authorization": f"Bearer {token}"}

    async def _renew(self) -> None:
        await asyncio.shield(self._begin_renewal())

    def _begin_renewal(self) -> asyncio.Task[None]:
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._fly(), name="token refresh")
            self._flight.add_done_callback(_retrieve)
        return self._flight

    async def _fly(self) -> None:
        asked_at_s = self._monotonic()
        token = await self._fetch()
        self._redactor.add_token(token.value.reveal())
        self._token = token
        self._renew_at_s = self._ends_at_s = None
        if token.lifetime_s is not None:
            margin_s = min(_MARGIN_S, token.lifetime_s * _MARGIN_PART)
            self._ends_at_s = asked_at_s + token.lifetime_s
            self._renew_at_s = self._ends_at_s - margin_s


def _retrieve(task: asyncio.Task[None]) -> None:
    # When every caller was cancelled nobody else looks at the error.
    if not task.cancelled():
        task.exception()
