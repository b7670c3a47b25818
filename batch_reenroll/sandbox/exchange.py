"""HTTP-shaped values: what goes into the core and what comes out of it.

Owns no transport: the aiohttp shell and the in-process transport both speak in these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime


class SandboxError(Exception):
    """The sandbox cannot be set up or was asked for something it cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request.

    Attributes:
        method: Upper-case HTTP method.
        target: Path and query exactly as on the request line, still encoded.
        headers: Names in lower case.
        body: The whole body; a shell may cut it just above the core's limit.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP answer; header names as Command spells them."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class ApiError(Exception):
    """A refusal with Command's error body.

    Attributes:
        status: HTTP status, 4xx.
        error_code: Hex text such as ``0xA0110003``. undocumented: nobody publishes the
            codes of these endpoints; only the form is known.
        headers: Extra headers of the answer.
    """

    def __init__(
        self,
        status: int,
        error_code: str,
        message: str,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.headers = headers


def json_body(value: object) -> bytes:
    """Return compact JSON in ASCII, so that any text survives any client."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def error_response(error: ApiError) -> Response:
    """Return the answer that ``error`` stands for."""
    body = json_body({"ErrorCode": error.error_code, "Message": error.message})
    content = ("Content-Type", "application/json; charset=utf-8")
    return Response(status=error.status, headers=(content, *error.headers), body=body)


def http_date(at: float) -> str:
    """Return ``at`` (seconds since the epoch) as an HTTP date, RFC 9110 5.6.7."""
    return format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)


def iso_time(at: float) -> str:
    """Return ``at`` (seconds since the epoch) as RFC 3339 UTC with milliseconds."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
