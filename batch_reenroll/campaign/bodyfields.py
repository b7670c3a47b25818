"""Which fields of the reenrollment body a version of Command knows. Pure.

Seven fields are in every schema seen; the others first appear in that of 25.1.1 and
are absent from that of 24 (keyfactor-command.md 1.1).
"""

from __future__ import annotations

import re

from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.text import visible

_VERSION = re.compile(
    r"\s*v?(\d{1,4})(?:\.(\d{1,6}))?(?:[.+-].*)?\s*", re.ASCII | re.DOTALL
)

# undocumented: the release that first accepted them. Only what the schemas prove is
# refused: 24 lacks them, 25.1 has them.
_FIRST_MAJOR = 25
_PROVED = (25, 1)
# What extensions need for SANs of a reenrollment (keyfactor-command.md 1.1).
_SANS_USED = (25, 4)


def newer_fields(request: ReenrollmentRequest) -> tuple[str, ...]:
    """Return the fields of ``request`` that Command before 25 lacks, by API name."""
    given = {
        "SANs": request.sans,
        "EnrollmentPatternId": request.enrollment_pattern_id,
        "Metadata": request.metadata,
        "AdditionalEnrollmentFields": request.additional_enrollment_fields,
        "OwnerRoleName": request.owner_role_name,
    }
    return tuple(name for name, value in given.items() if value is not None)


def fields_too_new(request: ReenrollmentRequest, version: str) -> str:
    """Return what this version of Command certainly lacks, "" where nothing.

    Args:
        request: What would be sent.
        version: Product version; unreadable or "" refuses nothing.
    """
    known = _parsed(version)
    names = newer_fields(request)
    if known is None or known[0] >= _FIRST_MAJOR or not names:
        return ""
    shown = visible(version, 40)
    return f"Command {shown} has no {', '.join(names)}: these need 25 or later"


def fields_in_doubt(request: ReenrollmentRequest, version: str) -> str:
    """Return what this Command may not know or use, "" where nothing."""
    names = newer_fields(request)
    if not names:
        return ""
    known = _parsed(version)
    if known is None:
        listed = ", ".join(names)
        return f"Command does not show its version; {listed} need 25 or later"
    if known < (_FIRST_MAJOR, 0):
        return ""
    shown = visible(version, 40)
    if known < _PROVED:
        return f"Command {shown} may not know {', '.join(names)}: 25.1 is known to"
    if "SANs" in names and known < _SANS_USED:
        return f"Command {shown} may not use SANs here: extensions name 25.4"
    return ""


def _parsed(version: str) -> tuple[int, int] | None:
    match = _VERSION.fullmatch(version)
    return (int(match[1]), int(match[2] or 0)) if match else None
