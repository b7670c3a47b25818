"""One HTTP answer as a value, and what its headers say (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Ten digits are three centuries; more is noise, and float() would make it infinite.
_SECONDS = re.compile(r"\d{1,10}(?:\.\d{1,9})?", re.ASCII)
_COUNT = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete HTTP answer.

    Attributes:
        status: HTTP status, 100 to 599.
        headers: Names in lower case; of a repeated header, the first.
        body: The decoded bytes, at most the transport's cap.
        truncated: The body was longer than the cap; what is here is its beginning.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    truncated: bool = False

    @property
    def ok(self) -> bool:
        """Return whether the status is 2xx."""
        return 200 <= self.status <= 299


def server_time(answer: Answer) -> datetime | None:
    """Return the ``Date`` header as aware UTC, or None."""
    return _http_date(answer.headers.get("date", ""))


def total_count(answer: Answer) -> int | None:
    """Return ``X-Total-Count``, >= 0, or None where the server sends none."""
    text = answer.headers.get("x-total-count", "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


def retry_after_s(answer: Answer, now_utc: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, >= 0, or None.

    Args:
        answer: Its ``Date`` header, where sent, is the moment an HTTP date counts
            from: the two clocks then do not matter.
        now_utc: Our clock, for servers without ``Date``.

    Source:
        RFC 9110 section 10.2.3.
    """
    text = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = _http_date(text)
    if moment is None:
        return None
    start = server_time(answer) or now_utc
    return max(0.0, (moment - start).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" gives a naive datetime, and means UTC (RFC 5322 section 3.3).
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
