"""What an answer that is not 2xx means for the caller (pure).

The statuses that Command gives are not documented for every case
(keyfactor-command.md 1.4); the classes below follow HTTP's own meaning of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from batch_reenroll.command.answer import Answer, retry_after_s
from batch_reenroll.command.secret import Redactor
from batch_reenroll.command.wire import Fields, excerpt, parse_json
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    OutcomeUnknown,
    Refused,
    Throttled,
)
from batch_reenroll.text import visible

_FORBIDDEN = "forbidden"
_MESSAGE_LIMIT = 600
_CODE_LIMIT = 60
_AGENTS_READ = "AgentManagement: Read (v10) or /agents/management/read/ (11+)"
_STORES_READ = (
    "CertificateStoreManagement: Read (v10) or /certificate_stores/read/ (11+), "
    "global or for the store's container"
)


class Right(StrEnum):
    """What a call needs; the value names the right in v10 and in 11+.

    Source: keyfactor-command.md 1.6, 2.7, 3.2, 4.1, 4.4, 4.6; for CAs and templates the
    pages "GET Certificate Authority" and "GET Templates" of 10.2 to 25.1. The page of
    store types names no right; none is invented.
    """

    REENROLL = (
        "CertificateEnrollment: EnrollCSR and CertificateStoreManagement: Modify (v10) "
        "or /certificates/enrollment/csr/ and /certificate_stores/modify/ (11+), the "
        "store right global or for the store's container"
    )
    READ_AGENTS_AND_JOBS = _AGENTS_READ
    UNSCHEDULE = (
        "AgentManagement: Modify and CertificateStoreManagement: Schedule (v10) or "
        "/agents/management/modify/ and /certificate_stores/schedule/ (11+), the "
        "store right global or for the store's container"
    )
    READ_STORES = _STORES_READ
    READ_STORE_TYPES = "the right to read certificate store types"
    READ_AUTHORITIES = (
        "PkiManagement: Read (v10) or /certificate_authorities/read/ (11+)"
    )
    READ_TEMPLATES = "PkiManagement: Read (v10) or /certificate_templates/read/ (11+)"
    READ_CERTIFICATES = (
        "Certificates: Read (v10) or /certificates/collections/read/ (11+)"
    )
    NONE = "any right to use the API"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the body of a refusal says; both texts printable and without secrets."""

    error_code: str
    message: str
    html: bool


def told_by(answer: Answer, redactor: Redactor) -> Told:
    """Return Command's ``ErrorCode`` and ``Message``, or an excerpt of other bodies.

    ``FailedOperations[].Reason`` is added to the message where it stands.
    """
    shown = excerpt(answer, redactor)
    html = shown[:1] == "<"
    try:
        fields = Fields(parse_json(answer, redactor))
    except ContractViolation:
        return Told(
            error_code="",
            message="an HTML page" if html else visible(shown, _MESSAGE_LIMIT),
            html=html,
        )
    reasons = [
        reason
        for item in fields.items("FailedOperations")
        if isinstance(item, dict) and (reason := Fields(item).text("Reason"))
    ]
    told = "; ".join([part for part in (fields.text("Message"), *reasons) if part])
    code = fields.text("ErrorCode")
    known = redactor.clean(told) if told or code else shown
    return Told(
        error_code=visible(redactor.clean(code), _CODE_LIMIT),
        message=visible(known, _MESSAGE_LIMIT),
        html=False,
    )


def error_for(
    answer: Answer,
    *,
    what: str,
    right: Right,
    redactor: Redactor,
    now_utc: datetime,
) -> CommandError:
    """Return the error that an answer other than 2xx means.

    Args:
        answer: The answer.
        what: The request, for the message (``POST /CertificateStores/…``).
        right: What the request needs, named when it is refused for rights.
        redactor: Knows our secrets.
        now_utc: For a ``Retry-After`` date without a ``Date``.
    """
    told = told_by(answer, redactor)
    status = answer.status
    kind, code, hint = _class_of(answer, told, redactor)
    words = f": {told.message}" if told.message else ""
    error_code = f" {told.error_code}" if told.error_code else ""
    # In the message and not the hint: a row and a stopped run keep only that.
    missing = f"; missing: {right.value}" if code == _FORBIDDEN else ""
    return kind(
        f"{what} was answered {status}{error_code}{words}{missing}",
        status=status,
        retry_after_s=retry_after_s(answer, now_utc),
        error_code=told.error_code,
        code=code,
        hint=hint,
    )


def _class_of(
    answer: Answer, told: Told, redactor: Redactor
) -> tuple[type[CommandError], str | None, str]:
    status = answer.status
    if status == 401:
        hint = "Command does not accept these credentials"
        return NotAuthorised, "not_authenticated", hint
    if status == 403:
        hint = "grant the right to the account, or use another account"
        return NotAuthorised, _FORBIDDEN, hint
    if status == 429:
        return Throttled, None, ""
    if status == 408:
        return OutcomeUnknown, "request_timeout", ""
    if status >= 500:
        return OutcomeUnknown, "server_error", ""
    if 300 <= status <= 399:
        return Refused, "redirected", _redirect_hint(answer, redactor)
    if status < 200:
        return OutcomeUnknown, "not_final", ""
    hint = ""
    if status == 404 and (told.html or not told.error_code):
        hint = "if nothing is found at all, check KEYFACTOR_API_PATH"
    if status == 407:
        hint = "a proxy wants credentials"
    return Refused, None, hint


def _redirect_hint(answer: Answer, redactor: Redactor) -> str:
    location = redactor.clean(answer.headers.get("location", ""))
    try:
        # Without the rest: a sign-in address carries state in its query.
        host = urlsplit(location).hostname or "the same host"
    except ValueError:
        host = "an address that cannot be read"
    return (
        f"it points to {visible(host, 100)}, and redirects are not followed: check "
        "KEYFACTOR_HOSTNAME, or whether a sign-in page stands in front"
    )
