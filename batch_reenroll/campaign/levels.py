r"""How far a rotation is verified, and why not further: a ladder of five levels.

A level is reached only with all below it. What is not known holds a row where it is;
only what is known to be wrong is a finding, and ends the row ``warning``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from batch_reenroll.campaign.certificate import (
    BREAKING,
    CertificateFacts,
    Difference,
    Differences,
    differences,
    sans_of,
)
from batch_reenroll.campaign.endpoint import Contact, Served
from batch_reenroll.campaign.nouns import ReenrollmentRequest
from batch_reenroll.campaign.reasons import Reason


class Level(IntEnum):
    """What has been shown of a row."""

    NONE = 0
    JOB = 1  # the job succeeded
    PRESENT = 2  # the inventory shows another certificate
    INTENDED = 3  # it is later, of the CA and template asked for, with another key
    EQUIVALENT = 4  # nothing of the old one is lost
    SERVED = 5  # the row's endpoint serves it


class Why(StrEnum):
    """Why a row stands no higher."""

    NOT_ASKED = "not_asked"
    NO_INVENTORY_SCHEDULE = "no_inventory_schedule"
    INVENTORY_UNCHANGED = "inventory_unchanged"
    INVENTORY_UNREADABLE = "inventory_unreadable"
    CERTIFICATES_UNREADABLE = "certificates_unreadable"
    CERTIFICATE_UNKNOWN = "certificate_unknown"
    NOT_LATER = "not_later"
    AUTHORITY_DIFFERS = "authority_differs"
    AUTHORITY_UNCONFIRMED = "authority_unconfirmed"
    TEMPLATE_UNCONFIRMED = "template_unconfirmed"
    KEY_REUSED = "key_reused"
    KEY_UNKNOWN = "key_unknown"
    OLD_CERTIFICATE_UNKNOWN = "old_certificate_unknown"
    CONTENTS_UNKNOWN = "contents_unknown"
    SAN_LOST = "san_lost"
    CERTIFICATE_DIFFERS = "certificate_differs"
    NO_ENDPOINT = "no_endpoint"
    ENDPOINT_UNCHECKED = "endpoint_unchecked"
    ENDPOINT_SERVES_OLD = "endpoint_serves_old"
    ENDPOINT_SERVES_OTHER = "endpoint_serves_other"
    ENDPOINT_REFUSED = "endpoint_refused"
    ENDPOINT_TIMEOUT = "endpoint_timeout"
    ENDPOINT_UNRESOLVED = "endpoint_unresolved"
    ENDPOINT_NO_HANDSHAKE = "endpoint_no_handshake"
    ENDPOINT_UNREACHABLE = "endpoint_unreachable"


W = Why

_CONTACTS: Mapping[Contact, Why] = {
    Contact.REFUSED: W.ENDPOINT_REFUSED,
    Contact.TIMEOUT: W.ENDPOINT_TIMEOUT,
    Contact.UNRESOLVED: W.ENDPOINT_UNRESOLVED,
    Contact.NO_HANDSHAKE: W.ENDPOINT_NO_HANDSHAKE,
    Contact.UNREACHABLE: W.ENDPOINT_UNREACHABLE,
}

#: What is known to be wrong, the gravest first.
FINDINGS: Mapping[Why, Reason] = {
    W.AUTHORITY_DIFFERS: Reason.AUTHORITY_DIFFERS,
    W.SAN_LOST: Reason.SAN_LOST,
    W.ENDPOINT_SERVES_OLD: Reason.ENDPOINT_SERVES_OLD,
    W.ENDPOINT_SERVES_OTHER: Reason.ENDPOINT_SERVES_OTHER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one row's rotation when its level is asked for.

    Attributes:
        request: What was asked for.
        after: The new certificate, or None where Command does not show it.
        before: What it replaced, or None.
        unread: Why ``after`` is None.
        endpoint: Whether the row names one.
        served: What the endpoint showed last, or None before it was asked.
        thumbprint_before: Of the certificate under the row's alias, or None.
    """

    request: ReenrollmentRequest
    after: CertificateFacts | None
    before: CertificateFacts | None = None
    unread: Why = Why.CERTIFICATE_UNKNOWN
    endpoint: bool = False
    served: Served | None = None
    thumbprint_before: str | None = None
    thumbprint_after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a row's verification came to.

    Attributes:
        level: Reached, with all below it.
        why: Why no higher; None at the top.
        differences: From the certificate that was replaced.
        finding: What is known to be wrong, or None.
        message: The finding for people, "" without one.
    """

    level: Level
    why: Why | None
    differences: Differences = ()
    finding: Reason | None = None
    message: str = ""


def assess(evidence: Evidence) -> Standing:
    """Return how far the rotation of a row is verified.

    The inventory has shown the new certificate already: the level is PRESENT or above.
    """
    after = evidence.after
    found: Differences = ()
    if after is not None:
        wanted = sans_of(evidence.request.sans) if evidence.request.sans else None
        found = differences(evidence.before, after, wanted=wanted)
    level, why = Level.PRESENT, None
    for step, holds in (
        (Level.INTENDED, _intended),
        (Level.EQUIVALENT, _equivalent),
        (Level.SERVED, _served),
    ):
        why = holds(evidence, found)
        if why is not None:
            break
        level = step
    wrong = _finding(evidence, found)
    return Standing(
        level=level,
        why=why,
        differences=found,
        finding=None if wrong is None else FINDINGS[wrong],
        message="" if wrong is None else _words(wrong, evidence, found),
    )


def _finding(evidence: Evidence, found: Differences) -> Why | None:
    """Return the gravest finding, whatever keeps the row from higher levels."""
    wrong = set()
    if evidence.after is not None:
        wrong.add(_issued(evidence.request, evidence.after))
    if any(kind is Difference.SAN_LOST for kind, _ in found):
        wrong.add(W.SAN_LOST)
    wrong.add(_served(evidence, found))
    return next((why for why in FINDINGS if why in wrong), None)


def _intended(evidence: Evidence, found: Differences) -> Why | None:
    before, after = evidence.before, evidence.after
    if after is None:
        return evidence.unread
    kinds = {kind for kind, _ in found}
    if Difference.EXPIRES_EARLIER in kinds or _begins_earlier(before, after):
        return W.NOT_LATER
    not_issued = _issued(evidence.request, after)
    if not_issued is not None:
        return not_issued
    if Difference.KEY_REUSED in kinds:
        return W.KEY_REUSED
    if before is None:
        return W.OLD_CERTIFICATE_UNKNOWN
    return None if before.key_id and after.key_id else W.KEY_UNKNOWN


def _begins_earlier(before: CertificateFacts | None, after: CertificateFacts) -> bool:
    if before is None or before.not_before is None or after.not_before is None:
        return False
    return after.not_before <= before.not_before


def _issued(request: ReenrollmentRequest, after: CertificateFacts) -> Why | None:
    """Return what speaks against the CA and the template that were asked for.

    Only the CA's own name, as Command gives it, can contradict: the issuer's common
    name need not be the logical name, and templates have several names.
    """
    wanted = (request.certificate_authority or "").casefold()
    if wanted:
        logical = wanted.rpartition("\\")[2]
        named = after.authority.casefold()
        if named and named.rpartition("\\")[2] != logical:
            return W.AUTHORITY_DIFFERS
        if not named and after.issuer_cn.casefold() != logical:
            return W.AUTHORITY_UNCONFIRMED
    template = _bare(request.certificate_template or "")
    if template and _bare(after.template) != template:
        return W.TEMPLATE_UNCONFIRMED
    return None


def _bare(name: str) -> str:
    """Return a template's name as its short name and its title have it in common."""
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def _equivalent(evidence: Evidence, found: Differences) -> Why | None:
    kinds = {kind for kind, _ in found}
    if Difference.SAN_LOST in kinds:
        return W.SAN_LOST
    if kinds & BREAKING:
        return W.CERTIFICATE_DIFFERS
    before, after = evidence.before, evidence.after
    if before is None or after is None:
        return W.OLD_CERTIFICATE_UNKNOWN
    unknown = (before.sans, after.sans, before.ekus, after.ekus)
    sizes = before.key_type and after.key_type and before.key_bits and after.key_bits
    return None if sizes and None not in unknown else W.CONTENTS_UNKNOWN


def _served(evidence: Evidence, _: Differences) -> Why | None:
    if not evidence.endpoint:
        return W.NO_ENDPOINT
    served = evidence.served
    if served is None:
        return W.ENDPOINT_UNCHECKED
    if served.contact is not Contact.SERVED:
        return _CONTACTS[served.contact]
    if served.thumbprint == evidence.thumbprint_after:
        return None
    is_old = served.thumbprint == evidence.thumbprint_before
    return W.ENDPOINT_SERVES_OLD if is_old else W.ENDPOINT_SERVES_OTHER


def _words(wrong: Why, evidence: Evidence, found: Differences) -> str:
    if wrong is W.AUTHORITY_DIFFERS and evidence.after is not None:
        wanted = evidence.request.certificate_authority
        return f"issued by {evidence.after.authority}, not by {wanted}"
    if wrong is W.SAN_LOST:
        lost = [text for kind, text in found if kind is Difference.SAN_LOST]
        return "the new certificate lacks " + ", ".join(lost)
    thumbprint = evidence.served.thumbprint if evidence.served else ""
    which = "the old" if wrong is W.ENDPOINT_SERVES_OLD else "another"
    return f"the endpoint serves {which} certificate, {thumbprint}"


def record(
    evidence: Evidence | None, standing: Standing, *, endpoint: str = ""
) -> dict[str, Any]:
    """Return what the ledger keeps of a verification, a JSON object.

    Args:
        evidence: What it stands on; None where the inventory never showed a new one.
        standing: What it came to.
        endpoint: As the row names it, or "".
    """
    value: dict[str, Any] = {"level": int(standing.level)}
    if standing.why is not None:
        value["why"] = str(standing.why)
    if standing.finding is not None:
        value["finding"] = str(standing.finding)
    if standing.differences:
        value["differences"] = [[str(k), text] for k, text in standing.differences]
    if evidence is None:
        return value
    for name, facts in (("before", evidence.before), ("after", evidence.after)):
        if facts is not None:
            value[name] = facts.as_json()
    if evidence.served is not None:
        value["endpoint"] = {
            "at": endpoint,
            "contact": str(evidence.served.contact),
            "thumbprint": evidence.served.thumbprint,
            "message": evidence.served.message,
        }
    return value
