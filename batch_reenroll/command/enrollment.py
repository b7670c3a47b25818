"""Which CAs and templates Command lists, by every name that a request may give them.

Nothing but a check before anything is sent rests on these lists, and an account that
may re-enroll need not see them. So a list that is refused, or makes no sense, is not
known and no error; what keeps the other lists from being read is one here, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from batch_reenroll.campaign.preflight import Enrollment, Template
from batch_reenroll.command.dialect import Endpoint
from batch_reenroll.command.listing import Listing, Lists, read_all
from batch_reenroll.command.refusal import Right
from batch_reenroll.command.wire import Fields
from batch_reenroll.errors import (
    CommandError,
    ContractViolation,
    NotAuthorised,
    Refused,
)
from batch_reenroll.text import visible

# As for the other lists that are read whole (keyfactor-command.md 2.1).
_LIST_LIMIT = 500
_WHY_LIMIT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAuthority:
    """One item of ``GET /CertificateAuthority``; ``names`` may be empty."""

    number: int | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTemplate:
    """One item of ``GET /Templates``; its names may be empty."""

    number: int | None
    template: Template


T = TypeVar("T", ListedAuthority, ListedTemplate)


async def read_enrollment(lists: Lists) -> Enrollment:
    """Return the CAs and templates that the account may see.

    Raises:
        CommandError: Command cannot be used now, or does not know us.
    """
    authorities, no_authorities = await _listed(lists, _AUTHORITIES)
    templates, no_templates = await _listed(lists, _TEMPLATES)
    return Enrollment(
        authorities=None
        if authorities is None
        else tuple(dict.fromkeys(name for ca in authorities for name in ca.names)),
        templates=None
        if templates is None
        else tuple(item.template for item in templates if item.template.names),
        authorities_unread=no_authorities,
        templates_unread=no_templates,
    )


async def _listed(
    lists: Lists, listing: Listing[T]
) -> tuple[tuple[T, ...] | None, str]:
    """Return all items, or None and why they are not known."""
    try:
        # An item that is not numbered is told from others by all that it says.
        found = await read_all(
            lists, listing, lambda item: item.number or item, limit=_LIST_LIMIT
        )
    except (Refused, ContractViolation, NotAuthorised) as exc:
        if exc.status == 401:
            raise
        return None, why_unread(exc, listing.right)
    return found, ""


def why_unread(error: CommandError, right: Right) -> str:
    """Return in words why what was asked for is not known."""
    if error.status == 403:
        return f"the account may not read them; missing: {right.value}"
    if error.status == 404:
        return "this Command does not list them"
    return visible(error.message, _WHY_LIMIT)


def authority(raw: object) -> ListedAuthority:
    r"""Return one CA, named ``hostname\logical name`` as requests do.

    ``HostName`` may be a URL. undocumented: what a request then gives as the host name;
    both the URL and the host in it are taken.
    """
    row = Fields(raw)
    host, logical = row.text("HostName").strip(), row.text("LogicalName").strip()
    hosts = dict.fromkeys(part for part in (host, _host_of(host)) if part)
    names = [f"{part}\\{logical}" for part in hosts] or [logical]
    return ListedAuthority(
        number=row.integer("Id"), names=tuple(names) if logical else ()
    )


def _host_of(address: str) -> str:
    """Return the host in a URL, "" where the address is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def template(raw: object) -> ListedTemplate:
    """Return one template.

    Requests give the short name; that another one would be refused is not documented.
    """
    row = Fields(raw)
    named = ("CommonName", "TemplateName", "DisplayName", "FriendlyName")
    names = dict.fromkeys(row.text(name).strip() for name in named)
    return ListedTemplate(
        number=row.integer("Id"),
        template=Template(
            names=tuple(name for name in names if name),
            needs_approval=row.flag("RequiresApproval") is True,
        ),
    )


_AUTHORITIES = Listing(
    endpoint=Endpoint.AUTHORITIES,
    path="/CertificateAuthority",
    kind="other",
    right=Right.READ_AUTHORITIES,
    decode=authority,
)
_TEMPLATES = Listing(
    endpoint=Endpoint.TEMPLATES,
    path="/Templates",
    kind="other",
    right=Right.READ_TEMPLATES,
    decode=template,
)
