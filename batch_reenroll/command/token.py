"""OAuth2 client credentials: one request to the token endpoint and its answer.

RFC 6749 sections 4.4 and 5. The credentials go in the form, as the documents of
Command show it (keyfactor-command.md 6.1).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from batch_reenroll.command.answer import Answer, retry_after_s
from batch_reenroll.command.connection import ClientCredentials
from batch_reenroll.command.http import HttpSession
from batch_reenroll.command.secret import Redactor, Secret
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    NotSent,
    OutcomeUnknown,
)
from batch_reenroll.text import visible

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
}
_URL_HINT = "check KEYFACTOR_AUTH_TOKEN_URL"
_TEMPORARY = {408, 429}
_LONGEST_S = 10 * 365 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token; ``lifetime_s`` > 0 from its request on, None = unknown."""

    value: Secret
    lifetime_s: float | None


async def fetch_token(
    session: HttpSession,
    credentials: ClientCredentials,
    *,
    redactor: Redactor,
    now_utc: datetime,
) -> Token:
    """Ask the token endpoint for an access token.

    Raises:
        NotAuthorised: The endpoint refused the client (``invalid_client``, …).
        NotSent: It was not reached, gave no answer, or is overloaded; nothing was
            sent to Command.
        ContractViolation: It answered with something else than a token.
    """
    name = _name(credentials.token_url)
    try:
        answer = await session.exchange(
            "POST", credentials.token_url, headers=_HEADERS, body=_form(credentials)
        )
    except OutcomeUnknown as exc:
        # A token asked for twice does no harm, and Command has seen nothing yet.
        message = f"no token from {name}: {exc.message}"
        raise NotSent(message, code="token_endpoint_unreachable") from exc
    if answer.ok:
        return _read_token(answer, name)
    raise _refusal(answer, name, redactor, now_utc)


def _form(credentials: ClientCredentials) -> bytes:
    form = {
        "grant_type": "client_credentials",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret.reveal(),
    }
    if credentials.scopes:
        form["scope"] = " ".join(credentials.scopes)
    if credentials.audience:
        form["audience"] = credentials.audience
    return urlencode(form).encode()


def _read_token(answer: Answer, name: str) -> Token:
    document = _object(answer)
    value = document.get("access_token")
    kind = document.get("token_type", "Bearer")
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        # The body is not shown: it may hold a token all the same.
        message = f"{name} answered {answer.status} without an access_token"
        raise ContractViolation(message, status=answer.status, hint=_URL_HINT)
    if not value or not isinstance(kind, str) or kind.lower() != "bearer":
        message = f"{name} gave a token that is no bearer token"
        raise ContractViolation(message, status=answer.status)
    return Token(value=Secret(value), lifetime_s=_lifetime_s(document))


def _lifetime_s(document: dict[str, Any]) -> float | None:
    # Some endpoints send the number as text.
    try:
        seconds = float(document.get("expires_in"))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < _LONGEST_S else None


def _refusal(
    answer: Answer, name: str, redactor: Redactor, now_utc: datetime
) -> CommandError:
    status = answer.status
    if status in _TEMPORARY or status >= 500:
        return NotSent(
            f"{name} answered {status}: no token now",
            status=status,
            retry_after_s=retry_after_s(answer, now_utc),
            code="token_endpoint_unavailable",
        )
    document = _object(answer)
    error = document.get("error")
    if isinstance(error, str) or status in {401, 403}:
        word = redactor.clean(error) if isinstance(error, str) else "no reason given"
        told = document.get("error_description")
        told = f" ({redactor.clean(told)})" if isinstance(told, str) else ""
        return NotAuthorised(
            f"{name} refused us: {visible(word, 80)}{visible(told, 300)}",
            status=status,
            error_code=visible(word, 80),
            code="token_refused",
            hint="check the client id, its secret, and the scopes it may ask for",
        )
    message = f"{name} answered {status}, which no token endpoint does"
    return ContractViolation(message, status=status, hint=_URL_HINT)


def _object(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _name(url: str) -> str:
    return f"the token endpoint at {visible(urlsplit(url).netloc, 100)}"
