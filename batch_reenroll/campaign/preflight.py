"""What a row would run into, found out before anything is sent. Pure.

Two kinds: what would certainly fail stops the row; what may go well is a *caution*,
which only speaks. Documents that leave a rule open make for cautions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from batch_reenroll.campaign.bodyfields import fields_in_doubt, fields_too_new
from batch_reenroll.campaign.calendar import Calendar, expires_before_window
from batch_reenroll.campaign.nouns import (
    AliasRule,
    EntryParameter,
    InventoryCertificate,
    Orchestrator,
    ReenrollmentRequest,
    Store,
    StoreType,
)
from batch_reenroll.campaign.proof import already_rotated, before
from batch_reenroll.campaign.reasons import Reason
from batch_reenroll.campaign.rows import Row
from batch_reenroll.text import rfc3339, visible

#: Longest silence of an orchestrator without a word. Keyfactor's own scripts look for
#: those seen since yesterday (keyfactor-command.md 4.4).
SILENCE = timedelta(days=1)

#: Found in values that some orchestrators split or read wrongly
#: (keyfactor-command.md 8): quotes and escapes, and what they protect.
_FRAGILE = re.compile(r'["\\+;<>#]')

#: Obstacles that a user may overrule: they rest on lists that may be incomplete.
IGNORABLE = frozenset(
    {
        Reason.PARAMETER_MISSING,
        Reason.PARAMETER_VALUE,
        Reason.PROPERTY_UNKNOWN,
        Reason.AUTHORITY_UNKNOWN,
        Reason.TEMPLATE_UNKNOWN,
        Reason.ALIAS_RULE,
    }
)

#: What Command gives as alias where the type allows none of one's own: the thumbprint,
#: as far as is known of such types (keyfactor-command.md 1.5). SHA-1, or SHA-256.
_THUMBPRINT = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")

_LIMIT = 200


class Finding(NamedTuple):
    """One thing about a row: a stable code, and words with the row's own values."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A certificate template, by every name that Command gives it."""

    names: tuple[str, ...]
    needs_approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    r"""What Command can issue, as far as the account may see it.

    Attributes:
        authorities: As requests name them, ``hostname\logical name``; None = not known.
        templates: None = not known.
        authorities_unread, templates_unread: Why they are not known, in words; "" where
            they are, or nobody asked.
    """

    authorities: tuple[str, ...] | None = None
    templates: tuple[Template, ...] | None = None
    authorities_unread: str = ""
    templates_unread: str = ""

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be looked at, and why; a sentence each."""
        said = (
            ("CAs", self.authorities_unread),
            ("templates", self.templates_unread),
        )
        return tuple(f"{what} not checked: {why}" for what, why in said if why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row with all that is known of where it would go.

    Attributes:
        request: What would be sent.
        store: Its store.
        kind: The store's type, None where Command lists none.
        agent: The store's orchestrator, None where Command lists none.
        enrollment: What Command can issue.
        version: Command's product version, "" where it shows none.
    """

    request: ReenrollmentRequest
    store: Store
    kind: StoreType | None
    agent: Orchestrator | None
    enrollment: Enrollment
    version: str = ""

    @property
    def parameters(self) -> tuple[EntryParameter, ...]:
        """The entry parameters: the store's own word goes before its type's."""
        kind = self.kind.entry_parameters if self.kind else ()
        return self.store.entry_parameters or kind

    @property
    def property_names(self) -> tuple[str, ...]:
        """Every name that ``JobProperties`` may hold; none = not known."""
        older = self.kind.job_properties if self.kind else ()
        return (*(parameter.name for parameter in self.parameters), *older)


def obstacles(case: Case) -> Iterator[Finding]:
    """Yield what would make the row's job fail for certain."""
    too_new = fields_too_new(case.request, case.version)
    if too_new:
        yield Finding(Reason.FIELD_UNSUPPORTED, too_new)
    properties = case.request.job_properties
    given = {name.casefold(): value for name, value in properties.items()}
    for parameter in case.parameters:
        yield from _parameter(parameter, given)
    names = case.property_names
    for name in properties:
        if names and not _is_named(name, names):
            yield Finding(
                Reason.PROPERTY_UNKNOWN,
                f"JobProperties.{visible(name, _LIMIT)} is not known to the store type"
                + _guess(name, names),
            )
    yield from _issuing(case)


def cautions(case: Case, now: datetime) -> Iterator[Finding]:
    """Yield what a person should know about a row that may go.

    Args:
        case: The row.
        now: Aware.
    """
    request, kind = case.request, case.kind
    doubtful = fields_in_doubt(request, case.version)
    if doubtful:
        yield Finding(Reason.FIELD_UNCERTAIN, doubtful)
    if case.agent is not None:
        yield from _about_orchestrator(case.agent, kind, now)
    if forbids_alias(kind) and not _THUMBPRINT.fullmatch(request.alias):
        yield Finding(Reason.ALIAS_RULE, _of_its_own(request.alias, kind))
    if request.job_properties and kind is not None and not case.property_names:
        name = visible(kind.short_name, _LIMIT)
        message = f"Command lists no entry parameters for store type {name}"
        yield Finding(Reason.PROPERTIES_UNLISTED, message)
    subject = request.subject_name
    found = _FRAGILE.search(subject)
    if found:
        message = f"the subject holds '{found.group()}': {visible(subject, _LIMIT)}"
        yield Finding(Reason.SUBJECT_FRAGILE, message)
    template = request.certificate_template
    waiting = [one for one in case.enrollment.templates or () if one.needs_approval]
    if template and any(_is_named(template, one.names) for one in waiting):
        message = f"template {visible(template, _LIMIT)} needs approval"
        yield Finding(Reason.TEMPLATE_NEEDS_APPROVAL, message)


def forbids_alias(kind: StoreType | None) -> bool:
    """Return whether a store type is known to allow no alias of one's own."""
    return kind is not None and kind.custom_alias is AliasRule.FORBIDDEN


def _of_its_own(alias: str, kind: StoreType | None) -> str:
    name = visible(kind.short_name if kind else "", _LIMIT)
    return f"store type {name} forbids aliases like {visible(alias, _LIMIT)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a store's inventory says of a row.

    Attributes:
        rotated: Why there is nothing to do, or None.
        obstacle: Why the row's job would fail, or None.
        cautions: What a person should know.
        thumbprint: Of the certificate under the row's alias, or None.
    """

    rotated: Finding | None = None
    obstacle: Finding | None = None
    cautions: tuple[Finding, ...] = ()
    thumbprint: str | None = None


def holding(
    row: Row,
    inventory: Sequence[InventoryCertificate],
    *,
    kind: StoreType | None,
    younger_than: timedelta | None,
    calendar: Calendar,
    now: datetime,
) -> Holding:
    """Return what the inventory says of a row that may go.

    Args:
        row: The row, not yet sent.
        inventory: The store's leaves.
        kind: The store's type, None where Command lists none.
        younger_than: A certificate issued within this time needs no rotation; None =
            any does.
        calendar: When rows may be submitted.
        now: Aware.
    """
    other = already_rotated(row, inventory)
    if other is not None:
        message = f"the store holds certificate {other.thumbprint} already"
        return Holding(rotated=Finding(Reason.ALREADY_ROTATED, message))
    under = before(row, inventory).under_alias
    if under is None and forbids_alias(kind):
        broken = Finding(Reason.ALIAS_RULE, _of_its_own(row.request.alias, kind))
        return Holding(obstacle=broken)
    if under is None:
        alias = visible(row.request.alias, _LIMIT)
        unknown = Finding(Reason.ALIAS_UNKNOWN, f"nothing stands under alias {alias}")
        return Holding(cautions=(unknown,))
    issued = under.not_before
    if younger_than is not None and issued is not None and issued > now - younger_than:
        message = f"its certificate was issued {rfc3339(issued)}"
        return Holding(rotated=Finding(Reason.ALREADY_ROTATED, message))
    said: tuple[Finding, ...] = ()
    if under.not_after and expires_before_window(under.not_after, calendar, now):
        message = f"it expires {rfc3339(under.not_after)}, before the next window"
        said = (Finding(Reason.EXPIRES_BEFORE_WINDOW, message),)
    return Holding(cautions=said, thumbprint=under.thumbprint or None)


def _parameter(
    parameter: EntryParameter, given: Mapping[str, object]
) -> Iterator[Finding]:
    value = given.get(parameter.name.casefold())
    name = f"JobProperties.{visible(parameter.name, _LIMIT)}"
    if value in (None, ""):
        depends = parameter.depends_on.casefold()
        wanted = not depends or _is_set(given.get(depends))
        if parameter.required and not parameter.default and wanted:
            yield Finding(Reason.PARAMETER_MISSING, f"{name} is missing")
        return
    allowed = _allowed(parameter)
    text = _text(value)
    if allowed and text.casefold() not in {option.casefold() for option in allowed}:
        yield Finding(
            Reason.PARAMETER_VALUE,
            f"{name} is {visible(text, _LIMIT)!r}; expected "
            + visible(", ".join(allowed), _LIMIT),
        )


def _allowed(parameter: EntryParameter) -> tuple[str, ...]:
    if parameter.kind.casefold() == "bool":
        return ("true", "false")
    return parameter.options


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_set(value: object) -> bool:
    return _text(value).casefold() not in ("", "none", "false", "0")


def _issuing(case: Case) -> Iterator[Finding]:
    authority, authorities = (
        case.request.certificate_authority,
        case.enrollment.authorities,
    )
    if authority and authorities and not _is_named(authority, authorities):
        yield Finding(
            Reason.AUTHORITY_UNKNOWN,
            f"Command has no certificate authority {visible(authority, _LIMIT)}"
            + _guess(authority, authorities),
        )
    template = case.request.certificate_template
    names = [name for one in case.enrollment.templates or () for name in one.names]
    if template and names and not _is_named(template, names):
        yield Finding(
            Reason.TEMPLATE_UNKNOWN,
            f"Command has no template {visible(template, _LIMIT)}"
            + _guess(template, names),
        )


def _about_orchestrator(
    agent: Orchestrator, kind: StoreType | None, now: datetime
) -> Iterator[Finding]:
    name = visible(agent.client_machine, _LIMIT)
    if agent.last_seen is not None and now - agent.last_seen > SILENCE:
        yield Finding(
            Reason.ORCHESTRATOR_SILENT,
            f"orchestrator {name} was last seen {rfc3339(agent.last_seen)}",
        )
    wanted = kind.capability.casefold() if kind else ""
    listed = [capability.casefold() for capability in agent.capabilities]
    if wanted and listed and not any(wanted in capability for capability in listed):
        yield Finding(
            Reason.ORCHESTRATOR_INCAPABLE,
            f"orchestrator {name} lists no capability for "
            f"{visible(kind.capability if kind else '', _LIMIT)}",
        )


def _is_named(wanted: str, names: Iterable[str]) -> bool:
    return wanted.casefold() in {name.casefold() for name in names}


def _guess(name: str, known: Iterable[str]) -> str:
    by_folded = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), by_folded, n=1)
    return f"; did you mean {visible(by_folded[close[0]], _LIMIT)}?" if close else ""
